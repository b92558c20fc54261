// Package reftest finds what tests compare with that does not come with this repository: Python with PyTorch, the
// test data of the ONNX project, the ONNX Runtime library, and the folder of shared data beside the checkout.
//
// Where one is absent the test is skipped, unless ONNXCNN_REQUIRE_REFERENCES=1 is set, as it is in CI: then it fails.
package reftest

import (
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Missing ends the test because what it compares with is absent: it skips it, or fails it where references are required.
func Missing(t testing.TB, what string) {
	t.Helper()
	if Required() {
		t.Fatalf("%s is absent, and ONNXCNN_REQUIRE_REFERENCES=1 is set", what)
	}
	t.Skipf("%s is absent", what)
}

// Required reports whether an absent reference is a failure.
func Required() bool { return os.Getenv("ONNXCNN_REQUIRE_REFERENCES") == "1" }

// Python returns the path of a Python 3 that can import the modules (numpy, say, or torch and torchvision): the
// system's, else the first on the PATH.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	if p := findPython(modules); p != "" {
		return p
	}
	Missing(t, "a Python 3 with "+strings.Join(modules, ", "))
	return ""
}

var (
	pythonMu sync.Mutex
	pythons  = map[string]string{} // by modules; importing torch takes a second
)

func findPython(modules []string) string {
	pythonMu.Lock()
	defer pythonMu.Unlock()
	key := strings.Join(modules, ", ")
	if p, ok := pythons[key]; ok {
		return p
	}
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if path, err := exec.LookPath(p); err == nil && exec.Command(path, "-c", "import "+key).Run() == nil {
			pythons[key] = path
			return path
		}
	}
	pythons[key] = ""
	return ""
}

// OnnxData returns the folder of libonnx-testdata, which has the folders node, pytorch-converted, pytorch-operator and
// simple, each with a folder a case.
func OnnxData(t testing.TB) string {
	t.Helper()
	const dir = "/usr/share/libonnx-testdata/data"
	if isDir(filepath.Join(dir, "node")) {
		return dir
	}
	Missing(t, "libonnx-testdata (the Debian package)")
	return ""
}

// NewestOnnxData returns the folder that scripts/onnx_cases.sh makes, which has the folders node and simple, each with a
// folder a case: the environment's ONNXCNN_ONNX_CASES, else where the script puts it.
func NewestOnnxData(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("ONNXCNN_ONNX_CASES")
	if cache, err := os.UserCacheDir(); dir == "" && err == nil {
		dir = filepath.Join(cache, "onnxcnn-onnx", OnnxRelease, "cases")
	}
	if isDir(filepath.Join(dir, "node")) {
		return dir
	}
	Missing(t, "the cases of ONNX "+OnnxRelease+" (scripts/onnx_cases.sh)")
	return ""
}

// OnnxRelease is the release of ONNX whose cases [NewestOnnxData] finds; scripts/onnx_cases.sh has it, too.
const OnnxRelease = "1.23.2"

// ORTLibrary returns the path of the ONNX Runtime library: the environment's ONNXCNN_ORT_LIB, else where scripts/get_ort.sh
// puts it.
func ORTLibrary(t testing.TB) string {
	t.Helper()
	if lib := findORT(); lib != "" {
		return lib
	}
	Missing(t, "the ONNX Runtime library (scripts/get_ort.sh installs it)")
	return ""
}

func findORT() string {
	if lib := os.Getenv("ONNXCNN_ORT_LIB"); lib != "" {
		return lib
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	lib := filepath.Join(cache, "onnxcnn-ort", "node_modules", "onnxruntime-node", "bin", "napi-v6", runtime.GOOS, arch, "libonnxruntime.so.1")
	if _, err := os.Stat(lib); err != nil {
		return ""
	}
	return lib
}

// Shared returns a path inside the folder "shared" that lies beside the checkout, such as Shared(t, "data/photos").
// ONNXCNN_WITHOUT_SHARED=1 says that this machine cannot have that folder: then the test is skipped in any case.
func Shared(t testing.TB, path string) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(root, "..", "shared", filepath.FromSlash(path))
	if _, err := os.Stat(p); err == nil {
		return p
	}
	if os.Getenv("ONNXCNN_WITHOUT_SHARED") == "1" {
		t.Skipf("../shared/%s is absent", path)
	}
	Missing(t, "../shared/"+path)
	return ""
}

// Model returns the common path prefix of what ../shared/tools/reference_models.py makes of a network (vgg16, resnet50
// or inception_v3): append .onnx, .bn.onnx, .in.npy, .out.npy or .layers.npz. The files are made on first use, with
// PyTorch, and kept in the user's cache folder.
func Model(t testing.TB, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "onnxcnn-ref")
	// The script's checksum is part of the path, so that files of an older version are not taken for this one's.
	script := Shared(t, "tools/reference_models.py")
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, fmt.Sprintf("%s-%08x", name, crc32.ChecksumIEEE(text)))
	if !isDir(dir) {
		python := Python(t, "torch", "torchvision", "onnx")
		if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
			t.Fatal(err)
		}
		temp, err := os.MkdirTemp(filepath.Dir(dir), "making-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(temp)
		if out, err := exec.Command(python, script, temp, name).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		// Another test may have made the same meanwhile: then its files stay.
		if err := os.Rename(temp, dir); err != nil && !isDir(dir) {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, name)
}

// Root returns the folder of the module: the first one from the working directory upwards that has a go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", os.ErrNotExist
		}
		dir = up
	}
}

func isDir(p string) bool {
	i, err := os.Stat(p)
	return err == nil && i.IsDir()
}
