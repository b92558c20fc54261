package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/conv"
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "ConvTranspose", Since: 1, MinIn: 2, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return newConvTranspose(s)
	}})
}

func newConvTranspose(s *Spec) (convTranspose, error) {
	c := convTranspose{
		window: s.window(), group: s.Int("group", 1),
		outputShape: s.Ints("output_shape"), outputPadding: s.Ints("output_padding"),
	}
	if c.group < 1 {
		return c, fmt.Errorf(`attribute "group" is %d, want 1 or more`, c.group)
	}
	return c, nil
}

// convTranspose is the transposed convolution of X [N, C, spatial...] with W [C, M/group, kernel...] and an optional
// bias of M values: each element of X, times each element of the kernel, is added to the output at the element's
// position times the stride plus the kernel's position times the dilation minus the leading padding.
//
// The output has stride*(in-1) + output_padding + (kernel-1)*dilation + 1 - padding elements along an axis. Where
// output_shape gives the number (or auto_pad SAME_UPPER or SAME_LOWER makes it in*stride), the padding follows from it;
// its odd element goes to the end for SAME_UPPER and to the start otherwise. What no product reaches holds the bias.
type convTranspose struct {
	window        window
	group         int
	outputShape   []int
	outputPadding []int
}

// convTransposeShape is a transposed convolution with three spatial axes; missing ones come first and have size 1.
type convTransposeShape struct {
	n, c, m, group                        int
	in, out, kernel, stride, dilation, at [3]int // at is the leading padding
}

func (c convTranspose) shape(x, w []int) (convTransposeShape, []int, error) {
	var g convTransposeShape
	rank := len(x) - 2
	if rank < 1 || rank > 3 {
		return g, nil, fmt.Errorf("input of shape %v: want [N, C] and one to three spatial dimensions", x)
	}
	if len(w) != len(x) {
		return g, nil, fmt.Errorf("weight: want rank %d, got shape %v", len(x), w)
	}
	if w[0] != x[1] || x[1]%c.group != 0 {
		return g, nil, fmt.Errorf("weight of shape %v in %d groups does not fit an input of %d channels", w, c.group, x[1])
	}
	kernel := w[2:]
	if c.window.kernel != nil && !sameShape(c.window.kernel, kernel) {
		return g, nil, fmt.Errorf("kernel_shape %v does not fit a weight of shape %v", c.window.kernel, w)
	}
	if err := c.window.check(rank, kernel); err != nil {
		return g, nil, err
	}
	wanted := c.outputShape
	if len(wanted) == rank+2 { // some files give batch and channels too
		wanted = wanted[2:]
	}
	if wanted != nil && len(wanted) != rank {
		return g, nil, fmt.Errorf("output_shape %v: want %d values", c.outputShape, rank)
	}
	if c.outputPadding != nil && len(c.outputPadding) != rank {
		return g, nil, fmt.Errorf("output_padding %v: want %d values", c.outputPadding, rank)
	}
	strides, dilations := c.window.steps(rank)
	for i := range 3 {
		g.in[i], g.out[i], g.kernel[i], g.stride[i], g.dilation[i] = 1, 1, 1, 1, 1
	}
	out := append([]int{x[0], w[1] * c.group}, make([]int, rank)...)
	for i := range rank {
		s, in := strides[i], x[2+i]
		full := s*(in-1) + (kernel[i]-1)*dilations[i] + 1
		if c.outputPadding != nil {
			if p := c.outputPadding[i]; p < 0 || p > maxElements>>16 {
				return g, nil, fmt.Errorf("output_padding %v: out of range", c.outputPadding)
			}
			full += c.outputPadding[i]
		}
		same := c.window.autoPad == "SAME_UPPER" || c.window.autoPad == "SAME_LOWER"
		size, begin := full, 0
		switch {
		case wanted != nil || same:
			if size = in * s; wanted != nil {
				size = wanted[i]
			}
			total := max(full-size, 0)
			begin = total - total/2
			if c.window.autoPad == "SAME_UPPER" {
				begin = total / 2
			}
		case c.window.autoPad == "NOTSET" && c.window.pads != nil:
			begin = c.window.pads[i]
			size = full - begin - c.window.pads[rank+i]
		}
		if size < 1 || in < 1 {
			return g, nil, fmt.Errorf("axis %d: an input of %d gives an output of %d elements", i, in, size)
		}
		k := 3 - rank + i
		g.in[k], g.out[k], g.kernel[k], g.stride[k], g.dilation[k], g.at[k] = in, size, kernel[i], s, dilations[i], begin
		out[2+i] = size
	}
	g.n, g.c, g.m, g.group = x[0], x[1], w[1]*c.group, c.group
	return g, out, checkSize(out)
}

func (c convTranspose) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	for i, f := range in {
		if !f.Absent() && f.Type != in[0].Type {
			return nil, fmt.Errorf("input %d is of type %v, input 0 of type %v", i, f.Type, in[0].Type)
		}
	}
	if in[1].Absent() {
		return nil, errors.New("weight is missing")
	}
	g, shape, err := c.shape(in[0].Shape, in[1].Shape)
	if err != nil {
		return nil, err
	}
	if len(in) > 2 && !in[2].Absent() && !sameShape(in[2].Shape, []int{g.m}) {
		return nil, fmt.Errorf("bias: want shape [%d], got %v", g.m, in[2].Shape)
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

func (c convTranspose) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	g, _, err := c.shape(in[0].Shape, in[1].Shape)
	if err != nil {
		return err
	}
	// It is the input's gradient of the convolution that turns y into x.
	first := 0
	if g.in[0] == 1 && g.out[0] == 1 && g.kernel[0] == 1 {
		first = 1 // an axis less suits more algorithms
	}
	s := &conv.Shape{N: g.n, C: g.m, M: g.c, Groups: g.group, In: g.out[first:], Out: g.in[first:], Kernel: g.kernel[first:],
		Stride: g.stride[first:], Dilation: g.dilation[first:], Pad: g.at[first:]}
	plane := prod(g.out[:])
	grain := max(1, 1<<14/plane)
	if in[0].Type == onnx.Double {
		y := onnx.Data[float64](out[0])
		conv.PlainInputGrad(rt.Pool, s, onnx.Data[float64](in[0]), onnx.Data[float64](in[1]), y)
		if in[2] != nil {
			bias := onnx.Data[float64](in[2])
			rt.Pool.For(g.n*g.m, grain, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					b := bias[i%g.m]
					channel := y[i*plane:][:plane]
					for j := range channel {
						channel[j] += b
					}
				}
			})
		}
		return nil
	}
	t, y := kernel.Default(), out[0].Float32s()
	conv.InputGrad(t, rt.Pool, rt.Scratch, s, in[0].Float32s(), in[1].Float32s(), y)
	if in[2] != nil {
		bias := in[2].Float32s()
		rt.Pool.For(g.n*g.m, grain, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				channel := y[i*plane:][:plane]
				t.ScaleShift(channel, channel, 1, bias[i%g.m])
			}
		})
	}
	return nil
}
