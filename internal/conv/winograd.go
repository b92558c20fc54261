package conv

import (
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// Winograd's F(4x4, 3x3): the output is cut into tiles of 4x4. Each tile's 6x6 inputs are transformed into 36 numbers,
// for each of these there is one matrix product of all tiles with the transformed weights, and 36 products a tile are
// transformed back into its outputs. See kernel.WinogradFilter.

const (
	winogradRows   = 48      // output channels that are multiplied at a time, about
	winogradTiles  = 64      // tiles that a worker transforms at a time, about
	winogradShared = 1 << 22 // elements of transformed input that workers share where tiles are few, at most
	winogradImages = 1 << 22 // elements of spread input that are made at a time, at most, if there are several images
	behind         = 64      // elements after the input that transforms read without using them
	skew           = 16      // elements between matrices, lest all lie in the same sets of the cache
	points         = kernel.WinogradPoints
)

// winogradFits reports whether F(4x4, 3x3) can compute a shape at all.
func winogradFits(s *Shape) bool {
	if len(s.In) != 2 || s.Groups != 1 || s.C < 16 || s.M < 16 {
		return false
	}
	for i := range s.In {
		if s.Kernel[i] != 3 || s.Stride[i] != 1 || s.Dilation[i] != 1 {
			return false
		}
	}
	return s.C*paddedFor(s).slice <= mostSpread
}

// winogradPays is the cost model's part for F(4x4, 3x3): it compares processor cycles, estimated from the
// multiplications, the passes that pack or transform, and the transformed weights that must come from memory.
// once says that the weights must be transformed for this run alone.
func winogradPays(s *Shape, once bool) bool {
	const lanes, traffic = 16, 6.0 // multiply-adds and bytes a cycle
	g := tilesOf(s)
	c, m := float64(s.C), float64(s.M)
	tiles := float64((s.N*g.outPlane + lanes - 1) / lanes * lanes)
	outputs := float64((s.N*size(s.Out) + 7) / 8 * 8)
	gemm := 9 * outputs * c * (m/lanes + 0.6)
	winograd := points*tiles*c*m/lanes + 50*tiles*c + 50*tiles*m + points*c*m*4/traffic
	if once {
		winograd += 40 * c * m
	}
	return winograd < 0.9*gemm
}

// tilesOf returns the convolution of 6x6 windows, 4 apart, that reads each tile's inputs.
func tilesOf(s *Shape) geometry {
	g := newGeometry(s)
	for i := 1; i < axes; i++ {
		g.ker[i], g.stride[i] = kernel.WinogradInputs, kernel.WinogradTile
		g.out[i] = (g.out[i] + kernel.WinogradTile - 1) / kernel.WinogradTile
	}
	g.outPlane = g.out[1] * g.out[2]
	g.taps = points
	return g
}

// paddedFor returns the layout of an input channel in which the windows of all tiles lie inside, with zeros around it.
func paddedFor(s *Shape) *spread {
	g, tiles := newGeometry(s), tilesOf(s)
	for i := 1; i < axes; i++ {
		g.ker[i] = kernel.WinogradInputs
		g.out[i] = (tiles.out[i]-1)*kernel.WinogradTile + 1 // windows of stride 1
	}
	return newSpread(&g)
}

// winogradFilter is the transformed weights: for each block of output channels, one packed matrix a point.
type winogradFilter struct {
	first  []int // each block's first output channel, and their number
	rows   int   // the longest block's, to whole panels
	blocks [][points]kernel.PackedA
}

// newWinogradBlocks divides m output channels into blocks of nearly the same size, an even number of them where there
// are several, so that two workers have the same to do.
func newWinogradBlocks(t *kernel.Table, m int) *winogradFilter {
	panels, most := (m+t.MR-1)/t.MR, (winogradRows+t.MR-1)/t.MR
	n := (panels + most - 1) / most
	if n > 1 {
		n += n % 2
	}
	f := &winogradFilter{rows: (panels + n - 1) / n * t.MR, blocks: make([][points]kernel.PackedA, n)}
	for i := range n + 1 {
		f.first = append(f.first, min(i*panels/n*t.MR, m))
	}
	return f
}

// winogradRun is one computation.
type winogradRun struct {
	f     *winogradFilter
	table *kernel.Table
	s     *Shape
	a     *Args
	columns
	lo, hi  float32     // limits of the outputs
	limits  bool        // the limits are the whole epilogue
	workers []tileBlock // one a worker
}

// tileBlock is a block of neighbouring tiles and the memory to work on it.
type tileBlock struct {
	plans  []panelPlan
	images []int     // each panel's first image
	width  int       // tiles, counting those that the last panel lacks
	raw    []float32 // a channel's transformed inputs of a panel, before they are moved to v
	tmp    []float32
	v      []float32 // transformed inputs
	y      []float32 // products of a block of output channels
	acc    []float32
	stage  []float32 // outputs of a channel
}

func (f *Filter) winograd(pool *par.Pool, alloc func(int) []float32, s *Shape, a *Args) {
	t := f.table
	r := &winogradRun{f: f.transformed, table: t, s: s, a: a}
	r.columns = columns{table: t, geometry: tilesOf(s)}
	r.spread = paddedFor(s)
	r.lo, r.hi, r.limits = a.Act.Limits()
	r.limits = r.limits && a.Res == nil
	if !r.limits {
		r.lo, r.hi, _ = kernel.Activation{}.Limits()
	}
	r.workers = make([]tileBlock, pool.Threads())
	perPass := min(s.N, max(1, winogradImages/(s.C*r.spread.slice)))
	input := perPass*s.C*r.spread.slice + behind
	scratch := alloc(input + r.scratch(pool.Threads(), perPass))
	r.x = scratch[:input]
	for first := 0; first < s.N; first += perPass {
		r.pass(pool, scratch[len(r.x):], first, min(perPass, s.N-first))
	}
}

// layout says how tiles are divided: how many panels a block has and how many blocks there are. Where panels are few
// there is one block, and workers divide the output channels.
func (r *winogradRun) layout(threads, images int) (panels, blocks int) {
	nr := r.table.NR
	all := (images*r.outPlane + nr - 1) / nr
	if threads > 1 && all < 2*threads && all*nr*r.s.C*points <= winogradShared {
		return all, 1
	}
	per := max(1, winogradTiles/nr)
	blocks = min(all, (all+per*threads-1)/(per*threads)*threads)
	return (all + blocks - 1) / blocks, blocks
}

func (r *winogradRun) sizes(panels int) (v, y, acc, raw, stage int) {
	w := panels * r.table.NR
	if r.f.blocks[0][0].Blocks() > 1 {
		acc = r.table.AccSize(r.f.rows, w)
	}
	return points * (r.s.C*w + skew), points * (r.f.rows*w + skew), acc, points*r.rawStep() + kernel.WinogradTmp, 16 * w
}

func (r *winogradRun) scratch(threads, images int) int {
	panels, _ := r.layout(threads, images)
	v, y, acc, raw, stage := r.sizes(panels)
	return threads * (v + y + acc + raw + stage)
}

// pass computes images [first, first+images).
func (r *winogradRun) pass(pool *par.Pool, scratch []float32, first, images int) {
	channels, slice := images*r.s.C, r.spread.slice
	from := r.a.X[first*r.s.C*r.plane:]
	pool.For(channels, max(1, 1<<14/slice), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			r.spread.fill(r.x[i*slice:][:slice], from[i*r.plane:][:r.plane])
		}
	})
	threads := pool.Threads()
	panels, blocks := r.layout(threads, images)
	sv, sy, sacc, sraw, sstage := r.sizes(panels)
	each := sv + sy + sacc + sraw + sstage
	for i := range r.workers {
		b, m := &r.workers[i], scratch[i*each:][:each]
		b.v, m = m[:sv], m[sv:]
		b.y, m = m[:sy], m[sy:]
		b.acc, m = m[:sacc], m[sacc:]
		b.tmp, b.raw, b.stage = m[:kernel.WinogradTmp], m[kernel.WinogradTmp:sraw], m[sraw:]
	}
	tiles := images * r.outPlane
	nr := r.table.NR
	if blocks > 1 || threads == 1 {
		pool.ForWorker(blocks, 1, func(worker, lo, hi int) {
			b := &r.workers[worker]
			m := r.table.TakeMultiplier()
			defer r.table.GiveMultiplier(m)
			all := (tiles + nr - 1) / nr
			for i := lo; i < hi; i++ {
				p := i * all / blocks
				r.place(b, p, (i+1)*all/blocks-p, tiles)
				for j := range b.plans {
					r.transform(b, b, j, 0, r.s.C)
				}
				for k := range r.f.blocks {
					r.multiply(b, b, m, k, first)
				}
			}
		})
		return
	}
	shared := &r.workers[0]
	r.place(shared, 0, panels, tiles)
	const group = 16 // channels a piece
	groups := (r.s.C + group - 1) / group
	pool.ForWorker(panels*groups, 1, func(worker, lo, hi int) {
		b := &r.workers[worker]
		for i := lo; i < hi; i++ {
			c := i % groups * group
			r.transform(shared, b, i/groups, c, min(c+group, r.s.C))
		}
	})
	pool.ForWorker(len(r.f.blocks), 1, func(worker, lo, hi int) {
		b := &r.workers[worker]
		m := r.table.TakeMultiplier()
		defer r.table.GiveMultiplier(m)
		for k := lo; k < hi; k++ {
			r.multiply(shared, b, m, k, first)
		}
	})
}

// place makes b the block of n panels from panel p on.
func (r *winogradRun) place(b *tileBlock, p, n, tiles int) {
	nr := r.table.NR
	b.width = n * nr
	if cap(b.plans) < n {
		b.plans, b.images = make([]panelPlan, n), make([]int, n)
	}
	b.plans, b.images = b.plans[:n], b.images[:n]
	for j := range b.plans {
		q := (p + j) * nr
		b.images[j] = r.plan(&b.plans[j], q, min(nr, tiles-q))
	}
}

// transform computes the transformed inputs of channels [lo,hi) for panel j of b, with the scratch memory of own.
func (r *winogradRun) transform(b, own *tileBlock, j, lo, hi int) {
	nr, slice, ld := r.table.NR, r.spread.slice, r.spread.cols
	p := &b.plans[j]
	matrix := &r.f.blocks[0][0]
	step := r.s.C*b.width + skew
	for block := range matrix.Blocks() {
		k0, k1 := matrix.Span(block)
		for c := max(lo, k0); c < min(hi, k1); c++ {
			v := b.v[k0*b.width+(j*(k1-k0)+c-k0)*nr:]
			dst, dstStep := v, step
			if p.runs > 1 || p.run[0].n < nr { // the last group may be more than there is room for
				dst, dstStep = own.raw, r.rawStep()
			}
			for i := range p.runs {
				n := &p.run[i]
				from := ((b.images[j]+n.image)*r.s.C+c)*slice + (n.at[1]*ld+n.at[2])*kernel.WinogradTile
				r.table.WinogradInput(dst[n.lane:], dstStep, r.x[from:], ld, n.n, own.tmp)
			}
			if dstStep != step {
				r.table.CopyRows(v, step, own.raw, dstStep, points, nr)
			}
		}
	}
}

// rawStep is how far rows of a panel that is not yet in its place are apart.
func (r *winogradRun) rawStep() int { return r.table.NR + kernel.WinogradGroup }

// multiply computes a block of output channels for the tiles of b, with the scratch memory of own.
func (r *winogradRun) multiply(b, own *tileBlock, m *kernel.Multiplier, k, firstImage int) {
	matrices := &r.f.blocks[k]
	vStep, yStep := r.s.C*b.width+skew, r.f.rows*b.width+skew
	panels := matrices[0].Panels()
	out := kernel.Output{LD: b.width, Cols: b.width}
	var none kernel.Epilogue
	for p := range matrices {
		out.C = own.y[p*yStep:]
		for block := range matrices[p].Blocks() {
			k0, _ := matrices[p].Span(block)
			m.Multiply(&matrices[p], block, 0, panels, b.v[p*vStep+k0*b.width:], 0, b.width, own.acc, &out, &none)
		}
	}
	for i := range matrices[0].Rows {
		channel := r.f.first[k] + i
		bias := float32(0)
		if r.a.Bias != nil {
			bias = r.a.Bias[channel]
		}
		r.table.WinogradOutput(own.stage, own.y[i*b.width:], yStep, b.width, bias, r.lo, r.hi)
		for j := range b.plans {
			p := &b.plans[j]
			for n := range p.runs {
				r.store(&p.run[n], firstImage+b.images[j], channel, own.stage[j*r.table.NR*kernel.WinogradTile:], b.width)
			}
		}
	}
}

// store writes the outputs of a run of tiles, which lie in stage in rows of width tiles.
func (r *winogradRun) store(n *run, image, channel int, stage []float32, width int) {
	const tile = kernel.WinogradTile
	outH, outW := r.s.Out[0], r.s.Out[1]
	base := ((image+n.image)*r.s.M + channel) * outH * outW
	x := n.at[2] * tile
	length := min(n.n*tile, outW-x)
	rows := min(tile, outH-n.at[1]*tile)
	off := base + n.at[1]*tile*outW + x
	r.table.CopyRows(r.a.Y[off:], outW, stage[n.lane*tile:], width*tile, rows, length)
	if r.limits {
		return
	}
	for range rows {
		row := r.a.Y[off:][:length]
		if r.a.Res != nil {
			r.table.Add(row, row, r.a.Res[off:])
		}
		r.table.Apply(r.a.Act, row)
		off += outW
	}
}
