package kernel

import "github.com/onnxcnn/onnxcnn/internal/par"

// The product C = A·B is cut into blocks so that what the microkernel reads again and again stays in the caches: a
// panel of B (blockK rows of NR columns) in the first level, blockRows rows of a block of A in the second. See Goto and
// van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), and the BLIS papers.
const (
	blockA   = 192 / 4 // kibi-elements of A in the second-level cache
	alignOfK = 8
)

// PackedA is a matrix of Rows x K, packed for [Multiplier.Multiply]: cut along K into blocks, each block into panels
// of MR rows, and each panel stored column by column. Rows that a panel lacks are zero.
type PackedA struct {
	Rows, K int
	blockK  int
	mr      int
	data    []float32
}

// Blocks returns the number of blocks along K; at least 1, so that an empty sum is still written.
func (a *PackedA) Blocks() int { return max(1, (a.K+a.blockK-1)/max(a.blockK, 1)) }

// Panels returns the number of panels.
func (a *PackedA) Panels() int { return (a.Rows + a.mr - 1) / a.mr }

// Span returns the columns [lo,hi) of a block.
func (a *PackedA) Span(block int) (lo, hi int) {
	return min(block*a.blockK, a.K), min((block+1)*a.blockK, a.K)
}

// chooseBlockK cuts k into equal parts of at most about most, multiples of unit where that is small.
func chooseBlockK(k, unit, most int) int {
	if k <= most {
		return max(k, 1)
	}
	if unit > most/4 {
		unit = alignOfK
	}
	parts := (k + most - 1) / most
	size := (k + parts - 1) / parts
	return (size + unit - 1) / unit * unit
}

// PackedSize returns how many elements [Table.PackA] needs for a matrix of that size.
func (t *Table) PackedSize(rows, k int) int { return (rows + t.MR - 1) / t.MR * t.MR * k }

// PackA packs alpha*A into data, which has PackedSize elements. Element (i,l) of A is a[i*ldRow+l*ldCol]. Blocks along
// K are multiples of unit, where that makes them not much longer.
func (t *Table) PackA(pool *par.Pool, data, a []float32, rows, k, ldRow, ldCol, unit int, alpha float32) PackedA {
	p := PackedA{Rows: rows, K: k, blockK: chooseBlockK(k, max(unit, 1), t.blockK), mr: t.MR, data: data}
	if k == 0 || rows == 0 {
		return p
	}
	pool.For(p.Panels(), max(1, 1<<14/(k*t.MR)), func(first, end int) {
		for b := range p.Blocks() {
			lo, hi := p.Span(b)
			for i := first; i < end; i++ {
				r := i * t.MR
				panel := data[p.offset(i, lo, hi):][:(hi-lo)*t.MR]
				t.packColumns(panel, t.MR, a[r*ldRow+lo*ldCol:], ldCol, ldRow, hi-lo, min(t.MR, rows-r))
				if alpha != 1 {
					t.ScaleShift(panel, panel, alpha, 0)
				}
			}
		}
	})
	return p
}

// offset says where panel i of a block that spans lo..hi starts.
func (a *PackedA) offset(i, lo, hi int) int { return lo*a.Panels()*a.mr + i*a.mr*(hi-lo) }

// panel returns panel i of a block that spans lo..hi.
func (a *PackedA) panel(i, lo, hi int) *float32 {
	if hi == lo {
		return nil
	}
	return &a.data[a.offset(i, lo, hi)]
}

// Output says where the columns of a product lie: column q of row i at C[(q/Cols)*Image + i*LD + q%Cols], as a batch
// of images in NCHW order has it with one row a channel. A plain matrix has one image.
type Output struct {
	C     []float32
	Res   []float32 // values of the same layout to add, or nil
	LD    int
	Cols  int
	Image int
}

// Epilogue is what happens to a product before it is stored.
type Epilogue struct {
	RowBias []float32 // one a row, or nil
	ColBias []float32 // one a column, or nil
	Act     Activation
}

// Multiplier multiplies packed blocks. Each worker has its own.
type Multiplier struct {
	table *Table
	tile  Tile
	c     []float32 // tiles that do not fit into the output
	res   []float32 // what is added to them
	bias  []float32 // their row bias, then their column bias
}

// An activation is applied to a group of panels of B at a time: few enough that the output is still in the cache, and
// enough for runs of some length.
const (
	activated             = 32 // kibi-elements of output
	leastGroup, mostGroup = 4, 16
)

// edgePanels is how many tiles that do not fit into the output are computed at a time.
const edgePanels = 8

// NewMultiplier returns a multiplier of this table's kernels.
func (t *Table) NewMultiplier() *Multiplier {
	m := &Multiplier{table: t}
	rows := edgePanels * t.MR
	buf := make([]float32, 2*rows*t.NR+rows+t.NR)
	m.c, buf = buf[:rows*t.NR], buf[rows*t.NR:]
	m.res, m.bias = buf[:rows*t.NR], buf[rows*t.NR:]
	return m
}

// AccSize returns how many elements the partial sums of rows x cols take.
func (t *Table) AccSize(rows, cols int) int {
	return (rows + t.MR - 1) / t.MR * t.MR * ((cols + t.NR - 1) / t.NR * t.NR)
}

// Multiply adds one block of the sums over K to the product of rows [panelLo*MR, panelHi*MR) of a and the columns
// [col, col+cols), whose panels of B for this block lie in b one after the other. Blocks are taken in order; between
// them the sums are kept in acc, which has AccSize elements for the rows and columns of the call (none are needed where
// there is one block). With the last block, the result is finished and stored.
func (m *Multiplier) Multiply(a *PackedA, block, panelLo, panelHi int, b []float32, col, cols int, acc []float32, out *Output, ep *Epilogue) {
	t := m.table
	lo, hi := a.Span(block)
	kc := hi - lo
	last := block == a.Blocks()-1
	perL2 := max(1, blockA<<10/(t.MR*max(kc, 1)))
	tileSize := t.MR * t.NR
	nPanels := (cols + t.NR - 1) / t.NR
	m.tile.K = kc
	m.tile.Lo, m.tile.Hi, m.tile.Clamp = 0, 0, 0
	if l, h, ok := ep.Act.Limits(); ok && last && ep.Act.Kind != Identity {
		m.tile.Lo, m.tile.Hi, m.tile.Clamp = l, h, 1
	}
	apart := last && ep.Act.Kind != Identity && m.tile.Clamp == 0 // a function of its own, which wants long runs
	step := nPanels * tileSize
	// start makes panel p of A and column j the first tile.
	start := func(p, j int) {
		m.tile.A = a.panel(p, lo, hi)
		m.tile.Acc = nil
		if block > 0 {
			m.tile.Acc, m.tile.AccStep = &acc[(p-panelLo)*step+j*tileSize], step
		}
	}
	for p0 := panelLo; p0 < panelHi; p0 += perL2 {
		p1 := min(p0+perL2, panelHi)
		group := min(max(activated<<10/((p1-p0)*tileSize), leastGroup), mostGroup)
		for j := range nPanels {
			q := col + j*t.NR
			width := min(t.NR, cols-j*t.NR)
			m.tile.B = nil
			if kc > 0 {
				m.tile.B = &b[j*kc*t.NR]
			}
			p := p0
			switch {
			case !last:
				start(p, j)
				m.tile.C, m.tile.LDC, m.tile.CStep = &acc[(p-panelLo)*step+j*tileSize], t.NR, step
				m.tile.RowBias, m.tile.ColBias, m.tile.Res = nil, nil, nil
				m.tile.Panels = p1 - p
				t.pick(t.MR, width)(&m.tile)
				p = p1
			case width == t.NR && q%out.Cols+width <= out.Cols:
				if n := min(p1, a.Rows/t.MR) - p; n > 0 {
					start(p, j)
					m.whole(p*t.MR, n, t.MR, q, out, ep)
					p += n
				}
				if left := a.Rows - p*t.MR; p < p1 && t.exactly(left) {
					start(p, j)
					m.whole(p*t.MR, 1, left, q, out, ep)
					p++
				}
			}
			for ; p < p1; p += edgePanels {
				start(p, j)
				n := min(edgePanels, p1-p)
				m.edge(p*t.MR, min(n*t.MR, a.Rows-p*t.MR), n, q, width, out, ep)
			}
			if from := j / group * group; apart && (j-from == group-1 || j == nPanels-1) {
				m.activate(p0*t.MR, min(p1*t.MR, a.Rows), col+from*t.NR, q+width, out, ep.Act)
			}
		}
	}
}

// activate applies a function to rows [top,bottom) of columns [lo,hi) of the output.
func (m *Multiplier) activate(top, bottom, lo, hi int, out *Output, act Activation) {
	m.eachRun(lo, hi-lo, out, func(_, n, off int) {
		if n == out.LD { // rows that lie one behind the other
			m.table.Apply(act, out.C[off+top*n:off+bottom*n])
			return
		}
		for row := top; row < bottom; row++ {
			m.table.Apply(act, out.C[off+row*out.LD:][:n])
		}
	})
}

// pick returns the smallest microkernel for a tile of that many rows and columns.
func (t *Table) pick(rows, cols int) func(*Tile) {
	for i := range t.tiles {
		if k := &t.tiles[i]; rows <= k.rows && cols <= k.cols {
			return k.run
		}
	}
	return t.tiles[len(t.tiles)-1].run
}

// exactly reports whether there is a microkernel for a tile of that many rows and no more.
func (t *Table) exactly(rows int) bool {
	for i := range t.tiles {
		if t.tiles[i].rows == rows {
			return true
		}
	}
	return false
}

// whole finishes n tiles of each rows from a row on that lie in the output as a whole.
func (m *Multiplier) whole(row, n, each, col int, out *Output, ep *Epilogue) {
	t := m.table
	rows := n * each
	off := col/out.Cols*out.Image + col%out.Cols + row*out.LD
	_ = out.C[off+(rows-1)*out.LD+t.NR-1]
	m.tile.C, m.tile.LDC, m.tile.CStep = &out.C[off], out.LD, t.MR*out.LD
	m.tile.RowBias, m.tile.ColBias, m.tile.Res = nil, nil, nil
	if ep.RowBias != nil {
		_ = ep.RowBias[row+rows-1]
		m.tile.RowBias = &ep.RowBias[row]
	}
	if ep.ColBias != nil {
		_ = ep.ColBias[col+t.NR-1]
		m.tile.ColBias = &ep.ColBias[col]
	}
	if out.Res != nil {
		_ = out.Res[off+(rows-1)*out.LD+t.NR-1]
		m.tile.Res, m.tile.LDRes, m.tile.ResStep = &out.Res[off], out.LD, t.MR*out.LD
	}
	m.tile.Panels = n
	t.pick(each, t.NR)(&m.tile)
}

// edge finishes up to edgePanels tiles of which the last may lack rows, which all may lack columns, or whose columns lie
// in several images, through tiles of its own.
func (m *Multiplier) edge(row, rows, n, col, cols int, out *Output, ep *Epilogue) {
	t := m.table
	m.tile.C, m.tile.LDC, m.tile.CStep = &m.c[0], t.NR, t.MR*t.NR
	m.tile.RowBias, m.tile.ColBias, m.tile.Res = nil, nil, nil
	if ep.RowBias != nil {
		copy(m.bias, ep.RowBias[row:][:rows])
		m.tile.RowBias = &m.bias[0]
	}
	if ep.ColBias != nil {
		columns := m.bias[edgePanels*t.MR:]
		copy(columns, ep.ColBias[col:][:cols])
		m.tile.ColBias = &columns[0]
	}
	if out.Res != nil {
		m.eachRun(col, cols, out, func(lane, n, off int) {
			t.CopyRows(m.res[lane:], t.NR, out.Res[off+row*out.LD:], out.LD, rows, n)
		})
		m.tile.Res, m.tile.LDRes, m.tile.ResStep = &m.res[0], t.NR, t.MR*t.NR
	}
	m.tile.Panels = n
	t.pick(min(rows, t.MR), cols)(&m.tile)
	m.eachRun(col, cols, out, func(lane, n, off int) {
		t.CopyRows(out.C[off+row*out.LD:], out.LD, m.c[lane:], t.NR, rows, n)
	})
}

// eachRun calls f for the parts of columns [col,col+cols) that lie in one image each: the first lane, how many, and
// where they start in row 0.
func (m *Multiplier) eachRun(col, cols int, out *Output, f func(lane, n, off int)) {
	for lane := 0; lane < cols; {
		image, at := (col+lane)/out.Cols, (col+lane)%out.Cols
		n := min(cols-lane, out.Cols-at)
		f(lane, n, image*out.Image+at)
		lane += n
	}
}
