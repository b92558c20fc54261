package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestExpand(t *testing.T) {
	n := node("Expand", 2, 1, nil)
	x := f32([]int{3, 1}, 1, 2, 3)
	runCases(t, []opCase{
		{name: "both ways", node: n, in: tensors{x, i64([]int{3}, 2, 1, 2)}, want: tensors{f32([]int{2, 3, 2}, 1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3)}},
		{name: "to none", node: n, in: tensors{x, i64([]int{2}, 3, 0)}, want: tensors{f32([]int{3, 0})}},
		{name: "scalar", node: n, in: tensors{f32(nil, 4), i64([]int{1}, 2)}, want: tensors{f32([]int{2}, 4, 4)}},
		{name: "strings", node: n, in: tensors{fill(onnx.String, 1), i64([]int{1}, 2)}, want: tensors{{Type: onnx.String, Shape: []int{2}, Strings: []string{"s0", "s0"}}}},
		{name: "does not fit", node: n, in: tensors{x, i64([]int{2}, 2, 1)}, wantErr: "cannot be broadcast"},
		{name: "negative", node: n, in: tensors{x, i64([]int{2}, -1, 1)}, wantErr: "negative dimension"},
		{name: "huge", node: n, in: tensors{x, i64([]int{3}, 1<<40, 1<<40, 1)}, wantErr: "too large"},
		{name: "huge together", node: n, in: tensors{x, i64([]int{2}, 1, 1<<55)}, wantErr: "too large"},
		{name: "packed", node: n, in: tensors{onnx.New(onnx.Uint4, 2), i64([]int{1}, 2)}, wantErr: "uint4 is not supported"},
		{name: "float shape", node: n, in: tensors{x, f32([]int{1}, 2)}, wantErr: "want int64"},
	})
}
