package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestScaledConv(t *testing.T) {
	scaled := func(nIn int, a attrs) *onnx.Node {
		n := node("ScaledConv", nIn, 1, a)
		n.Domain = Internal
		return n
	}
	x := f32([]int{2, 2, 1, 2}, 1, -2, 3, 4, 5, 6, -7, 8)
	w, one := f32([]int{1, 2, 1, 1}, 1, 10), f32([]int{2}, 1, 1)
	no := (*onnx.Tensor)(nil)
	runCases(t, []opCase{
		{name: "a factor a channel", node: scaled(5, nil), in: []*onnx.Tensor{x, w, no, no, f32([]int{2}, 2, 3)},
			want: []*onnx.Tensor{f32([]int{2, 1, 1, 2}, 92, 116, -200, 252)}},
		{name: "a factor a channel of each image", node: scaled(5, nil), in: []*onnx.Tensor{x, w, no, no, f32([]int{2, 2, 1, 1}, 2, 3, 0, 1)},
			want: []*onnx.Tensor{f32([]int{2, 1, 1, 2}, 92, 116, -70, 80)}},
		{name: "factors of one image for all", node: scaled(5, nil), in: []*onnx.Tensor{x, w, no, no, f32([]int{1, 2, 1, 1}, 2, 3)},
			want: []*onnx.Tensor{f32([]int{2, 1, 1, 2}, 92, 116, -200, 252)}},
		{name: "terms, activations, bias and summand", node: scaled(6, attrs{"relu": 1, "activation": "Clip", "activation_params": []float32{0, 75}}),
			in:   []*onnx.Tensor{x, w, f32([]int{1}, -1), f32([]int{2, 1, 1, 2}, 5, 6, 7, 8), one, f32([]int{2}, 1, -1)},
			want: []*onnx.Tensor{f32([]int{2, 1, 1, 2}, 26, 35, 12, 75)}},
		{name: "padding stays zero", node: scaled(6, attrs{"pads": []int{0, 1, 0, 0}}), in: []*onnx.Tensor{x, w, no, no, one, f32([]int{2}, 1, 1)},
			want: []*onnx.Tensor{f32([]int{2, 1, 1, 3}, 0, 42, 49, 0, -54, 97)}},
		{name: "factors of other channels", node: scaled(5, nil), in: []*onnx.Tensor{x, w, no, no, f32([]int{3}, 2, 3, 4)}, wantErr: "scale"},
		{name: "factors of other images", node: scaled(5, nil), in: []*onnx.Tensor{x, w, no, no, f32([]int{3, 2, 1, 1}, 1, 2, 3, 4, 5, 6)}, wantErr: "scale"},
		{name: "factors along the width", node: scaled(5, nil), in: []*onnx.Tensor{x, w, no, no, f32([]int{1, 2, 1, 2}, 1, 2, 3, 4)}, wantErr: "scale"},
		{name: "terms of other channels", node: scaled(6, nil), in: []*onnx.Tensor{x, w, no, no, one, f32([]int{1}, 2)}, wantErr: "shift"},
		{name: "types", node: scaled(5, nil), in: []*onnx.Tensor{x, w, no, no, f64([]int{2}, 2, 3)}, wantErr: "float32"},
		{name: "a weight of another rank", node: scaled(5, nil), in: []*onnx.Tensor{x, one, no, no, one}, wantErr: "rank"},
		{name: "activation", node: scaled(5, attrs{"activation": "Sine"}), in: []*onnx.Tensor{x, w, no, no, one}, wantErr: "Sine"},
	})
}
