package conv

import (
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// InputGrad computes the gradient dx of a convolution's input from that of its output, dy, and the weights. alloc gives
// scratch memory that is the caller's until InputGrad returns.
//
// With stride 1 it is itself a convolution, of dy with the weights reversed and their channels exchanged. With larger
// strides, inputs whose positions leave the same remainder after division by the stride see the same part of the
// kernel: each such phase is a convolution with stride 1, and none multiplies by zeros between the elements of dy.
func InputGrad(t *kernel.Table, pool *par.Pool, alloc func(int) []float32, s *Shape, dy, w, dx []float32) {
	if len(dx) == 0 {
		return
	}
	if len(s.In) > axes || len(dy) == 0 || len(w) == 0 {
		PlainInputGrad(pool, s, dy, w, dx)
		return
	}
	if size(s.Stride) == 1 {
		p := phaseOf(s, make([]int, len(s.In)))
		p.run(t, pool, alloc, dy, w, dx)
		return
	}
	phases := phasesOf(s)
	for _, p := range phases {
		if size(p.taps) == 0 {
			pool.For(len(dx), 1<<16, func(lo, hi int) { clear(dx[lo:hi]) })
			break
		}
	}
	again := arena{alloc: alloc}
	for _, p := range phases {
		if size(p.taps) == 0 {
			continue
		}
		again.reset()
		y := again.get(s.N * s.C * size(p.Out))
		p.run(t, pool, again.get, dy, w, y)
		p.scatter(pool, dx, y)
	}
}

// arena lends the same memory again after each reset.
type arena struct {
	alloc func(int) []float32
	slots [][]float32
	taken int
}

func (a *arena) reset() { a.taken = 0 }

func (a *arena) get(n int) []float32 {
	if a.taken == len(a.slots) {
		a.slots = append(a.slots, nil)
	}
	if cap(a.slots[a.taken]) < n {
		a.slots[a.taken] = a.alloc(n)
	}
	a.taken++
	return a.slots[a.taken-1][:n]
}

// phase is the convolution that computes the gradient of the inputs at first, first+stride, ... along each axis.
type phase struct {
	Shape
	of          *Shape
	first       []int
	taps        []int // of the kernel, along each axis
	tap0, apart []int // the first one's position in the kernel, and the distance between them
}

// phasesOf returns the phases of a convolution.
func phasesOf(s *Shape) []*phase {
	count := make([]int, len(s.In))
	for i := range count {
		count[i] = min(s.Stride[i], s.In[i])
	}
	var all []*phase
	first := make([]int, len(s.In))
	for range size(count) {
		all = append(all, phaseOf(s, append([]int{}, first...)))
		next(first, count)
	}
	return all
}

// phaseOf returns the phase of the inputs from first on. Input x takes from output o what the kernel's position k
// weighs, if x = o*stride - pad + k*dilation: the positions k that reach x are a constant distance apart, and so are
// the outputs, in falling order.
func phaseOf(s *Shape, first []int) *phase {
	p := &phase{of: s, first: first}
	p.Shape = Shape{N: s.N, C: s.M, M: s.C, Groups: s.Groups, In: s.Out}
	for i, x := range first {
		stride, dilation := s.Stride[i], s.Dilation[i]
		common := gcd(stride, dilation)
		apart := stride / common
		k := 0
		for k < min(apart, s.Kernel[i]) && (x+s.Pad[i]-k*dilation)%stride != 0 {
			k++
		}
		n := 0
		if k < min(apart, s.Kernel[i]) {
			n = (s.Kernel[i]-1-k)/apart + 1
		}
		step := dilation / common // between the outputs
		pad := 0
		if n > 0 {
			pad = (n-1)*step - (x+s.Pad[i]-k*dilation)/stride
		}
		p.taps, p.tap0, p.apart = append(p.taps, n), append(p.tap0, k), append(p.apart, apart)
		p.Kernel = append(p.Kernel, n)
		p.Out = append(p.Out, (s.In[i]-x+stride-1)/stride)
		p.Stride, p.Dilation, p.Pad = append(p.Stride, 1), append(p.Dilation, step), append(p.Pad, pad)
	}
	return p
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// run computes the phase's inputs' gradient to y.
func (p *phase) run(t *kernel.Table, pool *par.Pool, alloc func(int) []float32, dy, w, y []float32) {
	a := &Args{X: dy, Y: y}
	if Choose(&p.Shape) == Winograd && winogradPays(&p.Shape, true) && size(p.of.Stride) == 1 {
		f := &Filter{table: t, m: p.M, c: p.C, groups: 1, ker: p.Kernel, taps: 9}
		f.transformed = newWinogradFilter(t, pool, alloc, &filters{w: w, m: p.M, c: p.C, row: 9, col: 9 * p.M, reversed: true})
		f.winograd(pool, alloc, &p.Shape, a)
		return
	}
	ws := alloc(p.C / p.Groups * p.M * size(p.taps))
	p.weights(pool, ws, w)
	f := NewFilter(t, alloc, false, ws, p.M, p.C/p.Groups, p.Groups, p.Kernel)
	f.Run(pool, alloc, &p.Shape, a)
}

// weights writes the phase's weights [C, M/groups, taps...]: those of s, reversed, with channels exchanged.
func (p *phase) weights(pool *par.Pool, dst, w []float32) {
	outs, ins, taps := p.C/p.Groups, p.M/p.Groups, size(p.of.Kernel) // of one group of s
	from := make([]int, 0, size(p.taps))                             // where each tap is in the kernel of s
	at := make([]int, len(p.taps))
	for range cap(from) {
		off := 0
		for i, n := range p.taps {
			off = off*p.of.Kernel[i] + p.tap0[i] + (n-1-at[i])*p.apart[i]
		}
		from = append(from, off)
		next(at, p.taps)
	}
	n := len(from)
	const block = 16 // input channels whose weights lie side by side, so that a cache line is read once
	pool.For(p.M, max(block, 1<<14/(outs*n)/block*block), func(lo, hi int) {
		for c := lo; c < hi; {
			group, in := c/ins, c%ins
			count := min(block, hi-c, ins-in)
			d := dst[c*outs*n:][:count*outs*n]
			for m := range outs {
				src := w[((group*outs+m)*ins+in)*taps:][:count*taps]
				if n == 1 {
					for j := range count {
						d[j*outs+m] = src[j*taps+from[0]]
					}
					continue
				}
				for j := range count {
					to := d[(j*outs+m)*n:][:n]
					for i, o := range from {
						to[i] = src[j*taps+o]
					}
				}
			}
			c += count
		}
	})
}

// scatter writes the phase's result y to where its inputs lie in dx.
func (p *phase) scatter(pool *par.Pool, dx, y []float32) {
	g, s := newGeometry(&p.Shape), newGeometry(p.of)
	var first [axes]int
	copy(first[axes-len(p.first):], p.first)
	step := s.stride[2]
	pool.For(g.n*g.m, max(1, 1<<14/g.outPlane), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			src := y[i*g.outPlane:][:g.outPlane]
			for z := range g.out[0] {
				for r := range g.out[1] {
					row := src[:g.out[2]]
					src = src[g.out[2]:]
					d := dx[i*s.plane+((first[0]+z*s.stride[0])*s.in[1]+first[1]+r*s.stride[1])*s.in[2]+first[2]:]
					d = d[:(len(row)-1)*step+1]
					for j, v := range row {
						d[j*step] = v
					}
				}
			}
		}
	})
}
