package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestTensorScatter(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("TensorScatter", 3, 1, a) }
	round := n(attrs{"mode": "circular"})
	cache := f32([]int{2, 3, 1}, 1, 2, 3, 4, 5, 6)
	two := f32([]int{2, 2, 1}, -1, -2, -3, -4)
	at := func(v ...int64) *onnx.Tensor { return i64([]int{len(v)}, v...) }
	runCases(t, []opCase{
		{name: "from the start", node: n(nil), in: tensors{cache, two}, want: tensors{f32([]int{2, 3, 1}, -1, -2, 3, -3, -4, 6)}},
		{name: "each from its own", node: n(nil), in: tensors{cache, two, at(1, 0)}, want: tensors{f32([]int{2, 3, 1}, 1, -1, -2, -3, -4, 6)}},
		{name: "circular", node: round, in: tensors{cache, two, at(2, 4)}, want: tensors{f32([]int{2, 3, 1}, -2, 2, -1, 4, -3, -4)}},
		{name: "circular, far", node: round, in: tensors{cache, two, at(math.MaxInt64, -1)}, want: tensors{f32([]int{2, 3, 1}, 1, -1, -2, -4, 5, -3)}},
		{name: "heads", node: n(nil), in: tensors{f32([]int{1, 2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8), f32([]int{1, 2, 1, 2}, -1, -2, -3, -4), at(1)},
			want: tensors{f32([]int{1, 2, 2, 2}, 1, 2, -1, -2, 5, 6, -3, -4)}},
		{name: "last axis", node: n(attrs{"axis": -1}), in: tensors{i64([]int{1, 3}, 1, 2, 3), i64([]int{1, 1}, 9), at(2)}, want: tensors{i64([]int{1, 3}, 1, 2, 9)}},
		{name: "nothing", node: n(nil), in: tensors{cache, f32([]int{2, 0, 1})}, want: tensors{cache}},
		{name: "an empty cache", node: round, in: tensors{f32([]int{2, 0, 1}), f32([]int{2, 0, 1}), at(1, 2)}, want: tensors{f32([]int{2, 0, 1})}},
		{name: "no batch", node: n(nil), in: tensors{f32([]int{0, 3, 1}), f32([]int{0, 2, 1}), at()}, want: tensors{f32([]int{0, 3, 1})}},
		{name: "beyond the end", node: n(nil), in: tensors{cache, two, at(0, 2)}, wantErr: "element 1 is 2, but 2 steps go into a cache of 3"},
		{name: "before the start", node: n(nil), in: tensors{cache, two, at(-1, 0)}, wantErr: "element 0 is -1"},
		{name: "too long", node: n(nil), in: tensors{two, cache}, wantErr: "does not fit"},
		{name: "another shape", node: n(nil), in: tensors{cache, f32([]int{1, 2, 1}, 1, 2)}, wantErr: "does not fit a cache of shape"},
		{name: "another type", node: n(nil), in: tensors{cache, f64([]int{2, 1, 1}, 1, 2)}, wantErr: "does not fit"},
		{name: "places", node: n(nil), in: tensors{cache, two, at(1)}, wantErr: "write_indices: want int64[2]"},
		{name: "the batch", node: n(attrs{"axis": 0}), in: tensors{cache, two}, wantErr: "axis 0"},
		{name: "axis", node: n(attrs{"axis": 3}), in: tensors{cache, two}, wantErr: "axis 3"},
		{name: "type", node: n(nil), in: tensors{onnx.New(onnx.Uint4, 1, 1, 1), two}, wantErr: "not supported"},
		{name: "mode", node: n(attrs{"mode": "ring"}), in: tensors{cache, two}, wantErr: `"ring"`},
	})
}
