package finetune

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TestActivations has the formulas of PyTorch's modules, in every opset that writes them in another way.
func TestActivations(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	formulas := map[string]func(x float64) float64{
		"relu": func(x float64) float64 { return max(x, 0) }, "leakyrelu": func(x float64) float64 { return max(x, 0.01*x) },
		"elu": func(x float64) float64 { return max(x, math.Expm1(min(x, 0))) },
		"selu": func(x float64) float64 {
			return 1.0507009873554805 * (max(x, 0) + 1.6732632423543772*math.Expm1(min(x, 0)))
		},
		"tanh": math.Tanh, "sigmoid": sigmoid, "softplus": func(x float64) float64 { return math.Log1p(math.Exp(x)) },
		"relu6": func(x float64) float64 { return min(max(x, 0), 6) },
		"gelu":  func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) },
		"silu":  func(x float64) float64 { return x * sigmoid(x) },
		"hardswish": func(x float64) float64 {
			return x * min(max(x/6+0.5, 0), 1)
		},
	}
	x := []float32{-7, -3, -1.5, -0.25, 0, 0.5, 2, 4, 8}
	for name, add := range activations {
		want := formulas[name]
		if want == nil {
			t.Errorf("%s has no formula here", name)
			continue
		}
		for _, opset := range []int{7, 9, 11, 13, 20} {
			if name == "gelu" && opset < erfSince {
				continue
			}
			b := newTestBuilder(opset)
			out := add(b, "x")
			b.g.Inputs = []*onnx.Value{declare("x", []int{1, len(x)})}
			b.g.Outputs = []*onnx.Value{declare(out, []int{1, len(x)})}
			m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: int64(opset)}}, Graph: b.g}
			s, err := backend.Open(m, backend.Options{})
			if err != nil {
				t.Fatalf("%s, opset %d: %v", name, opset, err)
			}
			res, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.Of([]int{1, len(x)}, x)})
			if err != nil {
				t.Fatalf("%s, opset %d: %v", name, opset, err)
			}
			s.Close()
			for i, got := range res[out].Float32s() {
				if w := want(float64(x[i])); math.Abs(float64(got)-w) > 1e-5*max(1, math.Abs(w)) {
					t.Errorf("%s(%v) in opset %d is %v, want %v", name, x[i], opset, got, w)
				}
			}
		}
	}
}

func newTestBuilder(opset int) *builder {
	return &builder{g: &onnx.Graph{Name: "g"}, opset: opset, taken: map[string]bool{"x": true}, head: map[string]bool{}, norms: map[string]bool{}}
}

func TestHeadRefuses(t *testing.T) {
	for _, c := range []struct {
		name, message string
		opset         int
		shape         []int
		layers        []headLayer
	}{
		{"gelu of an old opset", "gelu needs Erf, which is an operator since opset 9, and the network is of opset 8: take silu", 8, []int{1, 4}, []headLayer{{act: "gelu"}}},
		{"map of nothing", "the images are too small", 13, []int{1, 4, 0, 0}, nil},
		{"sequence", "a head needs a row or a map", 13, []int{4}, nil},
		{"too large", "is too large", 13, []int{1, 1 << 20}, []headLayer{{units: 1 << 20}}},
	} {
		_, err := newTestBuilder(c.opset).addHead("x", c.shape, "flatten", c.layers, 2, nil)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %q", c.name, err, c.message)
		}
	}
	for _, spec := range []string{"a", "relu,", "0", "1048577", "dropout=1", "batchnorm2"} {
		if _, err := parseHead(spec); err == nil {
			t.Errorf("head %q is taken", spec)
		}
	}
}
