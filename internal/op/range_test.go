package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestRange(t *testing.T) {
	n := node("Range", 3, 1, nil)
	three := func(a, b, c int64) tensors { return tensors{i64(nil, a), i64(nil, b), i64(nil, c)} }
	i16 := func(v ...int16) *onnx.Tensor { return onnx.Of([]int{len(v)}, v) }
	runCases(t, []opCase{
		{name: "up", node: n, in: three(1, 8, 3), want: tensors{i64([]int{3}, 1, 4, 7)}},
		{name: "down", node: n, in: three(5, 0, -2), want: tensors{i64([]int{3}, 5, 3, 1)}},
		{name: "away", node: n, in: three(5, 0, 2), want: tensors{i64([]int{0})}},
		{name: "float", node: n, in: tensors{f32(nil, 0), f32(nil, 1), f32([]int{1}, 0.25)}, want: tensors{f32([]int{4}, 0, 0.25, 0.5, 0.75)}},
		{name: "double", node: n, in: tensors{f64(nil, 3), f64(nil, 1), f64(nil, -1.5)}, want: tensors{f64([]int{2}, 3, 1.5)}},
		{name: "int32", node: n, in: tensors{i32(nil, 0), i32(nil, 2), i32(nil, 1)}, want: tensors{i32([]int{2}, 0, 1)}},
		{name: "int16", node: n, in: tensors{i16(0), i16(2), i16(1)}, want: tensors{i16(0, 1)}},
		{name: "whole width", node: n, in: three(-1<<63, 1<<63-1, 1<<62), want: tensors{i64([]int{4}, -1<<63, -1<<62, 0, 1<<62)}},
		{name: "whole width down", node: n, in: three(1<<63-1, -1<<63, -1<<63), want: tensors{i64([]int{2}, 1<<63-1, -1)}},
		{name: "delta 0", node: n, in: three(1, 2, 0), wantErr: "delta is 0"},
		{name: "float delta 0", node: n, in: tensors{f32(nil, 0), f32(nil, 1), f32(nil, 0)}, wantErr: "delta is 0"},
		{name: "huge", node: n, in: three(-1<<63, 1<<63-1, 1), wantErr: "no range of a possible size"},
		{name: "infinite", node: n, in: tensors{f32(nil, 0), f32(nil, float32(math.Inf(1))), f32(nil, 1)}, wantErr: "no range of a possible size"},
		{name: "types", node: n, in: tensors{f32(nil, 0), i64(nil, 1), f32(nil, 1)}, wantErr: "input 1: want one float32"},
		{name: "type", node: n, in: tensors{u8(nil, 0), u8(nil, 1), u8(nil, 1)}, wantErr: "uint8 is not supported"},
	})
}
