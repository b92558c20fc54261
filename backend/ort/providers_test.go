//go:build cgo

package ort

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestParseSpec(t *testing.T) {
	for _, tt := range []struct {
		text string
		want spec
		err  string
	}{
		{"", spec{name: "cpu"}, ""},
		{"cpu", spec{name: "cpu"}, ""},
		{"cuda", spec{name: "cuda"}, ""},
		{"cuda,device_id=1", spec{name: "cuda", options: map[string]string{"device_id": "1"}}, ""},
		{"tensorrt,device_id=1,trt_fp16_enable=1,fallback=cpu",
			spec{name: "tensorrt", options: map[string]string{"device_id": "1", "trt_fp16_enable": "1"}, fallback: true}, ""},
		{"abacus", spec{}, `no execution provider "abacus" (there are: cpu, coreml, cuda, directml, migraphx, nvtensorrtrtx, openvino, qnn, snpe, tensorrt, vitisai, webgpu, xnnpack)`},
		{"CUDA", spec{}, `no execution provider "CUDA" (there are: cpu, coreml, cuda, directml, migraphx, nvtensorrtrtx, openvino, qnn, snpe, tensorrt, vitisai, webgpu, xnnpack); ort:cuda is meant?`},
		{"cpu,mem_limit=2097152", spec{name: "cpu", limit: 2 << 20}, ""},
		{"cpu,mem_limit=1000", spec{}, "option mem_limit=1000: want a number of bytes, at least 1048576"},
		{"cpu,mem_limit=2GB", spec{}, "option mem_limit=2GB: want a number of bytes"},
		{"cpu,mem_limit=2097152,mem_limit=4194304", spec{}, "mem_limit is given twice"},
		{"cuda,", spec{}, `option "" is not of the form name=value`},
		{"cuda,device_id", spec{}, `option "device_id" is not of the form`},
		{"cuda,=1", spec{}, `option "=1" is not of the form`},
		{"cuda,device_id=", spec{}, "is not of the form"},
		{"cuda,device_id=1,device_id=2", spec{}, "device_id is given twice"},
		{"cuda,fallback=gpu", spec{}, "there is only fallback=cpu"},
		{"cpu,device_id=1", spec{}, `provider ort:cpu has no option "device_id"`},
	} {
		got, err := parseSpec(tt.text)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: error %v, want %q", tt.text, err, tt.err)
			}
		case err != nil:
			t.Errorf("%q: %v", tt.text, err)
		case got.name != tt.want.name || got.fallback != tt.want.fallback || got.limit != tt.want.limit || !maps.Equal(got.options, tt.want.options):
			t.Errorf("%q: %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

func TestExplain(t *testing.T) {
	for text, want := range map[string]string{
		"CUDA execution provider is not enabled in this build.":                  "this build of ONNX Runtime does not have it",
		"Specified provider is not supported.":                                   "this build of ONNX Runtime does not have it",
		"Failed to load library x.so with error: libcublasLt.so.12: cannot open": "a library that it needs is missing (",
		"Unknown provider option: \"foo\".":                                      "an option is wrong (",
		"CUDA failure 100: no CUDA-capable device is detected":                   "there is no usable GPU",
		"CUDA failure 35: CUDA driver version\nis insufficient":                  "there is no usable GPU",
		"something else " + strings.Repeat("x", 1000):                            "it refused (something else xxx",
	} {
		err := spec{name: "cuda"}.explain(errors.New(text))
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cuDNN 9") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 700 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// On this machine each execution provider works, or says in one line what it needs; nothing falls back unasked.
func TestExecutionProviders(t *testing.T) {
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	x := onnx.New(onnx.Float, 1, 3, 6, 6)
	run := func(provider string, warn func(string)) (map[string]*onnx.Tensor, error) {
		s, err := backend.Open(smallNet(), backend.Options{Provider: provider, Warn: warn})
		if err != nil {
			return nil, err
		}
		defer s.Close()
		return s.Run(context.Background(), map[string]*onnx.Tensor{"x": x})
	}
	for _, name := range specNames() {
		t.Run(name, func(t *testing.T) {
			_, err := run("ort:"+name, func(w string) { t.Errorf("warning: %s", w) })
			if err == nil {
				return // it is there
			}
			if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "cannot be had") || !strings.Contains(text, "It needs ") {
				t.Errorf("error %q", text)
			}
			warnings := 0
			if _, err := run("ort:"+name+",fallback=cpu", func(w string) {
				warnings++
				if !strings.Contains(w, "running on the CPU") || strings.Contains(w, "fallback") {
					t.Errorf("warning %q", w)
				}
			}); err != nil || warnings != 1 {
				t.Errorf("with fallback: %v, %d warnings", err, warnings)
			}
		})
	}
	if _, err := run("ort:directml,adapter=1", nil); err == nil || !strings.Contains(err.Error(), "there is only device_id=N") {
		t.Error(err)
	}
	// What is wrong with the model is no reason to fall back.
	bad := smallNet()
	bad.Graph.Nodes[0].OpType = "Foo"
	if _, err := backend.Open(bad, backend.Options{Provider: "ort:cpu,fallback=cpu"}); err == nil || !strings.Contains(err.Error(), "Foo") {
		t.Error(err)
	}
}

func TestDeviceError(t *testing.T) {
	for text, want := range map[string]bool{
		"Fatal error: Foo is not a registered function/op":     false,
		"CUDNN failure 1000: CUDNN_STATUS_INTERNAL_ERROR":      true,
		"CUDA failure 2: out of memory":                        true,
		"Failed to load library libonnxruntime_providers_x.so": true,
	} {
		if got := deviceError(errors.New(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Shapes and outputs can be declared anew, and the session says what it takes and gives.
func TestDeclaresAnew(t *testing.T) {
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	m := smallNet()
	m.Graph.Nodes = m.Graph.Nodes[:2]
	s, err := backend.Open(m, backend.Options{Provider: "ort", Shapes: map[string][]int{"x": {2, 3, 8, 9}}, Outputs: []string{"r", "c"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if in, out := s.Inputs(), s.Outputs(); len(in) != 1 || in[0].Type.Shape[3].Size != 9 || !slices.Equal(names(out), []string{"r", "c"}) {
		t.Errorf("inputs %v, outputs %v", in, names(out))
	}
	got, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 2, 3, 8, 9)})
	if err != nil || !slices.Equal(got["c"].Shape, []int{2, 4, 6, 7}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"Error running network: Non-zero status code returned while running Expand node. Name:'e' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory": "running Expand node. Name:'e' Status Message: Failed to allocate memory",
		"/src/core/common/safeint.h:17 static void SafeIntExceptionHandler<onnxruntime::OnnxRuntimeException>::SafeIntOnOverflow() Integer overflow":                                                                                                                                           "Integer overflow",
		"Exception during initialization: /src/pool_attributes.h:88 onnxruntime::PoolAttributes::PoolAttributes(const KernelInfoType&, const std::string&, int) [with KernelInfoType = onnxruntime::OpKernelInfo; std::string = std::basic_string<char>] pads[dim] was false.":                 "Exception during initialization: pads[dim] was false.",
		"/src/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> Failed to get a WebGPU adapter":                                                                                                                "Failed to get a WebGPU adapter",
		"/src/provider_bridge_ort.cc:1988 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library /opt/libonnxruntime_providers_shared.so with error: /opt/libonnxruntime_providers_shared.so: cannot open shared object file":       "Failed to load library /opt/libonnxruntime_providers_shared.so cannot open shared object file",
		"Platform-specific initialization failed: Error loading ONNX shared library \"/x.so\": /x.so: no such file":                                                                                                                                                                            "/x.so: no such file",
		"two\nlines": "two lines",
	} {
		if got := plain(errors.New(text)).Error(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What runs take together stays below the limit that the process has.
func TestMemoryLimit(t *testing.T) {
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	s, err := backend.Open(smallNet(), backend.Options{Provider: "ort:cpu,mem_limit=1048576"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n, want := range map[int]string{1: "", 10000: "smaller than requested"} {
		_, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, n, 3, 6, 6)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("batch %d: %v", n, err)
		}
	}
	again, err := backend.Open(smallNet(), backend.Options{Provider: "ort:cpu,mem_limit=1048576"})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := backend.Open(smallNet(), backend.Options{Provider: "ort:cpu,mem_limit=2097152"}); err == nil || !strings.Contains(err.Error(), "has a limit already, of 1048576 bytes") {
		t.Error(err)
	}
}

// TestCUDA needs a GPU, and a build of ONNX Runtime for it in ONNXCNN_ORT_LIB.
func TestCUDA(t *testing.T) {
	if _, err := os.Stat("/dev/nvidia0"); err != nil {
		t.Skip("there is no NVIDIA GPU")
	}
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	x := onnx.New(onnx.Float, 2, 3, 6, 6)
	for i := range x.Float32s() {
		x.Float32s()[i] = float32(i%7) - 3
	}
	in := map[string]*onnx.Tensor{"x": x}
	want, err := runORT(smallNet(), in)
	if err != nil {
		t.Fatal(err)
	}
	s, err := backend.Open(smallNet(), backend.Options{Provider: "ort:cuda,device_id=0,gpu_mem_limit=1073741824"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 3 {
		got, err := s.Run(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want["y"].Float32s() {
			if d := got["y"].Float32s()[i] - w; d > 1e-2 || d < -1e-2 {
				t.Fatalf("y[%d] is %v, on the CPU %v", i, got["y"].Float32s()[i], w)
			}
		}
	}
}

// What a model declares of its outputs is no reason to allocate, and outputs of any rank come back, with inputs and without.
func TestOutputs(t *testing.T) {
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	value := func(name string, elem onnx.DataType, dims ...int) *onnx.Value {
		typ := &onnx.Type{Elem: elem, HasShape: true}
		for _, d := range dims {
			typ.Shape = append(typ.Shape, onnx.Dim{Size: d})
		}
		return &onnx.Value{Name: name, Type: typ}
	}
	bare := func(name string) *onnx.Value { return &onnx.Value{Name: name} }
	node := func(opType, in, out string, attrs ...*onnx.Attribute) *onnx.Node {
		return &onnx.Node{OpType: opType, Inputs: strings.Fields(in), Outputs: strings.Fields(out), Attrs: attrs}
	}
	const huge = 1 << 31
	sum := node("ReduceSum", "x", "s", op.Attr("keepdims", 0))
	for name, tt := range map[string]struct {
		nodes []*onnx.Node
		in    *onnx.Value
		out   []*onnx.Value
		want  string // of each output, or of the error
	}{
		"a declaration that lies":      {[]*onnx.Node{node("Relu", "x", "y")}, value("x", onnx.Float, 1, 2), []*onnx.Value{value("y", onnx.Float, 100000, 100000, 10)}, "float32[1 2] [1 1]"},
		"one that overflows":           {[]*onnx.Node{node("Relu", "x", "y")}, value("x", onnx.Float, 1, 2), []*onnx.Value{value("y", onnx.Float, huge, huge, huge)}, "float32[1 2] [1 1]"},
		"a scalar":                     {[]*onnx.Node{sum}, value("x", onnx.Float, 1, 2), []*onnx.Value{value("s", onnx.Float)}, "float32[] [2]"},
		"a scalar that is inferred":    {[]*onnx.Node{sum}, value("x", onnx.Float, 1, 2), []*onnx.Value{bare("s")}, "float32[] [2]"},
		"a scalar beside the volatile": {[]*onnx.Node{sum, node("NonZero", "x", "y")}, value("x", onnx.Float, 1, 2), []*onnx.Value{bare("s"), value("y", onnx.Int64, 2, 1)}, "float32[] [2]; int64[2 2] [0 0 0 1]"},
		"no inputs":                    {[]*onnx.Node{node("Relu", "w", "y")}, nil, []*onnx.Value{bare("y")}, "float32[2] [0 3]"},
		"no outputs":                   {[]*onnx.Node{node("Relu", "x", "y")}, value("x", onnx.Float, 1, 2), nil, "the model has no outputs"},
	} {
		t.Run(name, func(t *testing.T) {
			w := onnx.Of([]int{2}, []float32{-1, 3})
			w.Name = "w"
			m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{Name: "g", Nodes: tt.nodes, Outputs: tt.out, Initializers: []*onnx.Tensor{w}}}
			inputs := map[string]*onnx.Tensor{}
			if tt.in != nil {
				m.Graph.Inputs = []*onnx.Value{tt.in}
				inputs["x"] = onnx.Of([]int{1, 2}, []float32{1, 1})
			}
			s, err := backend.Open(m, backend.Options{Provider: "ort"})
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Fatal(err)
				}
				return
			}
			defer s.Close()
			for range 3 {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				got, err := s.Run(context.Background(), inputs)
				if err != nil {
					t.Fatal(err)
				}
				if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<20 {
					t.Errorf("a run allocated %d bytes", after.TotalAlloc-before.TotalAlloc)
				}
				var texts []string
				for _, v := range tt.out {
					y := got[v.Name]
					var data any = y.Raw
					switch y.Type {
					case onnx.Float:
						data = y.Float32s()
					case onnx.Int64:
						data = y.Int64s()
					}
					texts = append(texts, fmt.Sprintf("%v%v %v", y.Type, y.Shape, data))
				}
				if text := strings.Join(texts, "; "); text != tt.want {
					t.Errorf("%s, want %s", text, tt.want)
				}
			}
			if in := s.Inputs(); tt.in == nil && len(in) != 0 {
				t.Errorf("inputs %v", names(in))
			}
		})
	}
}

// Outputs whose shapes depend on values are right whatever was seen before, and what a run gave is not written over.
func TestShapesThatDependOnValues(t *testing.T) {
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	vector := func(typ onnx.DataType, dims ...onnx.Dim) *onnx.Type {
		return &onnx.Type{Elem: typ, HasShape: true, Shape: dims}
	}
	n := onnx.Dim{Size: -1, Param: "N"}
	s, err := backend.Open(&onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name:   "nonzero",
		Nodes:  []*onnx.Node{{OpType: "NonZero", Inputs: []string{"x"}, Outputs: []string{"y"}}, {OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"z"}}},
		Inputs: []*onnx.Value{{Name: "x", Type: vector(onnx.Float, n)}},
		Outputs: []*onnx.Value{{Name: "y", Type: vector(onnx.Int64, onnx.Dim{Size: 1}, onnx.Dim{Size: -1, Param: "M"})},
			{Name: "z", Type: vector(onnx.Float, n)}},
	}}, backend.Options{Provider: "ort"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var kept []map[string]*onnx.Tensor
	inputs := [][]float32{{1, 0, 2}, {1, 0, 2}, {0, 0, 3}, {4, 5, 6}, {7}}
	wants := [][]int64{{0, 2}, {0, 2}, {2}, {0, 1, 2}, {0}}
	for i, x := range inputs {
		got, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.Of([]int{len(x)}, x)})
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, got)
		if !slices.Equal(got["y"].Int64s(), wants[i]) {
			t.Errorf("%v: %v, want %v", x, got["y"].Int64s(), wants[i])
		}
	}
	for i, got := range kept {
		if !slices.Equal(got["y"].Int64s(), wants[i]) || !slices.Equal(got["z"].Float32s(), inputs[i]) {
			t.Errorf("result %d has become %v and %v", i, got["y"].Int64s(), got["z"].Float32s())
		}
	}
}

// One session serves many goroutines.
func TestConcurrentRuns(t *testing.T) {
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	s, err := backend.Open(smallNet(), backend.Options{Provider: "ort", Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			x := onnx.New(onnx.Float, 1+g, 3, 6, 6)
			for i := range x.Float32s() {
				x.Float32s()[i] = float32(i%5) - 2
			}
			var first []float32
			for range 20 {
				got, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": x})
				if err != nil {
					t.Error(err)
					return
				}
				if first == nil {
					first = got["y"].Float32s()
				} else if !slices.Equal(got["y"].Float32s(), first) {
					t.Error("the answer has changed")
				}
			}
		})
	}
	wg.Wait()
}

// TestLoad opens libraries that are not there, not ONNX Runtime's, or too old. A process loads one library only, so
// each is a process of its own.
func TestLoad(t *testing.T) {
	if path := os.Getenv("ONNXCNN_TEST_LOAD"); path != "" {
		t.Setenv(LibraryEnv, path)
		fmt.Println(load())
		return
	}
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o666); err != nil {
		t.Fatal(err)
	}
	compiler, err := exec.LookPath("cc")
	if err != nil {
		reftest.Missing(t, "a C compiler")
	}
	build := func(name, code string) string {
		src, lib := filepath.Join(dir, name+".c"), filepath.Join(dir, name+".so")
		if err := os.WriteFile(src, []byte(code), 0o666); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", lib, src).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return lib
	}
	other := build("other", "int answer(void) { return 42; }")
	old := build("old", `
		typedef struct { const void *(*api)(unsigned); const char *(*version)(void); } base;
		static const void *api(unsigned v) { return 0; }
		static const char *version(void) { return "1.10.0"; }
		const base *OrtGetApiBase(void) { static const base b = {api, version}; return &b; }`)
	for path, want := range map[string]string{
		filepath.Join(dir, "none.so"): "none.so cannot be loaded (",
		text:                          "text.so cannot be loaded (",
		other:                         "other.so is not ONNX Runtime's library",
		old:                           "old.so is older than version 1.24",
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLoad$")
		cmd.Env = append(os.Environ(), "ONNXCNN_TEST_LOAD="+path)
		out, err := cmd.CombinedOutput()
		line, _, _ := strings.Cut(string(out), "\n")
		if err != nil || !strings.Contains(line, want) || !strings.Contains(line, LibraryEnv) {
			t.Errorf("%s: %s %v", filepath.Base(path), out, err)
		}
	}
}

func TestLibraryPath(t *testing.T) {
	t.Setenv(LibraryEnv, "/some/where.so")
	if p := libraryPath(); p != "/some/where.so" {
		t.Error(p)
	}
	// A name is first looked for in the working folder, and a folder means the library in it.
	dir := t.TempDir()
	t.Chdir(dir)
	lib := filepath.Join("ort", libraryNames()[0])
	if err := os.Mkdir("ort", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lib, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		lib:                      filepath.Join(dir, lib),
		"ort":                    filepath.Join(dir, lib),
		dir:                      dir,
		"libnone.so":             "libnone.so",
		filepath.Join(dir, "no"): filepath.Join(dir, "no"),
	} {
		t.Setenv(LibraryEnv, given)
		if p := libraryPath(); p != want {
			t.Errorf("%s: %s, want %s", given, p, want)
		}
	}
	t.Setenv(LibraryEnv, "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	if p := libraryPath(); !slices.Contains(append(usualPlaces(), libraryNames()...), p) {
		t.Error(p)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range usualPlaces() {
		if strings.HasPrefix(p, cache) {
			if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, nil, 0o666); err != nil {
				t.Fatal(err)
			}
			if got := libraryPath(); got != p {
				t.Errorf("%s, want %s", got, p)
			}
			break
		}
	}
}
