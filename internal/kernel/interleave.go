package kernel

import (
	"unsafe"

	"github.com/onnxcnn/onnxcnn/internal/par"
)

// Interleave writes n rows whose columns are read from separate places: column l of row i, which is dst[i*width+l],
// becomes src[at[l]+i], and zero where at[l] is negative.
func (t *Table) Interleave(dst []float32, width int, src []float32, at []int, n int) {
	if n <= 0 || len(at) == 0 {
		return
	}
	_ = dst[(n-1)*width+len(at)-1]
	for l := 0; l < len(at); {
		if at[l] < 0 {
			for i := range n {
				dst[i*width+l] = 0
			}
			l++
			continue
		}
		together := 1 // columns with a source from here on, 4 at most
		for together < 4 && l+together < len(at) && at[l+together] >= 0 {
			together++
		}
		row := func(j int) *float32 { return unsafe.SliceData(src[at[l+j]:][:n]) }
		switch {
		case together == 4:
			t.interleave4(&dst[l], width, row(0), row(1), row(2), row(3), n)
			l += 4
		case together >= 2:
			t.interleave2(&dst[l], width, row(0), row(1), n)
			l += 2
		default:
			for i, v := range src[at[l]:][:n] {
				dst[i*width+l] = v
			}
			l++
		}
	}
}

func genericInterleave4(dst *float32, width int, a, b, c, d *float32, n int) {
	y, z, w := unsafe.Slice(b, n), unsafe.Slice(c, n), unsafe.Slice(d, n)
	for i, x := range unsafe.Slice(a, n) {
		*(*[4]float32)(unsafe.Pointer(at(dst, i*width))) = [4]float32{x, y[i], z[i], w[i]}
	}
}

func genericInterleave2(dst *float32, width int, a, b *float32, n int) {
	y := unsafe.Slice(b, n)
	for i, x := range unsafe.Slice(a, n) {
		*(*[2]float32)(unsafe.Pointer(at(dst, i*width))) = [2]float32{x, y[i]}
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
