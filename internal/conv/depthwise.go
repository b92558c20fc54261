package conv

import (
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// longRow is from how many columns on rows of the output are computed one by one: shorter ones are computed all at
// once, with what lies between them, to fill the vectors.
const longRow = 32

// depthwise computes a convolution with one input channel a group, plane by plane: each output is the sum of the
// kernel's weights times elements of the spread input.
func (f *Filter) depthwise(pool *par.Pool, alloc func(int) []float32, s *Shape, a *Args) {
	geo := newGeometry(s)
	if slides(&geo) {
		f.slide(pool, alloc, &geo, a)
		return
	}
	sp := newSpread(&geo)
	perGroup := f.m / f.groups
	flat := (geo.out[1]-1)*sp.cols + geo.out[2]
	each := geo.in[0]*sp.slice + flat
	scratch := alloc(pool.Threads() * each)
	work := geo.outPlane*geo.taps/8 + geo.plane
	pool.ForWorker(geo.n*geo.m, max(1, 1<<14/max(work, 1)), func(worker, lo, hi int) {
		mine := scratch[worker*each:][:each]
		p := planes{f: f, geometry: &geo, spread: sp, buf: mine[flat:], flat: mine[:flat]}
		last := -1
		for i := lo; i < hi; i++ {
			image, m := i/geo.m, i%geo.m
			if channel := image*geo.c + m/perGroup; channel != last {
				p.load(a.X[channel*geo.plane:][:geo.plane])
				last = channel
			}
			y := a.Y[i*geo.outPlane:][:geo.outPlane]
			bias := float32(0)
			if a.Bias != nil {
				bias = a.Bias[m]
			}
			p.convolve(f.raw[m*geo.taps:][:geo.taps], y, bias)
			if a.Res != nil {
				f.table.Add(y, y, a.Res[i*geo.outPlane:])
			}
			f.table.Apply(a.Act, y)
		}
	})
}

// planes convolves one plane after the other.
type planes struct {
	f *Filter
	*geometry
	*spread
	x    []float32 // the input channel in the spread's layout
	buf  []float32 // memory for it
	flat []float32 // outputs of a slice, with what lies between rows

	offs []int // kernels with three axes: the positions that lie inside the input
	ws   []float32
}

// load makes a channel the input.
func (p *planes) load(x []float32) {
	if p.same() {
		p.x = x
		return
	}
	p.x = p.buf
	for z := range p.in[0] {
		p.fill(p.buf[z*p.slice:][:p.slice], x[z*p.in[1]*p.in[2]:])
	}
}

// convolve computes an output channel.
func (p *planes) convolve(w, y []float32, bias float32) {
	for z := range p.out[0] {
		x, offs, ws := p.x, p.tap, w
		if p.in[0] > 1 || p.out[0] > 1 || p.ker[0] > 1 || p.pad[0] != 0 {
			offs, ws = p.inside(z, w)
		}
		out := y[z*p.out[1]*p.out[2]:][:p.out[1]*p.out[2]]
		if p.out[2] >= longRow {
			for i := range p.out[1] {
				p.f.table.Taps(out[i*p.out[2]:][:p.out[2]], x[i*p.cols:], offs, ws, bias)
			}
			continue
		}
		p.f.table.Taps(p.flat, x, offs, ws, bias)
		for i := range p.out[1] {
			copy(out[i*p.out[2]:][:p.out[2]], p.flat[i*p.cols:])
		}
	}
}

// inside returns offsets and weights of those positions of the kernel whose slice lies inside the input.
func (p *planes) inside(z int, w []float32) ([]int, []float32) {
	p.offs, p.ws = p.offs[:0], p.ws[:0]
	n := len(p.tap)
	for kz := range p.ker[0] {
		iz := z*p.stride[0] - p.pad[0] + kz*p.dilate[0]
		if uint(iz) >= uint(p.in[0]) {
			continue
		}
		for t, off := range p.tap {
			p.offs = append(p.offs, iz*p.slice+off)
			p.ws = append(p.ws, w[kz*n+t])
		}
	}
	return p.offs, p.ws
}
