package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/bigmem"
	"github.com/onnxcnn/onnxcnn/internal/conv"
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Conv", Since: 1, MinIn: 2, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return newConvolution(s)
	}})
}

// convolution is Conv and FusedConv:
//
//	y[n,m,o] = act(b[m] + z[n,m,o] + sum over c,k of x[n, g(m)*C/group+c, o*stride+k*dilation-pad] * w[m,c,k])
//
// for any number of spatial axes, where group g(m) = m / (M/group) and x is zero outside its bounds.
type convolution struct {
	window
	group  int
	fused  bool // has the input z and an activation
	act    kernel.Activation
	filter *conv.Filter // packed weights, where they are constant
}

func newConvolution(s *Spec) (*convolution, error) {
	c := &convolution{window: s.window(), group: s.Int("group", 1)}
	if c.ceil {
		return nil, fmt.Errorf("attribute \"ceil_mode\" is not one of a convolution")
	}
	if c.group < 1 {
		return nil, fmt.Errorf("group %d: want at least 1", c.group)
	}
	return c, nil
}

// shape checks the operands' shapes and returns the convolution's; x and w have rank 3 or more.
func (c *convolution) shape(x, w []int) (*conv.Shape, error) {
	if len(x) < 3 || len(w) != len(x) {
		return nil, fmt.Errorf("input %v and weight %v: want the same rank, at least 3", x, w)
	}
	kernel := w[2:]
	if c.kernel != nil && !sameShape(c.kernel, kernel) {
		return nil, fmt.Errorf("kernel_shape %v does not fit the weight %v", c.kernel, w)
	}
	if w[0]%c.group != 0 {
		return nil, fmt.Errorf("weight %v: %d output channels are not divisible by group %d", w, w[0], c.group)
	}
	if x[1] != w[1]*c.group {
		return nil, fmt.Errorf("input %v has %d channels, weight %v with group %d wants %d", x, x[1], w, c.group, w[1]*c.group)
	}
	out, begin, _, err := c.resolve(x[2:], kernel)
	if err != nil {
		return nil, err
	}
	strides, dilations := c.steps(len(kernel))
	return &conv.Shape{
		N: x[0], C: x[1], M: w[0], Groups: c.group,
		In: x[2:], Out: out, Kernel: kernel, Stride: strides, Dilation: dilations, Pad: begin,
	}, nil
}

func (c *convolution) Infer(in []Info) ([]Info, error) {
	typ := in[0].Type
	if typ != onnx.Float && (typ != onnx.Double || c.fused) {
		return nil, fmt.Errorf("input of type %v is not supported", typ)
	}
	for i, v := range in {
		if !v.Absent() && v.Type != typ {
			return nil, fmt.Errorf("input %d is of type %v, input 0 of %v", i, v.Type, typ)
		}
	}
	if in[1].Absent() {
		return nil, fmt.Errorf("the weight is absent")
	}
	s, err := c.shape(in[0].Shape, in[1].Shape)
	if err != nil {
		return nil, err
	}
	if !in[2].Absent() && !sameShape(in[2].Shape, []int{s.M}) {
		return nil, fmt.Errorf("bias %v: want [%d], one value an output channel", in[2].Shape, s.M)
	}
	shape := append([]int{s.N, s.M}, s.Out...)
	if err := checkSize(shape); err != nil {
		return nil, err
	}
	if c.fused && !in[3].Absent() && !sameShape(in[3].Shape, shape) {
		return nil, fmt.Errorf("summand %v does not have the output's shape %v", in[3].Shape, shape)
	}
	return []Info{{Type: typ, Shape: shape}}, nil
}

// Prepare packs a constant weight.
func (c *convolution) Prepare(consts []*onnx.Tensor) (Op, error) {
	w := consts[1]
	if w == nil || w.Type != onnx.Float || len(w.Shape) < 3 || c.filter != nil {
		return nil, nil
	}
	if w.Shape[0]%c.group != 0 {
		return nil, fmt.Errorf("weight %v: %d output channels are not divisible by group %d", w.Shape, w.Shape[0], c.group)
	}
	p := *c
	p.filter = c.pack(bigmem.Make[float32], true, w)
	p.filter.Pack(nil)
	return &p, nil
}

// InPlaceFor allows the output in the input's memory where the algorithm copies all it reads of an image before it
// writes to it.
func (c *convolution) InPlaceFor(in []Info) []int {
	if c.filter == nil || in[0].Type != onnx.Float {
		return nil
	}
	s, err := c.shape(in[0].Shape, in[1].Shape)
	if err != nil || conv.Choose(s) != conv.Winograd {
		return nil
	}
	return []int{0}
}

// Algorithm names what a float32 convolution is computed with.
func (c *convolution) Algorithm(in []*onnx.Tensor) string {
	s, err := c.shape(in[0].Shape, in[1].Shape)
	if err != nil || in[0].Type != onnx.Float {
		return ""
	}
	return conv.Choose(s).String()
}

func (c *convolution) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	return c.run(rt, in, out, nil)
}

// run is Run for an input that is changed by pre first, if that is not nil.
func (c *convolution) run(rt *Runtime, in, out []*onnx.Tensor, pre *conv.Affine) error {
	s, err := c.shape(in[0].Shape, in[1].Shape)
	if err != nil {
		return err
	}
	if in[0].Type == onnx.Double {
		var bias []float64
		if in[2] != nil {
			bias = onnx.Data[float64](in[2])
		}
		conv.Plain(rt.Pool, s, onnx.Data[float64](in[0]), onnx.Data[float64](in[1]), bias, onnx.Data[float64](out[0]))
		return nil
	}
	a := &conv.Args{X: in[0].Float32s(), Y: out[0].Float32s(), Pre: pre, Act: c.act}
	if in[2] != nil {
		a.Bias = in[2].Float32s()
	}
	if c.fused && in[3] != nil {
		a.Res = in[3].Float32s()
	}
	f := c.filter
	if f == nil {
		f = c.pack(rt.Scratch, false, in[1])
	}
	f.Run(rt.Pool, rt.Scratch, s, a)
	return nil
}

// pack makes the filter of a weight, for one run or to keep.
func (c *convolution) pack(alloc func(int) []float32, keep bool, w *onnx.Tensor) *conv.Filter {
	return conv.NewFilter(kernel.Default(), alloc, keep, w.Float32s(), w.Shape[0], w.Shape[1], c.group, w.Shape[2:])
}

// PerImage implements [PerImager].
func (*convolution) PerImage() bool { return true }
