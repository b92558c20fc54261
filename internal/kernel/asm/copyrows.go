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

// splitRows generates the copy of the even and the odd elements of rows to two places. The last vector of a row overlaps
// the one before, as in copyRows; rows of fewer than four pairs are copied one element at a time.
func (g *generator) splitRows() {
	g.function(g.name+"SplitRows", "(even, odd, src *float32, dstStep, srcStep, rows, n int)",
		" copies elements 0, 2, ..., 2*n-2 of rows to even, and 1, 3, ..., 2*n-1 to odd; rows are steps apart.")
	load := func(name string) reg.GPVirtual { return g.Load(g.Param(name), g.GP64()).(reg.GPVirtual) }
	even, odd, src := load("even"), load("odd"), load("src")
	dstStep, srcStep, rows, n := load("dstStep"), load("srcStep"), load("rows"), load("n")
	g.SHLQ(operand.U8(2), dstStep)
	g.SHLQ(operand.U8(2), srcStep)
	next := func(loop string) {
		g.ADDQ(srcStep, src)
		g.ADDQ(dstStep, even)
		g.ADDQ(dstStep, odd)
		g.DECQ(rows)
		g.JNZ(operand.LabelRef(loop))
		g.VZEROUPPER()
		g.RET()
	}
	// pairs splits the 8 or 4 pairs before the pair that end counts.
	pairs := func(end reg.Register, count int) {
		vec := func() reg.VecVirtual {
			if count == 4 {
				return g.XMM()
			}
			return g.YMM()
		}
		a, b, e, o := vec(), vec(), vec(), vec()
		g.VMOVUPS(operand.Mem{Base: src, Index: end, Scale: 8, Disp: -8 * count}, a)
		g.VMOVUPS(operand.Mem{Base: src, Index: end, Scale: 8, Disp: -4 * count}, b)
		g.VSHUFPS(operand.U8(0x88), b, a, e)
		g.VSHUFPS(operand.U8(0xdd), b, a, o)
		if count == 8 {
			g.VPERMPD(operand.U8(0xd8), e, e)
			g.VPERMPD(operand.U8(0xd8), o, o)
		}
		g.VMOVUPS(e, operand.Mem{Base: even, Index: end, Scale: 4, Disp: -4 * count})
		g.VMOVUPS(o, operand.Mem{Base: odd, Index: end, Scale: 4, Disp: -4 * count})
	}
	i := g.GP64()
	for _, w := range []struct {
		count             int
		row, vector, less string
	}{{8, "row", "vector", "short"}, {4, "shortrow", "shortvector", "tiny"}} {
		g.CMPQ(n, operand.U8(w.count))
		g.JL(operand.LabelRef(w.less))
		g.Label(w.row)
		g.MOVQ(operand.U32(w.count), i)
		g.Label(w.vector)
		pairs(i, w.count)
		g.ADDQ(operand.U8(w.count), i)
		g.CMPQ(i, n)
		g.JLE(operand.LabelRef(w.vector))
		pairs(n, w.count)
		next(w.row)
		g.Label(w.less)
	}
	e := g.GP32()
	g.MOVQ(n, i)
	g.Label("element")
	g.MOVL(operand.Mem{Base: src, Index: i, Scale: 8, Disp: -8}, e)
	g.MOVL(e, operand.Mem{Base: even, Index: i, Scale: 4, Disp: -4})
	g.MOVL(operand.Mem{Base: src, Index: i, Scale: 8, Disp: -4}, e)
	g.MOVL(e, operand.Mem{Base: odd, Index: i, Scale: 4, Disp: -4})
	g.DECQ(i)
	g.JNZ(operand.LabelRef("element"))
	next("tiny")
}
