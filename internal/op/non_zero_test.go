package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestNonZero(t *testing.T) {
	n := node("NonZero", 1, 1, nil)
	minus := float32(math.Copysign(0, -1))
	runCases(t, []opCase{
		{name: "matrix", node: n, in: tensors{f32([]int{2, 2}, 1, minus, 3, 4)}, want: tensors{i64([]int{2, 3}, 0, 1, 1, 0, 0, 1)}},
		{name: "bool", node: n, in: tensors{bools([]int{3}, false, true, true)}, want: tensors{i64([]int{1, 2}, 1, 2)}},
		{name: "double", node: n, in: tensors{f64([]int{2}, 0, 2)}, want: tensors{i64([]int{1, 1}, 1)}},
		{name: "halves", node: n, in: tensors{onnx.Of([]int{3}, []onnx.Float16Bits{0x8000, 0, 0x8001})}, want: tensors{i64([]int{1, 1}, 2)}},
		{name: "scalar has no coordinates", node: n, in: tensors{f32(nil, 1)}, want: tensors{i64([]int{0, 1})}},
		{name: "nothing", node: n, in: tensors{f32([]int{0, 2})}, want: tensors{i64([]int{2, 0})}},
		{name: "strings", node: n, in: tensors{fill(onnx.String, 1)}, wantErr: "string is not supported"},
	})
	for _, typ := range []onnx.DataType{onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.BFloat16} {
		y, err := runNode(n, 0, tensors{oneTensor(t, typ)})
		if err != nil || diffTensor(y[0], i64([]int{1, 1}, 0), 0) != "" {
			t.Errorf("%v: %v, %v", typ, y, err)
		}
	}
}
