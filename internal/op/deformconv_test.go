package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// deformByDefinition is a deformable convolution of images of two axes with stride, pads before, dilation s[0], s[1] ...
func deformByDefinition(x, w, offset, bias, mask *onnx.Tensor, groups, offsets int, stride, pad, dilation [2]int, out []int) *onnx.Tensor {
	at := func(t *onnx.Tensor, i ...int) float64 {
		k := 0
		for d, v := range i {
			k = k*t.Shape[d] + v
		}
		return onnx.Data[float64](t)[k]
	}
	pixel := func(n, c int, y, x0 float64) float64 {
		sum := 0.0
		for i := range x.Shape[2] {
			for j := range x.Shape[3] {
				if a, b := 1-math.Abs(y-float64(i)), 1-math.Abs(x0-float64(j)); a > 0 && b > 0 {
					sum += a * b * at(x, n, c, i, j)
				}
			}
		}
		return sum
	}
	y := onnx.New(onnx.Double, out...)
	for i := range onnx.Data[float64](y) {
		ox, oy, m, n := i%out[3], i/out[3]%out[2], i/out[3]/out[2]%out[1], i/out[3]/out[2]/out[1]
		sum := 0.0
		if bias != nil {
			sum = at(bias, m)
		}
		for c := range w.Shape[1] {
			ci := m/(w.Shape[0]/groups)*w.Shape[1] + c
			owner := ci / (x.Shape[1] / offsets)
			for ky := range w.Shape[2] {
				for kx := range w.Shape[3] {
					tap := (owner*w.Shape[2]+ky)*w.Shape[3] + kx
					v := pixel(n, ci, float64(oy*stride[0]-pad[0]+ky*dilation[0])+at(offset, n, 2*tap, oy, ox),
						float64(ox*stride[1]-pad[1]+kx*dilation[1])+at(offset, n, 2*tap+1, oy, ox))
					if mask != nil {
						v *= at(mask, n, tap, oy, ox)
					}
					sum += v * at(w, m, c, ky, kx)
				}
			}
		}
		onnx.Data[float64](y)[i] = sum
	}
	return y
}

func TestDeformConvEqualsItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	random := func(scale float64, shape ...int) *onnx.Tensor {
		x := onnx.New(onnx.Double, shape...)
		for i := range onnx.Data[float64](x) {
			onnx.Data[float64](x)[i] = scale * r.NormFloat64()
		}
		return x
	}
	var cases []opCase
	for i, c := range []struct {
		n, c, h, w, m, kh, kw, groups, offsets int
		stride, pad, dilation                  [2]int
		bias, mask                             bool
	}{
		{1, 2, 5, 6, 3, 3, 3, 1, 1, [2]int{1, 1}, [2]int{1, 1}, [2]int{1, 1}, false, false},
		{2, 4, 7, 5, 6, 3, 2, 2, 1, [2]int{2, 1}, [2]int{1, 0}, [2]int{1, 2}, true, true},
		{1, 6, 6, 6, 4, 2, 2, 2, 3, [2]int{1, 2}, [2]int{0, 1}, [2]int{2, 1}, false, true},
		{2, 6, 4, 9, 6, 1, 3, 1, 2, [2]int{1, 1}, [2]int{0, 1}, [2]int{1, 1}, true, false},
		// Sums in several parts, channels of an offset group that lie in two of them.
		{1, 250, 3, 3, 9, 3, 3, 1, 2, [2]int{1, 1}, [2]int{1, 1}, [2]int{1, 1}, true, true},
	} {
		oh := (c.h+2*c.pad[0]-(c.kh-1)*c.dilation[0]-1)/c.stride[0] + 1
		ow := (c.w+2*c.pad[1]-(c.kw-1)*c.dilation[1]-1)/c.stride[1] + 1
		taps := c.offsets * c.kh * c.kw
		in := tensors{random(1, c.n, c.c, c.h, c.w), random(1, c.m, c.c/c.groups, c.kh, c.kw), random(1.5, c.n, 2*taps, oh, ow), nil, nil}
		if c.bias {
			in[3] = random(1, c.m)
		}
		if c.mask {
			in[4] = random(1, c.n, taps, oh, ow)
		}
		want := deformByDefinition(in[0], in[1], in[2], in[3], in[4], c.groups, c.offsets, c.stride, c.pad, c.dilation, []int{c.n, c.m, oh, ow})
		n := node("DeformConv", 5, 1, attrs{"group": c.groups, "offset_group": c.offsets, "strides": c.stride[:], "dilations": c.dilation[:],
			"pads": []int{c.pad[0], c.pad[1], c.pad[0], c.pad[1]}})
		single := make(tensors, len(in))
		for k, x := range in {
			if x != nil {
				single[k] = asFloat(x)
			}
		}
		cases = append(cases, opCase{name: fmt.Sprint(i), node: n, in: in, want: tensors{want}, tol: 1e-11},
			opCase{name: fmt.Sprint(i, ", float"), node: n, in: single, want: tensors{asFloat(want)}, tol: 2e-5})
	}
	runCases(t, cases)
}

func TestDeformConv(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("DeformConv", 5, 1, a) }
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x, w := f32([]int{1, 1, 2, 2}, 1, 2, 3, 4), f32([]int{1, 1, 1, 1}, 2)
	none := onnx.New(onnx.Float, 1, 2, 2, 2)
	// A line, whose only tap reads half an element further.
	line, half := f32([]int{1, 1, 3}, 1, 2, 4), f32([]int{1, 1, 3}, .5, .5, .5)
	volume := f32([]int{1, 1, 2, 1, 2}, 1, 2, 3, 4)
	runCases(t, []opCase{
		{name: "no offset", node: n(nil), in: tensors{x, w, none}, want: tensors{f32([]int{1, 1, 2, 2}, 2, 4, 6, 8)}},
		{name: "opset 19", node: n(nil), opset: 19, in: tensors{x, w, none}, want: tensors{f32([]int{1, 1, 2, 2}, 2, 4, 6, 8)}},
		{name: "offsets", node: n(nil), in: tensors{x, w, f32([]int{1, 2, 2, 2}, 1, 0, -.5, -1, 0, -1, .5, 0)}, want: tensors{f32([]int{1, 1, 2, 2}, 6, 2, 5, 4)}},
		{name: "no numbers and far away", node: n(nil), in: tensors{x, w, f32([]int{1, 2, 2, 2}, nan, inf, 1e30, -inf, 0, 0, 0, -3e38)}, want: tensors{f32([]int{1, 1, 2, 2}, 0, 0, 0, 0)}},
		{name: "one axis", node: n(nil), in: tensors{line, f32([]int{1, 1, 1}, 1), half}, want: tensors{f32([]int{1, 1, 3}, 1.5, 3, 2)}},
		{name: "three axes", node: n(nil), in: tensors{volume, f32([]int{1, 1, 1, 1, 1}, 1), f32([]int{1, 3, 2, 1, 2}, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, .5, 0)},
			want: tensors{f32([]int{1, 1, 2, 1, 2}, 3, 4, 3.5, 4)}},
		{name: "mask", node: n(nil), in: tensors{x, w, none, nil, f32([]int{1, 1, 2, 2}, 0, 1, .5, 2)}, want: tensors{f32([]int{1, 1, 2, 2}, 0, 4, 3, 16)}},
		{name: "no images", node: n(nil), in: tensors{f32([]int{0, 1, 2, 2}), w, f32([]int{0, 2, 2, 2})}, want: tensors{f32([]int{0, 1, 2, 2})}},
		{name: "no channels", node: n(nil), in: tensors{f32([]int{1, 0, 2, 2}), f32([]int{1, 0, 1, 1}), none, f32([]int{1}, 3)}, want: tensors{f32([]int{1, 1, 2, 2}, 3, 3, 3, 3)}},
		{name: "offset's shape", node: n(nil), in: tensors{x, w, f32([]int{1, 1, 2, 2}, 0, 0, 0, 0)}, wantErr: "offset: want float32[1 2 2 2]"},
		{name: "offset's type", node: n(nil), in: tensors{x, w, onnx.New(onnx.Double, 1, 2, 2, 2)}, wantErr: "got float64"},
		{name: "mask's shape", node: n(nil), in: tensors{x, w, none, nil, f32([]int{1}, 0)}, wantErr: "mask: want float32[1 1 2 2]"},
		{name: "bias", node: n(nil), in: tensors{x, w, none, f32([]int{2}, 0, 0)}, wantErr: "bias"},
		{name: "channels", node: n(nil), in: tensors{x, f32([]int{1, 2, 1, 1}, 0, 0), none}, wantErr: "channels"},
		{name: "offset groups", node: n(attrs{"offset_group": 2}), in: tensors{x, w, none}, wantErr: "not divisible by offset_group 2"},
		{name: "no offset groups", node: n(attrs{"offset_group": 0}), in: tensors{x, w, none}, wantErr: "offset_group 0"},
		{name: "group", node: n(attrs{"group": 0}), in: tensors{x, w, none}, wantErr: "group 0"},
		{name: "four axes", node: n(nil), in: tensors{onnx.New(onnx.Float, 1, 1, 1, 1, 1, 1), onnx.New(onnx.Float, 1, 1, 1, 1, 1, 1), none}, wantErr: "one to three"},
		{name: "integers", node: n(nil), in: tensors{onnx.New(onnx.Int32, 1, 1, 2, 2), w, none}, wantErr: "int32 is not supported"},
	})
}
