package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestGatherElements(t *testing.T) {
	axis := func(a int) *onnx.Node { return node("GatherElements", 2, 1, attrs{"axis": a}) }
	x := seq([]int{3, 2}, 1, 6)
	runCases(t, []opCase{
		{name: "axis 0", node: axis(0), in: tensors{x, i64([]int{2, 2}, 1, 2, -1, 0)}, want: tensors{f32([]int{2, 2}, 3, 6, 5, 2)}},
		{name: "axis 1", node: axis(-1), in: tensors{x, i32([]int{2, 3}, 1, 0, 0, 0, 1, 1)}, want: tensors{f32([]int{2, 3}, 2, 1, 1, 3, 4, 4)}},
		{name: "none", node: axis(0), in: tensors{x, i64([]int{0, 2})}, want: tensors{f32([]int{0, 2})}},
		{name: "strings", node: axis(0), in: tensors{fill(onnx.String, 3), i64([]int{1}, 2)}, want: tensors{{Type: onnx.String, Shape: []int{1}, Strings: []string{"s2"}}}},
		{name: "outside", node: axis(0), in: tensors{x, i64([]int{1, 1}, -4)}, wantErr: "index -4 is outside [-3,2]"},
		{name: "rank", node: axis(0), in: tensors{x, i64([]int{1}, 0)}, wantErr: "want the same rank"},
		{name: "reaches outside", node: axis(0), in: tensors{x, i64([]int{1, 3}, 0, 0, 0)}, wantErr: "reach outside data of shape [3 2] in dimension 1"},
		{name: "axis", node: axis(2), in: tensors{x, i64([]int{1, 1}, 0)}, wantErr: "axis 2 is outside"},
		{name: "scalar", node: axis(0), in: tensors{f32(nil, 1), i64(nil, 0)}, wantErr: "axis 0 is outside"},
		{name: "float indices", node: axis(0), in: tensors{x, f32([]int{1, 1}, 0)}, wantErr: "indices: want int64"},
		{name: "packed", node: axis(0), in: tensors{onnx.New(onnx.Int4, 2), i64([]int{1}, 0)}, wantErr: "int4 is not supported"},
	})
}
