package kernel

import (
	"sync"

	"github.com/onnxcnn/onnxcnn/internal/par"
)

// Source gives the right operand of a product panel by panel, so that it need not exist as a matrix.
type Source interface {
	// Pack writes rows [lo,hi) of columns [col,col+cols) as panels, one after the other, each of hi-lo rows of NR
	// values; columns that the last panel lacks are zero. worker tells calls apart that run at the same time.
	Pack(worker int, dst []float32, lo, hi, col, cols int)
}

const (
	blockB     = 64  // kibi-elements of packed B that a worker holds at a time, in the second-level cache
	sharedB    = 512 // kibi-elements of packed B that workers share where they divide the rows of A
	fewPanels  = 8   // panels of B a worker, under which rows are divided instead of columns
	moreRows   = 2   // and then only if there are so many times as many panels of A: else B goes from cache to cache for little
	leastRowsP = 4   // panels of A that a worker takes at least, where rows are divided
	leastColsP = 4   // panels of B, where columns are divided
)

// pieces returns how many of n panels a worker takes at a time, at least and at most. Where each worker would take few
// such pieces, one of them would often take one more than another: then all are of one size, one for each.
func pieces(n, least, most, threads int) (int, int) {
	if each := (n + threads - 1) / threads; each <= most && each < 2*least {
		return each, each
	}
	return min(least, most), most
}

// Product computes a times the columns [0,cols) that src packs, and stores the result with its epilogue. alloc gives
// scratch memory that is the caller's until Product returns.
func (t *Table) Product(pool *par.Pool, alloc func(int) []float32, a *PackedA, cols int, src Source, out *Output, ep *Epilogue) {
	if cols == 0 || a.Rows == 0 {
		return
	}
	panels := (cols + t.NR - 1) / t.NR
	if threads := pool.Threads(); threads > 1 && panels < fewPanels*threads && a.Panels() >= max(leastRowsP*threads, moreRows*panels) && panels*t.NR*a.K <= sharedB<<10 {
		t.byRows(pool, alloc, a, cols, src, out, ep)
		return
	}
	t.byColumns(pool, alloc, a, cols, src, out, ep)
}

// byColumns gives each worker blocks of columns; it packs them itself and multiplies them with all of a.
func (t *Table) byColumns(pool *par.Pool, alloc func(int) []float32, a *PackedA, cols int, src Source, out *Output, ep *Epilogue) {
	panels := (cols + t.NR - 1) / t.NR
	threads := pool.Threads()
	most := max(1, min(blockB<<10/(t.NR*max(a.blockK, 1)), (panels+threads-1)/threads))
	least, most := pieces(panels, leastColsP, most, threads)
	widest := most * t.NR
	sizeB := a.blockK * widest
	sizeAcc := 0
	if a.Blocks() > 1 {
		sizeAcc = t.AccSize(a.Rows, widest)
	}
	scratch := alloc(threads * (sizeB + sizeAcc))
	pool.Guided(panels, least, most, func(worker, first, end int) {
		m := t.TakeMultiplier()
		defer t.GiveMultiplier(m)
		mine := scratch[worker*(sizeB+sizeAcc):][:sizeB+sizeAcc]
		b, acc := mine[:sizeB], mine[sizeB:]
		col := first * t.NR
		n := min(end*t.NR, cols) - col
		for block := range a.Blocks() {
			lo, hi := a.Span(block)
			src.Pack(worker, b, lo, hi, col, n)
			m.Multiply(a, block, 0, a.Panels(), b, col, n, acc, out, ep)
		}
	})
}

// byRows packs all columns once, together, and then gives each worker rows of a: better where columns are few.
func (t *Table) byRows(pool *par.Pool, alloc func(int) []float32, a *PackedA, cols int, src Source, out *Output, ep *Epilogue) {
	panels := (cols + t.NR - 1) / t.NR
	threads := pool.Threads()
	width := panels * t.NR
	least, tallest := pieces(a.Panels(), leastRowsP, (a.Panels()+threads-1)/threads, threads)
	sizeAcc := 0
	if a.Blocks() > 1 {
		sizeAcc = t.AccSize(tallest*t.MR, width)
	}
	scratch := alloc(a.K*width + threads*sizeAcc)
	b, accs := scratch[:a.K*width], scratch[a.K*width:]
	pool.ForWorker(a.Blocks()*panels, max(1, 1<<13/(t.NR*max(a.blockK, 1))), func(worker, first, end int) {
		for i := first; i < end; i++ {
			lo, hi := a.Span(i / panels)
			j := i % panels
			src.Pack(worker, b[lo*width+j*t.NR*(hi-lo):][:t.NR*(hi-lo)], lo, hi, j*t.NR, min(t.NR, cols-j*t.NR))
		}
	})
	pool.Guided(a.Panels(), least, tallest, func(worker, first, end int) {
		m := t.TakeMultiplier()
		defer t.GiveMultiplier(m)
		acc := accs[worker*sizeAcc:][:sizeAcc]
		for block := range a.Blocks() {
			lo, _ := a.Span(block)
			m.Multiply(a, block, first, end, b[lo*width:], 0, cols, acc, out, ep)
		}
	})
}

// multipliers keeps multipliers between products, by table.
var multipliers sync.Map // *Table -> *sync.Pool

// TakeMultiplier returns a multiplier that nobody else uses until it is given back.
func (t *Table) TakeMultiplier() *Multiplier {
	p, ok := multipliers.Load(t)
	if !ok {
		p, _ = multipliers.LoadOrStore(t, &sync.Pool{New: func() any { return t.NewMultiplier() }})
	}
	return p.(*sync.Pool).Get().(*Multiplier)
}

// GiveMultiplier takes a multiplier back, without the matrices that it has worked on.
func (t *Table) GiveMultiplier(m *Multiplier) {
	m.tile = Tile{}
	p, _ := multipliers.Load(t)
	p.(*sync.Pool).Put(m)
}

// Matrix is a view of a slice: element (i,j) is Data[i*Row+j*Col].
type Matrix struct {
	Data     []float32
	Row, Col int
}

// matrixSource is the [Source] of a matrix.
type matrixSource struct {
	t *Table
	b Matrix
}

func (s *matrixSource) Pack(_ int, dst []float32, lo, hi, col, cols int) {
	k := hi - lo
	if k == 0 {
		return
	}
	for j := 0; j < cols; j += s.t.NR {
		panel := dst[j*k:][:k*s.t.NR]
		n := min(s.t.NR, cols-j)
		from := s.b.Data[lo*s.b.Row+(col+j)*s.b.Col:]
		if s.b.Col == 1 {
			s.t.PackB(panel, from, s.b.Row, k, n)
		} else {
			s.t.packColumns(panel, s.t.NR, from, s.b.Row, s.b.Col, k, n)
		}
	}
}

// fewRows is up to how many rows of A a product reads B straight from where it is: packing it would cost more.
const fewRows = 8

// Gemm computes out = epilogue(alpha*A·B) for A of m x k and B of k x n. alloc gives scratch memory that is the
// caller's until Gemm returns.
func (t *Table) Gemm(pool *par.Pool, alloc func(int) []float32, m, n, k int, alpha float32, a, b Matrix, out *Output, ep *Epilogue) {
	if m == 0 || n == 0 {
		return
	}
	if m <= fewRows && out.Cols >= n && k > 0 {
		switch {
		case b.Row == 1 && (n > 1 || b.Col == 1):
			t.gemmDots(pool, alloc, m, n, k, alpha, a, b, out, ep)
			return
		case b.Col == 1:
			t.gemmAxpy(pool, alloc, m, n, k, alpha, a, b, out, ep)
			return
		}
	}
	packed := t.PackA(pool, alloc(t.PackedSize(m, k)), a.Data, m, k, a.Row, a.Col, 1, alpha)
	t.Product(pool, alloc, &packed, n, &matrixSource{t, b}, out, ep)
}

// GemmPacked is Gemm for an A that is packed already.
func (t *Table) GemmPacked(pool *par.Pool, alloc func(int) []float32, n int, a *PackedA, b Matrix, out *Output, ep *Epilogue) {
	t.Product(pool, alloc, a, n, &matrixSource{t, b}, out, ep)
}

// rowsOf copies a times alpha so that its rows are contiguous and, to a multiple of pad, followed by rows of zeros.
func rowsOf(alloc func(int) []float32, a Matrix, m, k, pad int, alpha float32) []float32 {
	rows := (m + pad - 1) / pad * pad
	x := alloc(rows * k)
	for i := range m {
		row := x[i*k:][:k]
		for l := range row {
			row[l] = alpha * a.Data[i*a.Row+l*a.Col]
		}
	}
	clear(x[m*k:])
	return x
}

// gemmDots is Gemm for few rows and a B whose columns are contiguous: scalar products that read B once, in its order.
func (t *Table) gemmDots(pool *par.Pool, alloc func(int) []float32, m, n, k int, alpha float32, a, b Matrix, out *Output, ep *Epilogue) {
	if m <= 2 {
		t.gemmVectors(pool, alloc, m, n, k, alpha, a, b, out, ep)
		return
	}
	x := rowsOf(alloc, a, m, k, 4, alpha)
	pairs := (n + 1) / 2
	pool.For(pairs, max(1, 1<<14/k), func(lo, hi int) {
		var sums [8]float32
		for p := lo; p < hi; p++ {
			j := 2 * p
			ldw := b.Col
			if j+1 == n {
				ldw = 0 // the last column twice
			}
			for i := 0; i < m; i += 4 {
				t.Dots(&sums, x[i*k:], k, b.Data[j*b.Col:], ldw, k)
				for r := range min(4, m-i) {
					for c := range min(2, n-j) {
						out.C[(i+r)*out.LD+j+c] = sums[2*r+c]
					}
				}
			}
		}
		for i := range m {
			t.finish(out, ep, i, 2*lo, min(2*hi, n))
		}
	})
}

// gemmVectors is gemmDots for one row or two: four columns of B at a time, since all of the work is to read them.
func (t *Table) gemmVectors(pool *par.Pool, alloc func(int) []float32, m, n, k int, alpha float32, a, b Matrix, out *Output, ep *Epilogue) {
	x := rowsOf(alloc, a, m, k, 1, alpha)
	ldx := (m - 1) * k // one row is taken twice
	pool.For((n+3)/4, max(1, 1<<14/k), func(lo, hi int) {
		var sums [8]float32
		for j := 4 * lo; j < min(4*hi, n); {
			have, step := 4, b.Col
			if n-j < have {
				have, step = 1, 0
			}
			t.Dots(&sums, b.Data[j*b.Col:], step, x, ldx, k)
			for c := range have {
				for i := range m {
					out.C[i*out.LD+j+c] = sums[2*c+i]
				}
			}
			j += have
		}
		for i := range m {
			t.finish(out, ep, i, 4*lo, min(4*hi, n))
		}
	})
}

// gemmAxpy is Gemm for few rows and a B whose rows are contiguous: multiples of its rows are added up.
func (t *Table) gemmAxpy(pool *par.Pool, alloc func(int) []float32, m, n, k int, alpha float32, a, b Matrix, out *Output, ep *Epilogue) {
	const width = 512 // columns a piece: their sums stay in the first-level cache
	x := rowsOf(alloc, a, m, k, 1, alpha)
	pool.For((n+width-1)/width, 1, func(first, end int) {
		for piece := first; piece < end; piece++ {
			lo, hi := piece*width, min((piece+1)*width, n)
			for i := range m {
				clear(out.C[i*out.LD+lo : i*out.LD+hi])
			}
			for l := 0; l < k; l += 4 {
				for i := range m {
					var f [4]float32
					c := copy(f[:], x[i*k+l:(i+1)*k])
					dst := out.C[i*out.LD+lo : i*out.LD+hi]
					if c == 4 {
						t.Axpy4(dst, b.Data[l*b.Row+lo:], b.Row, &f)
						continue
					}
					for r := range c {
						for j, v := range b.Data[(l+r)*b.Row+lo:][:len(dst)] {
							dst[j] += f[r] * v
						}
					}
				}
			}
			for i := range m {
				t.finish(out, ep, i, lo, hi)
			}
		}
	})
}

// finish applies an epilogue to columns [lo,hi) of a row that hold plain sums.
func (t *Table) finish(out *Output, ep *Epilogue, row, lo, hi int) {
	if lo >= hi {
		return
	}
	c := out.C[row*out.LD+lo : row*out.LD+hi]
	if ep.RowBias != nil {
		t.ScaleShift(c, c, 1, ep.RowBias[row])
	}
	if ep.ColBias != nil {
		t.Add(c, c, ep.ColBias[lo:hi])
	}
	if out.Res != nil {
		t.Add(c, c, out.Res[row*out.LD+lo:row*out.LD+hi])
	}
	t.Apply(ep.Act, c)
}
