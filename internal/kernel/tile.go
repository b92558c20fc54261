package kernel

import "unsafe"

// Tile is the argument of a microkernel, which computes
//
//	C = clamp(Acc + A·B + RowBias + ColBias + Res)
//
// for a tile of MR rows and NR columns (or fewer, for the narrower variants), where every summand but A·B may be absent,
// and then the same for the tiles below, with the panels of A that follow. Assembly relies on the order and sizes of the
// fields. A microkernel may change them.
type Tile struct {
	K       int      // length of the sums
	A       *float32 // K times the MR values of a column
	B       *float32 // K times the NR values of a row
	C       *float32 // output
	LDC     int      // elements between rows of C
	Acc     *float32 // partial sums to go on from, rows NR apart; nil for none
	RowBias *float32 // one value a row, or nil
	ColBias *float32 // one value a column, or nil
	Res     *float32 // values to add, or nil
	LDRes   int      // elements between rows of Res
	Clamp   int      // not 0: limit the result to Lo..Hi
	Lo, Hi  float32
	Panels  int // how many tiles, one below the other; at least 1
	CStep   int // elements between tiles of C
	AccStep int // elements between tiles of Acc
	ResStep int // elements between tiles of Res
}

// each runs a microkernel that knows one panel for all of t; rows is that of a panel.
func (t *Tile) each(rows int, run func(*Tile)) {
	run(t)
	for ; t.Panels > 1; t.Panels-- {
		t.A, t.C = at(t.A, t.K*rows), at(t.C, t.CStep)
		if t.Acc != nil {
			t.Acc = at(t.Acc, t.AccStep)
		}
		if t.RowBias != nil {
			t.RowBias = at(t.RowBias, rows)
		}
		if t.Res != nil {
			t.Res = at(t.Res, t.ResStep)
		}
		run(t)
	}
}

// at returns the i-th element after p.
func at(p *float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), i*4))
}

// The portable tile is small, so that its sums stay in registers.
const genericMR, genericNR = 4, 4

// genericTile is the portable microkernel.
func genericTile(t *Tile) { t.each(genericMR, genericPanel) }

func genericPanel(t *Tile) {
	var c00, c01, c02, c03 float32
	var c10, c11, c12, c13 float32
	var c20, c21, c22, c23 float32
	var c30, c31, c32, c33 float32
	a := unsafe.Slice(t.A, t.K*genericMR)
	b := unsafe.Slice(t.B, t.K*genericNR)
	for len(a) >= genericMR && len(b) >= genericNR {
		a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		c00 += a0 * b0
		c01 += a0 * b1
		c02 += a0 * b2
		c03 += a0 * b3
		c10 += a1 * b0
		c11 += a1 * b1
		c12 += a1 * b2
		c13 += a1 * b3
		c20 += a2 * b0
		c21 += a2 * b1
		c22 += a2 * b2
		c23 += a2 * b3
		c30 += a3 * b0
		c31 += a3 * b1
		c32 += a3 * b2
		c33 += a3 * b3
		a, b = a[genericMR:], b[genericNR:]
	}
	sums := [genericMR][genericNR]float32{{c00, c01, c02, c03}, {c10, c11, c12, c13}, {c20, c21, c22, c23}, {c30, c31, c32, c33}}
	for i := range sums {
		row := &sums[i]
		c := unsafe.Slice(at(t.C, i*t.LDC), genericNR)
		if t.Acc != nil {
			for j, v := range unsafe.Slice(at(t.Acc, i*genericNR), genericNR) {
				row[j] += v
			}
		}
		if t.RowBias != nil {
			v := *at(t.RowBias, i)
			for j := range row {
				row[j] += v
			}
		}
		if t.ColBias != nil {
			for j, v := range unsafe.Slice(t.ColBias, genericNR) {
				row[j] += v
			}
		}
		if t.Res != nil {
			for j, v := range unsafe.Slice(at(t.Res, i*t.LDRes), genericNR) {
				row[j] += v
			}
		}
		if t.Clamp != 0 {
			for j, v := range row {
				row[j] = clamp(v, t.Lo, t.Hi)
			}
		}
		copy(c, row[:])
	}
}

// clamp limits v to lo..hi; NaN stays.
func clamp(v, lo, hi float32) float32 {
	if v < lo {
		v = lo
	}
	if v > hi {
		v = hi
	}
	return v
}
