package op

import (
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/kernel/ref"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func ones(shape ...int) *onnx.Tensor {
	t := onnx.New(onnx.Float, shape...)
	for i := range t.Float32s() {
		t.Float32s()[i] = 1
	}
	return t
}

func TestConv(t *testing.T) {
	x4, w3 := seq([]int{1, 1, 4, 4}, 1, 16), ones(1, 1, 3, 3)
	x3, w2 := seq([]int{1, 1, 3, 3}, 1, 9), f32([]int{1, 1, 2, 2}, 1, 10, 100, 1000)
	grouped := f32([]int{4, 2, 1, 1}, 1, 2, 3, 1, 2, 3, 1, 2)
	type in = []*onnx.Tensor
	strided := func(a attrs) *onnx.Node {
		a["strides"] = []int{2, 2}
		return node("Conv", 2, 1, a)
	}
	emptyBias := node("Conv", 3, 1, attrs{"auto_pad": "VALID"})
	emptyBias.Inputs[2] = ""
	runCases(t, []opCase{
		{name: "case 1 SAME_UPPER", opset: 13, node: strided(attrs{"auto_pad": "SAME_UPPER"}), in: in{x4, w3}, want: in{f32([]int{1, 1, 2, 2}, 54, 45, 72, 54)}},
		{name: "case 1 SAME_LOWER", opset: 13, node: strided(attrs{"auto_pad": "SAME_LOWER"}), in: in{x4, w3}, want: in{f32([]int{1, 1, 2, 2}, 14, 30, 57, 99)}},
		{name: "case 1 VALID", opset: 13, node: strided(attrs{"auto_pad": "VALID"}), in: in{x4, w3}, want: in{f32([]int{1, 1, 1, 1}, 54)}},
		{name: "case 1 asymmetric pads", opset: 13, node: strided(attrs{"pads": []int{0, 1, 2, 0}}), in: in{x4, w3}, want: in{f32([]int{1, 1, 2, 2}, 33, 63, 46, 78)}},
		{name: "case 1 even kernel SAME_UPPER", opset: 13, node: node("Conv", 2, 1, attrs{"auto_pad": "SAME_UPPER"}), in: in{x3, w2}, want: in{f32([]int{1, 1, 3, 3}, 5421, 6532, 603, 8754, 9865, 906, 87, 98, 9)}},
		{name: "case 1 even kernel SAME_LOWER", opset: 1, node: node("Conv", 2, 1, attrs{"auto_pad": "SAME_LOWER"}), in: in{x3, w2}, want: in{f32([]int{1, 1, 3, 3}, 1000, 2100, 3200, 4010, 5421, 6532, 7040, 8754, 9865)}},
		{name: "case 1 empty bias", node: emptyBias, in: in{x4, w3, nil}, want: in{f32([]int{1, 1, 2, 2}, 54, 63, 90, 99)}},
		{name: "case 4a groups", node: node("Conv", 2, 1, attrs{"group": 2}), in: in{f32([]int{1, 4, 1, 2}, 1, 2, 3, 4, 5, 6, 7, 8), grouped}, want: in{f32([]int{1, 4, 1, 2}, 7, 10, 6, 10, 31, 36, 19, 22)}},
		{name: "case 4b multiplier", node: node("Conv", 2, 1, attrs{"group": 2}), in: in{f32([]int{1, 2, 1, 2}, 1, 2, 3, 4), f32([]int{4, 1, 1, 1}, 1, 10, 100, 1000)}, want: in{f32([]int{1, 4, 1, 2}, 1, 2, 10, 20, 300, 400, 3000, 4000)}},
		{name: "case 4c channels", node: node("Conv", 2, 1, attrs{"group": 2}), in: in{ones(1, 5, 1, 2), grouped}, wantErr: "has 5 channels, weight [4 2 1 1] with group 2 wants 4"},
		{name: "case 4d outputs", node: node("Conv", 2, 1, attrs{"group": 2}), in: in{ones(1, 4, 1, 2), ones(3, 2, 1, 1)}, wantErr: "3 output channels are not divisible by group 2"},
		{name: "double", node: node("Conv", 3, 1, attrs{"pads": []int{1, 0}}), in: in{f64([]int{1, 1, 3}, 1, 2, 3), f64([]int{1, 1, 2}, 10, 1), f64([]int{1}, 0.5)}, want: in{f64([]int{1, 1, 3}, 1.5, 12.5, 23.5)}},
		{name: "no images", node: node("Conv", 2, 1, nil), in: in{f32([]int{0, 1, 4, 4}), w3}, want: in{f32([]int{0, 1, 2, 2})}},
		{name: "no channels", node: node("Conv", 3, 1, nil), in: in{f32([]int{1, 0, 4, 4}), f32([]int{2, 0, 3, 3}), f32([]int{2}, 3, 4)}, want: in{f32([]int{1, 2, 2, 2}, 3, 3, 3, 3, 4, 4, 4, 4)}},
		{name: "no outputs", node: node("Conv", 2, 1, nil), in: in{x4, f32([]int{0, 1, 3, 3})}, want: in{f32([]int{1, 0, 2, 2})}},
		{name: "kernel_shape", node: node("Conv", 2, 1, attrs{"kernel_shape": []int{2, 2}}), in: in{x4, w3}, wantErr: "kernel_shape [2 2] does not fit the weight [1 1 3 3]"},
		{name: "bias", node: node("Conv", 3, 1, nil), in: in{x4, w3, ones(2)}, wantErr: "bias [2]: want [1]"},
		{name: "rank", node: node("Conv", 2, 1, nil), in: in{ones(2, 2), ones(2, 2)}, wantErr: "at least 3"},
		{name: "ranks", node: node("Conv", 2, 1, nil), in: in{x4, ones(1, 1, 3)}, wantErr: "want the same rank"},
		{name: "types", node: node("Conv", 2, 1, nil), in: in{x4, f64([]int{1, 1, 1, 1}, 1)}, wantErr: "input 1 is of type float64"},
		{name: "integers", node: node("Conv", 2, 1, nil), in: in{i64([]int{1, 1, 1, 1}, 1), i64([]int{1, 1, 1, 1}, 1)}, wantErr: "int64 is not supported"},
		{name: "no weight", node: node("Conv", 2, 1, nil), in: in{x4, nil}, wantErr: "weight is absent"},
		{name: "group 0", node: node("Conv", 2, 1, attrs{"group": 0}), in: in{x4, w3}, wantErr: "group 0"},
		{name: "ceil_mode", node: node("Conv", 2, 1, attrs{"ceil_mode": 1}), in: in{x4, w3}, wantErr: "ceil_mode"},
		{name: "window", node: node("Conv", 2, 1, nil), in: in{x3, ones(1, 1, 4, 4)}, wantErr: "window of 4 is larger"},
	})
	runNodeCases(t, "Conv", nil)
}

// random returns a tensor of that shape with values in -1..1.
func random(r *rand.Rand, shape ...int) *onnx.Tensor {
	t := onnx.New(onnx.Float, shape...)
	for i := range t.Float32s() {
		t.Float32s()[i] = 2*r.Float32() - 1
	}
	return t
}

// All ranks, groups, strides, dilations and pads against the plain definition.
func TestConvAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 150 {
		rank := 1 + i%4
		group := []int{1, 2, 3, 1}[r.IntN(4)]
		x := []int{1 + r.IntN(3), group * (1 + r.IntN(5))}
		w := []int{group * (1 + r.IntN(9)), x[1] / group}
		c := ref.Conv{Groups: group}
		for range rank {
			k, s, d := 1+r.IntN(3), 1+r.IntN(3), 1+r.IntN(2)
			c.Stride, c.Dilation = append(c.Stride, s), append(c.Dilation, d)
			c.PadBegin, c.PadEnd = append(c.PadBegin, r.IntN(3)), append(c.PadEnd, r.IntN(3))
			x = append(x, (k-1)*d+1+r.IntN(24/rank))
			w = append(w, k)
		}
		in := []*onnx.Tensor{random(r, x...), random(r, w...), random(r, w[0])}
		want, shape := c.Run(in[0].Float32s(), x, in[1].Float32s(), w, in[2].Float32s())
		n := node("Conv", 3, 1, attrs{"group": group, "strides": c.Stride, "dilations": c.Dilation, "pads": append(append([]int{}, c.PadBegin...), c.PadEnd...)})
		got, err := runNode(n, 0, in)
		if err != nil {
			t.Fatalf("x %v w %v %+v: %v", x, w, c, err)
		}
		if diff := diffTensor(got[0], onnx.Of(shape, want), 2e-6); diff != "" {
			t.Fatalf("x %v w %v %+v: %s", x, w, c, diff)
		}
	}
}
