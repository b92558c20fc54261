package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestRelu(t *testing.T) {
	nan := float32(math.NaN())
	runCases(t, []opCase{
		{name: "float", node: node("Relu", 1, 1, nil), in: []*onnx.Tensor{f32([]int{4}, -1, 0, 2, nan)}, want: []*onnx.Tensor{f32([]int{4}, 0, 0, 2, nan)}},
		{name: "int64", node: node("Relu", 1, 1, nil), in: []*onnx.Tensor{i64([]int{2, 1}, -3, 3)}, want: []*onnx.Tensor{i64([]int{2, 1}, 0, 3)}},
		{name: "empty", node: node("Relu", 1, 1, nil), in: []*onnx.Tensor{f32([]int{0, 2})}, want: []*onnx.Tensor{f32([]int{0, 2})}},
		{name: "strings", node: node("Relu", 1, 1, nil), in: []*onnx.Tensor{onnx.New(onnx.String, 2)}, wantErr: "not supported"},
		{name: "caffe2 attribute", opset: 1, node: node("Relu", 1, 1, attrs{"consumed_inputs": []int{0}}), in: []*onnx.Tensor{f32(nil, -1)}, want: []*onnx.Tensor{f32(nil, 0)}},
	})
}
