package zoo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// HomeVariable names the environment variable that says where the cache lies.
const HomeVariable = "ONNXCNN_HOME"

// CacheDir returns the folder of the pretrained networks: zoo in $ONNXCNN_HOME, or in onnxcnn in the user's cache folder.
// It need not exist.
func CacheDir() (string, error) {
	home := os.Getenv(HomeVariable)
	if home == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("where the cache lies is not known (%w): set %s", err, HomeVariable)
		}
		home = filepath.Join(cache, "onnxcnn")
	}
	return filepath.Join(home, "zoo"), nil
}

// CachedPath returns where the network lies as an ONNX file once it has been pulled. The name has a part of the checksum of
// its weights.
func (p Pretrained) CachedPath() (string, error) {
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, fmt.Sprintf("%s-%.8s.onnx", p.Name, p.SHA256)), nil
}

// Cached reports whether the network has been pulled.
func (p Pretrained) Cached() bool {
	path, err := p.CachedPath()
	if err != nil {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// UnknownNameError says that there are no pretrained weights of a name.
type UnknownNameError struct{ Name string }

func (e *UnknownNameError) Error() string {
	if _, ok := Lookup(e.Name); ok {
		return fmt.Sprintf("of %s the architecture is known, and no pretrained weights", e.Name)
	}
	return fmt.Sprintf("there is no network named %q", e.Name)
}

// NotPulledError says that pretrained weights are known, but not in the cache.
type NotPulledError struct{ Pretrained Pretrained }

func (e *NotPulledError) Error() string {
	return fmt.Sprintf("%s is a pretrained network that has not been fetched yet", e.Pretrained.Name)
}

// Open opens a pretrained network from the cache, with its recipe and labels. What [Pull] has not put there is a
// [*NotPulledError]; an unknown name is an [*UnknownNameError].
func Open(name string) (*onnx.Model, error) {
	p, ok := LookupPretrained(name)
	if !ok {
		return nil, &UnknownNameError{name}
	}
	path, err := p.CachedPath()
	if err != nil {
		return nil, err
	}
	m, err := onnx.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &NotPulledError{p}
	}
	return m, err
}
