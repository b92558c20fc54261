package conv

import (
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// gradSpread is how many elements of spread input the weight gradient works on at a time, about, if there are several
// images: what is read again and again stays in the last-level cache.
const gradSpread = 1 << 21

// WeightGrad computes the gradient dw of a convolution's weights from its input and the gradient dy of its output.
// alloc gives scratch memory that is the caller's until WeightGrad returns.
//
// The sums over images and output positions are cut in parts that depend on the shape alone, and added up in order.
func WeightGrad(t *kernel.Table, pool *par.Pool, alloc func(int) []float32, s *Shape, x, dy, dw []float32) {
	switch {
	case len(dw) == 0:
	case len(x) == 0 || len(dy) == 0:
		clear(dw)
	case len(s.In) > axes:
		PlainWeightGrad(pool, s, x, dy, dw)
	case s.C == s.Groups:
		depthwiseWeightGrad(pool, alloc, s, x, dy, dw)
	case winogradFits(s) && winogradGradPays(s):
		winogradWeightGrad(t, pool, alloc, s, x, dy, dw)
	default:
		gemmWeightGrad(t, pool, alloc, s, x, dy, dw)
	}
}

// gemmWeightGrad computes one matrix product a group: dy [M/g, N*positions] times the matrix of the convolution,
// transposed, [N*positions, C/g*taps].
func gemmWeightGrad(t *kernel.Table, pool *par.Pool, alloc func(int) []float32, s *Shape, x, dy, dw []float32) {
	g := newGeometry(s)
	if isPointwise(s) {
		g.flatten()
	}
	sp := newSpread(&g)
	p := &positions{table: t, geometry: g, spread: sp, lanes: make([][kernel.MaxNR]int, pool.Threads())}
	if sp.cols == g.out[2] { // then rows follow each other
		p.rows, p.length = g.out[0], g.out[1]*g.out[2]
	} else {
		p.rows, p.length = g.out[0]*g.out[1], g.out[2]
	}
	rows, cols := g.m/g.groups, g.c/g.groups*g.taps
	image := g.c * g.in[0] * sp.slice
	perPass := min(g.n, max(1, gradSpread/image))
	var spread []float32
	if !sp.same() {
		spread = alloc(perPass * image)
	}
	packed := alloc(t.PackedSize(rows, perPass*g.outPlane))
	again := arena{alloc: alloc}
	for first := 0; first < g.n; first += perPass {
		images := min(perPass, g.n-first)
		p.x = x[first*g.c*g.plane:]
		if spread != nil {
			p.fillAll(pool, spread, p.x, images)
			p.x = spread
		}
		for group := range g.groups {
			a := t.PackRows(pool, packed, dy[(first*g.m+group*rows)*g.outPlane:], rows, images, g.outPlane, g.m*g.outPlane)
			out := kernel.Output{C: dw[group*rows*cols:], LD: cols, Cols: cols}
			if first > 0 {
				out.Res = out.C
			}
			p.channel = group * g.c / g.groups
			again.reset()
			t.Product(pool, again.get, &a, cols, p, &out, &kernel.Epilogue{})
		}
	}
}

// positions is the transposed matrix of a convolution: row (image, output position), column (c, tap).
type positions struct {
	table *kernel.Table
	geometry
	spread  *spread
	x       []float32 // in the spread layout, slice by slice
	channel int       // first channel of the group

	rows, length int // an output plane is that many runs whose inputs are neighbours
	lanes        [][kernel.MaxNR]int
}

// fillAll spreads images.
func (p *positions) fillAll(pool *par.Pool, dst, x []float32, images int) {
	slice, area := p.spread.slice, p.in[1]*p.in[2]
	pool.For(images*p.c*p.in[0], max(1, 1<<14/slice), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			p.spread.fill(dst[i*slice:][:slice], x[i*area:][:area])
		}
	})
}

// Pack implements [kernel.Source].
func (p *positions) Pack(worker int, dst []float32, lo, hi, col, cols int) {
	nr := p.table.NR
	slice := p.spread.slice
	lanes := &p.lanes[worker]
	area := p.ker[1] * p.ker[2]
	for j := 0; j < cols; j += nr {
		n := min(nr, cols-j)
		panel := dst[j*(hi-lo):][:nr*(hi-lo)]
		for q := lo; q < hi; {
			image, at := q/p.outPlane, q%p.outPlane
			row, from := at/p.length, at%p.length
			length := min(p.length-from, hi-q)
			z, y := row, 0
			if p.rows != p.out[0] {
				z, y = row/p.out[1], row%p.out[1]
			}
			base := image*p.c*p.in[0]*slice + y*p.spread.cols + from
			for l := range nr {
				if l >= n {
					lanes[l] = -1
					continue
				}
				c, tap := (col+j+l)/p.taps, (col+j+l)%p.taps
				iz := z*p.stride[0] - p.pad[0] + tap/area*p.dilate[0]
				if uint(iz) >= uint(p.in[0]) {
					lanes[l] = -1
					continue
				}
				lanes[l] = base + ((p.channel+c)*p.in[0]+iz)*slice + p.spread.tap[tap%area]
			}
			p.table.Interleave(panel[(q-lo)*nr:], nr, p.x, lanes[:nr], length)
			q += length
		}
	}
}

// depthwiseWeightGrad computes the weight gradient where each group has one input channel: for each output channel and
// position of the kernel, the scalar product of a channel's gradients with the inputs under that position.
func depthwiseWeightGrad(pool *par.Pool, alloc func(int) []float32, s *Shape, x, dy, dw []float32) {
	g := newGeometry(s)
	sp := newSpread(&g)
	rows := g.m / g.groups
	each := 0
	if !sp.same() {
		each = g.in[0] * sp.slice
	}
	scratch := alloc(pool.Threads() * each)
	area := g.in[1] * g.in[2]
	pool.ForWorker(g.c, max(1, 1<<14/max(g.n*(g.plane+g.outPlane*g.taps*rows), 1)), func(worker, lo, hi int) {
		for c := lo; c < hi; c++ {
			sums := dw[c*rows*g.taps:][:rows*g.taps]
			clear(sums)
			for n := range g.n {
				in := x[(n*g.c+c)*g.plane:][:g.plane]
				if each > 0 {
					spread := scratch[worker*each:][:each]
					for z := range g.in[0] {
						sp.fill(spread[z*sp.slice:][:sp.slice], in[z*area:][:area])
					}
					in = spread
				}
				for r := range rows {
					up := dy[(n*g.m+c*rows+r)*g.outPlane:][:g.outPlane]
					depthwiseSums(&g, sp, sums[r*g.taps:][:g.taps], in, up)
				}
			}
		}
	})
}

// depthwiseSums adds one channel's part to the gradients of a kernel.
func depthwiseSums(g *geometry, sp *spread, sums, x, dy []float32) {
	n := len(sp.tap)
	for kz := range g.ker[0] {
		for z := range g.out[0] {
			iz := z*g.stride[0] - g.pad[0] + kz*g.dilate[0]
			if uint(iz) >= uint(g.in[0]) {
				continue
			}
			for t, off := range sp.tap {
				var sum float32
				for y := range g.out[1] {
					row := dy[(z*g.out[1]+y)*g.out[2]:][:g.out[2]]
					sum += dot(row, x[iz*sp.slice+off+y*sp.cols:])
				}
				sums[kz*n+t] += sum
			}
		}
	}
}

// dot is the scalar product of a with the first elements of b, in four sums.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}
