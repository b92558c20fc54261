package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/conv"
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "ConvInputGrad", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		g, err := newConvGrad(s)
		return convInputGrad{g}, err
	}})
	register(Def{Domain: Internal, Type: "ConvWeightGrad", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		g, err := newConvGrad(s)
		return convWeightGrad{g}, err
	}})
}

// convGrad is a convolution as its gradients see it. Where the output has fewer elements than there is room for, only
// those that it has count.
type convGrad struct {
	group                    int
	strides, dilations, pads []int // one a spatial axis; pads before it, which may be negative
	shape                    []int // of the gradient
}

func newConvGrad(s *Spec) (convGrad, error) {
	g := convGrad{group: s.Int("group", 1), strides: s.Ints("strides"), dilations: s.Ints("dilations"), pads: s.Ints("pads"), shape: s.Ints("shape")}
	rank := len(g.shape) - 2
	if g.group < 1 || rank < 1 || len(g.strides) != rank || len(g.dilations) != rank || len(g.pads) != rank {
		return g, fmt.Errorf("group %d, strides %v, dilations %v and pads %v do not fit a gradient of shape %v", g.group, g.strides, g.dilations, g.pads, g.shape)
	}
	for i := range rank {
		if s, d, p := g.strides[i], g.dilations[i], g.pads[i]; min(s, d) < 1 || max(s, d, p, -p) > math.MaxInt32 {
			return g, fmt.Errorf("strides %v, dilations %v, pads %v: out of range", g.strides, g.dilations, g.pads)
		}
	}
	return g, checkSize(g.shape)
}

// convGradAttrs returns the attributes of the gradients of a convolution.
func convGradAttrs(s *conv.Shape, shape []int) []*onnx.Attribute {
	return []*onnx.Attribute{Attr("group", s.Groups), Attr("strides", s.Stride), Attr("dilations", s.Dilation), Attr("pads", s.Pad), Attr("shape", shape)}
}

// convolution returns the shape of the convolution of x with w that gives y.
func (g convGrad) convolution(x, w, y []int) (*conv.Shape, error) {
	rank := len(g.shape)
	if len(x) != rank || len(w) != rank || len(y) != rank || x[0] != y[0] || w[0] != y[1] || w[0]%g.group != 0 || x[1] != w[1]*g.group {
		return nil, fmt.Errorf("input %v, weight %v and output %v are not those of a convolution with group %d", x, w, y, g.group)
	}
	return &conv.Shape{N: x[0], C: x[1], M: y[1], Groups: g.group, In: x[2:], Out: y[2:], Kernel: w[2:],
		Stride: g.strides, Dilation: g.dilations, Pad: g.pads}, nil
}

func (g convGrad) infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if in[1].Type != in[0].Type {
		return nil, fmt.Errorf("inputs are of types %v and %v, want the same", in[0].Type, in[1].Type)
	}
	return []Info{{Type: in[0].Type, Shape: g.shape}}, nil
}

// convInputGrad is the gradient of a convolution's input, from the gradient of its output and the weight:
//
//	dx[n,c,i] = sum over m of the group of c, and o and k with o*stride+k*dilation-pad = i, of dy[n,m,o] * w[m,c,k]
type convInputGrad struct{ convGrad }

func (g convInputGrad) Infer(in []Info) ([]Info, error) {
	if _, err := g.convolution(g.shape, in[1].Shape, in[0].Shape); err != nil {
		return nil, err
	}
	return g.infer(in)
}

func (g convInputGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	s, err := g.convolution(g.shape, in[1].Shape, in[0].Shape)
	if err != nil {
		return err
	}
	if in[0].Type == onnx.Double {
		conv.PlainInputGrad(rt.Pool, s, onnx.Data[float64](in[0]), onnx.Data[float64](in[1]), onnx.Data[float64](out[0]))
		return nil
	}
	conv.InputGrad(kernel.Default(), rt.Pool, rt.Scratch, s, in[0].Float32s(), in[1].Float32s(), out[0].Float32s())
	return nil
}

// convWeightGrad is the gradient of a convolution's weight, from its input and the gradient of its output:
//
//	dw[m,c,k] = sum over n and o of dy[n,m,o] * x[n, g(m)*C/group+c, o*stride+k*dilation-pad]
type convWeightGrad struct{ convGrad }

func (g convWeightGrad) Infer(in []Info) ([]Info, error) {
	if _, err := g.convolution(in[0].Shape, g.shape, in[1].Shape); err != nil {
		return nil, err
	}
	return g.infer(in)
}

func (g convWeightGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	s, err := g.convolution(in[0].Shape, g.shape, in[1].Shape)
	if err != nil {
		return err
	}
	if in[0].Type == onnx.Double {
		conv.PlainWeightGrad(rt.Pool, s, onnx.Data[float64](in[0]), onnx.Data[float64](in[1]), onnx.Data[float64](out[0]))
		return nil
	}
	conv.WeightGrad(kernel.Default(), rt.Pool, rt.Scratch, s, in[0].Float32s(), in[1].Float32s(), out[0].Float32s())
	return nil
}
