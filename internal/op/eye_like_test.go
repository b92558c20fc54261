package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestEyeLike(t *testing.T) {
	n := func(dtype onnx.DataType, k int) *onnx.Node {
		return node("EyeLike", 1, 1, attrs{"dtype": int(dtype), "k": k})
	}
	x := f32([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	runCases(t, []opCase{
		{name: "as the input", node: node("EyeLike", 1, 1, nil), in: tensors{x}, want: tensors{f32([]int{2, 3}, 1, 0, 0, 0, 1, 0)}},
		{name: "right", node: n(onnx.Int64, 2), in: tensors{x}, want: tensors{i64([]int{2, 3}, 0, 0, 1, 0, 0, 0)}},
		{name: "below", node: n(onnx.Bool, -1), in: tensors{x}, want: tensors{bools([]int{2, 3}, false, false, false, true, false, false)}},
		{name: "far below", node: n(onnx.Double, -9), in: tensors{x}, want: tensors{f64([]int{2, 3}, 0, 0, 0, 0, 0, 0)}},
		{name: "far right", node: n(onnx.Uint8, 9), in: tensors{x}, want: tensors{u8([]int{2, 3}, 0, 0, 0, 0, 0, 0)}},
		{name: "half", node: n(onnx.Float16, 0), in: tensors{f32([]int{1, 1}, 0)}, want: tensors{onnx.Of([]int{1, 1}, []onnx.Float16Bits{0x3C00})}},
		{name: "bfloat16", node: n(onnx.BFloat16, 0), in: tensors{f32([]int{1, 1}, 0)}, want: tensors{onnx.Of([]int{1, 1}, []onnx.BFloat16Bits{0x3F80})}},
		{name: "nothing", node: n(onnx.Float, 0), in: tensors{f32([]int{0, 3})}, want: tensors{f32([]int{0, 3})}},
		{name: "strings", node: n(onnx.String, 0), in: tensors{x}, wantErr: "string is not supported"},
		{name: "vector", node: n(onnx.Float, 0), in: tensors{seq([]int{2}, 1, 2)}, wantErr: "want a matrix"},
	})
}
