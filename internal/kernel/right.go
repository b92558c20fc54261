package kernel

import "github.com/onnxcnn/onnxcnn/internal/par"

// Right is the right operand of products with one matrix and many others, K x Cols, packed once in panels: see
// [Table.PackRight].
type Right struct {
	K, Cols int
	data    []float32
}

// RightSize returns how many elements [Table.PackRight] needs for a matrix of k rows and cols columns.
func (t *Table) RightSize(k, cols int) int { return (cols + t.NR - 1) / t.NR * t.NR * k }

// PackRight packs a matrix of k rows into data, which has RightSize elements: element (l,j) is b[l*ld+j].
func (t *Table) PackRight(pool *par.Pool, data, b []float32, ld, k, cols int) Right {
	r := Right{K: k, Cols: cols, data: data}
	panels := (cols + t.NR - 1) / t.NR
	width := panels * t.NR
	a := t.PackA(nil, nil, nil, 0, k, 0, 0, 1, 1) // for its blocks
	if k == 0 {
		return r
	}
	pool.For(panels, max(1, 1<<14/(k*t.NR)), func(first, end int) {
		for block := range a.Blocks() {
			lo, hi := a.Span(block)
			for j := first; j < end; j++ {
				t.PackB(data[lo*width+j*t.NR*(hi-lo):], b[lo*ld+j*t.NR:], ld, hi-lo, min(t.NR, cols-j*t.NR))
			}
		}
	})
	return r
}

// MultiplyRight computes out = epilogue(A·r) for a matrix A of m rows. alloc gives scratch memory that is the caller's
// until it returns.
func (t *Table) MultiplyRight(pool *par.Pool, alloc func(int) []float32, m int, a Matrix, r *Right, out *Output, ep *Epilogue) {
	if m == 0 || r.Cols == 0 {
		return
	}
	packed := t.PackA(pool, alloc(t.PackedSize(m, r.K)), a.Data, m, r.K, a.Row, a.Col, 1, 1)
	panels := (r.Cols + t.NR - 1) / t.NR
	width := panels * t.NR
	const most = 16
	sizeAcc := 0
	if packed.Blocks() > 1 {
		sizeAcc = t.AccSize(m, most*t.NR)
	}
	accs := alloc(pool.Threads() * sizeAcc)
	pool.Guided(panels, max(1, min(most, 1<<15/(m*max(r.K, 1)*t.NR))), most, func(worker, first, end int) {
		multiplier := t.TakeMultiplier()
		defer t.GiveMultiplier(multiplier)
		acc := accs[worker*sizeAcc:][:sizeAcc]
		col := first * t.NR
		for block := range packed.Blocks() {
			lo, hi := packed.Span(block)
			var b []float32
			if hi > lo {
				b = r.data[lo*width+first*t.NR*(hi-lo):]
			}
			multiplier.Multiply(&packed, block, 0, packed.Panels(), b, col, min(end*t.NR, r.Cols)-col, acc, out, ep)
		}
	})
}
