package kernel

// The transforms of Winograd's convolution F(4x4, 3x3): a tile of 4x4 outputs takes 36 multiplications a channel
// instead of 144. With the interpolation points 0, 1, -1, 2, -2 and infinity:
//
//	output tile = AT·[(G·filter·G^T) ⊙ (BT·input tile·B)]·A
//
// See Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015).
const (
	WinogradTile   = 4  // outputs of a tile along each axis
	WinogradInputs = 6  // inputs that they need along each axis
	WinogradPoints = 36 // elements of a transformed tile

	WinogradGroup = 8                         // tiles that are transformed at a time
	WinogradTmp   = 6 * (4*WinogradGroup + 8) // elements of memory that this takes
)

// WinogradFilter transforms a 3x3 filter: u = G·w·G^T.
func WinogradFilter(u *[WinogradPoints]float32, w []float32) {
	g := func(a, b, c float64) [WinogradInputs]float64 {
		return [WinogradInputs]float64{a / 4, -(a + b + c) / 6, (b - a - c) / 6, (a+4*c)/24 + b/12, (a+4*c)/24 - b/12, c}
	}
	var t [3][WinogradInputs]float64 // transformed columns
	for j := range t {
		t[j] = g(float64(w[j]), float64(w[3+j]), float64(w[6+j]))
	}
	for i := range WinogradInputs {
		for j, v := range g(t[0][i], t[1][i], t[2][i]) {
			u[i*WinogradInputs+j] = float32(v)
		}
	}
}

// WinogradInput computes BT·d·B for n neighbouring tiles: element (i,j) of tile l is src[i*ld+4*l+j], and of its
// transform dst[(6*i+j)*step+l]. Tiles are transformed in groups of WinogradGroup; those that the last group lacks are
// read and written too, whatever they are: src[5*ld+4*t+7] and dst[35*step+t-1] exist, t being n rounded up.
// tmp has WinogradTmp elements.
func (t *Table) WinogradInput(dst []float32, step int, src []float32, ld, n int, tmp []float32) {
	if n > 0 {
		tiles := (n + WinogradGroup - 1) / WinogradGroup * WinogradGroup
		// Slices and not elements, which another worker may be writing.
		_, _, _ = dst[(WinogradPoints-1)*step+tiles:], src[(WinogradInputs-1)*ld+WinogradTile*tiles+8:], tmp[WinogradTmp:]
		t.winogradInput(&dst[0], step, &src[0], ld, n, &tmp[0])
	}
}

// WinogradOutput computes AT·m·A for n tiles at once: element (i,j) of tile l is src[(6*i+j)*step+l], and output (i,j)
// of it, plus bias and limited to lo..hi, becomes dst[(i*n+l)*4+j]. It overwrites src. n is a multiple of NR.
func (t *Table) WinogradOutput(dst, src []float32, step, n int, bias, lo, hi float32) {
	if n > 0 {
		_, _ = dst[16*n-1], src[(WinogradPoints-1)*step+n-1]
		t.winogradOutput(&dst[0], &src[0], step, n, bias, lo, hi)
	}
}

func genericWinogradInput(dst *float32, step int, src *float32, ld, n int, tmp *float32) {
	six := func(p *float32, ps int, q *float32, qs int) {
		d0, d1, d2, d3, d4, d5 := *p, *at(p, ps), *at(p, 2*ps), *at(p, 3*ps), *at(p, 4*ps), *at(p, 5*ps)
		a, b := d4-4*d2, d3-4*d1
		c, e := d4-d2, 2*(d3-d1)
		*q, *at(q, qs), *at(q, 2*qs), *at(q, 3*qs), *at(q, 4*qs), *at(q, 5*qs) = 4*d0-5*d2+d4, a+b, a-b, c+e, c-e, 4*d1-5*d3+d5
	}
	for l := range n {
		for j := range WinogradInputs {
			six(at(src, WinogradTile*l+j), ld, at(tmp, j), WinogradInputs)
		}
		for i := range WinogradInputs {
			six(at(tmp, WinogradInputs*i), 1, at(dst, WinogradInputs*i*step+l), step)
		}
	}
}

func genericWinogradOutput(dst, src *float32, step, n int, bias, lo, hi float32) {
	six := func(p *float32, ps int) (y0, y1, y2, y3 float32) {
		m1, m2, m3, m4 := *at(p, ps), *at(p, 2*ps), *at(p, 3*ps), *at(p, 4*ps)
		s, d, s2, d2 := m1+m2, m1-m2, m3+m4, m3-m4
		return *p + s + s2, d + 2*d2, s + 4*s2, d + 8*d2 + *at(p, 5*ps)
	}
	for l := range n {
		for j := range WinogradInputs {
			p, ps := at(src, j*step+l), WinogradInputs*step
			*p, *at(p, ps), *at(p, 2*ps), *at(p, 3*ps) = six(p, ps)
		}
		for i := range WinogradTile {
			y0, y1, y2, y3 := six(at(src, WinogradInputs*i*step+l), step)
			q := at(dst, (i*n+l)*WinogradTile)
			*q, *at(q, 1) = clamp(y0+bias, lo, hi), clamp(y1+bias, lo, hi)
			*at(q, 2), *at(q, 3) = clamp(y2+bias, lo, hi), clamp(y3+bias, lo, hi)
		}
	}
}
