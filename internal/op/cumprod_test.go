package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestCumProd(t *testing.T) {
	axis := i64(nil, 0)
	var cases []opCase
	for _, typ := range []onnx.DataType{onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64} {
		x := tensorOf(typ, []int{3}, 2, 3, 4)
		for _, c := range []struct {
			name string
			a    attrs
			want *onnx.Tensor
		}{
			{"", nil, tensorOf(typ, []int{3}, 2, 6, 24)},
			{" exclusive", attrs{"exclusive": 1}, tensorOf(typ, []int{3}, 1, 2, 6)},
			{" reverse", attrs{"reverse": 1}, tensorOf(typ, []int{3}, 24, 12, 4)},
			{" both", attrs{"exclusive": 1, "reverse": 1}, tensorOf(typ, []int{3}, 12, 4, 1)},
		} {
			cases = append(cases, opCase{name: typ.String() + c.name, node: node("CumProd", 2, 1, c.a), in: tensors{x, axis}, want: tensors{c.want}})
		}
	}
	n := node("CumProd", 2, 1, nil)
	runCases(t, append(cases,
		opCase{name: "last axis", node: n, in: tensors{f32([]int{2, 2}, 1, 2, 3, 4), i32(nil, -1)}, want: tensors{f32([]int{2, 2}, 1, 2, 3, 12)}},
		opCase{name: "nothing", node: n, in: tensors{f32([]int{0}), axis}, want: tensors{f32([]int{0})}},
		opCase{name: "opset", node: n, opset: 25, in: tensors{f32([]int{1}, 1), axis}, wantErr: "it came with opset 26"},
		opCase{name: "axis", node: n, in: tensors{f32([]int{1}, 1), i64(nil, 1)}, wantErr: "axis 1 is outside"},
		opCase{name: "type", node: n, in: tensors{u8([]int{1}, 0), axis}, wantErr: "type uint8"},
	))
}
