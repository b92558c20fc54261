package convert

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// kerasCase is a file that testdata/keras.py made, and the names of what goes in and comes out.
type kerasCase struct {
	Name, Net, File string // files of one Net have the same network in them
	In, Out         []string
}

func kerasCases(t *testing.T) (dir string, cases []kerasCase, arrays []*onnx.Tensor) {
	t.Helper()
	python := reftest.Python(t, "h5py", "numpy")
	dir = t.TempDir()
	if out, err := exec.Command(python, "testdata/keras.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("keras.py: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	arrays, err = npz.ReadFile(filepath.Join(dir, "cases.npz"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, cases, arrays
}

// nchw returns a map in ONNX' order, anything else as it is.
func nchw(x *onnx.Tensor) *onnx.Tensor {
	if len(x.Shape) != 4 {
		return x
	}
	n, h, w, c := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	y := onnx.New(onnx.Float, n, c, h, w)
	for i := range n {
		for p := range h * w {
			for k := range c {
				y.Float32s()[(i*c+k)*h*w+p] = x.Float32s()[(i*h*w+p)*c+k]
			}
		}
	}
	return y
}

// Files of every version compute what the layers' formulas say, in both orders of maps (cases 1, 2 and 31).
func TestKeras(t *testing.T) {
	needORT(t)
	dir, cases, arrays := kerasCases(t)
	check, seen := newChecker(t), map[string]bool{}
	for _, c := range cases {
		for _, o := range []KerasOptions{{}, {NHWC: true}} {
			m, report, err := ReadKeras(c.File, o)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
				continue
			}
			if len(report.Unexpected) > 0 || report.Matched != report.Parameters {
				t.Errorf("%s: %+v", c.Name, report)
			}
			// Models with channels first have no other order, whatever the option.
			keep := o.NHWC && !slices.Contains([]string{"channels_first", "keras1_th", "keras1_theano"}, c.Name)
			in := map[string]*onnx.Tensor{}
			for i, name := range c.In {
				x := npz.Find(arrays, name)
				if !keep {
					x = nchw(x)
				}
				in[m.Graph.Inputs[i].Name] = x
			}
			out := runOn(t, "native", m, in)
			if !o.NHWC && !seen[c.Net] {
				seen[c.Net] = true
				onORT(t, check, c.Name, m, in)
			}
			for i, name := range c.Out {
				got := out[m.Graph.Outputs[i].Name]
				want := npz.Find(arrays, name)
				if !keep {
					want = nchw(want)
				}
				if !slices.Equal(got.Shape, want.Shape) {
					t.Errorf("%s (%+v): output %d has shape %v, want %v", c.Name, o, i, got.Shape, want.Shape)
					continue
				}
				if d := difference(t, got, want); d > 1e-5 {
					t.Errorf("%s (%+v): output %d differs by %g", c.Name, o, i, d)
				}
				for k, dim := range m.Graph.Outputs[i].Type.Shape {
					if dim.Size >= 0 && dim.Size != want.Shape[k] || k == 0 && dim.Param != "batch" {
						t.Errorf("%s: output %d is declared as %+v, has %v", c.Name, i, m.Graph.Outputs[i].Type.Shape, want.Shape)
					}
				}
			}
		}
	}
	check.run(t)
	kerasMisfits(t, dir)
	kerasWeights(t, dir)
}

// kerasWeights reads files of weights alone: their arrays are those of the whole model.
func kerasWeights(t *testing.T, dir string) {
	t.Helper()
	m, _, err := ReadKeras(filepath.Join(dir, "whole.h5"), KerasOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// With the network's description beside them they are the whole model.
	config, err := os.ReadFile(filepath.Join(dir, "whole.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"two.weights.h5", "layers.weights.h5", "archive.keras"} {
		again, _, err := ReadKeras(filepath.Join(dir, file), KerasOptions{Config: config})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for i, w := range again.Graph.Initializers {
			if want := m.Graph.Initializers[i]; w.Name != want.Name || !slices.Equal(w.Float32s(), want.Float32s()) {
				t.Errorf("%s: %v, want %v", file, w, want)
			}
		}
	}
	// Without names the arrays are called after the layers' classes.
	byClass := map[string]string{"c": "conv2d", "n": "batch_normalization", "d": "depthwise_conv2d", "s": "separable_conv2d", "f": "dense"}
	for file, classes := range map[string]bool{"whole.h5": false, "two.weights.h5": false, "layers.weights.h5": false, "archive.keras": false, "_layer_checkpoint_dependencies.weights.h5": true} {
		w, err := ReadWeights(filepath.Join(dir, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		found := 0
		for _, want := range m.Graph.Initializers {
			name := want.Name
			if layer, role, _ := strings.Cut(name, "/"); classes {
				name = byClass[layer] + "/" + role
			}
			if want.Name == "n/gamma" {
				continue // is all ones, and in no file
			}
			x := w.Find(name)
			if x == nil {
				t.Errorf("%s: %s is not there", file, name)
				continue
			}
			got, err := x.Load()
			if err != nil || !slices.Equal(got.Shape, want.Shape) || !slices.Equal(got.Float32s(), want.Float32s()) {
				t.Errorf("%s: %s is %v %v, want %v", file, name, got, err, want)
			}
			found++
		}
		if found != len(w.List()) {
			t.Errorf("%s: %d arrays, %d were looked for", file, len(w.List()), found)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// kerasMisfits reads files whose weights do not fit: by name, with both shapes, all at once (case 32).
func kerasMisfits(t *testing.T, dir string) {
	t.Helper()
	for _, c := range []struct {
		file, want string
		allowed    Report // of interest: what is missing, misshapen and not expected
	}{
		{"wrong_shape", "another shape: conv/kernel: want [2 2 2 3], the file has [2 2 2 4]",
			Report{Misshapen: []Misshapen{{Name: "conv/kernel", Want: []int{2, 2, 2, 3}, Got: []int{2, 2, 2, 4}}}}},
		{"missing_bias", "missing: fc/bias [2]", Report{Missing: []Missing{{Name: "fc/bias", Shape: []int{2}}}}},
		{"scalar", "another shape: fc/bias: want [2], the file has []", Report{Misshapen: []Misshapen{{Name: "fc/bias", Want: []int{2}, Got: []int{}}}}},
		{"unused", "", Report{Unexpected: []string{"extra/kernel [2 3]"}}},
	} {
		path := filepath.Join(dir, c.file+".h5")
		_, _, err := ReadKeras(path, KerasOptions{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path)) {
			t.Errorf("%s: %v, want %q", c.file, err, c.want)
		}
		m, report, err := ReadKeras(path, KerasOptions{AllowMissing: true})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		got := Report{Missing: report.Missing, Misshapen: report.Misshapen, Unexpected: report.Unexpected}
		if d := cmp.Diff(c.allowed, got); d != "" {
			t.Errorf("%s: the report differs (-want +got):\n%s", c.file, d)
		}
		if b := m.Graph.Initializer("fc/bias"); c.file == "missing_bias" && (b == nil || !slices.Equal(b.Float32s(), []float32{0, 0})) {
			t.Errorf("%s: the bias is %v", c.file, b)
		}
	}
}
