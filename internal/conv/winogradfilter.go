package conv

import (
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// filters says where the 3x3 filters of a convolution lie: that of output m and input c at w[m*row+c*col].
type filters struct {
	w        []float32
	m, c     int
	row, col int
	reversed bool // each filter's elements are in reverse order
}

// newWinogradFilter transforms many filters at once, in single precision. The elements of the filters are first put
// where those of the packed matrices go, element by element of the 3x3; each of the 36 matrices is then a sum of
// multiples of these nine. alloc gives the memory that the result lies in.
func newWinogradFilter(t *kernel.Table, pool *par.Pool, alloc func(int) []float32, w *filters) *winogradFilter {
	f := newWinogradBlocks(t, w.m)
	each := t.PackedSize(f.rows, w.c)
	data := alloc(len(f.blocks) * points * each)
	nine := make([]float32, pool.Threads()*9*each) // not from alloc: the result may be kept
	pool.ForWorker(len(f.blocks), 1, func(worker, lo, hi int) {
		mine := nine[worker*9*each:][:9*each]
		for b := lo; b < hi; b++ {
			first := f.first[b]
			rows := f.first[b+1] - first
			size := t.PackedSize(rows, w.c)
			w.separate(t, mine, each, first, rows)
			for p := range points {
				dst := data[(b*points+p)*each:][:size]
				term := &winogradTerms[p]
				var offs [9]int
				for i, tap := range term.taps {
					offs[i] = tap * each
				}
				t.Taps(dst, mine, offs[:len(term.taps)], term.weights, 0)
				f.blocks[b][p] = t.MakePackedA(dst, rows, w.c, 1)
			}
		}
	})
	return f
}

// separate writes the nine elements of the filters of outputs [first,first+rows) to nine packed matrices, each apart.
func (w *filters) separate(t *kernel.Table, dst []float32, each, first, rows int) {
	a := t.MakePackedA(dst[:each], rows, w.c, 1)
	if rows%t.MR != 0 {
		clear(dst)
	}
	for i := range a.Panels() {
		for block := range a.Blocks() {
			lo, hi := a.Span(block)
			off := lo*a.Panels()*t.MR + i*t.MR*(hi-lo)
			have := min(t.MR, rows-i*t.MR)
			for c := lo; c < hi; c++ {
				src := w.w[(first+i*t.MR)*w.row+c*w.col:]
				d := dst[off+(c-lo)*t.MR:]
				if w.reversed {
					for r := range have {
						v := (*[9]float32)(src[r*w.row:])
						_ = d[8*each+r]
						for j := range 9 {
							d[j*each+r] = v[8-j]
						}
					}
					continue
				}
				d0, d1, d2, d3, d4 := d[:have], d[each:][:have], d[2*each:][:have], d[3*each:][:have], d[4*each:][:have]
				d5, d6, d7, d8 := d[5*each:][:have], d[6*each:][:have], d[7*each:][:have], d[8*each:][:have]
				for r := range d0 {
					v := (*[9]float32)(src[r*w.row:])
					d0[r], d1[r], d2[r], d3[r], d4[r] = v[0], v[1], v[2], v[3], v[4]
					d5[r], d6[r], d7[r], d8[r] = v[5], v[6], v[7], v[8]
				}
			}
		}
	}
}

// winogradTerms are the rows of the transform of filters as a whole: which elements of a filter, and how often, make
// each of the 36 transformed ones.
var winogradTerms = func() (terms [points]struct {
	taps    []int
	weights []float32
}) {
	var u [points]float32
	for tap := range 9 {
		var one [9]float32
		one[tap] = 1
		kernel.WinogradFilter(&u, one[:])
		for p, v := range u {
			if v != 0 {
				terms[p].taps = append(terms[p].taps, tap)
				terms[p].weights = append(terms[p].weights, v)
			}
		}
	}
	return terms
}()
