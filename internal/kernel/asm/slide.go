package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.Slide; a test in package kernel holds them.
const (
	slideDst   = 0
	slideSrc   = 8
	slidePitch = 16
	slideRows  = 24
	slideCols  = 32
	slideW     = 40
	slideOffs  = 48
	slideBias  = 56
	slideLo    = 60
	slideHi    = 64
)

const slideBlock = 4 // output rows that are computed at a time: rows of the input that they share are read once

// slides generates a square kernel's window sliding over a plane, for the sizes and strides that networks have.
func (g *generator) slides() {
	for _, size := range []int{3, 5, 7} {
		for _, stride := range []int{1, 2} {
			g.slide(size, stride)
		}
	}
}

// slide generates one of them. Rows are taken in blocks, the last of which goes back to be a whole one, and so do the
// columns with vectors. Narrower planes than a vector are written with whole vectors where the next row, which comes
// later, lies behind; with a mask else.
func (g *generator) slide(size, stride int) {
	g.function(fmt.Sprintf("%sSlide%dStride%d", g.name, size, stride), "(s *Slide)",
		fmt.Sprintf(" computes the outputs of a %dx%d kernel with stride %d.", size, size, stride))
	s := g.Load(g.Param("s"), g.GP64())
	at := func(off int) operand.Mem { return operand.Mem{Base: s, Disp: off} }
	field := func(off int) reg.GPVirtual {
		r := g.GP64()
		g.MOVQ(at(off), r)
		return r
	}
	dst, src, pitch, cols, rows := field(slideDst), field(slideSrc), field(slidePitch), field(slideCols), field(slideRows)
	lo, hi := g.vec(), g.vec()
	g.VBROADCASTSS(at(slideLo), lo)
	g.VBROADCASTSS(at(slideHi), hi)
	g.SHLQ(operand.U8(2), pitch)
	g.SHLQ(operand.U8(2), cols) // bytes from here on

	narrow := g.narrow(dst, rows, cols)
	x, q, p, kx, w, offs := g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64()
	// block computes so many rows, all columns.
	block := func(n int) {
		label := func(name string) string { return fmt.Sprintf("%s%d", name, n) }
		g.XORQ(x, x)
		g.Label(label("columns"))
		sums := make([]reg.VecVirtual, n)
		for i := range sums {
			sums[i] = g.vec()
			g.VBROADCASTSS(at(slideBias), sums[i])
		}
		g.MOVQ(at(slideW), w)
		g.MOVQ(at(slideOffs), offs)
		g.MOVQ(operand.U32(size), kx)
		g.Label(label("taps"))
		g.MOVQ(operand.Mem{Base: offs}, p)
		g.LEAQ(operand.Mem{Base: src, Index: p, Scale: 4}, p)
		g.ADDQ(x, p)
		weights := make([]reg.VecVirtual, size)
		for ky := range weights {
			weights[ky] = g.vec()
			g.VBROADCASTSS(operand.Mem{Base: w, Disp: 4 * ky * size}, weights[ky])
		}
		last := (n-1)*stride + size - 1
		for r := range last + 1 {
			v := g.vec()
			g.VMOVUPS(operand.Mem{Base: p}, v)
			if r < last {
				g.ADDQ(pitch, p)
			}
			for i, sum := range sums {
				if ky := r - i*stride; ky >= 0 && ky < size {
					g.VFMADD231PS(v, weights[ky], sum)
				}
			}
		}
		g.ADDQ(operand.U8(4), w)
		g.ADDQ(operand.U8(8), offs)
		g.DECQ(kx)
		g.JNZ(operand.LabelRef(label("taps")))
		for _, sum := range sums {
			g.VMAXPS(sum, lo, sum) // the second source, here the sum, is the result where one is NaN
			g.VMINPS(sum, hi, sum)
		}
		g.LEAQ(operand.Mem{Base: dst, Index: x, Scale: 1}, q)
		g.CMPQ(cols, operand.U32(g.bytes()))
		g.JL(operand.LabelRef(label("narrow")))
		for i, sum := range sums {
			g.VMOVUPS(sum, operand.Mem{Base: q})
			if i+1 < n {
				g.ADDQ(cols, q)
			}
		}
		// The next vector, which is as far right as it can be if columns are left.
		g.ADDQ(operand.U8(g.bytes()), x)
		g.LEAQ(operand.Mem{Base: x, Disp: g.bytes()}, q)
		g.CMPQ(q, cols)
		g.JLE(operand.LabelRef(label("columns")))
		g.CMPQ(x, cols)
		g.JGE(operand.LabelRef(label("done")))
		g.MOVQ(cols, x)
		g.SUBQ(operand.U8(g.bytes()), x)
		g.JMP(operand.LabelRef(label("columns")))
		g.Label(label("narrow"))
		for i, sum := range sums {
			narrow(fmt.Sprintf("%s_%d", label("narrow"), i), sum, q)
			if i+1 < n {
				g.ADDQ(cols, q)
			}
		}
		g.Label(label("done"))
	}
	step, stepSrc := g.GP64(), g.GP64()
	g.MOVQ(pitch, stepSrc)
	g.IMUL3Q(operand.U8(stride), stepSrc, stepSrc)
	g.CMPQ(rows, operand.U8(slideBlock))
	g.JL(operand.LabelRef("single"))
	g.Label("blocks")
	block(slideBlock)
	g.SUBQ(operand.U8(slideBlock), rows)
	g.JZ(operand.LabelRef("end"))
	g.MOVQ(operand.U32(slideBlock), step) // rows to go on
	g.CMPQ(rows, step)
	g.JGE(operand.LabelRef("whole"))
	g.MOVQ(rows, step)
	g.MOVQ(operand.U32(slideBlock), rows)
	g.Label("whole")
	g.MOVQ(step, q)
	g.IMULQ(cols, q)
	g.ADDQ(q, dst)
	g.IMULQ(stepSrc, step)
	g.ADDQ(step, src)
	g.JMP(operand.LabelRef("blocks"))

	g.Label("single")
	g.TESTQ(rows, rows)
	g.JZ(operand.LabelRef("end"))
	block(1)
	g.ADDQ(cols, dst)
	g.ADDQ(stepSrc, src)
	g.DECQ(rows)
	g.JMP(operand.LabelRef("single"))
	g.Label("end")
	g.VZEROUPPER()
	g.RET()
}

// narrow returns a function that stores the first columns of a vector, for planes that are narrower than one.
func (g *generator) narrow(dst, rows, cols reg.GPVirtual) func(label string, v reg.VecVirtual, q reg.GPVirtual) {
	n := g.GP64()
	g.MOVQ(cols, n)
	g.SHRQ(operand.U8(2), n)
	if g.lanes == 16 {
		mask := g.firstLanes(n)
		return func(_ string, v reg.VecVirtual, q reg.GPVirtual) { g.storeMasked(v, mask, operand.Mem{Base: q}) }
	}
	// A masked store takes ten times as long as another.
	end := g.GP64()
	g.MOVQ(rows, end)
	g.IMULQ(cols, end)
	g.ADDQ(dst, end)
	g.SUBQ(operand.U8(g.bytes()), end) // the last place of a whole vector
	return func(label string, v reg.VecVirtual, q reg.GPVirtual) {
		g.CMPQ(q, end)
		g.JG(operand.LabelRef(label))
		g.VMOVUPS(v, operand.Mem{Base: q})
		g.JMP(operand.LabelRef(label + "end"))
		g.Label(label)
		g.storeMasked(v, g.firstLanes(n), operand.Mem{Base: q})
		g.Label(label + "end")
	}
}

// ones is a vector of ones and, behind it, one of zeros: read n elements before the end of the first, it masks n lanes.
func (g *generator) ones() operand.Mem {
	if g.mask == nil {
		m := g.StaticGlobal(g.name + "ones")
		g.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 2 * g.lanes {
			v := operand.U32(0)
			if i < g.lanes {
				v = 1<<32 - 1
			}
			g.AddDatum(4*i, v)
		}
		g.mask = &m
	}
	return *g.mask
}
