package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestMaxUnpool(t *testing.T) {
	n := func(in int, a attrs) *onnx.Node { return node("MaxUnpool", in, 1, a) }
	two := attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}
	line := attrs{"kernel_shape": []int{2}, "strides": []int{2}}
	x, at := f32([]int{1, 1, 1, 2}, 5, 6), i64([]int{1, 1, 1, 2}, 4, 3)
	runCases(t, []opCase{
		{name: "two by two", node: n(2, two), in: tensors{x, at}, want: tensors{f32([]int{1, 1, 2, 4}, 0, 0, 0, 6, 5, 0, 0, 0)}},
		{name: "channels", node: n(2, line), in: tensors{f64([]int{1, 2, 2}, 1, 2, 3, 4), i64([]int{1, 2, 2}, 0, 3, 5, 6)}, want: tensors{f64([]int{1, 2, 4}, 1, 0, 0, 2, 0, 3, 4, 0)}},
		{name: "overlapping windows", node: n(2, attrs{"kernel_shape": []int{3}}), in: tensors{f32([]int{1, 1, 2}, 7, 7), i64([]int{1, 1, 2}, 2, 2)}, want: tensors{f32([]int{1, 1, 4}, 0, 0, 7, 0)}},
		{name: "pads", node: n(2, attrs{"kernel_shape": []int{2}, "strides": []int{2}, "pads": []int{1, 0}}), in: tensors{f32([]int{1, 1, 2}, 7, 8), i64([]int{1, 1, 2}, 0, 2)}, want: tensors{f32([]int{1, 1, 3}, 7, 0, 8)}},
		{name: "output shape", node: n(3, two), in: tensors{x, at, i64([]int{4}, 1, 1, 3, 5)},
			want: tensors{f32([]int{1, 1, 3, 5}, 0, 0, 0, 6, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0)}},
		{name: "output shape, channels", node: n(3, line), in: tensors{f32([]int{1, 2, 1}, 1, 2), i64([]int{1, 2, 1}, 1, 2), i64([]int{3}, 1, 2, 3)}, want: tensors{f32([]int{1, 2, 3}, 0, 1, 0, 2, 0, 0)}},
		{name: "place outside", node: n(2, two), in: tensors{x, i64([]int{1, 1, 1, 2}, 4, 8)}, wantErr: "place 8 is outside [0,7]"},
		{name: "negative place", node: n(2, two), in: tensors{x, i64([]int{1, 1, 1, 2}, -1, 0)}, wantErr: "place -1 is outside"},
		{name: "places of another shape", node: n(2, two), in: tensors{x, i64([]int{2}, 0, 1)}, wantErr: "places: want int64[1 1 1 2], got int64[2]"},
		{name: "places of another type", node: n(2, two), in: tensors{x, i32([]int{1, 1, 1, 2}, 0, 1)}, wantErr: "places: want int64"},
		{name: "integers", node: n(2, two), in: tensors{u8([]int{1, 1, 1, 1}, 1), i64([]int{1, 1, 1, 1}, 0)}, wantErr: "uint8 is not supported"},
		{name: "no kernel", node: n(2, nil), in: tensors{x, at}, wantErr: "kernel [] has 0 axes"},
		{name: "no spatial axis", node: n(2, line), in: tensors{f32([]int{1, 1}, 1), i64([]int{1, 1}, 0)}, wantErr: "at least one spatial dimension"},
		{name: "empty", node: n(2, line), in: tensors{f32([]int{1, 1, 0}), i64([]int{1, 1, 0})}, wantErr: "is empty"},
		{name: "pads leave nothing", node: n(2, attrs{"kernel_shape": []int{2}, "pads": []int{1, 1}}), in: tensors{f32([]int{1, 1, 1}, 1), i64([]int{1, 1, 1}, 0)}, wantErr: "leave nothing"},
		{name: "far strides", node: n(2, attrs{"kernel_shape": []int{1, 1, 1}, "strides": []int{1 << 30, 1 << 30, 1 << 30}}), in: tensors{onnx.New(onnx.Float, 1, 1, 2, 2, 2), onnx.New(onnx.Int64, 1, 1, 2, 2, 2)}, wantErr: "too large"},
		{name: "smaller output shape", node: n(3, two), in: tensors{x, at, i64([]int{4}, 1, 1, 2, 3)}, wantErr: "[1 1 2 3] is smaller than [1 1 2 4]"},
		{name: "output shape of another batch", node: n(3, two), in: tensors{x, at, i64([]int{4}, 2, 1, 2, 4)}, wantErr: "does not fit"},
		{name: "output shape of floats", node: n(3, two), in: tensors{x, at, f32([]int{4}, 1, 1, 2, 4)}, wantErr: "output_shape: want int64"},
		{name: "huge output shape", node: n(3, two), in: tensors{x, at, i64([]int{4}, 1, 1, 1<<40, 1<<40)}, wantErr: "too large"},
	})
	runNodeCases(t, "MaxUnpool", nil)
}
