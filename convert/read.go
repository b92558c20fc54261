package convert

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/filemap"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/ziparchive"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// reader reads the weights of one format.
type reader struct {
	format string
	is     func(data []byte) bool // looks at the content
	read   func(path string) (*Weights, error)
}

// readers are tried in turn. (A function, because readers look at the table themselves to name what they know.)
func readers() []reader {
	return []reader{
		{"npz", isNpz, ReadNpz},
		{"Keras archive", isKerasZip, ReadKerasWeights},
		{"PyTorch", isTorch, ReadTorch},
		{"safetensors", isSafetensors, ReadSafetensors},
		{"Keras HDF5", isHDF5, ReadKerasWeights},
	}
}

// ReadWeights reads a file of weights, whose format is told by its content.
func ReadWeights(path string) (*Weights, error) {
	data, unmap, err := filemap.Open(path)
	if err != nil {
		return nil, err
	}
	var found *reader
	var known []string
	for _, r := range readers() {
		known = append(known, r.format)
		if found == nil && r.is(data) {
			found = &r
		}
	}
	model := found == nil && bytes.HasPrefix(bytes.TrimSpace(data[:min(len(data), 1<<10)]), []byte("{")) && bytes.Contains(data, []byte(`"weightsManifest"`))
	if err := unmap(); err != nil {
		return nil, err
	}
	switch {
	case model:
		return nil, fmt.Errorf("%s: a TensorFlow.js model, which says itself what network it is: convert it without naming one", path)
	case found == nil && strings.EqualFold(filepath.Ext(path), ".safetensors"):
		return ReadSafetensors(path) // which says what is wrong with it
	case found == nil:
		return nil, fmt.Errorf("%s: not a file of weights that is known here (%s)", path, strings.Join(known, ", "))
	}
	return found.read(path)
}

func isNpz(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\x93NUMPY")) {
		return true
	}
	if !ziparchive.Is(data) {
		return false
	}
	// The first member's name is in the header before it.
	const size = 30
	if len(data) < size {
		return false
	}
	n := int(data[26]) | int(data[27])<<8
	return strings.HasSuffix(string(data[size:min(len(data), size+n)]), ".npy")
}

// ReadNpz reads the arrays of an .npz or .npy file.
func ReadNpz(path string) (*Weights, error) {
	tensors, err := npz.ReadFile(path)
	if err != nil {
		return nil, err
	}
	size := int64(0)
	for _, t := range tensors {
		size += int64(len(t.Raw))
	}
	w := NewWeights("npz", path, size)
	for _, t := range tensors {
		if t.Type == onnx.String {
			w.Notes = append(w.Notes, fmt.Sprintf("%q holds text and is left out", t.Name))
			continue
		}
		if err := w.AddTensor(t); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return w, nil
}
