package convert_test

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// kerasCase is a file that testdata/keras.py made, and the names of what goes in and comes out.
type kerasCase struct {
	Name, File string
	In, Out    []string
}

func kerasCases(t *testing.T) ([]kerasCase, []*onnx.Tensor) {
	t.Helper()
	python := reftest.Python(t, "h5py", "numpy")
	dir := t.TempDir()
	if out, err := exec.Command(python, "testdata/keras.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("keras.py: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []kerasCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	arrays, err := npz.ReadFile(filepath.Join(dir, "cases.npz"))
	if err != nil {
		t.Fatal(err)
	}
	return cases, arrays
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
	cases, arrays := kerasCases(t)
	for _, c := range cases {
		for _, o := range []convert.KerasOptions{{}, {NHWC: true, Opset: 13}} {
			m, report, err := convert.ReadKeras(c.File, o)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
				continue
			}
			if len(report.Unexpected) > 0 || report.Matched != report.Parameters {
				t.Errorf("%s: %+v", c.Name, report)
			}
			// Models with channels first have no other order, whatever the option.
			keep := o.NHWC && !slices.Contains([]string{"channels_first", "keras1_th", "keras1_theano"}, c.Name)
			var in []*onnx.Tensor
			for _, name := range c.In {
				x := npz.Find(arrays, name)
				if !keep {
					x = nchw(x)
				}
				in = append(in, x)
			}
			got := run(t, m, in...)
			for i, name := range c.Out {
				want := npz.Find(arrays, name)
				if !keep {
					want = nchw(want)
				}
				if !slices.Equal(got[i].Shape, want.Shape) {
					t.Errorf("%s (%+v): output %d has shape %v, want %v", c.Name, o, i, got[i].Shape, want.Shape)
					continue
				}
				if d := farthest(got[i], want); d > 1e-5 {
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
}

// farthest returns the largest difference, relative to the largest value where that is above 1.
func farthest(a, b *onnx.Tensor) float64 {
	d, most := 0.0, 1.0
	for i, v := range a.Float32s() {
		w := float64(b.Float32s()[i])
		d = max(d, math.Abs(float64(v)-w))
		most = max(most, math.Abs(w))
		if math.IsNaN(float64(v)) {
			return math.Inf(1)
		}
	}
	return d / most
}
