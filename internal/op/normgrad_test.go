package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestBatchNormGrad(t *testing.T) {
	f := func(v ...float32) *onnx.Tensor { return f32([]int{len(v)}, v...) }
	one := func(v float32) *onnx.Tensor { return f32([]int{1, 1, 1, 1}, v) }
	x := f32([]int{2, 1, 2}, 1, 3, 5, 7) // mean 4, variance 5, unbiased 20/3
	eps0 := attrs{"epsilon": 0.0}
	inv := float32(1 / math.Sqrt(5))
	runCases(t, []opCase{
		{name: "case 26 c", node: internalNode("BatchNormInputGrad", 3, 1, attrs{"epsilon": 1.0}), in: []*onnx.Tensor{one(1), f(2), f(3)}, want: []*onnx.Tensor{one(1)}},
		{name: "case 26 c, all gradients", node: internalNode("BatchNormGrad", 5, 5, attrs{"epsilon": 1.0}), in: []*onnx.Tensor{one(1), one(5), f(2), f(1), f(3)},
			want: []*onnx.Tensor{one(1), f(2), f(1), f(-1), f(-0.5)}},
		{name: "case 6: unbiased variance, as PyTorch", node: internalNode("TrainBatchNorm", 3, 3, eps0), in: []*onnx.Tensor{x, f(1), f(0)},
			want: []*onnx.Tensor{f32([]int{2, 1, 2}, -3*inv, -inv, inv, 3*inv), f(4), f(20. / 3)}},
		{name: "case 26 a: one element a channel", node: internalNode("TrainBatchNorm", 3, 3, nil), in: []*onnx.Tensor{f32([]int{1, 2}, 1, 2), f(1, 1), f(0, 0)},
			wantErr: "has no variance: use a larger batch"},
		{name: "case 26 a: one picture", node: internalNode("TrainBatchNorm", 3, 3, eps0), in: []*onnx.Tensor{f32([]int{1, 1, 2}, 1, 3), f(2), f(1)},
			want: []*onnx.Tensor{f32([]int{1, 1, 2}, -1, 3), f(2), f(2)}},
		{name: "wrong scale", node: internalNode("BatchNormGrad", 3, 3, attrs{"batch": 1}), in: []*onnx.Tensor{x, x, f(1, 2)}, wantErr: "input 2: want shape [1]"},
		{name: "wrong gradient", node: internalNode("BatchNormGrad", 3, 3, attrs{"batch": 1}), in: []*onnx.Tensor{f(1), x, f(1)}, wantErr: "the gradient is"},
		{name: "no statistics", node: internalNode("BatchNormGrad", 3, 3, nil), in: []*onnx.Tensor{x, x, f(1)}, wantErr: "both mean and var"},
		{name: "mean without variance", node: internalNode("BatchNormGrad", 4, 3, nil), in: []*onnx.Tensor{x, x, f(1), f(1)}, wantErr: "both mean and var"},
		{name: "integers", node: internalNode("BatchNormInputGrad", 3, 1, nil), in: []*onnx.Tensor{i32([]int{1}, 1), f(1), f(1)}, wantErr: "type int32"},
		{name: "wrong variance", node: internalNode("BatchNormInputGrad", 3, 1, nil), in: []*onnx.Tensor{x, f(1), f(1, 2)}, wantErr: "input 2"},
		{name: "wrong bias", node: internalNode("TrainBatchNorm", 3, 3, nil), in: []*onnx.Tensor{x, f(1), f(1, 2)}, wantErr: "input 2"},
	})
}

func TestNormalizationGradErrors(t *testing.T) {
	m, list := f32([]int{2, 2}, 1, 2, 3, 4), f32([]int{2}, 1, 1)
	group := attrs{"num_groups": 2}
	runCases(t, []opCase{
		{name: "layer, gradient", node: internalNode("LayerNormGrad", 3, 3, nil), in: []*onnx.Tensor{list, m, list}, wantErr: "the gradient is"},
		{name: "layer, scale", node: internalNode("LayerNormGrad", 3, 3, nil), in: []*onnx.Tensor{m, m, f32([]int{3}, 1, 1, 1)}, wantErr: "does not stretch"},
		{name: "layer, type", node: internalNode("LayerNormGrad", 3, 3, nil), in: []*onnx.Tensor{i32([]int{1}, 1), m, list}, wantErr: "type int32"},
		{name: "group, gradient", node: internalNode("GroupNormGrad", 3, 3, group), in: []*onnx.Tensor{list, m, list}, wantErr: "the gradient is"},
		{name: "group, scale", node: internalNode("GroupNormGrad", 3, 3, group), in: []*onnx.Tensor{m, m, f32([]int{3}, 1, 1, 1)}, wantErr: "scale: want"},
		{name: "group, rank", node: internalNode("GroupNormGrad", 3, 3, group), in: []*onnx.Tensor{list, list, list}, wantErr: "rank 2"},
		{name: "group, none", node: internalNode("GroupNormGrad", 3, 3, nil), in: []*onnx.Tensor{m, m, list}, wantErr: "num_groups"},
		{name: "LRN, gradient", node: internalNode("LRNGrad", 2, 1, attrs{"size": 3}), in: []*onnx.Tensor{list, m}, wantErr: "the gradient is"},
		{name: "LRN, rank", node: internalNode("LRNGrad", 2, 1, attrs{"size": 3}), in: []*onnx.Tensor{list, list}, wantErr: "rank 2"},
		{name: "LRN, type", node: internalNode("LRNGrad", 2, 1, attrs{"size": 3}), in: []*onnx.Tensor{i32([]int{1}, 1), m}, wantErr: "type int32"},
		{name: "LRN, size", node: internalNode("LRNGrad", 2, 1, nil), in: []*onnx.Tensor{m, m}, wantErr: "size"},
	})
}

func TestNormalizationGradientsHaveTheSameBits(t *testing.T) {
	x, dy := noise(1, 5, 12, 37, 29), noise(2, 5, 12, 37, 29)
	c, last := noise(3, 12), noise(4, 29)
	variance := onnx.New(onnx.Float, 12)
	for i := range variance.Float32s() {
		variance.Float32s()[i] = float32(i + 1)
	}
	sameBits(t, internalNode("BatchNormInputGrad", 3, 1, nil), []*onnx.Tensor{dy, c, variance})
	sameBits(t, internalNode("BatchNormGrad", 3, 3, attrs{"batch": 1}), []*onnx.Tensor{dy, x, c, nil, nil})
	sameBits(t, internalNode("BatchNormGrad", 5, 5, nil), []*onnx.Tensor{dy, x, c, c, variance})
	sameBits(t, internalNode("TrainBatchNorm", 3, 3, nil), []*onnx.Tensor{x, c, c})
	sameBits(t, internalNode("LayerNormGrad", 3, 3, nil), []*onnx.Tensor{dy, x, last})
	sameBits(t, internalNode("GroupNormGrad", 3, 3, attrs{"num_groups": 3}), []*onnx.Tensor{dy, x, c})
	sameBits(t, internalNode("LRNGrad", 2, 1, attrs{"size": 5}), []*onnx.Tensor{dy, x})
}

// What cannot be trained through is refused by the rules, not by wrong gradients.
func TestInternalMovementGradErrors(t *testing.T) {
	m := f32([]int{2, 2}, 1, 2, 3, 4)
	runCases(t, []opCase{
		{name: "slice, lengths", node: internalNode("SliceGrad", 1, 1, attrs{"shape": []int{2, 2}}), in: []*onnx.Tensor{m}, wantErr: "differ in length"},
		{name: "slice, rank", node: internalNode("SliceGrad", 1, 1, attrs{"shape": []int{4}, "first": []int{0}, "step": []int{1}}), in: []*onnx.Tensor{m}, wantErr: "no slice"},
		{name: "slice, outside", node: internalNode("SliceGrad", 1, 1, attrs{"shape": []int{4, 2}, "first": []int{3, 0}, "step": []int{1, 1}}), in: []*onnx.Tensor{m}, wantErr: "not inside dimension 0"},
		{name: "slice, outside backwards", node: internalNode("SliceGrad", 1, 1, attrs{"shape": []int{4, 2}, "first": []int{1, 0}, "step": []int{-2, 1}}), in: []*onnx.Tensor{m}, wantErr: "not inside dimension 0"},
		{name: "slice, type", node: internalNode("SliceGrad", 1, 1, attrs{"shape": []int{4}, "first": []int{0}, "step": []int{1}}), in: []*onnx.Tensor{i32([]int{1}, 1)}, wantErr: "type int32"},
		{name: "slice of nothing", node: internalNode("SliceGrad", 1, 1, attrs{"shape": []int{2}, "first": []int{2}, "step": []int{1}}), in: []*onnx.Tensor{f32([]int{0})}, want: []*onnx.Tensor{f32([]int{2}, 0, 0)}},
		{name: "gather, shape", node: internalNode("GatherGrad", 2, 1, attrs{"shape": []int{3, 2}}), in: []*onnx.Tensor{m, i64([]int{3}, 0, 1, 2)}, wantErr: "want [3 2]"},
		{name: "gather, index", node: internalNode("GatherGrad", 2, 1, attrs{"shape": []int{2, 2}}), in: []*onnx.Tensor{m, i64([]int{2}, 0, 5)}, wantErr: "index 5"},
		{name: "gather, nothing", node: internalNode("GatherNDGrad", 2, 1, attrs{"shape": []int{2, 2}}), in: []*onnx.Tensor{f32([]int{0, 2}), i64([]int{0, 1})}, want: []*onnx.Tensor{f32([]int{2, 2}, 0, 0, 0, 0)}},
		{name: "gather, type", node: internalNode("GatherElementsGrad", 2, 1, attrs{"shape": []int{2, 2}}), in: []*onnx.Tensor{i32([]int{1}, 1), i64([]int{2}, 0, 5)}, wantErr: "type int32"},
		{name: "gather, data", node: internalNode("GatherElementsGrad", 2, 1, attrs{"shape": []int{2, 2}}), in: []*onnx.Tensor{m, i64([]int{2}, 0, 5)}, wantErr: "same rank"},
		{name: "pad, lengths", node: internalNode("PadGrad", 1, 1, attrs{"size": []int{2}}), in: []*onnx.Tensor{m}, wantErr: "differ in length"},
		{name: "pad, cut", node: internalNode("PadGrad", 1, 1, attrs{"size": []int{2}, "cut": []int{3, 0}, "add": []int{0, 0}}), in: []*onnx.Tensor{m}, wantErr: "do not fit"},
		{name: "pad, reflect", node: internalNode("PadGrad", 1, 1, attrs{"mode": "reflect", "size": []int{2}, "cut": []int{0, 0}, "add": []int{2, 0}}), in: []*onnx.Tensor{m}, wantErr: "needs more than 2"},
		{name: "pad, mode", node: internalNode("PadGrad", 1, 1, attrs{"mode": "odd", "size": []int{2}, "cut": []int{0, 0}, "add": []int{1, 0}}), in: []*onnx.Tensor{m}, wantErr: "mode"},
		{name: "pad, shape", node: internalNode("PadGrad", 1, 1, attrs{"size": []int{2}, "cut": []int{0, 0}, "add": []int{1, 0}}), in: []*onnx.Tensor{m}, wantErr: "want [3]"},
		{name: "pad, type", node: internalNode("PadGrad", 1, 1, attrs{"size": []int{2}, "cut": []int{0, 0}, "add": []int{1, 0}}), in: []*onnx.Tensor{i32([]int{1}, 1)}, wantErr: "type int32"},
		{name: "resize, lengths", node: internalNode("ResizeGrad", 1, 1, attrs{"in": []int{2}}), in: []*onnx.Tensor{m}, wantErr: "differ in length"},
		{name: "resize, from nothing", node: internalNode("ResizeGrad", 1, 1, attrs{"in": []int{0}, "out": []int{2}, "places": []float32{1, 1, 0, 1}}), in: []*onnx.Tensor{m}, wantErr: "cannot become"},
		{name: "resize, shape", node: internalNode("ResizeGrad", 1, 1, attrs{"in": []int{2}, "out": []int{4}, "places": []float32{2, 4, 0, 1}}), in: []*onnx.Tensor{m}, wantErr: "want [4]"},
		{name: "resize, type", node: internalNode("ResizeGrad", 1, 1, attrs{"in": []int{2}, "out": []int{4}, "places": []float32{2, 4, 0, 1}}), in: []*onnx.Tensor{i32([]int{1}, 1)}, wantErr: "type int32"},
		{name: "resize to nothing", node: internalNode("ResizeGrad", 1, 1, attrs{"in": []int{2}, "out": []int{0}, "places": []float32{1, 1, 0, 1}}), in: []*onnx.Tensor{f32([]int{0})}, want: []*onnx.Tensor{f32([]int{2}, 0, 0)}},
	})
}

func BenchmarkNormalizationGrad(b *testing.B) {
	pool := par.New(2)
	defer pool.Close()
	c := noise(3, 64)
	variance := onnx.New(onnx.Float, 64)
	for i := range variance.Float32s() {
		variance.Float32s()[i] = float32(i + 1)
	}
	x, dy := noise(1, 4, 64, 56, 56), noise(2, 4, 64, 56, 56)
	flat, up := noise(1, 12544, 64), noise(2, 12544, 64)
	for _, k := range []struct {
		name string
		node *onnx.Node
		in   []*onnx.Tensor
	}{
		{"BatchNormInputGrad", internalNode("BatchNormInputGrad", 3, 1, nil), []*onnx.Tensor{dy, c, variance}},
		{"BatchNormGrad", internalNode("BatchNormGrad", 3, 3, attrs{"batch": 1}), []*onnx.Tensor{dy, x, c, nil, nil}},
		{"TrainBatchNorm", internalNode("TrainBatchNorm", 3, 3, nil), []*onnx.Tensor{x, c, c}},
		{"LayerNormGrad", internalNode("LayerNormGrad", 3, 3, nil), []*onnx.Tensor{up, flat, c}},
		{"GroupNormGrad", internalNode("GroupNormGrad", 3, 3, attrs{"num_groups": 8}), []*onnx.Tensor{dy, x, c}},
		{"LRNGrad", internalNode("LRNGrad", 2, 1, attrs{"size": 5}), []*onnx.Tensor{dy, x}},
	} {
		o, _, err := Make(k.node, 1, nil)
		if err != nil {
			b.Fatal(err)
		}
		info, err := o.Infer(infoOf(k.in))
		if err != nil {
			b.Fatal(err)
		}
		out := make([]*onnx.Tensor, len(info))
		for i, f := range info {
			out[i] = onnx.New(f.Type, f.Shape...)
		}
		b.Run(k.name, func(b *testing.B) {
			b.SetBytes(int64(len(x.Raw)))
			for b.Loop() {
				if err := o.Run(&Runtime{Pool: pool}, k.in, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
