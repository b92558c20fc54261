package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// ramp is an image whose value is 10 times the row plus the column: interpolation gives it back exactly.
func ramp(h, w int) *onnx.Tensor {
	t := onnx.New(onnx.Float, 1, 1, h, w)
	for i := range t.Float32s() {
		t.Float32s()[i] = float32(10*(i/w) + i%w)
	}
	return t
}

func TestRoiAlign(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("RoiAlign", 3, 1, a) }
	two := func(a attrs) *onnx.Node {
		all := attrs{"output_height": 2, "output_width": 2}
		for k, v := range a {
			all[k] = v
		}
		return n(all)
	}
	one := i64([]int{1}, 0)
	region := func(v ...float32) *onnx.Tensor { return f32([]int{len(v) / 4, 4}, v...) }
	x := ramp(10, 10)
	// Of a ramp, a bin's mean is the value at its centre: a region from 2 to 6 has its bins' centres at 3 and 5.
	centres := func(d float32) tensors {
		return tensors{f32([]int{1, 1, 2, 2}, 33-11*d, 35-11*d, 53-11*d, 55-11*d)}
	}
	zeros := tensors{f32([]int{1, 1, 2, 2}, 0, 0, 0, 0)}
	runCases(t, []opCase{
		{name: "half pixel", node: two(nil), in: tensors{x, region(2, 2, 6, 6), one}, want: centres(.5)},
		{name: "a sample", node: two(attrs{"sampling_ratio": 1}), in: tensors{x, region(2, 2, 6, 6), one}, want: centres(.5)},
		{name: "many samples", node: two(attrs{"sampling_ratio": 7}), in: tensors{x, region(2, 2, 6, 6), one}, want: centres(.5)},
		{name: "no half pixel", node: two(attrs{"coordinate_transformation_mode": "output_half_pixel"}), in: tensors{x, region(2, 2, 6, 6), one}, want: centres(0)},
		{name: "opset 10", node: two(nil), opset: 10, in: tensors{x, region(2, 2, 6, 6), one}, want: centres(0)},
		{name: "scale", node: two(attrs{"spatial_scale": .5}), in: tensors{x, region(4, 4, 12, 12), one}, want: centres(.5)},
		{name: "double", node: n(nil), in: tensors{f64([]int{1, 1, 2, 2}, 0, 1, 10, 11), f64([]int{1, 4}, .5, .5, 1.5, 1.5), one}, want: tensors{f64([]int{1, 1, 1, 1}, 5.5)}},
		{name: "at least a pixel", node: n(nil), opset: 10, in: tensors{x, region(2, 3, 2, 3), one}, want: tensors{f32([]int{1, 1, 1, 1}, 37.5)}},
		{name: "turned round", node: n(attrs{"sampling_ratio": 1}), in: tensors{x, region(6, 6, 2, 2), one}, want: tensors{f32([]int{1, 1, 1, 1}, 38.5)}},
		{name: "outside", node: two(nil), in: tensors{x, region(40, 40, 60, 60), one}, want: zeros},
		{name: "no area", node: two(nil), in: tensors{x, region(4, 4, 4, 4), one}, want: zeros},
		{name: "the largest of none", node: two(attrs{"mode": "max"}), in: tensors{x, region(4, 4, 4, 4), one}, want: zeros},
		// One sample, a quarter of the way between four pixels, of which the last has the largest part.
		{name: "largest part", node: n(attrs{"mode": "max", "sampling_ratio": 1}), in: tensors{f32([]int{1, 1, 2, 2}, 1, 2, 3, 4), region(.75, .75, 1.75, 1.75), one},
			want: tensors{f32([]int{1, 1, 1, 1}, 4*.75*.75)}},
		{name: "nothing is larger than what is outside", node: n(attrs{"mode": "max", "sampling_ratio": 2}), in: tensors{f32([]int{1, 1, 1, 1}, -1), region(-3, -3, 1, 1), one},
			want: tensors{f32([]int{1, 1, 1, 1}, 0)}},
		{name: "images and channels", node: n(attrs{"sampling_ratio": 1}), in: tensors{f32([]int{2, 2, 1, 1}, 1, 2, 3, 4), region(0, 0, 1, 1, 0, 0, 1, 1), i64([]int{2}, 1, 0)},
			want: tensors{f32([]int{2, 2, 1, 1}, 3, 4, 1, 2)}},
		{name: "an enormous region", node: two(nil), in: tensors{x, region(-1e30, -1e30, 1e30, 1e30), one}, want: zeros},
		{name: "no regions", node: two(nil), in: tensors{x, region(), i64([]int{0})}, want: tensors{f32([]int{0, 1, 2, 2})}},
		{name: "no image", node: n(nil), in: tensors{f32([]int{1, 1, 0, 0}), region(0, 0, 1, 1), one}, want: tensors{f32([]int{1, 1, 1, 1}, 0)}},
		{name: "image number", node: two(nil), in: tensors{x, region(0, 0, 1, 1), i64([]int{1}, 1)}, wantErr: "element 0 is 1, but there are 1 images"},
		{name: "not a number", node: two(nil), in: tensors{x, region(0, 0, 1, float32(math.NaN())), one}, wantErr: "region 0 has the coordinate NaN"},
		{name: "rank", node: two(nil), in: tensors{f32([]int{1, 1, 1}, 1), region(0, 0, 1, 1), one}, wantErr: "want [N, C, H, W]"},
		{name: "regions", node: two(nil), in: tensors{x, f32([]int{4}, 0, 0, 1, 1), one}, wantErr: "regions: want float32[regions 4]"},
		{name: "regions of doubles", node: two(nil), in: tensors{x, f64([]int{1, 4}, 0, 0, 1, 1), one}, wantErr: "got float64[1 4]"},
		{name: "image numbers", node: two(nil), in: tensors{x, region(0, 0, 1, 1), i64([]int{2}, 0, 0)}, wantErr: "batch_indices: want int64[1]"},
		{name: "integers", node: two(nil), in: tensors{onnx.New(onnx.Int64, 1, 1, 1, 1), region(0, 0, 1, 1), one}, wantErr: "int64 is not supported"},
		{name: "no output", node: n(attrs{"output_width": 0}), in: tensors{x, region(0, 0, 1, 1), one}, wantErr: "output of 1 by 0"},
		{name: "huge output", node: n(attrs{"output_width": 1 << 40, "output_height": 1 << 40}), in: tensors{x, region(0, 0, 1, 1), one}, wantErr: "too large"},
		{name: "samples", node: n(attrs{"sampling_ratio": 1 << 40}), in: tensors{x, region(0, 0, 1, 1), one}, wantErr: "sampling_ratio is"},
		{name: "mode", node: n(attrs{"mode": "sum"}), in: tensors{x, region(0, 0, 1, 1), one}, wantErr: `mode "sum"`},
		{name: "coordinates", node: n(attrs{"coordinate_transformation_mode": "pixel"}), in: tensors{x, region(0, 0, 1, 1), one}, wantErr: `"pixel"`},
	})
}
