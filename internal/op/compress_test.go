package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestCompress(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("Compress", 2, 1, a) }
	x := seq([]int{3, 2}, 1, 6)
	c := func(v ...bool) *onnx.Tensor { return bools([]int{len(v)}, v...) }
	runCases(t, []opCase{
		{name: "flat", node: n(nil), in: tensors{x, c(false, true, false, false, true)}, want: tensors{f32([]int{2}, 2, 5)}},
		{name: "rows", node: n(attrs{"axis": 0}), in: tensors{x, c(false, true, true)}, want: tensors{f32([]int{2, 2}, 3, 4, 5, 6)}},
		{name: "columns, one condition", node: n(attrs{"axis": -1}), in: tensors{x, c(true)}, want: tensors{f32([]int{3, 1}, 1, 3, 5)}},
		{name: "nothing", node: n(attrs{"axis": 0}), in: tensors{x, c(false)}, want: tensors{f32([]int{0, 2})}},
		{name: "too many, false", node: n(attrs{"axis": 1}), in: tensors{x, c(true, false, false)}, want: tensors{f32([]int{3, 1}, 1, 3, 5)}},
		{name: "too many", node: n(attrs{"axis": 1}), in: tensors{x, c(true, false, true)}, wantErr: "condition 2 is true, but there are 2 elements"},
		{name: "axis", node: n(attrs{"axis": 2}), in: tensors{x, c(true)}, wantErr: "axis 2 is outside"},
		{name: "condition", node: n(nil), in: tensors{x, i64([]int{1}, 1)}, wantErr: "condition: want a vector of bool"},
		{name: "packed", node: n(nil), in: tensors{onnx.New(onnx.Int4, 2), c(true)}, wantErr: "int4 is not supported"},
	})
}
