package op

import (
	"errors"
	"fmt"

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
	var bias *onnx.Tensor
	if len(in) > 2 {
		bias = in[2]
	}
	if in[0].Type == onnx.Double {
		convTransposeOf[float64](rt, &g, in[0], in[1], bias, out[0])
	} else {
		convTransposeOf[float32](rt, &g, in[0], in[1], bias, out[0])
	}
	return nil
}

// convTransposeOf computes one output channel of one picture at a time, in two steps for each position of the kernel:
// the sum over the input channels, as large as a channel of the input, then its addition to the output.
func convTransposeOf[T float](rt *Runtime, g *convTransposeShape, in, weight, bias, out *onnx.Tensor) {
	x, w, y := onnx.Data[T](in), onnx.Data[T](weight), onnx.Data[T](out)
	inPlane, outPlane, taps := prod(g.in[:]), prod(g.out[:]), prod(g.kernel[:])
	perGroup, inGroup := g.m/g.group, g.c/g.group
	add := axpy4[T]()
	sums := make([]T, rt.Pool.Threads()*inPlane)
	rt.Pool.ForWorker(g.n*g.m, max(1, 1<<14/max(inPlane*taps*inGroup, outPlane)), func(worker, lo, hi int) {
		sum := sums[worker*inPlane:][:inPlane]
		for i := lo; i < hi; i++ {
			n, m := i/g.m, i%g.m
			plane := y[i*outPlane:][:outPlane]
			var start T
			if bias != nil {
				start = onnx.Data[T](bias)[m]
			}
			for j := range plane {
				plane[j] = start
			}
			first := m / perGroup * inGroup // first input channel of the group
			for tap := range taps {
				clear(sum)
				weights := w[(first*perGroup+m%perGroup)*taps+tap:]
				addChannels(sum, x[(n*g.c+first)*inPlane:], weights, inGroup, perGroup*taps, add)
				scatterTap(g, plane, sum, tap)
			}
		}
	})
}

// addChannels adds up channels of x, each times its weight; weights lie stride apart.
func addChannels[T float](sum, x, weights []T, channels, stride int, axpy4 func(dst, x []T, ld int, a *[4]T)) {
	size := len(sum)
	c := 0
	for ; c+4 <= channels; c += 4 {
		a := [4]T{weights[c*stride], weights[(c+1)*stride], weights[(c+2)*stride], weights[(c+3)*stride]}
		axpy4(sum, x[c*size:], size, &a)
	}
	for ; c < channels; c++ {
		a := weights[c*stride]
		for i, v := range x[c*size:][:size] {
			sum[i] += a * v
		}
	}
}

// axpy4 returns the loop dst += a[0]*x + a[1]*x[ld:] + a[2]*x[2*ld:] + a[3]*x[3*ld:].
func axpy4[T float]() func(dst, x []T, ld int, a *[4]T) {
	if f, ok := any(kernel.Default().Axpy4).(func(dst, x []T, ld int, a *[4]T)); ok {
		return f
	}
	return func(dst, x []T, ld int, a *[4]T) {
		n := len(dst)
		x0, x1, x2, x3 := x[:n], x[ld:][:n], x[2*ld:][:n], x[3*ld:][:n]
		for i := range dst {
			dst[i] += a[0]*x0[i] + a[1]*x1[i] + a[2]*x2[i] + a[3]*x3[i]
		}
	}
}

// scatterTap adds what one position of the kernel gives to an output channel.
func scatterTap[T float](g *convTransposeShape, plane, sum []T, tap int) {
	kw := tap % g.kernel[2]
	kh := tap / g.kernel[2] % g.kernel[1]
	kd := tap / g.kernel[2] / g.kernel[1]
	dLo, dHi, dAt := g.reach(0, kd)
	hLo, hHi, hAt := g.reach(1, kh)
	wLo, wHi, wAt := g.reach(2, kw)
	if wLo >= wHi {
		return
	}
	stride := g.stride[2]
	for d := dLo; d < dHi; d++ {
		for h := hLo; h < hHi; h++ {
			from := sum[(d*g.in[1]+h)*g.in[2]:][wLo:wHi]
			to := plane[((d*g.stride[0]+dAt)*g.out[1]+h*g.stride[1]+hAt)*g.out[2]+wLo*stride+wAt:]
			if stride == 1 {
				to = to[:len(from)]
				for i, v := range from {
					to[i] += v
				}
				continue
			}
			at := 0
			for _, v := range from {
				to[at] += v
				at += stride
			}
		}
	}
}

// reach returns which inputs [lo,hi) of an axis a position of the kernel brings to an output that exists: input i to
// output i*stride + at.
func (g *convTransposeShape) reach(axis, k int) (lo, hi, at int) {
	at = k*g.dilation[axis] - g.at[axis]
	s := g.stride[axis]
	if at < 0 {
		lo = (-at + s - 1) / s
	}
	hi = g.in[axis]
	if room := g.out[axis] - at; room <= (hi-1)*s {
		hi = max((room+s-1)/s, 0)
	}
	return lo, hi, at
}
