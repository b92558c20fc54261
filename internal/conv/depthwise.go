package conv

import (
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// depthwise computes a convolution with one input channel a group, plane by plane: each row of the output is the sum,
// over the kernel's positions, of a row of the input times a weight.
func (f *Filter) depthwise(pool *par.Pool, s *Shape, a *Args) {
	geo := newGeometry(s)
	perGroup := f.m / f.groups
	planes := geo.n * geo.m
	work := geo.outPlane * geo.taps
	pool.For(planes, max(1, 1<<15/max(work, 1)), func(lo, hi int) {
		for p := lo; p < hi; p++ {
			image, m := p/geo.m, p%geo.m
			x := a.X[(image*geo.c+m/perGroup)*geo.plane:][:geo.plane]
			y := a.Y[p*geo.outPlane:][:geo.outPlane]
			bias := float32(0)
			if a.Bias != nil {
				bias = a.Bias[m]
			}
			depthwisePlane(&geo, x, f.raw[m*geo.taps:][:geo.taps], y, bias)
			if a.Res != nil {
				f.table.Add(y, y, a.Res[p*geo.outPlane:])
			}
			f.table.Apply(a.Act, y)
		}
	})
}

// depthwisePlane convolves one plane.
func depthwisePlane(g *geometry, x, w, y []float32, bias float32) {
	for oz := range g.out[0] {
		for oy := range g.out[1] {
			row := y[(oz*g.out[1]+oy)*g.out[2]:][:g.out[2]]
			for i := range row {
				row[i] = bias
			}
			for kz := range g.ker[0] {
				iz := oz*g.stride[0] - g.pad[0] + kz*g.dilate[0]
				if uint(iz) >= uint(g.in[0]) {
					continue
				}
				for ky := range g.ker[1] {
					iy := oy*g.stride[1] - g.pad[1] + ky*g.dilate[1]
					if uint(iy) >= uint(g.in[1]) {
						continue
					}
					src := x[(iz*g.in[1]+iy)*g.in[2]:][:g.in[2]]
					taps := w[(kz*g.ker[1]+ky)*g.ker[2]:][:g.ker[2]]
					for kx, v := range taps {
						off := kx*g.dilate[2] - g.pad[2]
						lo, hi := inside(g.out[2], g.stride[2], off, g.in[2])
						addRow(row[lo:hi], src, lo*g.stride[2]+off, g.stride[2], v)
					}
				}
			}
		}
	}
}

// addRow adds v times every step-th element of src from off on to dst.
func addRow(dst, src []float32, off, step int, v float32) {
	if len(dst) == 0 {
		return
	}
	src = src[off:]
	if step == 1 {
		src = src[:len(dst)]
		for i, s := range src {
			dst[i] += v * s
		}
		return
	}
	for i := range dst {
		dst[i] += v * src[i*step]
	}
}
