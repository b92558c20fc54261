package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "ChannelNormalization", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return channelNormalization{epsilon: s.Float("epsilon", 1e-5)}, nil
	}})
}

// channelNormalization is y = (x - mean) / sqrt(variance + epsilon) * scale + bias for x of shape [N, C, ...], where
// mean and variance are those of the C values of a position, and scale and bias have a value a channel: the
// LayerNormalization of the last axis where the channels are the last axis.
type channelNormalization struct{ epsilon float32 }

func (channelNormalization) InPlace() []int { return []int{0} }

func (channelNormalization) Infer(in []Info) ([]Info, error) {
	for i, v := range in {
		if v.Type != onnx.Float {
			return nil, typeError(i, v.Type)
		}
	}
	if len(in[0].Shape) < 2 {
		return nil, fmt.Errorf("input of shape %v: want rank 2 or more", in[0].Shape)
	}
	return inferGroups(in, in[0].Shape[1])
}

func (c channelNormalization) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	shape := in[0].Shape
	n, channels, plane := shape[0], shape[1], prod(shape[2:])
	if n*channels*plane == 0 {
		return nil
	}
	x, y := in[0].Float32s(), out[0].Float32s()
	scale, bias := in[1].Float32s(), in[2].Float32s()
	t := kernel.Default()
	const strip = 4 * kernel.MaxLanes // positions at a time
	strips := (plane + strip - 1) / strip
	rt.Pool.For(n*strips, max(1, 1<<14/(channels*strip)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from := i % strips * strip
			at := i/strips*channels*plane + from
			t.ColumnNorm(y[at:], x[at:], plane, min(strip, plane-from), scale, bias, c.epsilon)
		}
	})
	return nil
}
