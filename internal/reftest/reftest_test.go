package reftest

import (
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// recorder is a testing.TB that notes how the test ended.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper() {}
func (r *recorder) Skipf(format string, args ...any) {
	r.ended = "skip: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.ended = "fail: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// ending runs f and returns how it ended the test, "" where it did not.
func ending(f func(t testing.TB)) string {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r.ended
}

func TestAbsentReferences(t *testing.T) {
	for _, c := range []struct {
		name string
		find func(t testing.TB)
		what string
	}{
		{"by name", func(t testing.TB) { Missing(t, "the thing") }, "the thing is absent"},
		{"python module", func(t testing.TB) { Python(t, "no_such_module_at_all") }, "a Python 3 with no_such_module_at_all is absent"},
		{"shared file", func(t testing.TB) { Shared(t, "no/such/file") }, "../shared/no/such/file is absent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("ONNXCNN_REQUIRE_REFERENCES", "")
			if got, want := ending(c.find), "skip: "+c.what; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			t.Setenv("ONNXCNN_REQUIRE_REFERENCES", "1")
			if got, want := ending(c.find), "fail: "+c.what; !strings.HasPrefix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestWithoutShared(t *testing.T) {
	t.Setenv("ONNXCNN_REQUIRE_REFERENCES", "1")
	t.Setenv("ONNXCNN_WITHOUT_SHARED", "1")
	if got, want := ending(func(t testing.TB) { Shared(t, "no/such/file") }), "skip: ../shared/no/such/file is absent"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What has been made is used; what is made lies in the cache folder (the rest of the making is PyTorch's).
func TestModel(t *testing.T) {
	script, err := os.ReadFile(Shared(t, "tools/reference_models.py"))
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	t.Setenv("HOME", cache)
	t.Setenv("XDG_CACHE_HOME", cache)
	dir := filepath.Join(cache, "onnxcnn-ref", fmt.Sprintf("tiny-%08x", crc32.ChecksumIEEE(script)))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if got, want := Model(t, "tiny"), filepath.Join(dir, "tiny"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	Python(t, "torch", "torchvision", "onnx")
	if got := ending(func(t testing.TB) { Model(t, "no_such_network") }); !strings.HasPrefix(got, "fail: ") {
		t.Errorf("making an unknown network: %q, want a failure", got)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "onnxcnn-ref", "making-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPythonImportsItsModules(t *testing.T) {
	p := Python(t, "sys", "json")
	if out, err := exec.Command(p, "-c", "import sys; print(sys.version_info[0])").Output(); err != nil || strings.TrimSpace(string(out)) != "3" {
		t.Errorf("%s: %q, %v", p, out, err)
	}
	if again := Python(t, "sys", "json"); again != p {
		t.Errorf("asked again: %s, first %s", again, p)
	}
}

func TestOnnxData(t *testing.T) {
	if dir := OnnxData(t); !isDir(filepath.Join(dir, "node", "test_relu")) {
		t.Errorf("%s has no node/test_relu", dir)
	}
}

func TestORTLibrary(t *testing.T) {
	t.Setenv("ONNXCNN_ORT_LIB", "/some/lib.so")
	if got := ORTLibrary(t); got != "/some/lib.so" {
		t.Errorf("got %s, want what the environment says", got)
	}
	os.Unsetenv("ONNXCNN_ORT_LIB")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	if got := findORT(); got != "" {
		t.Errorf("found %s in an empty folder", got)
	}
}

func TestRoot(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "internal", "reftest")); err != nil {
		t.Error(err)
	}
	t.Chdir(t.TempDir())
	if dir, err := Root(); err == nil {
		t.Errorf("found %s outside of the module", dir)
	}
}

func TestFuzzed(t *testing.T) {
	t.Setenv(FuzzCountEnv, "")
	Fuzzed(1 << 20) // counts nothing
	file := filepath.Join(t.TempDir(), "count")
	t.Setenv(FuzzCountEnv, file)
	for i := range 2*every + every/2 {
		Fuzzed(i % 2)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for line := range strings.Lines(string(data)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if sum != every {
		t.Errorf("%d bytes counted, want %d", sum, every)
	}
	t.Setenv(FuzzCountEnv, t.TempDir()) // a folder: cannot be written to
	for range every {
		Fuzzed(1)
	}
}
