package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestSwiGLU(t *testing.T) {
	swish := func(alpha, x float64) float64 { return x / (1 + math.Exp(-alpha*x)) }
	// Longer than a block.
	a, b := onnx.New(onnx.Float, 600), onnx.New(onnx.Float, 600)
	want, slow := onnx.New(onnx.Float, 600), onnx.New(onnx.Float, 600)
	for i := range 600 {
		x, y := float64(i-300)/40, float64(i%7-3)
		a.Float32s()[i], b.Float32s()[i] = float32(x), float32(y)
		want.Float32s()[i], slow.Float32s()[i] = float32(swish(1, x)*y), float32(swish(0.5, x)*y)
	}
	n := func(a attrs) *onnx.Node { return node("SwiGLU", 2, 1, a) }
	runCases(t, []opCase{
		{name: "plain", node: n(nil), in: tensors{a, b}, want: tensors{want}},
		{name: "alpha", node: n(attrs{"alpha": 0.5}), in: tensors{a, b}, want: tensors{slow}},
		{name: "double", node: n(nil), in: tensors{f64([]int{2}, 2, -1), f64([]int{2}, 3, 4)}, want: tensors{f64([]int{2}, 3*swish(1, 2), 4*swish(1, -1))}},
		{name: "shapes", node: n(nil), in: tensors{f32([]int{2}, 1, 2), f32([]int{1}, 1)}, wantErr: "shapes [2] and [1], want one shape"},
		{name: "opset", node: n(nil), opset: 27, in: tensors{a, b}, wantErr: "it came with opset 28"},
		{name: "type", node: n(nil), in: tensors{i32([]int{1}, 1), i32([]int{1}, 1)}, wantErr: "int32 are not supported"},
	})
}
