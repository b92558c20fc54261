package conv

import "github.com/onnxcnn/onnxcnn/internal/par"

// PlainInputGrad computes the gradient dx of a convolution's input, of any rank, with loops: for float64 and for what
// no other algorithm covers.
func PlainInputGrad[T float32 | float64](pool *par.Pool, s *Shape, dy, w, dx []T) {
	plane, outPlane, taps := size(s.In), size(s.Out), size(s.Kernel)
	perGroup, rows := s.C/s.Groups, s.M/s.Groups
	pool.For(s.N*s.C, max(1, 1<<15/max(outPlane*taps*rows, 1)), func(first, end int) {
		win := newWindow(s)
		for p := first; p < end; p++ {
			image, c := p/s.C, p%s.C
			m := c / perGroup * rows
			up := dy[(image*s.M+m)*outPlane:]
			ws := w[(m*perGroup+c%perGroup)*taps:]
			out := dx[p*plane:][:plane]
			clear(out)
			win.start()
			for i := range outPlane {
				offs := win.offsets()
				for r := range rows {
					g := up[r*outPlane+i]
					for t, o := range offs {
						if o >= 0 {
							out[o] += g * ws[r*perGroup*taps+t]
						}
					}
				}
			}
		}
	})
}

// PlainWeightGrad computes the gradient dw of a convolution's weights, of any rank, with loops.
func PlainWeightGrad[T float32 | float64](pool *par.Pool, s *Shape, x, dy, dw []T) {
	plane, outPlane, taps := size(s.In), size(s.Out), size(s.Kernel)
	perGroup, rows := s.C/s.Groups, s.M/s.Groups
	pool.For(s.M*perGroup, max(1, 1<<15/max(s.N*outPlane*taps, 1)), func(first, end int) {
		win := newWindow(s)
		for p := first; p < end; p++ {
			m, c := p/perGroup, p%perGroup+p/perGroup/rows*perGroup
			out := dw[p*taps:][:taps]
			clear(out)
			win.start()
			for i := range outPlane {
				offs := win.offsets()
				for n := range s.N {
					g := dy[(n*s.M+m)*outPlane+i]
					in := x[(n*s.C+c)*plane:][:plane]
					for t, o := range offs {
						if o >= 0 {
							out[t] += g * in[o]
						}
					}
				}
			}
		}
	})
}

// window steps through the output positions and says where the kernel lies for each.
type window struct {
	s       *Shape
	at, tap []int
	offs    []int
}

func newWindow(s *Shape) *window {
	return &window{s, make([]int, len(s.In)), make([]int, len(s.In)), make([]int, size(s.Kernel))}
}

// start goes back to the first output position.
func (w *window) start() { clear(w.at) }

// offsets returns the position in an input channel under each position of the kernel, -1 in the padding, and goes on
// to the next output position.
func (w *window) offsets() []int {
	clear(w.tap)
	for t := range w.offs {
		w.offs[t] = w.s.offset(w.at, w.tap)
		next(w.tap, w.s.Kernel)
	}
	next(w.at, w.s.Out)
	return w.offs
}
