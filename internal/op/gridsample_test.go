package op

import (
	"fmt"
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// gridImage has the elements (7i²+3i) mod 19 - 9.
func gridImage(shape ...int) *onnx.Tensor {
	t := onnx.New(onnx.Double, shape...)
	for i := range onnx.Data[float64](t) {
		onnx.Data[float64](t)[i] = float64((7*i*i+3*i)%19 - 9)
	}
	return t
}

// asFloat turns a tensor of doubles into one of floats.
func asFloat(x *onnx.Tensor) *onnx.Tensor {
	t := onnx.New(onnx.Float, x.Shape...)
	for i, v := range onnx.Data[float64](x) {
		t.Float32s()[i] = float32(v)
	}
	return t
}

type vals = []float64

// TestGridSampleModes compares with torch.nn.functional.grid_sample in double precision.
func TestGridSampleModes(t *testing.T) {
	type row struct {
		mode, padding string
		align         int
		want          vals
	}
	var cases []opCase
	add := func(what string, rows []row, x, grid *onnx.Tensor, shape []int) {
		for _, r := range rows {
			n := node("GridSample", 2, 1, attrs{"mode": r.mode, "padding_mode": r.padding, "align_corners": r.align})
			old := map[string]string{"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}[r.mode]
			before := node("GridSample", 2, 1, attrs{"mode": old, "padding_mode": r.padding, "align_corners": r.align})
			name := fmt.Sprint(what, " ", r.mode, " ", r.padding, " ", r.align)
			want := f64(shape, r.want...)
			cases = append(cases,
				opCase{name: name, node: n, in: tensors{x, grid}, want: tensors{want}, tol: 1e-8},
				opCase{name: name + ", opset 16", node: before, opset: 16, in: tensors{x, grid}, want: tensors{want}, tol: 1e-8},
				opCase{name: name + ", float", node: n, in: tensors{asFloat(x), asFloat(grid)}, want: tensors{asFloat(want)}},
				opCase{name: name + ", mixed", node: n, in: tensors{asFloat(x), grid}, want: tensors{asFloat(want)}})
		}
	}
	add("2-D", []row{
		{"linear", "zeros", 0, vals{-3.5, -4.515, 0.21, 0, 0, -1.0625, 5.74, -3.765, -0.14, 0, 0, 2.55}},
		{"linear", "zeros", 1, vals{-3.3, -4.795, 3.78, 0, 0, -2.375, 5.91, -3.945, -2.52, 0, 0, 5.7}},
		{"linear", "border", 0, vals{-5, -4.515, 6, 7, 7, -2.5, 8.2, -3.765, -4, 1, 1, 6}},
		{"linear", "border", 1, vals{-3.3, -4.795, 6, 7, 5.8, -2.5, 5.91, -3.945, -4, 1, 2.2, 6}},
		{"linear", "reflection", 0, vals{-5, -4.515, 6, 1.47, 5.9, -2.5, 8.2, -3.765, -4, -2.73, 1.5, 6}},
		{"linear", "reflection", 1, vals{-3.3, -4.795, 4.83, -1.39, 0.94, -2.725, 5.91, -3.945, -3.57, -3.64, 2.83, 5.425}},
		{"nearest", "zeros", 0, vals{-9, -5, 0, 0, 0, 0, 9, -5, 0, 0, 0, 0}},
		{"nearest", "zeros", 1, vals{1, -5, 6, 0, 0, -1, 7, -5, -4, 0, 0, 6}},
		{"nearest", "border", 0, vals{-9, -5, 6, 7, 7, -1, 9, -5, -4, 1, 1, 6}},
		{"nearest", "border", 1, vals{1, -5, 6, 7, 7, -1, 7, -5, -4, 1, 1, 6}},
		{"nearest", "reflection", 0, vals{-9, -5, 6, 1, 7, -1, 9, -5, -4, -3, 1, 6}},
		{"nearest", "reflection", 1, vals{1, -5, 6, 1, 7, -1, 7, -5, -4, -3, 1, 6}},
		{"cubic", "zeros", 0, vals{-5.077772, -5.31104459, 0.222971602, 0, 0, -1.03992603, 8.593333, -4.19223874, -0.0910576953, 0, 0, 3.91939856}},
		{"cubic", "zeros", 1, vals{-4.7653785, -5.48055742, 4.50357469, 0.05589675, 0, -3.06000195, 7.8169185, -4.21342744, -2.72543906, 0.00798525, 0, 7.11425684}},
		{"cubic", "border", 0, vals{-5.806898, -5.25217404, 6.7170281, 7, 7.576, -2.99322461, 10.164661, -4.21764279, -3.72125315, 1, 0.424, 7.97203674}},
		{"cubic", "border", 1, vals{-3.86471925, -5.47333598, 6.73569769, 7, 6.184, -3.19145312, 6.5439225, -4.25512978, -4.02030231, 1, 2.008, 7.3869873}},
		{"cubic", "reflection", 0, vals{-5.91614, -5.25217404, 8.05901719, 2.446245, 6.78872, -2.51898437, 10.81123, -4.21764279, -3.33785781, -3.99012506, 0.86793, 9.3717041}},
		{"cubic", "reflection", 1, vals{-4.34563538, -5.4458542, 5.96276175, -0.05616925, 2.60913475, -3.39023535, 7.87336088, -4.18016955, -3.57123825, -5.4214615, 2.63563975, 6.85863379}},
	}, gridImage(1, 2, 3, 4), f64([]int{1, 2, 3, 2}, -.9, -.4, .3, .1, 1.2, -1.1, -1.9, 2.6, -5.3, .8, 0, 1.05), []int{1, 2, 2, 3})
	add("3-D", []row{
		{"linear", "zeros", 0, vals{2.968, -0.3765, 0.168, 0}},
		{"linear", "zeros", 1, vals{2.226, -3.156, 2.835, 0}},
		{"linear", "border", 0, vals{4.24, -3.765, 6, 7}},
		{"linear", "border", 1, vals{2.226, -3.945, 4.5, 7}},
		{"linear", "reflection", 0, vals{4.24, -3.765, 6, 4.8}},
		{"linear", "reflection", 1, vals{2.226, -4.115, 3.57, 1.09125}},
		{"nearest", "zeros", 0, vals{9, 0, 0, 0}},
		{"nearest", "zeros", 1, vals{7, -5, 6, 0}},
		{"nearest", "border", 0, vals{9, -5, 6, 7}},
		{"nearest", "border", 1, vals{7, -5, 6, 7}},
		{"nearest", "reflection", 0, vals{9, -5, 6, 6}},
		{"nearest", "reflection", 1, vals{7, -5, 6, 6}},
	}, gridImage(1, 1, 2, 3, 4), f64([]int{1, 1, 2, 2, 3}, -.9, -.4, .2, .3, .1, 1.4, 1.2, -1.1, -.7, -2.9, 2.6, -1.05), []int{1, 1, 1, 2, 2})
	runCases(t, cases)
}

func TestGridSample(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("GridSample", 2, 1, a) }
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	line := f32([]int{1, 1, 4}, 1, 2, 4, 8)
	odd := f32([]int{1, 7, 1}, nan, inf, -inf, 1e30, -1e30, 3e38, -3e38)
	align := func(mode, padding string) *onnx.Node {
		return n(attrs{"mode": mode, "padding_mode": padding, "align_corners": 1})
	}
	out := func(v ...float32) tensors { return tensors{f32([]int{1, 1, len(v)}, v...)} }
	var cases []opCase
	for _, mode := range []string{"linear", "nearest", "cubic"} {
		cases = append(cases,
			opCase{name: mode + ", no place, zeros", node: align(mode, "zeros"), in: tensors{line, odd}, want: out(0, 0, 0, 0, 0, 0, 0)},
			opCase{name: mode + ", no place, border", node: align(mode, "border"), in: tensors{line, odd}, want: out(1, 8, 1, 8, 1, 8, 1)},
			// One element is reflected to itself, wherever the place is.
			opCase{name: mode + ", no place, reflection", node: n(attrs{"mode": mode, "padding_mode": "reflection"}), in: tensors{f32([]int{1, 1, 1}, 5), odd}, want: out(5, 5, 5, 5, 5, 5, 5)},
			opCase{name: mode + ", no place, reflection, align", node: align(mode, "reflection"), in: tensors{f32([]int{1, 1, 1}, 5), odd}, want: out(5, 5, 5, 5, 5, 5, 5)})
	}
	x, grid := f32([]int{1, 1, 1, 2}, 1, 2), f32([]int{1, 1, 1, 2}, 0, 0)
	runCases(t, append(cases, []opCase{
		{name: "a line", node: align("linear", "zeros"), in: tensors{line, f32([]int{1, 3, 1}, -1, 0, 1)}, want: out(1, 3, 8)},
		{name: "a line, cubic", node: align("cubic", "zeros"), in: tensors{line, f32([]int{1, 2, 1}, 0, 1)}, want: out(1*-.09375+2*.59375+4*.59375+8*-.09375, 8)},
		{name: "halves to the even one", node: align("nearest", "zeros"), in: tensors{f32([]int{1, 1, 3}, 1, 2, 4), f32([]int{1, 2, 1}, -.5, .5)}, want: out(1, 4)},
		// What lies outside is zero, however large the element is that is not read.
		{name: "infinite neighbours", node: n(nil), in: tensors{f32([]int{1, 1, 1, 2}, inf, 2), f32([]int{1, 1, 1, 2}, 1, 0)}, want: tensors{f32([]int{1, 1, 1, 1}, 1)}},
		{name: "images and channels", node: n(nil), in: tensors{f32([]int{2, 2, 1, 1}, 1, 2, 3, 4), f32([]int{2, 1, 2, 2}, 0, 0, 1, 0, 0, 0, 0, -1)},
			want: tensors{f32([]int{2, 2, 1, 2}, 1, .5, 2, 1, 3, 1.5, 4, 2)}},
		{name: "grid of doubles", node: n(nil), in: tensors{x, f64([]int{1, 1, 1, 2}, 0, 0)}, want: tensors{f32([]int{1, 1, 1, 1}, 1.5)}},
		{name: "no places", node: n(nil), in: tensors{x, f32([]int{1, 0, 1, 2})}, want: tensors{f32([]int{1, 1, 0, 1})}},
		{name: "no channels", node: n(nil), in: tensors{f32([]int{1, 0, 1, 2}), grid}, want: tensors{f32([]int{1, 0, 1, 1})}},
		{name: "no image", node: n(nil), in: tensors{f32([]int{1, 1, 0, 2}), grid}, wantErr: "is empty"},
		{name: "rank", node: n(nil), in: tensors{f32([]int{1, 1}, 1), f32([]int{1, 1}, 0)}, wantErr: "want [N, C] and one to three"},
		{name: "too many dimensions", node: n(nil), in: tensors{onnx.New(onnx.Float, 1, 1, 1, 1, 1, 1), onnx.New(onnx.Float, 1, 1, 1, 1, 1, 4)}, wantErr: "one to three"},
		{name: "coordinates", node: n(nil), in: tensors{x, f32([]int{1, 1, 1, 3}, 0, 0, 0)}, wantErr: "2 coordinates of each"},
		{name: "images", node: n(nil), in: tensors{x, f32([]int{2, 1, 1, 2}, 0, 0, 0, 0)}, wantErr: "want the 1 images"},
		{name: "integers", node: n(nil), in: tensors{onnx.New(onnx.Int32, 1, 1, 1, 1), grid}, wantErr: "int32 is not supported"},
		{name: "grid of integers", node: n(nil), in: tensors{x, onnx.New(onnx.Int64, 1, 1, 1, 2)}, wantErr: "int64 is not supported"},
		{name: "mode", node: n(attrs{"mode": "area"}), in: tensors{x, grid}, wantErr: `"area"`},
		{name: "padding", node: n(attrs{"padding_mode": "wrap"}), in: tensors{x, grid}, wantErr: `"wrap"`},
		{name: "before opset 16", node: n(nil), opset: 15, in: tensors{x, grid}, wantErr: "opset 15"},
	}...))
}
