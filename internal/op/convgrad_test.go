package op

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// convGradients computes a convolution's gradients by the internal operators.
func convGradients(t *testing.T, a attrs, x, w, dy *onnx.Tensor) (dx, dw, db *onnx.Tensor) {
	t.Helper()
	run := func(opType string, shape []int, in ...*onnx.Tensor) *onnx.Tensor {
		t.Helper()
		all := attrs{}
		if shape != nil {
			all["shape"] = shape
			for k, v := range a {
				all[k] = v
			}
		}
		out, err := runNode(internalNode(opType, len(in), 1, all), 1, in)
		if err != nil {
			t.Fatalf("%s %v: %v", opType, a, err)
		}
		return out[0]
	}
	return run("ConvInputGrad", x.Shape, dy, w), run("ConvWeightGrad", w.Shape, x, dy), run("ChannelSum", nil, dy)
}

// case 29, its literal example.
func TestGroupedConvolutionGradients(t *testing.T) {
	a := attrs{"group": 2, "strides": []int{1, 1}, "dilations": []int{1, 1}, "pads": []int{0, 0}}
	for _, double := range []bool{false, true} {
		of := func(shape []int, v ...float32) *onnx.Tensor {
			if !double {
				return f32(shape, v...)
			}
			d := make([]float64, len(v))
			for i := range v {
				d[i] = float64(v[i])
			}
			return f64(shape, d...)
		}
		dx, dw, db := convGradients(t, a, of([]int{1, 2, 1, 3}, 1, 2, 3, 4, 5, 6), of([]int{2, 1, 1, 2}, 1, 2, 3, 4), of([]int{1, 2, 1, 2}, 1, 1, 1, 1))
		for _, c := range []struct {
			name      string
			got, want *onnx.Tensor
		}{
			{"dX", dx, of([]int{1, 2, 1, 3}, 1, 3, 2, 3, 7, 4)},
			{"dW", dw, of([]int{2, 1, 1, 2}, 3, 5, 9, 11)},
			{"bias gradient", db, of([]int{2}, 2, 2)},
		} {
			if diff := diffTensor(c.got, c.want, 1e-12); diff != "" {
				t.Errorf("%s: %s", c.name, diff)
			}
		}
	}
}

// distance is the norm of the difference over that of what is wanted.
func distance(got, want *onnx.Tensor) float64 {
	a, b := floats(got), floats(want)
	var diff, norm float64
	for i, w := range b {
		diff += (a[i] - w) * (a[i] - w)
		norm += w * w
	}
	return math.Sqrt(diff / max(norm, 1e-300))
}

// The gradients of convolutions of random shapes equal those of PyTorch's autograd.
func TestConvolutionGradientsReference(t *testing.T) {
	lines := torchSays(t, "conv_gradient_reference.py")
	count := 0
	for lines.Scan() {
		var c struct {
			Group                     int
			Strides, Pads, Dilations  []int
			X, W, Dy, Dx, Dw, Db      *referenceTensor
			x, w, dy, want1, want2, b *onnx.Tensor
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		count++
		for _, f := range []struct {
			from *referenceTensor
			to   **onnx.Tensor
		}{{c.X, &c.x}, {c.W, &c.w}, {c.Dy, &c.dy}, {c.Dx, &c.want1}, {c.Dw, &c.want2}, {c.Db, &c.b}} {
			var err error
			if *f.to, err = f.from.tensor(); err != nil {
				t.Fatal(err)
			}
		}
		a := attrs{"group": c.Group, "strides": c.Strides, "pads": c.Pads, "dilations": c.Dilations}
		dx, dw, db := convGradients(t, a, c.x, c.w, c.dy)
		tol := 3e-6
		if c.x.Type == onnx.Double {
			tol = 1e-13
		}
		for _, g := range []struct {
			name      string
			got, want *onnx.Tensor
		}{{"input", dx, c.want1}, {"weight", dw, c.want2}, {"bias", db, c.b}} {
			if far := distance(g.got, g.want); !(far <= tol) {
				t.Errorf("%v, x %v, w %v: gradient of the %s is off by %.3g of its norm", a, c.x.Shape, c.w.Shape, g.name, far)
			}
		}
	}
	if count != 65 {
		t.Fatalf("the script printed %d cases", count)
	}
}

// What does not fit is refused.
func TestConvolutionGradientErrors(t *testing.T) {
	good := attrs{"strides": []int{1, 1}, "dilations": []int{1, 1}, "pads": []int{0, 0}}
	with := func(name string, v any) attrs {
		a := attrs{}
		for k, w := range good {
			a[k] = w
		}
		a[name] = v
		return a
	}
	x, w, y := seq([]int{1, 2, 3, 3}, 1, 18), seq([]int{4, 2, 1, 1}, 1, 8), seq([]int{1, 4, 3, 3}, 1, 36)
	for _, c := range []struct {
		name string
		a    attrs
		x, w *onnx.Tensor
		y    *onnx.Tensor
		want string
	}{
		{"rank of strides", with("strides", []int{1}), x, w, y, "do not fit"},
		{"group 0", with("group", 0), x, w, y, "do not fit"},
		{"stride 0", with("strides", []int{0, 1}), x, w, y, "out of range"},
		{"far padding", with("pads", []int{1 << 40, 0}), x, w, y, "out of range"},
		{"group", with("group", 3), x, w, y, "are not those of a convolution"},
		{"images", good, seq([]int{2, 2, 3, 3}, 1, 36), w, y, "are not those of a convolution"},
		{"channels", good, x, seq([]int{4, 1, 1, 1}, 1, 4), y, "are not those of a convolution"},
		{"rank", good, x, w, seq([]int{1, 4, 9}, 1, 36), "are not those of a convolution"},
		{"types", good, x, f64([]int{4, 2, 1, 1}, 1, 2, 3, 4, 5, 6, 7, 8), f64([]int{1, 4, 3, 3}, make([]float64, 36)...), "types"},
		{"integers", good, i32([]int{1, 2, 3, 3}, make([]int32, 18)...), i32([]int{4, 2, 1, 1}, make([]int32, 8)...), i32([]int{1, 4, 3, 3}, make([]int32, 36)...), ""},
	} {
		for _, opType := range []string{"ConvInputGrad", "ConvWeightGrad"} {
			a, in := attrs{"shape": c.x.Shape}, []*onnx.Tensor{c.y, c.w}
			if opType == "ConvWeightGrad" {
				a, in = attrs{"shape": c.w.Shape}, []*onnx.Tensor{c.x, c.y}
			}
			if c.name == "types" {
				in[0] = f32(in[0].Shape, make([]float32, prod(in[0].Shape))...)
			}
			for k, v := range c.a {
				a[k] = v
			}
			if _, err := runNode(internalNode(opType, 2, 1, a), 1, in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: error %v, want %q", opType, c.name, err, c.want)
			}
		}
	}
	for _, x := range []*onnx.Tensor{i32([]int{1, 2}, 1, 2), f32([]int{2}, 1, 2)} {
		if _, err := runNode(internalNode("ChannelSum", 1, 1, nil), 1, []*onnx.Tensor{x}); err == nil {
			t.Errorf("the sum of channels of %v%v is accepted", x.Type, x.Shape)
		}
	}
}

func TestChannelSum(t *testing.T) {
	x := seq([]int{2, 3, 37}, 0, 221)
	want := make([]float32, 3)
	for i, v := range x.Float32s() {
		want[i/37%3] += v
	}
	long, err := runNode(internalNode("ChannelSum", 1, 1, nil), 1, []*onnx.Tensor{x})
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffTensor(long[0], f32([]int{3}, want...), 1e-6); diff != "" {
		t.Error(diff)
	}
	out, err := runNode(internalNode("ChannelSum", 1, 1, nil), 1, []*onnx.Tensor{f32([]int{2, 3}, 1, 2, 3, 4, 5, 6)})
	if err != nil || fmt.Sprint(out[0].Float32s()) != "[5 7 9]" {
		t.Errorf("%v, %v", out, err)
	}
}
