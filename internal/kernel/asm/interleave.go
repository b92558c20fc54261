package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// interleaves generates the transposition of four rows and of two into columns: eight elements of each a turn, then
// single ones.
func (g *generator) interleaves() {
	g.interleave("Interleave4", "(dst *float32, width int, a, b, c, d *float32, n int)",
		" writes n columns of four elements, one of each of a, b, c and d; columns are width elements apart.", "a", "b", "c", "d")
	g.interleave("Interleave2", "(dst *float32, width int, a, b *float32, n int)", " is Interleave4 for columns of two.", "a", "b")
}

func (g *generator) interleave(name, signature, doc string, names ...string) {
	g.function(g.name+name, signature, doc)
	load := func(name string) reg.GPVirtual { return g.Load(g.Param(name), g.GP64()).(reg.GPVirtual) }
	dst, width, n := load("dst"), load("width"), load("n")
	rows := make([]reg.GPVirtual, len(names))
	for i, name := range names {
		rows[i] = load(name)
	}
	g.SHLQ(operand.U8(2), width)
	width3 := g.GP64()
	g.LEAQ(operand.Mem{Base: width, Index: width, Scale: 2}, width3)
	// column returns where column i, below 4, begins.
	column := func(i int) operand.Mem {
		switch i {
		case 0:
			return operand.Mem{Base: dst}
		case 3:
			return operand.Mem{Base: dst, Index: width3, Scale: 1}
		}
		return operand.Mem{Base: dst, Index: width, Scale: uint8(i)}
	}
	advance := func(elements int) {
		for _, r := range rows {
			g.ADDQ(operand.U8(4*elements), r)
		}
		g.SUBQ(operand.U8(elements), n)
	}
	pairs := func(x, y reg.VecVirtual) (low, high reg.VecVirtual) { // elements 0 1 4 5, elements 2 3 6 7
		low, high = g.YMM(), g.YMM()
		g.VUNPCKLPS(y, x, low)
		g.VUNPCKHPS(y, x, high)
		return low, high
	}
	g.Label("vectors")
	g.CMPQ(n, operand.U8(8))
	g.JL(operand.LabelRef("elements"))
	v := make([]reg.VecVirtual, len(rows))
	for i, r := range rows {
		v[i] = g.YMM()
		g.VMOVUPS(operand.Mem{Base: r}, v[i])
	}
	var columns [4]reg.VecVirtual // column i in the low half, column i+4 in the high one
	low, high := pairs(v[0], v[1])
	if len(rows) == 4 {
		low2, high2 := pairs(v[2], v[3])
		for i, pair := range [][2]reg.VecVirtual{{low, low2}, {high, high2}} {
			first, second := g.YMM(), g.YMM()
			g.VUNPCKLPD(pair[1], pair[0], first)
			g.VUNPCKHPD(pair[1], pair[0], second)
			columns[2*i], columns[2*i+1] = first, second
		}
	} else {
		columns = [4]reg.VecVirtual{low, low, high, high}
	}
	for half := range 2 {
		for i, c := range columns {
			switch x := c.AsX(); {
			case len(rows) == 4 && half == 0:
				g.VMOVUPS(x, column(i))
			case len(rows) == 4:
				g.VEXTRACTF128(operand.U8(1), c, column(i))
			case i%2 == 0:
				if half == 1 {
					g.VEXTRACTF128(operand.U8(1), c, x)
				}
				g.VMOVLPS(x, column(i))
			default:
				g.VMOVHPS(x, column(i))
			}
		}
		g.LEAQ(operand.Mem{Base: dst, Index: width, Scale: 4}, dst)
	}
	advance(8)
	g.JMP(operand.LabelRef("vectors"))

	g.Label("elements")
	g.TESTQ(n, n)
	g.JZ(operand.LabelRef("end"))
	e := g.GP32()
	for i, r := range rows {
		g.MOVL(operand.Mem{Base: r}, e)
		g.MOVL(e, operand.Mem{Base: dst, Disp: 4 * i})
	}
	g.ADDQ(width, dst)
	advance(1)
	g.JMP(operand.LabelRef("elements"))
	g.Label("end")
	g.VZEROUPPER()
	g.RET()
}
