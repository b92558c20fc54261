package conv

import "github.com/onnxcnn/onnxcnn/internal/par"

// Plain computes a convolution of any rank with loops, for float64 and for what no other algorithm covers:
// y = conv(x, w) + bias, where bias may be nil.
func Plain[T float32 | float64](pool *par.Pool, s *Shape, x, w, bias, y []T) {
	plane, outPlane, taps := size(s.In), size(s.Out), size(s.Kernel)
	if outPlane == 0 {
		return
	}
	perGroup := s.C / s.Groups
	rows := s.M / s.Groups
	rank := len(s.In)
	pool.For(s.N*s.M, max(1, 1<<15/max(outPlane*taps*perGroup, 1)), func(first, end int) {
		at, tap := make([]int, rank), make([]int, rank)
		offs := make([]int, taps) // where each position of the kernel reads, -1 in the padding
		for p := first; p < end; p++ {
			image, m := p/s.M, p%s.M
			in := x[(image*s.C+m/rows*perGroup)*plane:]
			ws := w[m*perGroup*taps:]
			out := y[p*outPlane:][:outPlane]
			clear(at)
			for i := range out {
				clear(tap)
				for t := range offs {
					offs[t] = s.offset(at, tap)
					next(tap, s.Kernel)
				}
				var sum T
				if bias != nil {
					sum = bias[m]
				}
				for c := range perGroup {
					for t, o := range offs {
						if o >= 0 {
							sum += in[c*plane+o] * ws[c*taps+t]
						}
					}
				}
				out[i] = sum
				next(at, s.Out)
			}
		}
	})
}

// offset returns the position in an input channel that output position at reads for a position of the kernel, -1 if
// it lies in the padding.
func (s *Shape) offset(at, tap []int) int {
	off := 0
	for i, in := range s.In {
		p := at[i]*s.Stride[i] - s.Pad[i] + tap[i]*s.Dilation[i]
		if p < 0 || p >= in {
			return -1
		}
		off = off*in + p
	}
	return off
}

// next steps to the next index in row-major order.
func next(at, dims []int) {
	for i := len(at) - 1; i >= 0; i-- {
		if at[i]++; at[i] < dims[i] {
			return
		}
		at[i] = 0
	}
}
