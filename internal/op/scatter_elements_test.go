package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestScatterElements(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("ScatterElements", 3, 1, a) }
	x := seq([]int{2, 3}, 1, 6)
	idx, up := i64([]int{1, 3}, 1, -2, 1), f32([]int{1, 3}, 10, 20, 30)
	runCases(t, []opCase{
		{name: "copy", node: n(nil), in: tensors{x, idx, up}, want: tensors{f32([]int{2, 3}, 1, 20, 3, 10, 5, 30)}},
		{name: "the old name", opset: 9, node: node("Scatter", 3, 1, nil), in: tensors{x, idx, up}, want: tensors{f32([]int{2, 3}, 1, 20, 3, 10, 5, 30)}},
		{name: "the old name later", node: node("Scatter", 3, 1, nil), in: tensors{x, idx, up}, want: tensors{f32([]int{2, 3}, 1, 20, 3, 10, 5, 30)}},
		{name: "the last one wins", node: n(attrs{"axis": -1}), in: tensors{x, i32([]int{1, 3}, 0, 0, 0), up}, want: tensors{f32([]int{2, 3}, 30, 2, 3, 4, 5, 6)}},
		{name: "add", node: n(attrs{"axis": 1, "reduction": "add"}), in: tensors{x, i64([]int{1, 3}, 0, 0, 2), up}, want: tensors{f32([]int{2, 3}, 31, 2, 33, 4, 5, 6)}},
		{name: "mul", node: n(attrs{"axis": 1, "reduction": "mul"}), in: tensors{x, i64([]int{1, 3}, 1, 1, 2), up}, want: tensors{f32([]int{2, 3}, 1, 400, 90, 4, 5, 6)}},
		{name: "max", node: n(attrs{"axis": 1, "reduction": "max"}), in: tensors{x, i64([]int{1, 3}, 1, 1, 2), f32([]int{1, 3}, 1, 7, 0)}, want: tensors{f32([]int{2, 3}, 1, 7, 3, 4, 5, 6)}},
		{name: "min", node: n(attrs{"axis": 1, "reduction": "min"}), in: tensors{x, i64([]int{1, 3}, 1, 1, 2), f32([]int{1, 3}, 1, 7, 0)}, want: tensors{f32([]int{2, 3}, 1, 1, 0, 4, 5, 6)}},
		{name: "strings", node: n(nil), in: tensors{fill(onnx.String, 2), i64([]int{1}, 1), fill(onnx.String, 1)}, want: tensors{{Type: onnx.String, Shape: []int{2}, Strings: []string{"s0", "s0"}}}},
		{name: "nothing", node: n(nil), in: tensors{x, i64([]int{0, 3}), f32([]int{0, 3})}, want: tensors{x}},
		{name: "outside", node: n(nil), in: tensors{x, i64([]int{1, 3}, 2, 0, 0), up}, wantErr: "index 2 is outside [-2,1]"},
		{name: "updates' shape", node: n(nil), in: tensors{x, idx, f32([]int{1, 2}, 1, 2)}, wantErr: "indices of shape [1 3] and updates of shape [1 2]"},
		{name: "updates' type", node: n(nil), in: tensors{x, idx, i64([]int{1, 3}, 1, 2, 3)}, wantErr: "updates are int64, data is float32"},
		{name: "rank", node: n(nil), in: tensors{x, i64([]int{1}, 0), f32([]int{1}, 0)}, wantErr: "want the same rank"},
		{name: "reduction", node: n(attrs{"reduction": "mean"}), in: tensors{x, idx, up}, wantErr: "reduction \"mean\" is not known"},
		{name: "reduction of strings", node: n(attrs{"reduction": "add"}), in: tensors{fill(onnx.String, 2), i64([]int{1}, 1), fill(onnx.String, 1)}, wantErr: "reduction add of string is not supported"},
		{name: "packed", node: n(nil), in: tensors{onnx.New(onnx.Int4, 2), idx, up}, wantErr: "int4 is not supported"},
	})
}
