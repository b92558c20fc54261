package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestScatterND(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("ScatterND", 3, 1, a) }
	x := seq([]int{3, 2}, 1, 6)
	runCases(t, []opCase{
		{name: "rows", node: n(nil), in: tensors{x, i64([]int{2, 1}, 2, 0), f32([]int{2, 2}, 7, 8, 9, 10)}, want: tensors{f32([]int{3, 2}, 9, 10, 3, 4, 7, 8)}},
		{name: "elements", node: n(nil), in: tensors{x, i64([]int{1, 2}, -1, -2), f32([]int{1}, 9)}, want: tensors{f32([]int{3, 2}, 1, 2, 3, 4, 9, 6)}},
		{name: "add twice", node: n(attrs{"reduction": "add"}), in: tensors{x, i64([]int{2, 1}, 1, 1), f32([]int{2, 2}, 1, 2, 10, 20)}, want: tensors{f32([]int{3, 2}, 1, 2, 14, 26, 5, 6)}},
		{name: "nothing", node: n(nil), in: tensors{x, i64([]int{0, 1}), f32([]int{0, 2})}, want: tensors{x}},
		{name: "outside", node: n(nil), in: tensors{x, i64([]int{1, 2}, 3, 0), f32([]int{1}, 9)}, wantErr: "index 3 is outside [-3,2] (dimension 0"},
		{name: "updates' shape", node: n(nil), in: tensors{x, i64([]int{1, 1}, 0), f32([]int{1}, 9)}, wantErr: "updates have shape [1], data [3 2] and indices [1 1] want [1 2]"},
		{name: "vector too long", node: n(nil), in: tensors{x, i64([]int{1, 3}, 0, 0, 0), f32([]int{1}, 9)}, wantErr: "index vectors of 3 numbers"},
		{name: "scalar", node: n(nil), in: tensors{f32(nil, 1), i64([]int{1, 1}, 0), f32([]int{1}, 9)}, wantErr: "want rank 1 or more"},
		{name: "int32 indices", node: n(nil), in: tensors{x, i32([]int{1, 1}, 0), f32([]int{1, 2}, 9, 9)}, wantErr: "want int64, got int32"},
		{name: "reduction", node: n(attrs{"reduction": "xor"}), in: tensors{x, i64([]int{1, 1}, 0), f32([]int{1, 2}, 9, 9)}, wantErr: "reduction \"xor\" is not known"},
		{name: "types", node: n(nil), in: tensors{x, i64([]int{1, 1}, 0), f64([]int{1, 2}, 9, 9)}, wantErr: "updates are float64"},
	})
}
