package kernel

import "unsafe"

// genericSum has four sums, so that an addition need not wait for the one before.
func genericSum(x []float32) float64 {
	var a, b, c, d float64
	for len(x) >= 4 {
		a += float64(x[0])
		b += float64(x[1])
		c += float64(x[2])
		d += float64(x[3])
		x = x[4:]
	}
	for _, v := range x {
		a += float64(v)
	}
	return (a + b) + (c + d)
}

func genericLargest(x []float32) float32 {
	most := -inf32
	for _, v := range x {
		if v > most || v != v {
			most = v
		}
	}
	return most
}

func genericDistance(x []float32, m float64) float64 {
	var a, b float64
	for len(x) >= 2 {
		d, e := float64(x[0])-m, float64(x[1])-m
		a += d * d
		b += e * e
		x = x[2:]
	}
	for _, v := range x {
		d := float64(v) - m
		a += d * d
	}
	return a + b
}

// AffineRows computes dst = min(max(dst*scale[i] + shift[i], lo), hi) for the rows i, of NR elements each, of a panel.
func (t *Table) AffineRows(dst, scale, shift []float32, lo, hi float32) {
	rows := len(scale)
	if rows == 0 {
		return
	}
	_, _ = dst[rows*t.NR-1], shift[rows-1]
	t.affineRows(&dst[0], rows, t.NR, &scale[0], &shift[0], lo, hi)
}

func genericAffineRows(dst *float32, rows, width int, scale, shift *float32, lo, hi float32) {
	for i := range rows {
		f, s := *at(scale, i), *at(shift, i)
		row := unsafe.Slice(at(dst, i*width), width)
		for j, v := range row {
			row[j] = clamp(v*f+s, lo, hi)
		}
	}
}
