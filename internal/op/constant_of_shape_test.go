package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestConstantOfShape(t *testing.T) {
	n := func(v *onnx.Tensor) *onnx.Node {
		if v == nil {
			return node("ConstantOfShape", 1, 1, nil)
		}
		return node("ConstantOfShape", 1, 1, attrs{"value": v})
	}
	runCases(t, []opCase{
		{name: "default", node: n(nil), in: tensors{i64([]int{2}, 2, 1)}, want: tensors{f32([]int{2, 1}, 0, 0)}},
		{name: "int64", node: n(i64([]int{1}, 7)), in: tensors{i64([]int{1}, 3)}, want: tensors{i64([]int{3}, 7, 7, 7)}},
		{name: "scalar", node: n(i64([]int{1}, 7)), in: tensors{i64([]int{0})}, want: tensors{i64(nil, 7)}},
		{name: "nothing", node: n(nil), in: tensors{i64([]int{2}, 0, 5)}, want: tensors{f32([]int{0, 5})}},
		{name: "negative", node: n(nil), in: tensors{i64([]int{1}, -1)}, wantErr: "negative dimension in shape [-1]"},
		{name: "huge", node: n(nil), in: tensors{i64([]int{2}, 1<<40, 1<<40)}, wantErr: "too large"},
		{name: "two values", node: n(i64([]int{2}, 7, 8)), in: tensors{i64([]int{1}, 1)}, wantErr: "want one element"},
		{name: "float shape", node: n(nil), in: tensors{f32([]int{1}, 1)}, wantErr: "shape: want int64"},
		{name: "packed", node: n(onnx.New(onnx.Int4, 1)), in: tensors{i64([]int{1}, 1)}, wantErr: "int4 is not supported"},
	})
}
