package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestSlice(t *testing.T) {
	n := func(in int) *onnx.Node { return node("Slice", in, 1, nil) }
	x := seq([]int{3, 4}, 0, 11)
	v := func(a ...int64) *onnx.Tensor { return i64([]int{len(a)}, a...) }
	runCases(t, []opCase{
		{name: "rows", node: n(3), in: tensors{x, v(1), v(1000)}, want: tensors{seq([]int{2, 4}, 4, 11)}},
		{name: "axes", node: n(4), in: tensors{x, v(-3, 0), v(-1, 1), v(1, 0)}, want: tensors{f32([]int{1, 2}, 1, 2)}},
		{name: "steps", node: n(5), in: tensors{x, v(-1), v(-1 << 62), v(-1), v(-2)}, want: tensors{f32([]int{3, 2}, 3, 1, 7, 5, 11, 9)}},
		{name: "int32", node: n(5), in: tensors{x, i32([]int{1}, 1), i32([]int{1}, 3), i32([]int{1}, 0), i32([]int{1}, 1)}, want: tensors{seq([]int{2, 4}, 4, 11)}},
		{name: "steps without axes", node: func() *onnx.Node { m := n(5); m.Inputs[3] = ""; return m }(), in: tensors{x, v(0), v(3), nil, v(2)}, want: tensors{f32([]int{2, 4}, 0, 1, 2, 3, 8, 9, 10, 11)}},
		{name: "start before the first, backwards", node: n(5), in: tensors{seq([]int{2}, 0, 1), v(-3), v(-1 << 62), v(0), v(-1)}, want: tensors{f32([]int{1}, 0)}},
		{name: "huge step", node: n(5), in: tensors{x, v(0), v(3), v(0), v(1<<63 - 1)}, want: tensors{seq([]int{1, 4}, 0, 3)}},
		{name: "smallest step", node: n(5), in: tensors{x, v(2), v(-1 << 63), v(0), v(-1 << 63)}, want: tensors{seq([]int{1, 4}, 8, 11)}},
		{name: "nothing", node: n(3), in: tensors{x, v(2), v(1)}, want: tensors{f32([]int{0, 4})}},
		{name: "of nothing", node: n(5), in: tensors{f32([]int{0}), v(0), v(5), v(0), v(-1)}, want: tensors{f32([]int{0})}},
		{name: "tiny int64", node: n(3), in: tensors{i64([]int{4}, 1, 3, 224, 225), v(2), v(1 << 62)}, want: tensors{i64([]int{2}, 224, 225)}},
		{name: "attributes", opset: 1, node: node("Slice", 1, 1, attrs{"starts": []int{1}, "ends": []int{-1}, "axes": []int{1}}), in: tensors{x}, want: tensors{f32([]int{3, 2}, 1, 2, 5, 6, 9, 10)}},
		{name: "attributes in a late opset", node: node("Slice", 1, 1, attrs{"starts": []int{2}, "ends": []int{3}}), in: tensors{x}, want: tensors{seq([]int{1, 4}, 8, 11)}},
		{name: "no ends", node: node("Slice", 1, 1, attrs{"starts": []int{2}}), in: tensors{x}, wantErr: "starts or ends are missing"},
		{name: "empty name", node: func() *onnx.Node { m := n(3); m.Inputs[2] = ""; return m }(), in: tensors{x, v(0), nil}, wantErr: "starts or ends are missing"},
		{name: "step 0", node: n(5), in: tensors{x, v(0), v(3), v(0), v(0)}, wantErr: "step along axis 0 is 0"},
		{name: "axis twice", node: n(4), in: tensors{x, v(0, 0), v(1, 1), v(0, -2)}, wantErr: "named twice"},
		{name: "ends", node: n(3), in: tensors{x, v(0), v(3, 3)}, wantErr: "1 starts and 2 ends"},
		{name: "axes count", node: n(4), in: tensors{x, v(0), v(3), v(0, 1)}, wantErr: "1 starts and 2 axes"},
		{name: "steps count", node: n(5), in: tensors{x, v(0), v(3), v(0), v(1, 1)}, wantErr: "1 starts and 2 steps"},
		{name: "too many", node: n(3), in: tensors{x, v(0, 0, 0), v(1, 1, 1)}, wantErr: "axis 2 is outside"},
		{name: "float starts", node: n(3), in: tensors{x, f32([]int{1}, 0), v(1)}, wantErr: "starts: want int64"},
		{name: "packed", node: n(3), in: tensors{onnx.New(onnx.Int4, 2), v(0), v(1)}, wantErr: "int4 is not supported"},
	})
}
