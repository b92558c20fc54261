package conv

// axes is how many spatial axes the fast algorithms take; fewer are made up with axes of size 1.
const axes = 3

// geometry is a Shape with exactly three spatial axes.
type geometry struct {
	n, c, m, groups     int
	in, out, ker        [axes]int
	stride, dilate, pad [axes]int
	plane               int // elements of an input channel
	outPlane            int // elements of an output channel
	taps                int
}

func newGeometry(s *Shape) geometry {
	g := geometry{n: s.N, c: s.C, m: s.M, groups: s.Groups}
	for i := range axes {
		g.in[i], g.out[i], g.ker[i], g.stride[i], g.dilate[i] = 1, 1, 1, 1, 1
	}
	for i := range s.In {
		j := axes - len(s.In) + i
		g.in[j], g.out[j], g.ker[j] = s.In[i], s.Out[i], s.Kernel[i]
		g.stride[j], g.dilate[j], g.pad[j] = s.Stride[i], s.Dilation[i], s.Pad[i]
	}
	g.plane = g.in[0] * g.in[1] * g.in[2]
	g.outPlane = g.out[0] * g.out[1] * g.out[2]
	g.taps = g.ker[0] * g.ker[1] * g.ker[2]
	return g
}

// flatten turns the spatial axes of a pointwise convolution into one.
func (g *geometry) flatten() {
	g.in = [axes]int{1, 1, g.plane}
	g.out = g.in
}

// inside returns the outputs [lo,hi) of a row of n for which position o*stride+off lies inside [0,in).
func inside(n, stride, off, in int) (lo, hi int) {
	if off < 0 {
		lo = (-off + stride - 1) / stride
	}
	if off < in {
		hi = (in-1-off)/stride + 1
	}
	return lo, max(lo, min(hi, n))
}
