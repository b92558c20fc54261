package main

import (
	"github.com/mmcloughlin/avo/reg"
)

// isa is what functions for vectors of either width need to know.
type isa struct {
	name   string
	lanes  int   // float32 in a vector
	mr, nr int   // the microkernel's tile
	rows   []int // microkernels exist for that many rows, the last being mr
}

// The tiles fill the registers: mr*nr/lanes sums, one row of B and a value of A.
var (
	avx2   = isa{name: "avx2", lanes: 8, mr: 6, nr: 16, rows: []int{2, 4, 6}}
	avx512 = isa{name: "avx512", lanes: 16, mr: 14, nr: 32, rows: []int{2, 4, 8, 14}}
)

// vectors is how many vectors a row of the tile takes.
func (v isa) vectors() int { return v.nr / v.lanes }

// bytes is the size of a vector.
func (v isa) bytes() int { return 4 * v.lanes }

// vec returns a new vector register.
func (g *generator) vec() reg.VecVirtual {
	if g.lanes == 16 {
		return g.ZMM()
	}
	return g.YMM()
}

// zero clears vector registers.
func (g *generator) zero(regs ...reg.VecVirtual) {
	for _, r := range regs {
		if g.lanes == 16 {
			g.VPXORD(r, r, r)
		} else {
			g.VXORPS(r, r, r)
		}
	}
}
