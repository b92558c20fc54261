package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// columnNorm generates the normalisation of the columns of a matrix. Columns are taken a few vectors at a time, in three
// walks down the rows, which stay in the caches: the mean, the variance, the result.
func (g *generator) columnNorm() {
	g.function(g.name+"ColumnNorm", "(dst, src *float32, ld, rows, n int, scale, shift *float32, epsilon float32)",
		" normalises each of n columns of rows elements, which are ld apart.")
	load := func(name string) reg.GPVirtual { return g.Load(g.Param(name), g.GP64()).(reg.GPVirtual) }
	dst, src, ld, rows, n := load("dst"), load("src"), load("ld"), load("rows"), load("n")
	scale, shift := load("scale"), load("shift")
	epsilon := g.vec()
	a, err := g.Param("epsilon").Resolve()
	if err != nil {
		panic(err)
	}
	g.VBROADCASTSS(a.Addr, epsilon)
	g.SHLQ(operand.U8(2), ld)
	length := g.vec() // the number of rows
	if g.lanes == 16 {
		g.VPBROADCASTD(rows.As32(), length)
	} else {
		g.VMOVD(rows.As32(), length.AsX())
		g.VPBROADCASTD(length.AsX(), length)
	}
	g.VCVTDQ2PS(length, length)

	p, q, left, w, b := g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64()
	var mask operand.Op
	// columns normalises count vectors, or the columns in the mask.
	columns := func(label string, count int, masked bool) {
		read := func(i int) reg.VecVirtual {
			v := g.vec()
			m := operand.Mem{Base: p, Disp: i * g.bytes()}
			if masked {
				g.loadMasked(m, mask, v)
			} else {
				g.VMOVUPS(m, v)
			}
			return v
		}
		down := func(name string, row func()) {
			g.MOVQ(src, p)
			g.MOVQ(rows, left)
			g.Label(label + name)
			row()
			g.ADDQ(ld, p)
			g.DECQ(left)
			g.JNZ(operand.LabelRef(label + name))
		}
		mean, factor := g.newGroup(count), g.newGroup(count)
		g.zero(mean...)
		g.zero(factor...)
		down("mean", func() {
			for i, m := range mean {
				g.VADDPS(read(i), m, m)
			}
		})
		for _, m := range mean {
			g.VDIVPS(length, m, m)
		}
		down("variance", func() {
			for i, f := range factor {
				v := read(i)
				g.VSUBPS(mean[i], v, v)
				g.VFMADD231PS(v, v, f)
			}
		})
		one := g.one(1)
		for _, f := range factor {
			g.VDIVPS(length, f, f)
			g.VADDPS(epsilon, f, f)
			g.VSQRTPS(f, f)
			g.VDIVPS(f, one, f)
		}
		g.MOVQ(dst, q)
		g.MOVQ(scale, w)
		g.MOVQ(shift, b)
		down("result", func() {
			f, s := g.vec(), g.vec()
			g.VBROADCASTSS(operand.Mem{Base: w}, f)
			g.VBROADCASTSS(operand.Mem{Base: b}, s)
			g.ADDQ(operand.U8(4), w)
			g.ADDQ(operand.U8(4), b)
			for i := range mean {
				v := read(i)
				g.VSUBPS(mean[i], v, v)
				g.VMULPS(factor[i], v, v)
				g.VFMADD213PS(s, f, v)
				m := operand.Mem{Base: q, Disp: i * g.bytes()}
				if masked {
					g.storeMasked(v, mask, m)
				} else {
					g.VMOVUPS(v, m)
				}
			}
			g.ADDQ(ld, q)
		})
	}
	for _, l := range []struct {
		label string
		count int
	}{{"wide", wide}, {"vector", 1}} {
		step := l.count * g.lanes
		g.Label(l.label)
		g.CMPQ(n, operand.U8(step))
		g.JL(operand.LabelRef(l.label + "end"))
		columns(l.label, l.count, false)
		g.ADDQ(operand.U32(4*step), src)
		g.ADDQ(operand.U32(4*step), dst)
		g.SUBQ(operand.U8(step), n)
		g.JMP(operand.LabelRef(l.label))
		g.Label(l.label + "end")
	}
	g.TESTQ(n, n)
	g.JZ(operand.LabelRef("done"))
	mask = g.firstLanes(n)
	columns("rest", 1, true)
	g.Label("done")
	g.VZEROUPPER()
	g.RET()
}
