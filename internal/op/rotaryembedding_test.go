package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestRotaryEmbedding(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("RotaryEmbedding", 4, 1, a) }
	pairs := n(attrs{"interleaved": 1})
	at := func(v ...int64) *onnx.Tensor { return i64([]int{1, len(v)}, v...) }
	// Tables of three places: no turn, a quarter, and cosine .6 and sine .8; the second pair the other way round.
	cosines, sines := f32([]int{3, 2}, 1, 1, 0, 0, .6, .6), f32([]int{3, 2}, 0, 0, 1, -1, .8, -.8)
	x := f32([]int{1, 1, 1, 4}, 1, 2, 3, 4)
	two := f32([]int{1, 2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8) // heads, then steps
	flat := f32([]int{1, 2, 4}, 1, 2, 5, 6, 3, 4, 7, 8)   // the same as steps, then heads
	c1, s1 := f32([]int{2, 1}, 1, 0), f32([]int{2, 1}, 0, 1)
	runCases(t, []opCase{
		{name: "halves", node: n(nil), in: tensors{x, cosines, sines, at(1)}, want: tensors{f32([]int{1, 1, 1, 4}, -3, 4, 1, -2)}},
		{name: "neighbours", node: pairs, in: tensors{x, cosines, sines, at(1)}, want: tensors{f32([]int{1, 1, 1, 4}, -2, 1, 4, -3)}},
		{name: "int32", node: pairs, in: tensors{x, cosines, sines, i32([]int{1, 1}, 2)}, want: tensors{f32([]int{1, 1, 1, 4}, .6-1.6, .8+1.2, 1.8+3.2, -2.4+2.4)}},
		{name: "no turn", node: n(nil), in: tensors{x, cosines, sines, at(0)}, want: tensors{x}},
		{name: "a part", node: n(attrs{"rotary_embedding_dim": 2}), in: tensors{x, f32([]int{1, 1}, 0), f32([]int{1, 1}, 1), at(0)}, want: tensors{f32([]int{1, 1, 1, 4}, -2, 1, 3, 4)}},
		{name: "heads and steps", node: n(nil), in: tensors{two, c1, s1, at(0, 1)}, want: tensors{f32([]int{1, 2, 2, 2}, 1, 2, -4, 3, 5, 6, -8, 7)}},
		{name: "rank 3", node: n(attrs{"num_heads": 2}), in: tensors{flat, c1, s1, at(0, 1)}, want: tensors{f32([]int{1, 2, 4}, 1, 2, 5, 6, -4, 3, -8, 7)}},
		{name: "a table for each", node: n(nil), in: tensors{f64([]int{2, 1, 1, 2}, 1, 2, 3, 4), f64([]int{2, 1, 1}, 0, 1), f64([]int{2, 1, 1}, 1, 0)}, want: tensors{f64([]int{2, 1, 1, 2}, -2, 1, 3, 4)}},
		{name: "nothing", node: n(nil), in: tensors{f32([]int{1, 1, 0, 4}), cosines, sines, i64([]int{1, 0})}, want: tensors{f32([]int{1, 1, 0, 4})}},
		{name: "place", node: n(nil), in: tensors{x, cosines, sines, at(3)}, wantErr: "element 0 is 3, the tables have 3 rows"},
		{name: "negative place", node: n(nil), in: tensors{x, cosines, sines, at(-1)}, wantErr: "element 0 is -1"},
		{name: "places", node: n(nil), in: tensors{x, cosines, sines, at(0, 1)}, wantErr: "position_ids: want int64[1 1]"},
		{name: "tables", node: n(nil), in: tensors{x, cosines, sines}, wantErr: "want float32[1 1 2]"},
		{name: "sines", node: n(nil), in: tensors{x, cosines, f32([]int{2, 2}, 0, 0, 0, 0), at(0)}, wantErr: "input 2 is float32[2 2]"},
		{name: "rank of the tables", node: n(nil), in: tensors{x, f32([]int{2}, 0, 0), sines, at(0)}, wantErr: "cosines of shape [2]"},
		{name: "empty tables", node: n(nil), in: tensors{x, f32([]int{0, 2}), f32([]int{0, 2}), at(0)}, wantErr: "are empty"},
		{name: "odd", node: n(nil), in: tensors{f32([]int{1, 1, 1, 3}, 1, 2, 3), cosines, sines, at(0)}, wantErr: "3 of 3 numbers"},
		{name: "too many", node: n(attrs{"rotary_embedding_dim": 6}), in: tensors{x, cosines, sines, at(0)}, wantErr: "6 of 4 numbers"},
		{name: "odd part", node: n(attrs{"rotary_embedding_dim": 1}), in: tensors{x, cosines, sines, at(0)}, wantErr: "even"},
		{name: "heads", node: n(nil), in: tensors{flat, c1, s1, at(0, 1)}, wantErr: "into 0 heads"},
		{name: "rank", node: n(nil), in: tensors{f32([]int{2}, 1, 2), c1, s1, at(0)}, wantErr: "want rank 4"},
		{name: "integers", node: n(nil), in: tensors{onnx.New(onnx.Int32, 1, 1, 1, 2), c1, s1, at(0)}, wantErr: "int32 is not supported"},
	})
}
