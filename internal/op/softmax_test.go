package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestSoftmaxNodeCases(t *testing.T) {
	for _, name := range []string{"Softmax", "LogSoftmax", "Hardmax"} {
		runNodeCases(t, name, nil)
	}
}

func TestSoftmax(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	flat := f32([]int{1, 2, 2}, 0, 0, 0, 0)
	runCases(t, []opCase{
		{name: "case 28: large numbers", node: node("Softmax", 1, 1, nil), in: []*onnx.Tensor{f32([]int{3}, 1000, 1001, 1002)}, want: []*onnx.Tensor{f32([]int{3}, 0.09003057, 0.24472848, 0.66524094)}, tol: 1e-7},
		{name: "case 28: logarithm of large numbers", node: node("LogSoftmax", 1, 1, nil), in: []*onnx.Tensor{f32([]int{2}, 1000, 0)}, want: []*onnx.Tensor{f32([]int{2}, 0, -1000)}},
		{name: "case 28: a logit of -Inf", node: node("LogSoftmax", 1, 1, nil), in: []*onnx.Tensor{f32([]int{2}, -inf, 0)}, want: []*onnx.Tensor{f32([]int{2}, -inf, 0)}},
		{name: "NaN spreads", node: node("Softmax", 1, 1, nil), in: []*onnx.Tensor{f32([]int{2}, nan, 0)}, want: []*onnx.Tensor{f32([]int{2}, nan, nan)}},
		{name: "opset 12 normalises all that follows the axis", opset: 12, node: node("Softmax", 1, 1, nil), in: []*onnx.Tensor{flat}, want: []*onnx.Tensor{f32([]int{1, 2, 2}, 0.25, 0.25, 0.25, 0.25)}},
		{name: "opset 13 normalises the last axis", opset: 13, node: node("Softmax", 1, 1, nil), in: []*onnx.Tensor{flat}, want: []*onnx.Tensor{f32([]int{1, 2, 2}, 0.5, 0.5, 0.5, 0.5)}},
		{name: "opset 12, axis past the end", opset: 12, node: node("Softmax", 1, 1, attrs{"axis": 3}), in: []*onnx.Tensor{flat}, want: []*onnx.Tensor{f32([]int{1, 2, 2}, 1, 1, 1, 1)}},
		{name: "opset 11, negative axis", opset: 11, node: node("LogSoftmax", 1, 1, attrs{"axis": -3}), in: []*onnx.Tensor{flat}, want: []*onnx.Tensor{f32([]int{1, 2, 2}, -1.3862944, -1.3862944, -1.3862944, -1.3862944)}},
		{name: "columns", node: node("Softmax", 1, 1, attrs{"axis": 0}), in: []*onnx.Tensor{f64([]int{2, 2}, 0, 1, 0, 1)}, want: []*onnx.Tensor{f64([]int{2, 2}, 0.5, 0.5, 0.5, 0.5)}},
		{name: "hard, first of equals", node: node("Hardmax", 1, 1, nil), in: []*onnx.Tensor{f32([]int{2, 3}, 1, 3, 3, 5, 1, 5)}, want: []*onnx.Tensor{f32([]int{2, 3}, 0, 1, 0, 1, 0, 0)}},
		{name: "hard, columns", node: node("Hardmax", 1, 1, attrs{"axis": 0}), in: []*onnx.Tensor{f32([]int{3, 2}, 1, 3, 2, 3, 2, 1)}, want: []*onnx.Tensor{f32([]int{3, 2}, 0, 1, 1, 0, 0, 0)}},
		{name: "logarithm, columns", node: node("LogSoftmax", 1, 1, attrs{"axis": 0}), in: []*onnx.Tensor{f32([]int{2, 2}, 0, 1000, 0, 0)}, want: []*onnx.Tensor{f32([]int{2, 2}, -0.6931472, 0, -0.6931472, -1000)}},
		{name: "scalar", node: node("Softmax", 1, 1, nil), in: []*onnx.Tensor{f32(nil, 7)}, want: []*onnx.Tensor{f32(nil, 1)}},
		{name: "nothing", node: node("Softmax", 1, 1, nil), in: []*onnx.Tensor{f32([]int{2, 0})}, want: []*onnx.Tensor{f32([]int{2, 0})}},
		{name: "axis", node: node("Softmax", 1, 1, attrs{"axis": 3}), in: []*onnx.Tensor{flat}, wantErr: "axis 3"},
		{name: "type", node: node("Softmax", 1, 1, nil), in: []*onnx.Tensor{i64([]int{1}, 1)}, wantErr: "type int64"},
	})
}
