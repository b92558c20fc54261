package kernel

import (
	"math"
	"unsafe"
)

// ColumnNorm normalises the first n columns of a matrix of len(scale) rows, ld elements apart:
//
//	dst[i*ld+j] = (src[i*ld+j] - mean(j)) / sqrt(variance(j) + epsilon) * scale[i] + shift[i]
//
// where the variance divides by the number of rows. dst may be src.
func (t *Table) ColumnNorm(dst, src []float32, ld, n int, scale, shift []float32, epsilon float32) {
	rows := len(scale)
	if rows == 0 || n <= 0 {
		return
	}
	_, _, _ = dst[(rows-1)*ld+n-1], src[(rows-1)*ld+n-1], shift[rows-1]
	t.columnNorm(&dst[0], &src[0], ld, rows, n, &scale[0], &shift[0], epsilon)
}

func genericColumnNorm(dst, src *float32, ld, rows, n int, scale, shift *float32, epsilon float32) {
	const width = 16 // columns at a time
	var mean, factor [width]float32
	for j := 0; j < n; j += width {
		w := min(width, n-j)
		row := func(p *float32, i int) []float32 { return unsafe.Slice(at(p, i*ld+j), w) }
		clear(mean[:])
		clear(factor[:])
		for i := range rows {
			for k, v := range row(src, i) {
				mean[k] += v
			}
		}
		for k := range mean {
			mean[k] /= float32(rows)
		}
		for i := range rows {
			for k, v := range row(src, i) {
				factor[k] += (v - mean[k]) * (v - mean[k])
			}
		}
		for k := range factor {
			factor[k] = 1 / float32(math.Sqrt(float64(factor[k]/float32(rows)+epsilon)))
		}
		for i := range rows {
			f, s, to := *at(scale, i), *at(shift, i), row(dst, i)
			for k, v := range row(src, i) {
				to[k] = (v-mean[k])*factor[k]*f + s
			}
		}
	}
}
