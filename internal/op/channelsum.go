package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "ChannelSum", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(*Spec) (Op, error) {
		return channelSum{}, nil
	}})
}

// channelSum is the sum of each channel of [N, C, ...], over images and positions: the gradient of a bias.
type channelSum struct{}

func (channelSum) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if len(in[0].Shape) < 2 {
		return nil, fmt.Errorf("input of shape %v: want rank 2 or more", in[0].Shape)
	}
	return []Info{{Type: in[0].Type, Shape: []int{in[0].Shape[1]}}}, nil
}

func (channelSum) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	n, c, plane := in[0].Shape[0], in[0].Shape[1], prod(in[0].Shape[2:])
	if in[0].Type == onnx.Double {
		channelSums(rt, onnx.Data[float64](in[0]), onnx.Data[float64](out[0]), n, c, plane)
	} else {
		channelSums(rt, in[0].Float32s(), out[0].Float32s(), n, c, plane)
	}
	return nil
}

func channelSums[T float](rt *Runtime, x, y []T, n, c, plane int) {
	rt.Pool.For(c, max(1, 1<<15/max(n*plane, 1)), func(lo, hi int) {
		if plane == 1 {
			clear(y[lo:hi])
			for i := range n {
				for ch, v := range x[i*c+lo : i*c+hi] {
					y[lo+ch] += v
				}
			}
			return
		}
		for ch := lo; ch < hi; ch++ {
			sum := 0.0
			for i := range n {
				sum += float64(sumOf(x[(i*c+ch)*plane:][:plane]))
			}
			y[ch] = T(sum)
		}
	})
}

// sumOf adds up a plane in eight sums, which no addition has to wait for.
func sumOf[T float](x []T) T {
	var a, b, c, d, e, f, g, h T
	for len(x) >= 8 {
		a += x[0]
		b += x[1]
		c += x[2]
		d += x[3]
		e += x[4]
		f += x[5]
		g += x[6]
		h += x[7]
		x = x[8:]
	}
	for _, v := range x {
		a += v
	}
	return ((a + b) + (c + d)) + ((e + f) + (g + h))
}
