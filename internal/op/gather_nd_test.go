package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestGatherND(t *testing.T) {
	batch := func(b int) *onnx.Node { return node("GatherND", 2, 1, attrs{"batch_dims": b}) }
	x := seq([]int{2, 2, 2}, 0, 7)
	runCases(t, []opCase{
		{name: "elements", node: batch(0), in: tensors{x, i64([]int{2, 3}, 0, 0, 1, 1, -1, 0)}, want: tensors{f32([]int{2}, 1, 6)}},
		{name: "slices", node: batch(0), in: tensors{x, i64([]int{1, 2, 1}, 1, 0)}, want: tensors{f32([]int{1, 2, 2, 2}, 4, 5, 6, 7, 0, 1, 2, 3)}},
		{name: "batch", node: batch(1), in: tensors{x, i64([]int{2, 1}, 1, 0)}, want: tensors{f32([]int{2, 2}, 2, 3, 4, 5)}},
		{name: "all batch", node: batch(2), in: tensors{x, i64([]int{2, 2, 1}, 1, 0, 0, 1)}, want: tensors{f32([]int{2, 2}, 1, 2, 4, 7)}},
		{name: "none", node: batch(0), in: tensors{x, i64([]int{0, 1})}, want: tensors{f32([]int{0, 2, 2})}},
		{name: "outside", node: batch(0), in: tensors{x, i64([]int{1, 2}, 0, 2)}, wantErr: "index 2 is outside [-2,1]"},
		{name: "vector too long", node: batch(0), in: tensors{x, i64([]int{1, 4}, 0, 0, 0, 0)}, wantErr: "index vectors of 4 numbers"},
		{name: "vector of nothing", node: batch(0), in: tensors{x, i64([]int{1, 0})}, wantErr: "index vectors of 0 numbers"},
		{name: "batch too large", node: batch(2), in: tensors{x, i64([]int{2, 1}, 0, 0)}, wantErr: "batch_dims 2 does not fit"},
		{name: "batches differ", node: batch(1), in: tensors{x, i64([]int{1, 1}, 0)}, wantErr: "differ in their 1 batch dimensions"},
		{name: "scalar", node: batch(0), in: tensors{f32(nil, 1), i64([]int{1}, 0)}, wantErr: "want rank 1 or more"},
		{name: "int32 indices", node: batch(0), in: tensors{x, i32([]int{1, 1}, 0)}, wantErr: "want int64, got int32"},
		{name: "packed", node: batch(0), in: tensors{onnx.New(onnx.Int4, 2), i64([]int{1, 1}, 0)}, wantErr: "int4 is not supported"},
	})
}
