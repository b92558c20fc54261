package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// sqrt((1+4+16+25)) and so on: the sums of squares of the 2x2 windows of 1..9 are 46, 74, 154, 206.
func TestLpPool(t *testing.T) {
	x := []*onnx.Tensor{seq([]int{1, 1, 3, 3}, 1, 9)}
	k := []int{2, 2}
	runCases(t, []opCase{
		{name: "default order", node: node("LpPool", 1, 1, attrs{"kernel_shape": k}), in: x, want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 6.78233, 8.602325, 12.409674, 14.352700)}},
		{name: "opset 1, float order", opset: 1, node: node("LpPool", 1, 1, attrs{"kernel_shape": k, "p": float32(1)}), in: x, want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 12, 16, 24, 28)}},
		{name: "opset 1, default", opset: 1, node: node("LpPool", 1, 1, attrs{"kernel_shape": k}), in: x, want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 6.78233, 8.602325, 12.409674, 14.352700)}},
		{name: "order 3, padding", node: node("LpPool", 1, 1, attrs{"kernel_shape": []int{2}, "p": 3, "pads": []int{1, 0}}), in: []*onnx.Tensor{f64([]int{1, 1, 2}, -2, 1)}, want: []*onnx.Tensor{f64([]int{1, 1, 2}, 2, 2.080083823051904)}, tol: 1e-12},
		{name: "order 0", node: node("LpPool", 1, 1, attrs{"kernel_shape": k, "p": 0}), in: x, wantErr: `"p"`},
		{name: "rank", node: node("LpPool", 1, 1, attrs{"kernel_shape": k}), in: []*onnx.Tensor{f32([]int{1}, 1)}, wantErr: "spatial"},
	})
}
