package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// copyRows generates the copy of rows of n elements. The last vector of a row overlaps the one before; rows shorter
// than a vector have loops of their own.
func (g *generator) copyRows() {
	g.function(g.name+"CopyRows", "(dst, src *float32, dstStep, srcStep, rows, n int)",
		" copies rows of n elements, which are steps apart.")
	load := func(name string) reg.GPVirtual { return g.Load(g.Param(name), g.GP64()).(reg.GPVirtual) }
	dst, src, dstStep, srcStep, rows, n := load("dst"), load("src"), load("dstStep"), load("srcStep"), load("rows"), load("n")
	g.SHLQ(operand.U8(2), dstStep)
	g.SHLQ(operand.U8(2), srcStep)
	next := func(loop string) {
		g.ADDQ(srcStep, src)
		g.ADDQ(dstStep, dst)
		g.DECQ(rows)
		g.JNZ(operand.LabelRef(loop))
		g.VZEROUPPER()
		g.RET()
	}
	at := func(base, index reg.Register, back int) operand.Mem {
		return operand.Mem{Base: base, Index: index, Scale: 4, Disp: -4 * back}
	}
	g.CMPQ(n, operand.U8(8))
	g.JL(operand.LabelRef("short"))
	g.Label("row")
	i, v := g.GP64(), g.YMM()
	g.MOVQ(operand.U32(8), i)
	g.Label("vector")
	g.VMOVUPS(at(src, i, 8), v)
	g.VMOVUPS(v, at(dst, i, 8))
	g.ADDQ(operand.U8(8), i)
	g.CMPQ(i, n)
	g.JLE(operand.LabelRef("vector"))
	g.VMOVUPS(at(src, n, 8), v)
	g.VMOVUPS(v, at(dst, n, 8))
	next("row")

	g.Label("short")
	g.CMPQ(n, operand.U8(4))
	g.JL(operand.LabelRef("tiny"))
	g.Label("shortrow")
	a, b := g.XMM(), g.XMM()
	g.VMOVUPS(operand.Mem{Base: src}, a)
	g.VMOVUPS(at(src, n, 4), b)
	g.VMOVUPS(a, operand.Mem{Base: dst})
	g.VMOVUPS(b, at(dst, n, 4))
	next("shortrow")

	g.Label("tiny")
	e := g.GP32()
	g.MOVQ(n, i)
	g.Label("element")
	g.MOVL(at(src, i, 1), e)
	g.MOVL(e, at(dst, i, 1))
	g.DECQ(i)
	g.JNZ(operand.LabelRef("element"))
	next("tiny")
}

// evenRows generates the copy of every second element of rows. Like copyRows, but rows shorter than a vector are copied
// one element at a time.
func (g *generator) evenRows() {
	g.function(g.name+"EvenRows", "(dst, src *float32, dstStep, srcStep, rows, n int)",
		" copies elements 0, 2, ..., 2*n-2 of rows, which are steps apart. It reads the element after the last one.")
	load := func(name string) reg.GPVirtual { return g.Load(g.Param(name), g.GP64()).(reg.GPVirtual) }
	dst, src, dstStep, srcStep, rows, n := load("dst"), load("src"), load("dstStep"), load("srcStep"), load("rows"), load("n")
	g.SHLQ(operand.U8(2), dstStep)
	g.SHLQ(operand.U8(2), srcStep)
	next := func(loop string) {
		g.ADDQ(srcStep, src)
		g.ADDQ(dstStep, dst)
		g.DECQ(rows)
		g.JNZ(operand.LabelRef(loop))
		g.VZEROUPPER()
		g.RET()
	}
	vector := func(end reg.Register) {
		a := g.YMM()
		g.VMOVUPS(operand.Mem{Base: src, Index: end, Scale: 8, Disp: -64}, a)
		g.VSHUFPS(operand.U8(0x88), operand.Mem{Base: src, Index: end, Scale: 8, Disp: -32}, a, a)
		g.VPERMPD(operand.U8(0xd8), a, a)
		g.VMOVUPS(a, operand.Mem{Base: dst, Index: end, Scale: 4, Disp: -32})
	}
	i := g.GP64()
	g.CMPQ(n, operand.U8(8))
	g.JL(operand.LabelRef("short"))
	g.Label("row")
	g.MOVQ(operand.U32(8), i)
	g.Label("vector")
	vector(i)
	g.ADDQ(operand.U8(8), i)
	g.CMPQ(i, n)
	g.JLE(operand.LabelRef("vector"))
	vector(n)
	next("row")

	g.Label("short")
	e := g.GP32()
	g.MOVQ(n, i)
	g.Label("element")
	g.MOVL(operand.Mem{Base: src, Index: i, Scale: 8, Disp: -8}, e)
	g.MOVL(e, operand.Mem{Base: dst, Index: i, Scale: 4, Disp: -4})
	g.DECQ(i)
	g.JNZ(operand.LabelRef("element"))
	next("short")
}
