package kernel

import (
	"unsafe"

	"github.com/onnxcnn/onnxcnn/internal/par"
)

// Interleave writes n rows whose columns are read from separate places: column l of row i, which is dst[i*width+l],
// becomes src[at[l]+i], and zero where at[l] is negative.
func (t *Table) Interleave(dst []float32, width int, src []float32, at []int, n int) {
	if n <= 0 {
		return
	}
	l := 0
	for ; l+4 <= len(at); l += 4 {
		if at[l] < 0 || at[l+1] < 0 || at[l+2] < 0 || at[l+3] < 0 {
			for i := range 4 {
				interleaveOne(dst[l+i:], width, src, at[l+i], n)
			}
			continue
		}
		interleaveFour(dst[l:], width, src[at[l]:][:n], src[at[l+1]:][:n], src[at[l+2]:][:n], src[at[l+3]:][:n])
	}
	for ; l < len(at); l++ {
		interleaveOne(dst[l:], width, src, at[l], n)
	}
}

func interleaveOne(dst []float32, width int, src []float32, at, n int) {
	if at < 0 {
		for i := range n {
			dst[i*width] = 0
		}
		return
	}
	for i, v := range src[at:][:n] {
		dst[i*width] = v
	}
}

func interleaveFour(dst []float32, width int, a, b, c, d []float32) {
	n := len(a)
	b, c, d = b[:n], c[:n], d[:n]
	_ = dst[(n-1)*width+3]
	p := unsafe.Pointer(unsafe.SliceData(dst))
	for i, v := range a {
		q := (*[4]float32)(unsafe.Add(p, i*width*4))
		q[0], q[1], q[2], q[3] = v, b[i], c[i], d[i]
	}
}

// PackRows packs a matrix of rows x images*n for [Multiplier.Multiply], as [Table.PackA] does: row i holds, one after
// the other, a[i*n:][:n] of each image, which are image elements apart.
func (t *Table) PackRows(pool *par.Pool, data, a []float32, rows, images, n, image int) PackedA {
	k := images * n
	p := PackedA{Rows: rows, K: k, blockK: chooseBlockK(k, 1, t.blockK), mr: t.MR, data: data}
	if k == 0 || rows == 0 {
		return p
	}
	pool.For(p.Panels(), max(1, 1<<14/(k*t.MR)), func(first, end int) {
		var at [MaxNR]int
		for i := first; i < end; i++ {
			r := i * t.MR
			have := min(t.MR, rows-r)
			for b := range p.Blocks() {
				lo, hi := p.Span(b)
				panel := data[p.offset(i, lo, hi):][:(hi-lo)*t.MR]
				for q := lo; q < hi; {
					from := q % n
					length := min(n-from, hi-q)
					for j := range t.MR {
						at[j] = -1
						if j < have {
							at[j] = q/n*image + (r+j)*n + from
						}
					}
					t.Interleave(panel[(q-lo)*t.MR:], t.MR, a, at[:t.MR], length)
					q += length
				}
			}
		}
	})
	return p
}

// MakePackedA returns a matrix of rows x k whose panels the caller fills in; data has PackedSize elements. Blocks along
// K are as [Table.PackA] makes them.
func (t *Table) MakePackedA(data []float32, rows, k, unit int) PackedA {
	return PackedA{Rows: rows, K: k, blockK: chooseBlockK(k, max(unit, 1), t.blockK), mr: t.MR, data: data}
}

// BlockOf returns the block along K that column k is in.
func (a *PackedA) BlockOf(k int) int { return k / a.blockK }
