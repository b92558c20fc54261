package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestReverseSequence(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("ReverseSequence", 2, 1, a) }
	first := attrs{"batch_axis": 0, "time_axis": 1}
	runCases(t, []opCase{
		{name: "time first", node: n(nil), in: tensors{f32([]int{3, 2}, 1, 2, 3, 4, 5, 6), i64([]int{2}, 3, 2)}, want: tensors{f32([]int{3, 2}, 5, 4, 3, 2, 1, 6)}},
		{name: "batch first", node: n(first), in: tensors{u8([]int{2, 3}, 1, 2, 3, 4, 5, 6), i64([]int{2}, 2, 3)}, want: tensors{u8([]int{2, 3}, 2, 1, 3, 6, 5, 4)}},
		{name: "vectors", node: n(first), in: tensors{i64([]int{1, 3, 2}, 1, 2, 3, 4, 5, 6), i64([]int{1}, 2)}, want: tensors{i64([]int{1, 3, 2}, 3, 4, 1, 2, 5, 6)}},
		{name: "nothing to turn", node: n(nil), in: tensors{f32([]int{2, 2}, 1, 2, 3, 4), i64([]int{2}, 0, 1)}, want: tensors{f32([]int{2, 2}, 1, 2, 3, 4)}},
		{name: "strings", node: n(first), in: tensors{{Type: onnx.String, Shape: []int{1, 3}, Strings: []string{"a", "b", "c"}}, i64([]int{1}, 3)},
			want: tensors{{Type: onnx.String, Shape: []int{1, 3}, Strings: []string{"c", "b", "a"}}}},
		{name: "empty", node: n(nil), in: tensors{f32([]int{0, 2}), i64([]int{2}, 0, 0)}, want: tensors{f32([]int{0, 2})}},
		{name: "too long", node: n(nil), in: tensors{f32([]int{2, 1}, 1, 2), i64([]int{1}, 3)}, wantErr: "element 0 is 3, want 0 to 2"},
		{name: "negative", node: n(nil), in: tensors{f32([]int{2, 1}, 1, 2), i64([]int{1}, -1)}, wantErr: "element 0 is -1"},
		{name: "lengths", node: n(nil), in: tensors{f32([]int{2, 1}, 1, 2), i64([]int{2}, 1, 1)}, wantErr: "sequence_lens: want int64[1]"},
		{name: "lengths of another type", node: n(nil), in: tensors{f32([]int{2, 1}, 1, 2), i32([]int{1}, 1)}, wantErr: "got int32[1]"},
		{name: "a vector", node: n(nil), in: tensors{f32([]int{2}, 1, 2), i64([]int{1}, 1)}, wantErr: "want two dimensions"},
		{name: "one axis for both", node: n(attrs{"batch_axis": 0}), in: tensors{f32([]int{2, 1}, 1, 2), i64([]int{1}, 1)}, wantErr: "batch_axis is 0 and time_axis 0"},
		{name: "another axis", node: n(attrs{"batch_axis": 2, "time_axis": -1}), in: tensors{f32([]int{2, 1}, 1, 2), i64([]int{1}, 1)}, wantErr: "batch_axis is 2"},
		{name: "packed", node: n(nil), in: tensors{onnx.New(onnx.Int4, 2, 2), i64([]int{2}, 1, 1)}, wantErr: "int4 is not supported"},
	})
	runNodeCases(t, "ReverseSequence", nil)
}
