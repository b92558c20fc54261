package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestArgNodeCases(t *testing.T) {
	runNodeCases(t, "ArgMax", nil)
	runNodeCases(t, "ArgMin", nil)
}

func TestArg(t *testing.T) {
	nan := float32(math.NaN())
	x := f32([]int{2, 3}, 2, 2, 1, 3, 10, 10)
	last := attrs{"axis": -1, "keepdims": 0, "select_last_index": 1}
	cases := []opCase{
		{name: "first axis", node: node("ArgMax", 1, 1, nil), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{i64([]int{1, 3}, 1, 1, 1)}},
		{name: "first of equals", node: node("ArgMax", 1, 1, attrs{"axis": 1}), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{i64([]int{2, 1}, 0, 1)}},
		{name: "last of equals", opset: 12, node: node("ArgMax", 1, 1, last), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{i64([]int{2}, 1, 2)}},
		{name: "min", node: node("ArgMin", 1, 1, attrs{"axis": 1, "keepdims": 0}), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{i64([]int{2}, 2, 0)}},
		{name: "NaN wins", node: node("ArgMax", 1, 1, attrs{"axis": 1, "keepdims": 0}), in: []*onnx.Tensor{f32([]int{2, 3}, 1, nan, nan, nan, 1, 5)}, want: []*onnx.Tensor{i64([]int{2}, 1, 0)}},
		{name: "the last NaN wins", node: node("ArgMin", 1, 1, last), in: []*onnx.Tensor{f32([]int{2, 3}, 1, nan, nan, nan, 1, 5)}, want: []*onnx.Tensor{i64([]int{2}, 2, 0)}},
		{name: "no result", node: node("ArgMax", 1, 1, attrs{"axis": 1}), in: []*onnx.Tensor{f32([]int{0, 3})}, want: []*onnx.Tensor{i64([]int{0, 1})}},
		{name: "no element", node: node("ArgMax", 1, 1, nil), in: []*onnx.Tensor{f32([]int{0, 3})}, wantErr: "no element"},
		{name: "axis", node: node("ArgMax", 1, 1, attrs{"axis": 2}), in: []*onnx.Tensor{x}, wantErr: "axis 2"},
		{name: "type", node: node("ArgMax", 1, 1, nil), in: []*onnx.Tensor{bools([]int{1}, true)}, wantErr: "type bool"},
	}
	for _, typ := range []onnx.DataType{onnx.Double, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64} {
		cases = append(cases, opCase{name: typ.String(), node: node("ArgMin", 1, 1, attrs{"axis": 0, "keepdims": 0}), in: []*onnx.Tensor{tensorOf(typ, []int{3}, 7, 2, 9)}, want: []*onnx.Tensor{i64([]int{}, 1)}})
	}
	runCases(t, cases)
}
