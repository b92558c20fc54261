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
		depthwiseWeightGrad(t, pool, alloc, s, x, dy, dw)
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
