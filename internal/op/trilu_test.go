package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestTrilu(t *testing.T) {
	n := func(in, upper int) *onnx.Node { return node("Trilu", in, 1, attrs{"upper": upper}) }
	x := seq([]int{2, 3}, 1, 6)
	runCases(t, []opCase{
		{name: "upper", node: node("Trilu", 1, 1, nil), in: tensors{x}, want: tensors{f32([]int{2, 3}, 1, 2, 3, 0, 5, 6)}},
		{name: "lower", node: n(1, 0), in: tensors{x}, want: tensors{f32([]int{2, 3}, 1, 0, 0, 4, 5, 0)}},
		{name: "shifted", node: n(2, 1), in: tensors{x, i64(nil, 1)}, want: tensors{f32([]int{2, 3}, 0, 2, 3, 0, 0, 6)}},
		{name: "batch", node: n(2, 0), in: tensors{seq([]int{2, 2, 1}, 1, 4), i64([]int{1}, -1)}, want: tensors{f32([]int{2, 2, 1}, 0, 2, 0, 4)}},
		{name: "far", node: n(2, 1), in: tensors{x, i64(nil, 1<<63-1)}, want: tensors{f32([]int{2, 3}, 0, 0, 0, 0, 0, 0)}},
		{name: "far the other way", node: n(2, 1), in: tensors{x, i64(nil, -1<<63)}, want: tensors{x}},
		{name: "far below", node: n(2, 0), in: tensors{x, i64(nil, -1<<63)}, want: tensors{f32([]int{2, 3}, 0, 0, 0, 0, 0, 0)}},
		{name: "nothing", node: n(1, 1), in: tensors{f32([]int{3, 0, 2})}, want: tensors{f32([]int{3, 0, 2})}},
		{name: "vector", node: n(1, 1), in: tensors{seq([]int{2}, 1, 2)}, wantErr: "want rank 2 or more, got shape [2]"},
		{name: "k", node: n(2, 1), in: tensors{x, f32(nil, 1)}, wantErr: "k: want one int64, got float32"},
		{name: "packed", node: n(1, 1), in: tensors{onnx.New(onnx.Int4, 2, 2)}, wantErr: "int4 is not supported"},
	})
}
