package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestCumSumNodeCases(t *testing.T) { runNodeCases(t, "CumSum", nil) }

func TestCumSum(t *testing.T) {
	axis := i64(nil, 0)
	var cases []opCase
	for _, typ := range []onnx.DataType{onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64} {
		x := tensorOf(typ, []int{3}, 1, 2, 4)
		cases = append(cases,
			opCase{name: typ.String(), node: node("CumSum", 2, 1, nil), in: []*onnx.Tensor{x, axis}, want: []*onnx.Tensor{tensorOf(typ, []int{3}, 1, 3, 7)}},
			opCase{name: typ.String() + " both", node: node("CumSum", 2, 1, attrs{"exclusive": 1, "reverse": 1}), in: []*onnx.Tensor{x, axis}, want: []*onnx.Tensor{tensorOf(typ, []int{3}, 6, 4, 0)}})
	}
	x := f32([]int{2, 2}, 1, 2, 3, 4)
	cases = append(cases, []opCase{
		{name: "int32 axis in a list", node: node("CumSum", 2, 1, attrs{"exclusive": 1}), in: []*onnx.Tensor{x, i32([]int{1}, -1)}, want: []*onnx.Tensor{f32([]int{2, 2}, 0, 1, 0, 3)}},
		{name: "nothing", node: node("CumSum", 2, 1, attrs{"reverse": 1}), in: []*onnx.Tensor{f32([]int{0, 2}), axis}, want: []*onnx.Tensor{f32([]int{0, 2})}},
		{name: "axis", node: node("CumSum", 2, 1, nil), in: []*onnx.Tensor{x, i64(nil, 2)}, wantErr: "axis 2"},
		{name: "two axes", node: node("CumSum", 2, 1, nil), in: []*onnx.Tensor{x, i64([]int{2}, 0, 1)}, wantErr: "one number"},
		{name: "axis of another type", node: node("CumSum", 2, 1, nil), in: []*onnx.Tensor{x, f32(nil, 0)}, wantErr: "int64"},
		{name: "type", node: node("CumSum", 2, 1, nil), in: []*onnx.Tensor{u8([]int{1}, 0), axis}, wantErr: "type uint8"},
	}...)
	runCases(t, cases)
}
