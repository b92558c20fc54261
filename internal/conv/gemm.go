package conv

import (
	"sync"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// gemm computes the convolution as one matrix product a group: weights [M/g, C/g*taps] times a matrix that has a
// column for each output position of all images. That matrix never exists: its panels are packed from the input when
// they are needed.
func (f *Filter) gemm(pool *par.Pool, alloc func(int) []float32, s *Shape, a *Args, pointwise bool) {
	geo := newGeometry(s)
	if pointwise {
		geo.flatten()
	}
	rows := f.m / f.groups
	plans := takePlans(pool.Threads())
	defer panelPlans.Put(plans)
	src := &columns{table: f.table, geometry: geo, workers: *plans, pre: a.Pre}
	x, plane := a.X, geo.plane
	if src.spread = spreadFor(&geo); src.spread != nil {
		x, plane = src.spreadInput(pool, alloc, a.X), src.spread.slice
	}
	out := kernel.Output{LD: geo.outPlane, Cols: geo.outPlane, Image: geo.m * geo.outPlane}
	ep := kernel.Epilogue{Act: a.Act}
	var scratch []float32 // one group's, used again by the next
	again := func(n int) []float32 {
		if cap(scratch) < n {
			scratch = alloc(n)
		}
		return scratch[:n]
	}
	for g := range f.groups {
		src.x = x[g*f.c*plane:]
		out.C = a.Y[g*rows*geo.outPlane:]
		if a.Res != nil {
			out.Res = a.Res[g*rows*geo.outPlane:]
		}
		if a.Bias != nil {
			ep.RowBias = a.Bias[g*rows:][:rows]
		}
		f.table.Product(pool, again, &f.packed[g], geo.n*geo.outPlane, src, &out, &ep)
	}
}

// columns is the matrix of a convolution: row (c, tap), column (image, output position).
type columns struct {
	table *kernel.Table
	geometry
	x       []float32 // from the group's first channel on
	workers []panelPlan

	spread *spread // x is in this layout; nil: it is the input itself
	rows   []int   // with it, where each row of the matrix starts

	pre *Affine // of a pointwise convolution without groups
}

// mostSpread is how many elements a spread input has at most.
const mostSpread = 1 << 24

// spreadFor returns the layout to copy the input to first, nil where that does not pay. It costs one pass over the input.
// Packing then need not gather elements one by one where the stride is not 1, and describes a panel once, not for each
// position of the kernel.
func spreadFor(g *geometry) *spread {
	if g.taps == 1 || g.in[0] > 1 || g.out[0] > 1 || g.ker[0] > 1 || g.pad[0] != 0 {
		return nil
	}
	if s := newSpread(g); g.n*g.c*s.slice <= mostSpread {
		return s
	}
	return nil
}

// spreadInput copies the whole input into the spread layout.
func (c *columns) spreadInput(pool *par.Pool, alloc func(int) []float32, x []float32) []float32 {
	sp := c.spread
	c.rows = make([]int, 0, c.c/c.groups*c.taps)
	for ch := range c.c / c.groups {
		for _, t := range sp.tap {
			c.rows = append(c.rows, ch*sp.slice+t)
		}
	}
	y := alloc(c.n * c.geometry.c * sp.slice)
	pool.For(c.n*c.geometry.c, max(1, 1<<14/sp.slice), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sp.fill(y[i*sp.slice:][:sp.slice], x[i*c.plane:][:c.plane])
		}
	})
	return y
}

// panelPlans keeps plans between convolutions: they are larger than all else that a convolution allocates.
var panelPlans = sync.Pool{New: func() any { return new([]panelPlan) }}

// takePlans returns plans for that many workers, which go back to panelPlans.
func takePlans(workers int) *[]panelPlan {
	p := panelPlans.Get().(*[]panelPlan)
	if len(*p) < workers {
		*p = make([]panelPlan, workers)
	}
	return p
}

// panelPlan is a worker's description of the panel that it packs.
type panelPlan struct {
	runs  int
	run   [kernel.MaxNR]run
	lanes kernel.Lanes
}

// run is a number of neighbouring columns of a panel that lie in one row of one image.
type run struct {
	lane, n int
	image   int // counted from the panel's first one
	at      [axes]int
}

// Pack implements [kernel.Source].
func (c *columns) Pack(worker int, dst []float32, lo, hi, col, cols int) {
	p := &c.workers[worker]
	for j := 0; j < cols; j += c.table.NR {
		image := c.plan(p, col+j, min(c.table.NR, cols-j))
		if c.spread != nil {
			c.spreadPanel(p, dst[j*(hi-lo):], image, lo, hi)
			continue
		}
		panel := dst[j*(hi-lo):][:c.table.NR*(hi-lo)]
		c.panel(p, panel, image*c.c*c.plane, lo, hi)
		if c.pre != nil {
			c.pre.panel(c.table, panel, p, image, c.c, lo, hi)
		}
	}
}

// plan cuts n columns from q on into runs and returns the first one's image.
func (c *columns) plan(p *panelPlan, q, n int) int {
	image, at := q/c.outPlane, q%c.outPlane
	first := image
	z, at := at/(c.out[1]*c.out[2]), at%(c.out[1]*c.out[2])
	y, x := at/c.out[2], at%c.out[2]
	p.runs = 0
	for lane := 0; lane < n; {
		length := min(n-lane, c.out[2]-x)
		p.run[p.runs] = run{lane, length, image - first, [axes]int{z, y, x}}
		p.runs++
		lane += length
		x = 0
		if y++; y == c.out[1] {
			y = 0
			if z++; z == c.out[0] {
				z = 0
				image++
			}
		}
	}
	return first
}

// panel packs rows [lo,hi) of the planned columns; image is where their first image starts.
func (c *columns) panel(p *panelPlan, dst []float32, image, lo, hi int) {
	nr := c.table.NR
	tap := 0
	for kz := range c.ker[0] {
		for ky := range c.ker[1] {
			for kx := range c.ker[2] {
				// Rows of this tap: tap, tap+taps, ... inside [lo,hi).
				ch := (lo - tap + c.taps - 1) / c.taps
				if lo <= tap {
					ch = 0
				}
				first := ch*c.taps + tap
				if first < hi {
					count := (hi-1-first)/c.taps + 1
					c.lanes(p, kz, ky, kx)
					c.table.PackLanes(&p.lanes, dst[(first-lo)*nr:], c.taps*nr, c.x, image+ch*c.plane, c.plane, count)
				}
				tap++
			}
		}
	}
}

// spreadPanel is panel for a spread input.
func (c *columns) spreadPanel(p *panelPlan, dst []float32, image, lo, hi int) {
	p.lanes.Clear()
	size := c.c * c.spread.slice
	for i := range p.runs {
		r := &p.run[i]
		p.lanes.AddRun(r.lane, r.n, r.image*size+r.at[1]*c.spread.cols+r.at[2])
	}
	c.table.PackTable(&p.lanes, dst, c.x, image*size, c.rows[lo:hi])
}

// lanes describes where the planned columns read their values for one position of the kernel.
func (c *columns) lanes(p *panelPlan, kz, ky, kx int) {
	l := &p.lanes
	l.Clear()
	for i := range p.runs {
		r := &p.run[i]
		z := r.at[0]*c.stride[0] - c.pad[0] + kz*c.dilate[0]
		y := r.at[1]*c.stride[1] - c.pad[1] + ky*c.dilate[1]
		if uint(z) >= uint(c.in[0]) || uint(y) >= uint(c.in[1]) {
			continue
		}
		x := r.at[2]*c.stride[2] - c.pad[2] + kx*c.dilate[2]
		from, to := 0, r.n
		if x < 0 || x+(r.n-1)*c.stride[2] >= c.in[2] {
			from, to = inside(r.n, c.stride[2], x, c.in[2])
		}
		off := r.image*c.c*c.plane + (z*c.in[1]+y)*c.in[2] + x + from*c.stride[2]
		if c.stride[2] == 1 {
			l.AddRun(r.lane+from, to-from, off)
		} else {
			l.AddStrided(r.lane+from, to-from, off, c.stride[2])
		}
	}
}
