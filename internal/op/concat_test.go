package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestConcat(t *testing.T) {
	axis := func(n, a int) *onnx.Node { return node("Concat", n, 1, attrs{"axis": a}) }
	a, b := seq([]int{2, 2}, 1, 4), seq([]int{2, 1}, 5, 6)
	want := f32([]int{2, 3}, 1, 2, 5, 3, 4, 6)
	runCases(t, []opCase{
		{name: "last", node: axis(2, -1), in: tensors{a, b}, want: tensors{want}},
		{name: "opset 1 default", opset: 1, node: node("Concat", 2, 1, nil), in: tensors{a, b}, want: tensors{want}},
		{name: "opset 4 has no default", opset: 4, node: node("Concat", 2, 1, nil), in: tensors{a, b}, wantErr: "\"axis\" is missing"},
		{name: "tiny int64", node: axis(3, 0), in: tensors{i64([]int{1}, 1), i64([]int{2}, 2, 3), i64([]int{0})}, want: tensors{i64([]int{3}, 1, 2, 3)}},
		{name: "strings", node: axis(2, 0), in: tensors{fill(onnx.String, 1), fill(onnx.String, 1)}, want: tensors{{Type: onnx.String, Shape: []int{2}, Strings: []string{"s0", "s0"}}}},
		{name: "types", node: axis(2, 0), in: tensors{a, i64([]int{1, 2}, 1, 2)}, wantErr: "input 1 is int64, input 0 is float32"},
		{name: "shapes", node: axis(2, 0), in: tensors{a, b}, wantErr: "input 1 has shape [2 1], input 0 has [2 2]"},
		{name: "ranks", node: axis(2, 0), in: tensors{a, seq([]int{2}, 1, 2)}, wantErr: "input 1 has shape [2]"},
		{name: "axis", node: axis(1, 2), in: tensors{a}, wantErr: "axis 2 is outside"},
		{name: "packed", node: axis(1, 0), in: tensors{onnx.New(onnx.Int4, 2)}, wantErr: "int4 is not supported"},
	})
}
