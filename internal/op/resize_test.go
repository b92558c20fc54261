package op

import (
	"fmt"
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// resizeNode makes a Resize with the given inputs behind X: "" stands for one that is left out.
func resizeNode(a attrs, inputs ...string) *onnx.Node {
	n := node("Resize", 1, 1, a)
	n.Inputs = append(n.Inputs, inputs...)
	return n
}

func TestResize(t *testing.T) {
	x := seq([]int{1, 1, 1, 4}, 0, 3)
	row := func(v ...float32) tensors { return tensors{f32([]int{1, 1, 1, len(v)}, v...)} }
	w := func(s float32) *onnx.Tensor { return f32([]int{4}, 1, 1, 1, s) }
	byScale := func(a attrs) *onnx.Node { return resizeNode(a, "", "scales") }
	bySize := func(a attrs) *onnx.Node { return resizeNode(a, "", "", "sizes") }
	linear := func(mode string) *onnx.Node {
		return byScale(attrs{"mode": "linear", "coordinate_transformation_mode": mode})
	}
	size := func(v ...int64) *onnx.Tensor { return i64([]int{len(v)}, v...) }
	empty := f32([]int{0})
	cropped := func(mode string) *onnx.Node {
		return resizeNode(attrs{"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": float32(9)}, "roi", "", "sizes")
	}
	roi := func(a, b float32) *onnx.Tensor { return f32([]int{8}, 0, 0, 0, a, 1, 1, 1, b) }

	runCases(t, []opCase{
		{name: "case 12: half_pixel", node: linear("half_pixel"), in: tensors{x, nil, w(2)}, want: row(0, .25, .75, 1.25, 1.75, 2.25, 2.75, 3)},
		{name: "case 12: pytorch_half_pixel", node: linear("pytorch_half_pixel"), in: tensors{x, nil, w(2)}, want: row(0, .25, .75, 1.25, 1.75, 2.25, 2.75, 3)},
		{name: "case 12: align_corners", node: linear("align_corners"), in: tensors{x, nil, w(2)}, want: row(0, 3./7, 6./7, 9./7, 12./7, 15./7, 18./7, 3)},
		{name: "case 12: asymmetric", node: linear("asymmetric"), in: tensors{x, nil, w(2)}, want: row(0, .5, 1, 1.5, 2, 2.5, 3, 3)},
		{name: "case 12: cubic", node: byScale(attrs{"mode": "cubic"}), in: tensors{x, nil, w(2)}, want: row(-0.10546875, 0.19140625, 0.66796875, 1.296875, 1.703125, 2.3320313, 2.8085938, 3.1054688)},
		{name: "case 12: nearest 1.5", opset: 13, node: byScale(attrs{"coordinate_transformation_mode": "asymmetric"}), in: tensors{x, nil, w(1.5)}, want: row(0, 1, 1, 2, 3, 3)},
		{name: "case 12: opset 10 nearest 1.5", opset: 10, node: resizeNode(nil, "scales"), in: tensors{x, w(1.5)}, want: row(0, 0, 1, 2, 2, 3)},
		{name: "case 12: prefer_floor", node: byScale(attrs{"nearest_mode": "round_prefer_floor"}), in: tensors{x, nil, w(.5)}, want: row(0, 2)},
		{name: "case 12: prefer_ceil", node: byScale(attrs{"nearest_mode": "round_prefer_ceil"}), in: tensors{x, nil, w(.5)}, want: row(1, 3)},
		{name: "case 12: Upsample", opset: 7, node: node("Upsample", 1, 1, attrs{"scales": []float32{1, 1, 1, 2}}), in: tensors{x}, want: row(0, 0, 1, 1, 2, 2, 3, 3)},
		{name: "case 12: empty roi and scales", opset: 11, node: resizeNode(attrs{"mode": "linear"}, "roi", "scales", "sizes"), in: tensors{x, empty, empty, size(1, 1, 1, 2)}, want: row(.5, 2.5)},
		{name: "case 12: antialias", opset: 18, node: byScale(attrs{"mode": "linear", "antialias": 1}), in: tensors{x, nil, w(.5)}, want: row(.625, 2.375)},
		{name: "case 12: antialias, exclude_outside", opset: 18, node: byScale(attrs{"mode": "linear", "antialias": 1, "exclude_outside": 1}), in: tensors{x, nil, w(.5)}, want: row(0.7142857, 2.2857143)},

		{name: "opset 10 nearest shrinks", opset: 10, node: resizeNode(nil, "scales"), in: tensors{x, w(.6)}, want: row(0, 2)},
		{name: "opset 10 linear", opset: 10, node: resizeNode(attrs{"mode": "linear"}, "scales"), in: tensors{x, w(2)}, want: row(0, .5, 1, 1.5, 2, 2.5, 3, 3)},
		{name: "opset 10 has no cubic", opset: 10, node: resizeNode(attrs{"mode": "cubic"}, "scales"), in: tensors{x, w(2)}, wantErr: "\"cubic\" is not one of [nearest linear]"},
		{name: "floor", node: byScale(attrs{"nearest_mode": "floor"}), in: tensors{x, nil, w(.5)}, want: row(0, 2)},
		{name: "ceil", node: byScale(attrs{"nearest_mode": "ceil"}), in: tensors{x, nil, w(.5)}, want: row(1, 3)},
		{name: "tf_half_pixel_for_nn", opset: 11, node: resizeNode(attrs{"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "ceil"}, "roi", "scales"), in: tensors{x, empty, w(.5)}, want: row(1, 3)},
		{name: "half_pixel_symmetric", opset: 19, node: linear("half_pixel_symmetric"), in: tensors{x, nil, w(.6)}, want: row(1.5-1/1.2, 1.5+1/1.2)},
		{name: "to one, pytorch", node: bySize(attrs{"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}), in: tensors{x, nil, nil, size(1, 1, 1, 1)}, want: row(0)},
		{name: "to one, corners", node: bySize(attrs{"mode": "linear", "coordinate_transformation_mode": "align_corners"}), in: tensors{x, nil, nil, size(1, 1, 1, 1)}, want: row(0)},
		{name: "crop", node: cropped("linear"), in: tensors{x, roi(0, .5), nil, size(1, 1, 1, 4)}, want: row(0, .5, 1, 1.5)},
		{name: "crop to one", node: cropped("linear"), in: tensors{x, roi(0, .5), nil, size(1, 1, 1, 1)}, want: row(.75)},
		{name: "crop beyond", node: cropped("cubic"), in: tensors{x, roi(-1, 1), nil, size(1, 1, 1, 3)}, want: row(9, 0, 3)},
		{name: "crop nearest", node: cropped("nearest"), in: tensors{x, roi(0, 2), nil, size(1, 1, 1, 3)}, want: row(0, 3, 9)},
		{name: "crop by scale", node: resizeNode(attrs{"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}, "roi", "scales"), in: tensors{x, roi(0, .5), w(1)}, want: row(0, 1.5)},
		{name: "crop without roi", node: bySize(attrs{"coordinate_transformation_mode": "tf_crop_and_resize"}), in: tensors{x, nil, nil, size(1, 1, 1, 3)}, wantErr: "roi is missing"},
		{name: "crop with a short roi", node: cropped("linear"), in: tensors{x, f32([]int{2}, 0, 1), nil, size(1, 1, 1, 3)}, wantErr: "roi has 2 numbers for 4 axes"},
		{name: "double roi", node: cropped("linear"), in: tensors{x, f64([]int{8}, 0, 0, 0, 0, 1, 1, 1, .5), nil, size(1, 1, 1, 4)}, want: row(0, .5, 1, 1.5)},

		{name: "axes", opset: 18, node: bySize(attrs{"mode": "linear", "axes": []int{-1}}), in: tensors{x, nil, nil, size(2)}, want: row(.5, 2.5)},
		{name: "not_larger", opset: 18, node: bySize(attrs{"axes": []int{0, 1}, "keep_aspect_ratio_policy": "not_larger"}), in: tensors{seq([]int{2, 4}, 0, 7), nil, nil, size(2, 2)}, want: tensors{f32([]int{1, 2}, 0, 2)}},
		{name: "not_smaller", opset: 18, node: bySize(attrs{"axes": []int{0, 1}, "keep_aspect_ratio_policy": "not_smaller"}), in: tensors{seq([]int{1, 2}, 0, 1), nil, nil, size(2, 2)}, want: tensors{f32([]int{2, 4}, 0, 0, 1, 1, 0, 0, 1, 1)}},
		{name: "both axes", node: bySize(attrs{"mode": "linear"}), in: tensors{seq([]int{2, 2}, 0, 3), nil, nil, size(4, 4)}, want: tensors{f32([]int{4, 4},
			0, .25, .75, 1, .5, .75, 1.25, 1.5, 1.5, 1.75, 2.25, 2.5, 2, 2.25, 2.75, 3)}},
		{name: "channels last", node: bySize(attrs{"mode": "linear"}), in: tensors{f32([]int{1, 2, 2}, 0, 10, 1, 11), nil, nil, size(1, 4, 2)}, want: tensors{f32([]int{1, 4, 2}, 0, 10, .25, 10.25, .75, 10.75, 1, 11)}},
		{name: "channels last, nearest", node: bySize(nil), in: tensors{f32([]int{1, 2, 2}, 0, 10, 1, 11), nil, nil, size(2, 4, 2)}, want: tensors{f32([]int{2, 4, 2}, 0, 10, 0, 10, 1, 11, 1, 11, 0, 10, 0, 10, 1, 11, 1, 11)}},
		{name: "unchanged", node: bySize(attrs{"mode": "cubic"}), in: tensors{x, nil, nil, size(1, 1, 1, 4)}, want: tensors{x}},
		{name: "unchanged, nearest", node: bySize(nil), in: tensors{x, nil, nil, size(1, 1, 1, 4)}, want: tensors{x}},
		{name: "double", node: bySize(attrs{"mode": "linear"}), in: tensors{f64([]int{4}, 0, 1, 2, 3), nil, nil, size(2)}, want: tensors{f64([]int{2}, .5, 2.5)}},
		{name: "uint8 is cut off", node: bySize(attrs{"mode": "linear"}), in: tensors{u8([]int{2}, 0, 255), nil, nil, size(4)}, want: tensors{u8([]int{4}, 0, 63, 191, 255)}},
		{name: "uint8 stays in range", node: bySize(attrs{"mode": "cubic"}), in: tensors{u8([]int{2}, 0, 255), nil, nil, size(4)}, want: tensors{u8([]int{4}, 0, 57, 197, 255)}},
		{name: "int8 antialiased is rounded", node: bySize(attrs{"mode": "linear", "antialias": 1}), in: tensors{i8([]int{4}, 0, 1, 2, 3), nil, nil, size(2)}, want: tensors{i8([]int{2}, 1, 2)}},
		{name: "none", node: bySize(nil), in: tensors{f32([]int{0, 2}), nil, nil, size(0, 4)}, want: tensors{f32([]int{0, 4})}},
		{name: "none by scales", node: byScale(nil), in: tensors{f32([]int{0, 2}), nil, f32([]int{2}, 3, 2)}, want: tensors{f32([]int{0, 4})}},
		{name: "to none", node: byScale(nil), in: tensors{f32([]int{2}, 1, 2), nil, f32([]int{1}, .25)}, want: tensors{f32([]int{0})}},
		{name: "scalar", node: byScale(nil), in: tensors{f32(nil, 5), nil, f32([]int{0})}, want: tensors{f32(nil, 5)}},
		{name: "strings", node: bySize(nil), in: tensors{fill(onnx.String, 2), nil, nil, size(4)}, want: tensors{{Type: onnx.String, Shape: []int{4}, Strings: []string{"s0", "s0", "s1", "s1"}}}},

		{name: "neither", node: byScale(nil), in: tensors{x, nil, empty}, wantErr: "neither scales nor sizes"},
		{name: "both", node: resizeNode(nil, "", "scales", "sizes"), in: tensors{x, nil, w(2), size(1, 1, 1, 2)}, wantErr: "both scales and sizes"},
		{name: "scales count", node: byScale(nil), in: tensors{x, nil, f32([]int{1}, 2)}, wantErr: "1 scales for 4 axes"},
		{name: "sizes count", node: bySize(nil), in: tensors{x, nil, nil, size(2)}, wantErr: "1 sizes for 4 axes"},
		{name: "scale 0", node: byScale(nil), in: tensors{x, nil, w(0)}, wantErr: "scale 0 makes no size of dimension 3 with 4 elements"},
		{name: "scale NaN", node: byScale(nil), in: tensors{x, nil, w(float32(math.NaN()))}, wantErr: "scale NaN"},
		{name: "scale infinite", node: byScale(nil), in: tensors{x, nil, w(float32(math.Inf(1)))}, wantErr: "scale +Inf"},
		{name: "size negative", node: bySize(nil), in: tensors{x, nil, nil, size(1, 1, 1, -1)}, wantErr: "size -1 is not possible"},
		{name: "size of nothing", node: bySize(nil), in: tensors{f32([]int{0}), nil, nil, size(1)}, wantErr: "size 1 is not possible"},
		{name: "huge", node: bySize(nil), in: tensors{x, nil, nil, size(1, 1, 1<<40, 1<<40)}, wantErr: "too large"},
		{name: "huge by policy", node: bySize(attrs{"keep_aspect_ratio_policy": "not_smaller"}), in: tensors{f32([]int{2, 1}, 1, 2), nil, nil, size(1, 1<<54)}, wantErr: "makes no size"},
		{name: "axis twice", node: bySize(attrs{"axes": []int{3, -1}}), in: tensors{x, nil, nil, size(2, 2)}, wantErr: "named twice"},
		{name: "float sizes", node: bySize(nil), in: tensors{x, nil, nil, w(2)}, wantErr: "sizes: want int64"},
		{name: "int scales", node: byScale(nil), in: tensors{x, nil, size(1, 1, 1, 2)}, wantErr: "scales: want float32, got int64"},
		{name: "scales of rank 2", node: byScale(nil), in: tensors{x, nil, f32([]int{1, 4}, 1, 1, 1, 2)}, wantErr: "scales: want a vector"},
		{name: "strings cannot be mixed", node: bySize(attrs{"mode": "linear"}), in: tensors{fill(onnx.String, 2), nil, nil, size(4)}, wantErr: "string is not supported in mode linear"},
		{name: "packed", node: bySize(nil), in: tensors{onnx.New(onnx.Int4, 2), nil, nil, size(4)}, wantErr: "int4 is not supported"},
		{name: "unknown names", node: bySize(attrs{"mode": "area", "nearest_mode": "up", "coordinate_transformation_mode": "mid", "keep_aspect_ratio_policy": "fill"}), in: tensors{x, nil, nil, size(1, 1, 1, 2)}, wantErr: "\"fill\" is not one of [stretch not_larger not_smaller]"},
	})

	// Every type of number, and every width of what is only moved.
	for _, typ := range []onnx.DataType{onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64} {
		in := onnx.New(typ, 2)
		copy(in.Raw[elemSize(typ):], []byte{8})
		y, err := runNode(bySize(attrs{"mode": "linear"}), 0, tensors{in, nil, nil, size(4)})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := wholeNumbers(y[0]); fmt.Sprint(got) != "[0 2 6 8]" {
			t.Errorf("%v: got %v", typ, got)
		}
	}
	for _, typ := range moverTypes {
		in := fill(typ, 2, 3)
		y, err := runNode(bySize(nil), 0, tensors{in, nil, nil, size(4, 6)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 24 {
			if element(y[0], i) != element(in, i/12*3+i%6/2) {
				t.Fatalf("%v: element %d", typ, i)
			}
		}
	}
}

func BenchmarkResize(b *testing.B) {
	rt := &Runtime{Pool: par.Shared(0)}
	for _, c := range []struct{ mode, coords string }{{"nearest", "asymmetric"}, {"linear", "half_pixel"}, {"cubic", "half_pixel"}} {
		b.Run(c.mode, func(b *testing.B) {
			o, _, err := Make(resizeNode(attrs{"mode": c.mode, "coordinate_transformation_mode": c.coords}, "", "scales"), 13, nil)
			if err != nil {
				b.Fatal(err)
			}
			in := tensors{fill(onnx.Float, 1, 128, 56, 56), nil, f32([]int{4}, 1, 1, 2, 2), nil}
			for i := range in[0].Float32s() {
				in[0].Float32s()[i] = float32(i % 7)
			}
			out := tensors{onnx.New(onnx.Float, 1, 128, 112, 112)}
			b.SetBytes(int64(len(out[0].Raw)))
			for b.Loop() {
				if err := o.Run(rt, in, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
