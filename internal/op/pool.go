package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/conv"
	"github.com/onnxcnn/onnxcnn/internal/kernel"
)

// poolShape is a pooling window laid over an input of up to three spatial axes; missing ones come first and have size 1.
type poolShape struct {
	planes                     int // batch times channels
	in, out                    [3]int
	kernel, stride, dilation   [3]int
	padBegin, padEnd           [3]int
	inPlane, outPlane, outRows int
}

// poolShape lays the window over an input [N, C, spatial...] and returns the output's shape too.
func (w window) poolShape(in []int) (poolShape, []int, error) {
	var p poolShape
	rank := len(in) - 2
	if rank < 1 || rank > 3 {
		return p, nil, fmt.Errorf("input of shape %v: want [N, C] and one to three spatial dimensions", in)
	}
	if w.kernel == nil {
		return p, nil, errors.New(`attribute "kernel_shape" is missing`)
	}
	out, begin, end, err := w.resolve(in[2:], w.kernel)
	if err != nil {
		return p, nil, err
	}
	strides, dilations := w.steps(rank)
	for i := range 3 {
		p.in[i], p.out[i], p.kernel[i], p.stride[i], p.dilation[i] = 1, 1, 1, 1, 1
	}
	for i := range rank {
		k := 3 - rank + i
		p.in[k], p.out[k], p.kernel[k], p.stride[k], p.dilation[k] = in[2+i], out[i], w.kernel[i], strides[i], dilations[i]
		p.padBegin[k], p.padEnd[k] = begin[i], end[i]
		if reach := (w.kernel[i]-1)*dilations[i] + 1; begin[i] >= reach || end[i] >= reach {
			return p, nil, fmt.Errorf("axis %d: padding %d and %d must be smaller than the window of %d", i, begin[i], end[i], reach)
		}
	}
	shape := append([]int{in[0], in[1]}, out...)
	if err := checkSize(shape); err != nil {
		return p, nil, err
	}
	p.planes = in[0] * in[1]
	p.inPlane, p.outPlane, p.outRows = prod(p.in[:]), prod(p.out[:]), p.out[0]*p.out[1]
	return p, shape, nil
}

// convShape returns the window as that of a convolution with one channel a plane.
func (p *poolShape) convShape() *conv.Shape {
	return &conv.Shape{
		N: 1, C: p.planes, M: p.planes, Groups: p.planes, In: p.in[:], Out: p.out[:], Kernel: p.kernel[:],
		Stride: p.stride[:], Dilation: p.dilation[:], Pad: p.padBegin[:],
	}
}

// taps returns where the window of output o starts on the axis (that may be in the padding), and which of its elements
// [lo,hi) lie inside the input.
func (p *poolShape) taps(axis, o int) (start, lo, hi int) {
	start = o*p.stride[axis] - p.padBegin[axis]
	d := p.dilation[axis]
	if start < 0 {
		lo = (-start + d - 1) / d
	}
	hi = p.kernel[axis]
	if room := p.in[axis] - start; room <= (hi-1)*d {
		hi = (room + d - 1) / d
	}
	return start, lo, max(hi, lo)
}

// interior returns which outputs [lo,hi) of the last axis have their whole window inside the input.
func (p *poolShape) interior() (lo, hi int) {
	s, reach := p.stride[2], (p.kernel[2]-1)*p.dilation[2]+1
	lo = min((p.padBegin[2]+s-1)/s, p.out[2])
	if room := p.in[2] + p.padBegin[2] - reach; room >= 0 {
		hi = min(room/s+1, p.out[2])
	}
	return lo, max(hi, lo)
}

// rowPool pools x into y, an output row at a time: first the rows of the window are combined into one row, then the
// elements of that row. load puts the first row in, combine adds another (dst = dst and row), none says what a window
// without rows gives, and finish makes the output row; d and h are its place on the first two axes. room is scratch
// memory as long as an input row.
func rowPool[T real](rt *Runtime, p *poolShape, x, y []T, none T, load func(acc, row []T), combine func(dst, a, b []T), finish func(acc, room, y []T, d, h int)) {
	width := p.in[2]
	scratch := make([]T, 2*rt.Pool.Threads()*width)
	work := max(1, width*p.kernel[0]*p.kernel[1])
	rt.Pool.ForWorker(p.planes*p.outRows, max(1, 1<<14/work), func(worker, lo, hi int) {
		acc := scratch[2*worker*width:][:width]
		room := scratch[(2*worker+1)*width:][:width]
		for r := lo; r < hi; r++ {
			plane, row := r/p.outRows, r%p.outRows
			d, h := row/p.out[1], row%p.out[1]
			dStart, dLo, dHi := p.taps(0, d)
			hStart, hLo, hHi := p.taps(1, h)
			first := true
			for i := dLo; i < dHi; i++ {
				for j := hLo; j < hHi; j++ {
					at := plane*p.inPlane + ((dStart+i*p.dilation[0])*p.in[1]+hStart+j*p.dilation[1])*width
					if first {
						load(acc, x[at:at+width])
						first = false
					} else {
						combine(acc, acc, x[at:at+width])
					}
				}
			}
			if first {
				for i := range acc {
					acc[i] = none
				}
			}
			finish(acc, room, y[r*p.out[2]:(r+1)*p.out[2]], d, h)
		}
	})
}

// poolAlong combines the windows of the row x. Those that lie inside it are made for stride 1, all at once, by a pass
// over the row for each element of the window; then the ones that the stride lands on are picked. room is scratch
// memory as long as x; none is what a window without elements gives.
func poolAlong[T real](p *poolShape, x, room, y []T, none T, combine func(dst, a, b []T)) {
	lo, hi := p.interior()
	stride, dilation := p.stride[2], p.dilation[2]
	edge := func(from, to int) {
		for o := from; o < to; o++ {
			start, a, b := p.taps(2, o)
			y[o] = none
			for k := a; k < b; k++ {
				at := start + k*dilation
				if k == a {
					y[o] = x[at]
				} else {
					combine(y[o:o+1], y[o:o+1], x[at:at+1])
				}
			}
		}
	}
	edge(0, lo)
	edge(hi, len(y))
	if lo == hi {
		return
	}
	inner, length := y[lo:hi], (hi-lo-1)*stride+1
	dst := inner
	if stride > 1 {
		dst = room[:length]
	}
	x = x[lo*stride-p.padBegin[2]:]
	if p.kernel[2] == 1 {
		dst = x[:length]
		if stride == 1 {
			copy(inner, dst)
		}
	} else {
		combine(dst, x[:length], x[dilation:][:length])
		for k := 2; k < p.kernel[2]; k++ {
			combine(dst, dst, x[k*dilation:][:length])
		}
	}
	if stride > 1 {
		pick(inner, dst, stride)
	}
}

// pick copies every stride-th element.
func pick[T real](dst, x []T, stride int) {
	if stride == 2 {
		x = x[:2*len(dst)-1]
		for i := range dst {
			dst[i] = x[2*i]
		}
		return
	}
	at := 0
	for i := range dst {
		dst[i] = x[at]
		at += stride
	}
}

// larger returns dst = max(a, b), where a NaN stays.
func larger[T real]() func(dst, a, b []T) {
	if f, ok := any(kernel.Default().Max).(func(dst, a, b []T)); ok {
		return f
	}
	return func(dst, a, b []T) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = max(a[i], b[i])
		}
	}
}

// plus returns dst = a + b.
func plus[T real]() func(dst, a, b []T) {
	if f, ok := any(kernel.Default().Add).(func(dst, a, b []T)); ok {
		return f
	}
	return func(dst, a, b []T) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = a[i] + b[i]
		}
	}
}

// times returns dst = a * b.
func times[T real]() func(dst, a, b []T) {
	if f, ok := any(kernel.Default().Mul).(func(dst, a, b []T)); ok {
		return f
	}
	return func(dst, a, b []T) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = a[i] * b[i]
		}
	}
}

func copyRow[T real](acc, row []T) { copy(acc, row) }
