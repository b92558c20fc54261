package main

import (
	"github.com/mmcloughlin/avo/operand"
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

// Predicates of comparisons.
const (
	less      = operand.U8(1)
	lessEqual = operand.U8(2)
)

// compare returns a mask of the lanes in which x is related so to y: a vector register, or one for masks.
func (g *generator) compare(predicate operand.U8, x reg.VecVirtual, y operand.Op) operand.Op {
	if g.lanes == 16 {
		k := g.K()
		g.VCMPPS(predicate, y, x, k)
		return k
	}
	m := g.vec()
	g.VCMPPS(predicate, y, x, m)
	return m
}

// choose replaces the lanes of dst that are in the mask by those of v.
func (g *generator) choose(mask operand.Op, v, dst reg.VecVirtual) {
	if g.lanes == 16 {
		g.VBLENDMPS(v, dst, mask, dst)
		return
	}
	g.VBLENDVPS(mask, v, dst, dst)
}

// clear makes the lanes of v that are in the mask zero.
func (g *generator) clear(mask operand.Op, v reg.VecVirtual) {
	if g.lanes == 16 {
		zero := g.vec()
		g.zero(zero)
		g.choose(mask, zero, v)
		return
	}
	g.VANDNPS(v, mask, v)
}

func (g *generator) and(x operand.Op, y, dst reg.VecVirtual) {
	if g.lanes == 16 {
		g.VPANDD(x, y, dst)
	} else {
		g.VANDPS(x, y, dst)
	}
}

func (g *generator) xor(x operand.Op, y, dst reg.VecVirtual) {
	if g.lanes == 16 {
		g.VPXORD(x, y, dst)
	} else {
		g.VXORPS(x, y, dst)
	}
}

// signOf gives v, which is not negative, the sign of x.
func (g *generator) signOf(x, v reg.VecVirtual) {
	sign := g.vec()
	g.and(g.pattern(signBit), x, sign)
	g.xor(sign, v, v)
}

// firstLanes returns a mask of the first n lanes.
func (g *generator) firstLanes(n reg.GPVirtual) operand.Op {
	m := g.GP64()
	if g.lanes == 16 {
		g.MOVQ(operand.I32(-1), m)
		g.BZHIQ(n, m, m)
		k := g.K()
		g.KMOVW(m.As32(), k)
		return k
	}
	back := g.GP64()
	g.LEAQ(g.ones(), m)
	g.MOVQ(n, back)
	g.NEGQ(back)
	v := g.vec()
	g.VMOVUPS(operand.Mem{Base: m, Index: back, Scale: 4, Disp: g.bytes()}, v)
	return v
}

// loadMasked reads the lanes in the mask, and touches no memory for the others, which become zero.
func (g *generator) loadMasked(m operand.Mem, mask operand.Op, v reg.VecVirtual) {
	if g.lanes == 16 {
		g.VMOVUPS_Z(m, mask, v)
		return
	}
	g.VMASKMOVPS(m, mask, v)
}

// storeMasked writes the lanes in the mask.
func (g *generator) storeMasked(v reg.VecVirtual, mask operand.Op, m operand.Mem) {
	if g.lanes == 16 {
		g.VMOVUPS(v, mask, m)
		return
	}
	g.VMASKMOVPS(v, mask, m)
}
