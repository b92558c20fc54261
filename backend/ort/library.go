package ort

import (
	"os"
	"path/filepath"
	"runtime"
)

// LibraryEnv names the environment variable with the path of ONNX Runtime's library.
const LibraryEnv = "ONNXCNN_ORT_LIB"

// libraryPath returns the file to load: from the environment, beside the program, from where scripts/get_ort.sh installs
// it, from where packages put it, or the name that the system's loader looks for.
func libraryPath() string {
	if p := os.Getenv(LibraryEnv); p != "" {
		return given(p)
	}
	for _, p := range usualPlaces() {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p
		}
	}
	return libraryNames()[0]
}

// given returns the file that a path from outside means: the library in it, if it is a folder, and otherwise the file in
// the working folder, if there is one of this name (the system's loader would look for it elsewhere).
func given(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	if info.IsDir() {
		for _, n := range libraryNames() {
			if _, err := os.Stat(filepath.Join(path, n)); err == nil {
				path = filepath.Join(path, n)
				break
			}
		}
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// libraryNames returns the names that the library has on this system.
func libraryNames() []string {
	switch runtime.GOOS {
	case "darwin":
		return []string{"libonnxruntime.dylib"}
	case "windows":
		return []string{"onnxruntime.dll"}
	}
	return []string{"libonnxruntime.so.1", "libonnxruntime.so"}
}

// usualPlaces returns the files at which the library may lie where the system's loader does not look.
func usualPlaces() []string {
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(exe))
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(cache, "onnxcnn-ort", "node_modules", "onnxruntime-node", "bin", "napi-v6", runtime.GOOS, arch))
	}
	switch runtime.GOOS {
	case "darwin":
		dirs = append(dirs, "/opt/homebrew/lib", "/usr/local/lib")
	case "linux":
		dirs = append(dirs, "/usr/local/lib", "/opt/onnxruntime/lib")
	}
	var out []string
	for _, d := range dirs {
		for _, n := range libraryNames() {
			out = append(out, filepath.Join(d, n))
		}
	}
	return out
}
