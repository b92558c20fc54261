package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fractional bits of the weights that pixels are resized with, as in package pixel.
const resizeBits = 22

// rounding is a vector of what is added to round to the nearest.
func (g *generator) rounding() operand.Mem { return g.pattern(1 << (resizeBits - 1)) }

// heighten generates sums of rows of bytes, 16 columns at a time.
func (g *generator) heighten() {
	g.function(g.name+"Heighten", "(dst, rows *uint8, n, stride int, weights *int32, taps int)",
		" computes n bytes, a multiple of 16, from as many rows, stride bytes apart, as there are taps.")
	load := func(name string) reg.GPVirtual { return g.Load(g.Param(name), g.GP64()).(reg.GPVirtual) }
	dst, rows, n, stride, weights, taps := load("dst"), load("rows"), load("n"), load("stride"), load("weights"), load("taps")
	p, w, left := g.GP64(), g.GP64(), g.GP64()
	g.Label("columns")
	g.SUBQ(operand.U8(16), n)
	g.JL(operand.LabelRef("end"))
	sums := g.newGroup(2)
	for _, s := range sums {
		g.VMOVDQU(g.rounding(), s)
	}
	g.MOVQ(rows, p)
	g.MOVQ(weights, w)
	g.MOVQ(taps, left)
	g.Label("taps")
	f := g.vec()
	g.VPBROADCASTD(operand.Mem{Base: w}, f)
	for i, s := range sums {
		v := g.vec()
		g.VPMOVZXBD(operand.Mem{Base: p, Disp: 8 * i}, v)
		g.VPMULLD(f, v, v)
		g.VPADDD(v, s, s)
	}
	g.ADDQ(stride, p)
	g.ADDQ(operand.U8(4), w)
	g.DECQ(left)
	g.JNZ(operand.LabelRef("taps"))
	for _, s := range sums {
		g.VPSRAD(operand.U8(resizeBits), s, s)
	}
	// Packing works within halves of vectors: the quarters come to be in the order 0, 2, 1, 3.
	g.VPACKSSDW(sums[1], sums[0], sums[0])
	g.VPERMQ(operand.U8(0xd8), sums[0], sums[0])
	g.VPACKUSWB(sums[0], sums[0], sums[0])
	g.VPERMQ(operand.U8(0x08), sums[0], sums[0])
	g.VMOVDQU(sums[0].AsX(), operand.Mem{Base: dst})
	g.ADDQ(operand.U8(16), dst)
	g.ADDQ(operand.U8(16), rows)
	g.JMP(operand.LabelRef("columns"))
	g.Label("end")
	g.VZEROUPPER()
	g.RET()
}

// widen generates sums of neighbouring pixels: the three channels of a pixel, and a byte of the next, fill a vector.
func (g *generator) widen() {
	g.function(g.name+"Widen", "(dst, row *uint8, x0 int, first, count *int, n int, weights *int32, width int)",
		" computes n pixels, and one byte more, from count[i] pixels from first[i] on; row begins at pixel x0. It reads a byte behind the last.")
	load := func(name string) reg.GPVirtual { return g.Load(g.Param(name), g.GP64()).(reg.GPVirtual) }
	dst, row, first, count, n := load("dst"), load("row"), load("first"), load("count"), load("n")
	x0, weights, width := load("x0"), load("weights"), load("width")
	g.SHLQ(operand.U8(2), width)
	half := g.XMM()
	g.VMOVDQU(g.rounding(), half)
	p, w, left := g.GP64(), g.GP64(), g.GP64()
	g.Label("pixel")
	g.TESTQ(n, n)
	g.JZ(operand.LabelRef("end"))
	g.MOVQ(operand.Mem{Base: first}, p)
	g.SUBQ(x0, p)
	g.LEAQ(operand.Mem{Base: p, Index: p, Scale: 2}, p)
	g.ADDQ(row, p)
	g.MOVQ(operand.Mem{Base: count}, left)
	g.MOVQ(weights, w)
	sum := g.XMM()
	g.VMOVDQA(half, sum)
	g.TESTQ(left, left)
	g.JZ(operand.LabelRef("sum"))
	g.Label("taps")
	f, v := g.XMM(), g.XMM()
	g.VPBROADCASTD(operand.Mem{Base: w}, f)
	g.VPMOVZXBD(operand.Mem{Base: p}, v)
	g.VPMULLD(f, v, v)
	g.VPADDD(v, sum, sum)
	g.ADDQ(operand.U8(3), p)
	g.ADDQ(operand.U8(4), w)
	g.DECQ(left)
	g.JNZ(operand.LabelRef("taps"))
	g.Label("sum")
	g.VPSRAD(operand.U8(resizeBits), sum, sum)
	g.VPACKSSDW(sum, sum, sum)
	g.VPACKUSWB(sum, sum, sum)
	g.VMOVD(sum, operand.Mem{Base: dst})
	g.ADDQ(operand.U8(3), dst)
	g.ADDQ(operand.U8(8), first)
	g.ADDQ(operand.U8(8), count)
	g.ADDQ(width, weights)
	g.DECQ(n)
	g.JMP(operand.LabelRef("pixel"))
	g.Label("end")
	g.VZEROUPPER()
	g.RET()
}
