package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/conv"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "ScaledConv", Since: 1, MinIn: 5, MaxIn: 6, MaxOut: 1, New: func(s *Spec) (Op, error) {
		o, err := newFusedConv(s)
		if err != nil {
			return nil, err
		}
		return &scaledConv{convolution: *o.(*convolution), relu: s.Bool("relu", false)}, nil
	}})
}

// scaledConv is FusedConv of pre(x*scale + shift), where scale has a value a channel, [C], or a channel of each image,
// [N,C,1,...] or [1,C,1,...], shift is [C] or absent, and pre is max(v, 0) or, without relu, nothing. It stands for a
// normalisation with its activation, or a product with the weights of a squeeze-and-excitation block, before the
// convolution. Inputs: x, w, b, z, scale, shift.
type scaledConv struct {
	convolution
	relu bool
}

func (c *scaledConv) Infer(in []Info) ([]Info, error) {
	out, err := c.convolution.Infer(in[:4])
	if err != nil {
		return nil, err
	}
	if in[0].Type != onnx.Float || in[4].Type != onnx.Float || !in[5].Absent() && in[5].Type != onnx.Float {
		return nil, fmt.Errorf("inputs of types %v, %v and %v: want float32", in[0].Type, in[4].Type, in[5].Type)
	}
	x, scale := in[0].Shape, in[4].Shape
	if len(scale) != 1 && len(scale) != len(x) || !sameShape(scale, x[1:2]) &&
		(len(scale) < 2 || scale[1] != x[1] || scale[0] != x[0] && scale[0] != 1 || prod(scale) != scale[0]*scale[1]) {
		return nil, fmt.Errorf("scale %v: want a value a channel, or a channel of each image, of %v", scale, x)
	}
	if !in[5].Absent() && !sameShape(in[5].Shape, x[1:2]) {
		return nil, fmt.Errorf("shift %v: want [%d], one value a channel", in[5].Shape, x[1])
	}
	return out, nil
}

// Prepare packs a constant weight.
func (c *scaledConv) Prepare(consts []*onnx.Tensor) (Op, error) {
	o, err := c.convolution.Prepare(consts[:4])
	if o == nil || err != nil {
		return nil, err
	}
	return &scaledConv{convolution: *o.(*convolution), relu: c.relu}, nil
}

// InPlaceFor allows nothing: the input is read while the output is written.
func (c *scaledConv) InPlaceFor([]Info) []int { return nil }

// Algorithm names what the convolution is computed with.
func (c *scaledConv) Algorithm(in []*onnx.Tensor) string { return c.convolution.Algorithm(in[:4]) }

func (c *scaledConv) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	pre := &conv.Affine{Scale: in[4].Float32s(), Lo: float32(math.Inf(-1)), Hi: float32(math.Inf(1))}
	if c.relu {
		pre.Lo = 0
	}
	if in[5] != nil {
		pre.Shift = in[5].Float32s()
	} else {
		pre.Shift = rt.Scratch(in[0].Shape[1])
		clear(pre.Shift)
	}
	return c.run(rt, in[:4], out, pre)
}
