package conv

import (
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// The gradient of weights by Winograd's F(4x4, 3x3). The output of a tile is AT·[(G·w·GT) ⊙ (BT·d·B)]·A, which is linear
// in w; so its weights' gradient is GT·[sum over tiles of (A·dy·AT) ⊙ (BT·d·B)]·G. The sums over tiles are, for each of
// the 36 points, a matrix product [M, tiles] x [tiles, C].
//
// Both transforms yield the panels that the microkernels take: planes of as many channels as a panel has rows or
// columns are written with the channels of a position side by side, and the columns of a row by their remainder modulo
// 4, so that what one position of all tiles of a row needs is contiguous, and transforms are sums of multiples of rows.

const (
	winogradGradCols = 64      // input channels that are multiplied at a time, about
	winogradGradPass = 1 << 24 // elements of transformed images that are made at a time, at most, if there are several
)

// winogradGradPays compares the multiplications, and the passes over the transformed weights.
func winogradGradPays(s *Shape) bool {
	g := tilesOf(s)
	return points*(s.N*g.outPlane+16) < 6*s.N*size(s.Out)
}

// planesOf transforms the tiles of one side of the product: of the input, or of the output's gradient.
type planesOf struct {
	table      *kernel.Table
	x          []float32 // images of the pass, NCHW
	channels   int
	height     int // of a plane
	length     int // of its rows
	pad        [2]int
	width      int // channels side by side
	span       int // positions of a tile along an axis
	tiles      [2]int
	transforms *[6]combination
}

// combination is a sum of multiples.
type combination struct {
	of      []int
	weights []float32
}

// The matrices BT and A of F(4x4, 3x3).
var inputTransform = combinations([6][6]float32{
	{4, 0, -5, 0, 1, 0}, {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1},
})

var outputTransform = combinations([6][6]float32{{1}, {1, 1, 1, 1}, {1, -1, 1, -1}, {1, 2, 4, 8}, {1, -2, 4, -8}, {0, 0, 0, 1}})

func combinations(rows [6][6]float32) *[6]combination {
	var c [6]combination
	for i, row := range rows {
		for j, v := range row {
			if v != 0 {
				c[i].of = append(c[i].of, j)
				c[i].weights = append(c[i].weights, v)
			}
		}
	}
	return &c
}

// sizes returns how many elements the rows of a tile row take, and those after the first transform.
func (p *planesOf) sizes() (rows, half int) {
	row := kernel.WinogradTile * p.perRow() * p.width
	return p.span * row, kernel.WinogradInputs * row
}

// perRow is how many columns of a row have the same remainder modulo 4: those of the last tile reach into the next.
func (p *planesOf) perRow() int {
	if p.span > kernel.WinogradTile {
		return p.tiles[1] + 1
	}
	return p.tiles[1]
}

// half loads a row of tiles, for the channels of a panel, and transforms its columns. The result is a part of scratch.
func (p *planesOf) half(scratch []float32, image, panel, row int) []float32 {
	sizeRows, sizeHalf := p.sizes()
	rows, half := scratch[:sizeRows], scratch[sizeRows:][:sizeHalf]
	p.load(rows, image, panel, row)
	length := kernel.WinogradTile * p.perRow() * p.width
	var offs [6]int
	for i := range p.transforms {
		c := &p.transforms[i]
		for k, o := range c.of {
			offs[k] = o * length
		}
		p.table.Taps(half[i*length:][:length], rows, offs[:len(c.of)], c.weights, 0)
	}
	return half
}

// points transforms the rows of tiles [tile,tile+n) of what half gives: the values of each point go to dst, step apart.
func (p *planesOf) points(dst []float32, step int, half []float32, tile, n int) {
	phase := p.perRow() * p.width
	length := kernel.WinogradTile * phase
	for j := range p.transforms {
		c := &p.transforms[j]
		var offs [6]int
		for k, o := range c.of {
			offs[k] = o%kernel.WinogradTile*phase + (tile+o/kernel.WinogradTile)*p.width
		}
		for i := range p.transforms {
			d := dst[(i*kernel.WinogradInputs+j)*step:][:n*p.width]
			p.table.Taps(d, half[i*length:][:length], offs[:len(c.of)], c.weights, 0)
		}
	}
}

// load writes the rows of a row of tiles.
func (p *planesOf) load(dst []float32, image, panel, row int) {
	const tile = kernel.WinogradTile
	per := p.perRow()
	phase := per * p.width
	for i := range p.span {
		d := dst[i*tile*phase:][:tile*phase]
		y := row*tile + i - p.pad[0]
		if uint(y) >= uint(p.height) {
			clear(d)
			continue
		}
		for l := range p.width {
			c := panel*p.width + l
			if c >= p.channels {
				for j := l; j < len(d); j += p.width {
					d[j] = 0
				}
				continue
			}
			quarters(d[l:], phase, p.width, p.x[((image*p.channels+c)*p.height+y)*p.length:][:p.length], p.pad[1], per)
		}
	}
}

// quarters writes element 4*j+k-pad of a row, zero outside it, to dst[k*phase+j*width], for j below n and k below 4.
func quarters(dst []float32, phase, width int, row []float32, pad, n int) {
	const tile = kernel.WinogradTile
	lo := min((pad+tile-1)/tile, n)                  // the first j whose four elements lie inside
	hi := max(lo, min(max(len(row)+pad, 0)/tile, n)) // and the first after it whose do not
	if pad < 0 {
		lo = 0
	}
	if lo < hi {
		first := lo*tile - pad
		for j := lo; j < hi; j++ {
			v := (*[tile]float32)(row[first:])
			d := dst[j*width:]
			_ = d[3*phase]
			d[0], d[phase], d[2*phase], d[3*phase] = v[0], v[1], v[2], v[3]
			first += tile
		}
	}
	for j := 0; j < n; j++ {
		if j == lo {
			j = hi
			if j >= n {
				break
			}
		}
		for k := range tile {
			var v float32
			if x := j*tile + k - pad; uint(x) < uint(len(row)) {
				v = row[x]
			}
			dst[k*phase+j*width] = v
		}
	}
}

// winogradWeightGrad computes the gradient of weights; see above.
func winogradWeightGrad(t *kernel.Table, pool *par.Pool, alloc func(int) []float32, s *Shape, x, dy, dw []float32) {
	g := tilesOf(s)
	rows, cols := newWinogradBlocks(t, s.M).rows, (winogradGradCols+t.NR-1)/t.NR*t.NR
	rowBlocks, colBlocks := (s.M+rows-1)/rows, (s.C+cols-1)/cols
	rowPanels, colPanels := (s.M+t.MR-1)/t.MR, (s.C+t.NR-1)/t.NR
	perPass := min(s.N, max(1, winogradGradPass/(points*g.outPlane*(s.C+s.M))))
	passes := (s.N + perPass - 1) / perPass
	most := perPass * g.outPlane // tiles of a pass

	r := &winogradGrad{table: t, s: s, rows: rows, cols: cols, dw: dw, yStep: rows*cols + skew}
	r.in = planesOf{table: t, channels: s.C, height: s.In[0], length: s.In[1], pad: [2]int{s.Pad[0], s.Pad[1]}, width: t.NR,
		span: kernel.WinogradInputs, tiles: [2]int{g.out[1], g.out[2]}, transforms: inputTransform}
	r.out = planesOf{table: t, channels: s.M, height: s.Out[0], length: s.Out[1], width: t.MR,
		span: kernel.WinogradTile, tiles: r.in.tiles, transforms: outputTransform}
	vStep := most*colPanels*t.NR + skew
	aSize := t.PackedSize(rows, most)
	v, a := alloc(points*vStep), alloc(rowBlocks*points*aSize)
	inRows, inHalf := r.in.sizes()
	outRows, outHalf := r.out.sizes()
	transforms := max(inRows+inHalf, outRows+outHalf)
	sums := points * r.yStep
	each := max(transforms, sums+t.AccSize(rows, cols)+9*cols)
	scratch := alloc(pool.Threads() * each)
	var kept []float32 // sums of all blocks, between passes
	if passes > 1 {
		kept = alloc(rowBlocks * colBlocks * sums)
	}
	a36 := make([][points]kernel.PackedA, rowBlocks)
	for pass := range passes {
		first := pass * perPass
		images := min(perPass, s.N-first)
		tiles := images * g.outPlane
		r.in.x, r.out.x = x[first*s.C*g.plane:], dy[first*s.M*size(s.Out):]
		for b := range a36 {
			for p := range points {
				a36[b][p] = t.MakePackedA(a[(b*points+p)*aSize:][:aSize], min(rows, s.M-b*rows), tiles, r.in.tiles[1])
			}
		}
		// One piece is a row of tiles of one panel.
		shape := &a36[0][0]
		count := images * r.in.tiles[0]
		pool.ForWorker((rowPanels+colPanels)*count, max(1, 1<<13/transforms), func(worker, lo, hi int) {
			mine := scratch[worker*each:][:transforms]
			for i := lo; i < hi; i++ {
				panel, image, row := i/count, i%count/r.in.tiles[0], i%r.in.tiles[0]
				q := (i % count) * r.in.tiles[1] // first tile
				side, width := &r.in, t.NR
				if panel >= colPanels {
					side, width, panel = &r.out, t.MR, panel-colPanels
				}
				half := side.half(mine, image, panel, row)
				for tile, n := 0, 0; tile < r.in.tiles[1]; tile += n {
					k0, k1 := shape.Span(shape.BlockOf(q + tile))
					n = min(r.in.tiles[1]-tile, k1-q-tile)
					if side == &r.in {
						side.points(v[k0*colPanels*width+(panel*(k1-k0)+q+tile-k0)*width:], vStep, half, tile, n)
						continue
					}
					b := panel / (rows / width)
					off := b*points*aSize + k0*a36[b][0].Panels()*width + (panel%(rows/width)*(k1-k0)+q+tile-k0)*width
					side.points(a[off:], aSize, half, tile, n)
				}
			}
		})
		pool.ForWorker(rowBlocks*colBlocks, 1, func(worker, lo, hi int) {
			m := t.TakeMultiplier()
			defer t.GiveMultiplier(m)
			mine := scratch[worker*each:][:each]
			for i := lo; i < hi; i++ {
				y := mine[:sums]
				if kept != nil {
					y = kept[i*sums:][:sums]
				}
				rest := mine[sums:]
				col := i / rowBlocks * cols
				n := min(cols, s.C-col)
				matrices := &a36[i%rowBlocks]
				for p := range points {
					out := kernel.Output{C: y[p*r.yStep:], LD: cols, Cols: cols}
					if pass > 0 {
						out.Res = out.C
					}
					for block := range matrices[p].Blocks() {
						k0, k1 := matrices[p].Span(block)
						m.Multiply(&matrices[p], block, 0, matrices[p].Panels(), v[p*vStep+k0*colPanels*t.NR+col*(k1-k0):], 0, n, rest, &out, &kernel.Epilogue{})
					}
				}
				if pass == passes-1 {
					r.finish(y, rest[:9*cols], i%rowBlocks*rows, matrices[0].Rows, col, n)
				}
			}
		})
	}
}

// winogradGrad is one computation of weights' gradients.
type winogradGrad struct {
	table      *kernel.Table
	s          *Shape
	in, out    planesOf
	rows, cols int // of a block of the products
	yStep      int // between the points' products
	dw         []float32
}

// finish transforms the products of a block back to weights' gradients.
func (r *winogradGrad) finish(y, stage []float32, row, rows, col, cols int) {
	var at [9]int
	var offs [points]int
	for tap := range at {
		at[tap] = tap * r.cols
	}
	for i := range rows {
		for tap := range at {
			c := &winogradBack[tap]
			for k, p := range c.of {
				offs[k] = p * r.yStep
			}
			r.table.Taps(stage[tap*r.cols:][:cols], y[i*r.cols:], offs[:len(c.of)], c.weights, 0)
		}
		r.table.Interleave(r.dw[((row+i)*r.s.C+col)*9:], 9, stage, at[:], cols)
	}
}

// winogradBack is the transpose of winogradTerms.
var winogradBack = func() (back [9]combination) {
	for p := range winogradTerms {
		for i, tap := range winogradTerms[p].taps {
			back[tap].of = append(back[tap].of, p)
			back[tap].weights = append(back[tap].weights, winogradTerms[p].weights[i])
		}
	}
	return back
}()
