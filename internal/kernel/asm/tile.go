package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.Tile; a test of that package compares them with the struct.
const (
	tileK       = 0
	tileA       = 8
	tileB       = 16
	tileC       = 24
	tileLDC     = 32
	tileAcc     = 40
	tileRowBias = 48
	tileColBias = 56
	tileRes     = 64
	tileLDRes   = 72
	tileClamp   = 80
	tileLo      = 88
	tileHi      = 92
)

const (
	unroll    = 4 // steps of the sums in one turn of the loop
	cacheLine = 64
	// prefetch is how many bytes of A are asked for ahead: weights come from memory, and what processors fetch by
	// themselves ends with a page.
	prefetch = 4096
)

// tiles generates the microkernels: each number of rows with half and with all of the columns.
func (g *generator) tiles() {
	for _, rows := range g.rows {
		for vecs := 1; vecs <= g.vectors(); vecs++ {
			g.tile(rows, vecs)
		}
	}
}

// tile generates the microkernel for the first rows rows and vecs vectors of a tile.
func (g *generator) tile(rows, vecs int) {
	name := fmt.Sprintf("%sTile%dx%d", g.name, rows, vecs*g.lanes)
	g.function(name, "(t *Tile)", fmt.Sprintf(" is the microkernel for %d rows and %d columns of a tile.", rows, vecs*g.lanes))
	t := g.Load(g.Param("t"), g.GP64())
	field := func(off int) reg.GPVirtual {
		r := g.GP64()
		g.MOVQ(operand.Mem{Base: t, Disp: off}, r)
		return r
	}
	// What is added at the end is on its way while the sums are made.
	added, apart := field(tileRes), field(tileLDRes)
	g.TESTQ(added, added)
	g.JZ(operand.LabelRef("asked"))
	for r := range rows {
		for i := 0; i < vecs*g.bytes(); i += cacheLine {
			g.PREFETCHT0(operand.Mem{Base: added, Disp: i})
		}
		g.PREFETCHT0(operand.Mem{Base: added, Disp: vecs*g.bytes() - 4})
		if r+1 < rows {
			g.LEAQ(operand.Mem{Base: added, Index: apart, Scale: 4}, added)
		}
	}
	g.Label("asked")
	k, a, b := field(tileK), field(tileA), field(tileB)

	sums := make([][]reg.VecVirtual, rows)
	for i := range sums {
		for range vecs {
			sums[i] = append(sums[i], g.vec())
		}
		g.zero(sums[i]...)
	}
	step := func(i int) {
		row := make([]reg.VecVirtual, vecs)
		for v := range row {
			row[v] = g.vec()
			g.VMOVUPS(operand.Mem{Base: b, Disp: i*g.nr*4 + v*g.bytes()}, row[v])
		}
		for r := range sums {
			x := g.vec()
			g.VBROADCASTSS(operand.Mem{Base: a, Disp: (i*g.mr + r) * 4}, x)
			for v := range row {
				g.VFMADD231PS(x, row[v], sums[r][v])
			}
		}
	}
	g.SUBQ(operand.U8(unroll), k)
	g.JL(operand.LabelRef("rest"))
	g.Label("loop")
	for i := range unroll {
		step(i)
	}
	for i := 0; i < unroll*g.mr*4; i += cacheLine {
		g.PREFETCHT0(operand.Mem{Base: a, Disp: prefetch + i})
	}
	g.ADDQ(operand.U32(unroll*g.mr*4), a)
	g.ADDQ(operand.U32(unroll*g.nr*4), b)
	g.SUBQ(operand.U8(unroll), k)
	g.JGE(operand.LabelRef("loop"))
	g.Label("rest")
	g.ADDQ(operand.U8(unroll), k)
	g.JZ(operand.LabelRef("finish"))
	g.Label("one")
	step(0)
	g.ADDQ(operand.U8(g.mr*4), a)
	g.ADDQ(operand.U8(g.nr*4), b)
	g.DECQ(k)
	g.JNZ(operand.LabelRef("one"))
	g.Label("finish")

	// optional runs f where a pointer is not nil.
	optional := func(label string, off int, f func(p reg.GPVirtual)) {
		p := field(off)
		g.TESTQ(p, p)
		g.JZ(operand.LabelRef(label))
		f(p)
		g.Label(label)
	}
	optional("noAcc", tileAcc, func(p reg.GPVirtual) {
		for r := range sums {
			for v, s := range sums[r] {
				g.VADDPS(operand.Mem{Base: p, Disp: r*g.nr*4 + v*g.bytes()}, s, s)
			}
		}
	})
	optional("noRowBias", tileRowBias, func(p reg.GPVirtual) {
		x := g.vec()
		for r := range sums {
			g.VBROADCASTSS(operand.Mem{Base: p, Disp: r * 4}, x)
			for _, s := range sums[r] {
				g.VADDPS(x, s, s)
			}
		}
	})
	optional("noColBias", tileColBias, func(p reg.GPVirtual) {
		x := g.vec()
		for v := range vecs {
			g.VMOVUPS(operand.Mem{Base: p, Disp: v * g.bytes()}, x)
			for r := range sums {
				g.VADDPS(x, sums[r][v], sums[r][v])
			}
		}
	})
	optional("noRes", tileRes, func(p reg.GPVirtual) {
		ld := field(tileLDRes)
		for r := range sums {
			for v, s := range sums[r] {
				g.VADDPS(operand.Mem{Base: p, Disp: v * g.bytes()}, s, s)
			}
			if r+1 < rows {
				g.LEAQ(operand.Mem{Base: p, Index: ld, Scale: 4}, p)
			}
		}
	})
	optional("noClamp", tileClamp, func(reg.GPVirtual) {
		x := g.vec()
		g.VBROADCASTSS(operand.Mem{Base: t, Disp: tileLo}, x)
		for r := range sums {
			for _, s := range sums[r] {
				g.VMAXPS(s, x, s) // the second source, here the sum, is the result where one is NaN
			}
		}
		g.VBROADCASTSS(operand.Mem{Base: t, Disp: tileHi}, x)
		for r := range sums {
			for _, s := range sums[r] {
				g.VMINPS(s, x, s)
			}
		}
	})
	c, ld := field(tileC), field(tileLDC)
	for r := range sums {
		for v, s := range sums[r] {
			g.VMOVUPS(s, operand.Mem{Base: c, Disp: v * g.bytes()})
		}
		if r+1 < rows {
			g.LEAQ(operand.Mem{Base: c, Index: ld, Scale: 4}, c)
		}
	}
	g.VZEROUPPER()
	g.RET()
}
