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
	tilePanels  = 96
	tileCStep   = 104
	tileAccStep = 112
	tileResStep = 120
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
	a, c, panels := field(tileA), field(tileC), field(tilePanels)
	acc, bias, res := field(tileAcc), field(tileRowBias), field(tileRes)
	ask := func(p, ld reg.GPVirtual) {
		at := g.GP64()
		g.MOVQ(p, at)
		for r := range rows {
			for i := 0; i < vecs*g.bytes(); i += cacheLine {
				g.PREFETCHT0(operand.Mem{Base: at, Disp: i})
			}
			g.PREFETCHT0(operand.Mem{Base: at, Disp: vecs*g.bytes() - 4})
			if r+1 < rows {
				g.LEAQ(operand.Mem{Base: at, Index: ld, Scale: 4}, at)
			}
		}
	}
	g.Label("panel")
	// What is added at the end, and where the sums go, is on its way while they are made.
	ask(c, field(tileLDC))
	g.TESTQ(res, res)
	g.JZ(operand.LabelRef("asked"))
	ask(res, field(tileLDRes))
	g.Label("asked")
	k, b := field(tileK), field(tileB)

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
	optional := func(label string, p reg.GPVirtual, f func()) {
		g.TESTQ(p, p)
		g.JZ(operand.LabelRef(label))
		f()
		g.Label(label)
	}
	// forward moves p by a number of elements that the tile says.
	forward := func(p reg.GPVirtual, off int) {
		g.LEAQ(operand.Mem{Base: p, Index: field(off), Scale: 4}, p)
	}
	optional("noAcc", acc, func() {
		for r := range sums {
			for v, s := range sums[r] {
				g.VADDPS(operand.Mem{Base: acc, Disp: r*g.nr*4 + v*g.bytes()}, s, s)
			}
		}
		forward(acc, tileAccStep)
	})
	optional("noRowBias", bias, func() {
		x := g.vec()
		for r := range sums {
			g.VBROADCASTSS(operand.Mem{Base: bias, Disp: r * 4}, x)
			for _, s := range sums[r] {
				g.VADDPS(x, s, s)
			}
		}
		g.ADDQ(operand.U8(g.mr*4), bias)
	})
	columns := field(tileColBias)
	optional("noColBias", columns, func() {
		x := g.vec()
		for v := range vecs {
			g.VMOVUPS(operand.Mem{Base: columns, Disp: v * g.bytes()}, x)
			for r := range sums {
				g.VADDPS(x, sums[r][v], sums[r][v])
			}
		}
	})
	optional("noRes", res, func() {
		p, ld := g.GP64(), field(tileLDRes)
		g.MOVQ(res, p)
		for r := range sums {
			for v, s := range sums[r] {
				g.VADDPS(operand.Mem{Base: p, Disp: v * g.bytes()}, s, s)
			}
			if r+1 < rows {
				g.LEAQ(operand.Mem{Base: p, Index: ld, Scale: 4}, p)
			}
		}
		forward(res, tileResStep)
	})
	clamp := field(tileClamp)
	optional("noClamp", clamp, func() {
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
	p, ld := g.GP64(), field(tileLDC)
	g.MOVQ(c, p)
	for r := range sums {
		for v, s := range sums[r] {
			g.VMOVUPS(s, operand.Mem{Base: p, Disp: v * g.bytes()})
		}
		if r+1 < rows {
			g.LEAQ(operand.Mem{Base: p, Index: ld, Scale: 4}, p)
		}
	}
	forward(c, tileCStep)
	g.DECQ(panels)
	g.JNZ(operand.LabelRef("panel"))
	g.VZEROUPPER()
	g.RET()
}
