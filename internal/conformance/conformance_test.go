package conformance

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// suites are collections of cases. A manifest lists those that must pass, one a line; ONNXCNN_UPDATE_MANIFEST=1 writes it
// anew.
var suites = []struct {
	name     string
	manifest string
	root     func(testing.TB) string
	groups   []string // the folders that hold cases
	// made says that the data is made where it is needed, by a library whose last bits may differ: then no case is held to
	// the tight tolerance.
	made bool
}{
	{"libonnx-testdata", "../../testdata/conformance/libonnx-testdata.txt", reftest.OnnxData, []string{"node", "pytorch-converted", "pytorch-operator", "simple"}, false},
	{"ONNX " + reftest.OnnxRelease, "../../testdata/conformance/onnx-" + reftest.OnnxRelease + ".txt", reftest.NewestOnnxData, []string{"node", "simple"}, true},
}

// readManifest returns the listed cases, with "tight" set for those that also pass with the tight tolerance.
func readManifest(t *testing.T, path string) map[string]bool {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	listed := map[string]bool{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		if line != "" && !strings.HasPrefix(line, "#") {
			name, mark, _ := strings.Cut(line, " ")
			listed[name] = mark == "tight"
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return listed
}

// TestManifest runs every case: those of the manifests must pass, all others must fail, so that a manifest says exactly
// what works. Cases marked tight must pass with the tight tolerance too.
func TestManifest(t *testing.T) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			root := s.root(t)
			update := os.Getenv("ONNXCNN_UPDATE_MANIFEST") == "1"
			listed := map[string]bool{}
			if !update {
				listed = readManifest(t, s.manifest)
			}
			var lines []string
			passed, seen := 0, map[string]bool{}
			for _, g := range s.groups {
				cases, err := Cases(filepath.Join(root, g))
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range cases {
					name := g + "/" + c
					seen[name] = true
					err := Run(context.Background(), filepath.Join(root, name), backend.Options{Threads: 2}, Normal)
					tight := !s.made && err == nil && Run(context.Background(), filepath.Join(root, name), backend.Options{Threads: 2}, Tight) == nil
					if err == nil {
						passed++
					}
					wantTight, want := listed[name]
					switch {
					case update && tight:
						lines = append(lines, name+" tight")
					case update && err == nil:
						lines = append(lines, name)
					case update:
						t.Logf("%s: %v", name, err)
					case want && err != nil:
						t.Errorf("%s: %v", name, err)
					case !want && err == nil:
						t.Errorf("%s passes but is not in the manifest (ONNXCNN_UPDATE_MANIFEST=1 adds it)", name)
					case wantTight && !tight:
						t.Errorf("%s: no longer passes with the tight tolerance", name)
					}
				}
			}
			for name := range listed {
				if !seen[name] {
					t.Errorf("%s is in the manifest but not in the data", name)
				}
			}
			if update {
				sort.Strings(lines)
				head := "# Cases of " + s.name + " that must pass, and that CI checks to be all that do. \"tight\": within a few roundings too.\n"
				if s.made {
					head = "# Cases of " + s.name + " that must pass, and that CI checks to be all that do.\n"
				}
				if err := os.WriteFile(s.manifest, []byte(head+strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("figure: conformance, %s: %d of %d cases pass", s.name, passed, len(seen))
		})
	}
}

// TestFolder runs all cases of the folder in ONNXCNN_CASES (make conformance DATA=dir).
func TestFolder(t *testing.T) {
	root := os.Getenv("ONNXCNN_CASES")
	if root == "" {
		root = writeCase(t)
	}
	tol := Normal
	if os.Getenv("ONNXCNN_TIGHT") == "1" {
		tol = Tight
	}
	cases, err := Cases(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s holds no case (a folder with model.onnx and test_data_set_0)", root)
	}
	for _, c := range cases {
		t.Run(c, func(t *testing.T) {
			if err := Run(context.Background(), filepath.Join(root, c), backend.Options{}, tol); err != nil {
				t.Error(err)
			}
		})
	}
}

// writeCase makes a case of one Relu.
func writeCase(t *testing.T) string {
	dir := t.TempDir()
	float2 := &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: 2}}}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name:    "relu",
		Nodes:   []*onnx.Node{{OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"y"}}},
		Inputs:  []*onnx.Value{{Name: "x", Type: float2}},
		Outputs: []*onnx.Value{{Name: "y", Type: float2}},
	}}
	set := filepath.Join(dir, "relu", "test_data_set_0")
	if err := os.MkdirAll(set, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(filepath.Join(dir, "relu", "model.onnx"), onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][]float32{"input_0.pb": {-1, 2}, "output_0.pb": {0, 2}} {
		data, err := onnx.Of([]int{2}, v).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(set, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCompare(t *testing.T) {
	x := onnx.Of([]int{2}, []float32{1, 2})
	for _, c := range []struct {
		name string
		got  *onnx.Tensor
		same bool
	}{
		{"equal", onnx.Of([]int{2}, []float32{1, 2}), true},
		{"within tolerance", onnx.Of([]int{2}, []float32{1, 2.001}), true},
		{"outside", onnx.Of([]int{2}, []float32{1, 2.01}), false},
		{"shape", onnx.Of([]int{2, 1}, []float32{1, 2}), false},
		{"type", onnx.Of([]int{2}, []float64{1, 2}), false},
	} {
		if err := Compare(c.got, x, Normal); (err == nil) != c.same {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if Compare(onnx.Of([]int{1}, []int64{1}), onnx.Of([]int{1}, []int64{2}), Normal) == nil {
		t.Error("unequal integers pass")
	}
}
