package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestTile(t *testing.T) {
	n := node("Tile", 2, 1, nil)
	x := seq([]int{1, 2}, 1, 2)
	old := node("Tile", 3, 1, nil)
	runCases(t, []opCase{
		{name: "both", node: n, in: tensors{x, i64([]int{2}, 2, 2)}, want: tensors{f32([]int{2, 4}, 1, 2, 1, 2, 1, 2, 1, 2)}},
		{name: "none", node: n, in: tensors{x, i64([]int{2}, 0, 2)}, want: tensors{f32([]int{0, 4})}},
		{name: "opset 1", opset: 1, node: old, in: tensors{x, f32([]int{1}, 3), f32([]int{1}, 1)}, want: tensors{f32([]int{1, 6}, 1, 2, 1, 2, 1, 2)}},
		{name: "opset 1 axis", opset: 1, node: old, in: tensors{x, f32(nil, 3), f32(nil, 2)}, wantErr: "axis 2 is outside"},
		{name: "opset 1 numbers", opset: 1, node: old, in: tensors{x, f32([]int{2}, 3, 3), f32(nil, 2)}, wantErr: "tiles: want one number"},
		{name: "opset 1 of new form", opset: 1, node: n, in: tensors{x, i64([]int{2}, 2, 2)}, wantErr: "wants 3"},
		{name: "old form", node: old, in: tensors{x, f32(nil, 3), f32(nil, 1)}, wantErr: "wants 2"},
		{name: "count", node: n, in: tensors{x, i64([]int{1}, 2)}, wantErr: "1 repeats for an input of rank 2"},
		{name: "negative", node: n, in: tensors{x, i64([]int{2}, -1, 2)}, wantErr: "negative number of repeats -1"},
		{name: "huge", node: n, in: tensors{x, i64([]int{2}, 1<<62, 1<<62)}, wantErr: "too large"},
		{name: "packed", node: n, in: tensors{onnx.New(onnx.Int4, 2), i64([]int{1}, 2)}, wantErr: "int4 is not supported"},
	})
}
