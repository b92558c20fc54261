package ort

import (
	"os"
	"path/filepath"
	"runtime"
)

// libraryEnv names the environment variable with the path of ONNX Runtime's library.
const libraryEnv = "ONNXCNN_ORT_LIB"

// libraryPath returns the file to load: from the environment, from where scripts/get_ort.sh installs it, or the name
// that the system's loader looks for.
func libraryPath() string {
	if p := os.Getenv(libraryEnv); p != "" {
		return p
	}
	name := map[string]string{"darwin": "libonnxruntime.dylib", "windows": "onnxruntime.dll"}[runtime.GOOS]
	if name == "" {
		name = "libonnxruntime.so.1"
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if cache, err := os.UserCacheDir(); err == nil {
		p := filepath.Join(cache, "onnxcnn-ort", "node_modules", "onnxruntime-node", "bin", "napi-v6", runtime.GOOS, arch, name)
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return name
}
