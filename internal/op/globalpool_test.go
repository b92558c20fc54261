package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestGlobalPoolNodeCases(t *testing.T) {
	runNodeCases(t, "GlobalAveragePool", nil)
	runNodeCases(t, "GlobalMaxPool", nil)
}

func TestGlobalPool(t *testing.T) {
	x := []*onnx.Tensor{f32([]int{1, 2, 1, 2}, 3, -4, 0, 2)}
	nan := float32(math.NaN())
	runCases(t, []opCase{
		{name: "average", node: node("GlobalAveragePool", 1, 1, nil), in: x, want: []*onnx.Tensor{f32([]int{1, 2, 1, 1}, -0.5, 1)}},
		{name: "max", node: node("GlobalMaxPool", 1, 1, nil), in: x, want: []*onnx.Tensor{f32([]int{1, 2, 1, 1}, 3, 2)}},
		{name: "max of NaN", node: node("GlobalMaxPool", 1, 1, nil), in: []*onnx.Tensor{f32([]int{1, 1, 2}, nan, 1)}, want: []*onnx.Tensor{f32([]int{1, 1, 1}, nan)}},
		{name: "norm", node: node("GlobalLpPool", 1, 1, nil), in: x, want: []*onnx.Tensor{f32([]int{1, 2, 1, 1}, 5, 2)}},
		{name: "norm, opset 1", opset: 1, node: node("GlobalLpPool", 1, 1, attrs{"p": float32(1)}), in: x, want: []*onnx.Tensor{f32([]int{1, 2, 1, 1}, 7, 2)}},
		{name: "norm of order 3", node: node("GlobalLpPool", 1, 1, attrs{"p": 3}), in: x, want: []*onnx.Tensor{f32([]int{1, 2, 1, 1}, 4.497941, 2)}},
		{name: "norm of order 3, one position", node: node("GlobalLpPool", 1, 1, attrs{"p": 3}), in: []*onnx.Tensor{f64([]int{1, 2, 1}, -3, 2)}, want: []*onnx.Tensor{f64([]int{1, 2, 1}, 3, 2)}},
		{name: "rank 2", node: node("GlobalAveragePool", 1, 1, nil), in: []*onnx.Tensor{f64([]int{1, 2}, 3, -4)}, want: []*onnx.Tensor{f64([]int{1, 2}, 3, -4)}},
		{name: "rank 1", node: node("GlobalAveragePool", 1, 1, nil), in: []*onnx.Tensor{f64([]int{2}, 3, -4)}, wantErr: "rank 2"},
		{name: "type", node: node("GlobalMaxPool", 1, 1, nil), in: []*onnx.Tensor{i64([]int{1, 1, 1}, 3)}, wantErr: "type int64"},
		{name: "order", node: node("GlobalLpPool", 1, 1, attrs{"p": -1}), in: x, wantErr: `"p"`},
	})
}
