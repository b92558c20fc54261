package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestCenterCropPad(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("CenterCropPad", 2, 1, a) }
	last := n(attrs{"axes": []int{-1}})
	size := func(v ...int64) *onnx.Tensor { return i64([]int{len(v)}, v...) }
	line := seq([]int{5}, 1, 5)
	runCases(t, []opCase{
		{name: "crop", node: n(nil), in: tensors{line, size(3)}, want: tensors{f32([]int{3}, 2, 3, 4)}},
		{name: "crop, odd", node: n(nil), in: tensors{line, size(2)}, want: tensors{f32([]int{2}, 2, 3)}},
		{name: "pad", node: n(nil), in: tensors{line, size(7)}, want: tensors{f32([]int{7}, 0, 1, 2, 3, 4, 5, 0)}},
		{name: "pad, odd", node: n(nil), in: tensors{line, size(6)}, want: tensors{f32([]int{6}, 1, 2, 3, 4, 5, 0)}},
		{name: "as it is", node: n(nil), in: tensors{line, size(5)}, want: tensors{line}},
		{name: "to nothing", node: n(nil), in: tensors{line, size(0)}, want: tensors{f32([]int{0})}},
		{name: "from nothing", node: n(nil), in: tensors{f32([]int{0}), size(2)}, want: tensors{f32([]int{2}, 0, 0)}},
		{name: "both", node: n(nil), in: tensors{seq([]int{3, 2}, 1, 6), i32([]int{2}, 1, 3)}, want: tensors{f32([]int{1, 3}, 3, 4, 0)}},
		{name: "some axes", node: n(attrs{"axes": []int{-1, 0}}), in: tensors{seq([]int{2, 1, 2}, 1, 4), size(1, 1)}, want: tensors{f32([]int{1, 1, 1}, 1)}},
		{name: "integers", node: last, in: tensors{i64([]int{1, 1}, 7), size(3)}, want: tensors{i64([]int{1, 3}, 0, 7, 0)}},
		{name: "strings", node: last, in: tensors{texts("a"), size(2)}, want: tensors{texts("a", "")}},
		{name: "too few sizes", node: n(nil), in: tensors{seq([]int{1, 2}, 1, 2), size(1)}, wantErr: "shape [1] for 2 axes"},
		{name: "negative", node: n(nil), in: tensors{line, size(-1)}, wantErr: "negative"},
		{name: "huge", node: n(nil), in: tensors{seq([]int{1, 2}, 1, 2), size(1<<40, 1<<40)}, wantErr: "too large"},
		{name: "huge together", node: last, in: tensors{onnx.New(onnx.Uint8, 1<<10, 1), size(1 << 50)}, wantErr: "too large"},
		{name: "axis", node: n(attrs{"axes": []int{1}}), in: tensors{line, size(1)}, wantErr: "axis 1"},
		{name: "axis twice", node: n(attrs{"axes": []int{0, -1}}), in: tensors{line, size(1, 1)}, wantErr: "named twice"},
		{name: "sizes of floats", node: n(nil), in: tensors{line, f32([]int{1}, 1)}, wantErr: "want int64"},
		{name: "type", node: n(nil), in: tensors{onnx.New(onnx.Uint4, 2), size(1)}, wantErr: "not supported"},
	})
}
