package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sums generates sums over slices in double precision: sixteen elements a turn in four vectors of sums, then four, then
// single ones.
func (g *generator) sums() {
	g.sum("Sum", "(x []float32) float64", " returns the sum of x.", func(_, v, sum reg.VecVirtual) {
		g.VADDPD(v, sum, sum)
	})
	g.sum("Distance", "(x []float32, m float64) float64", " returns the sum of (x-m)^2.", func(m, v, sum reg.VecVirtual) {
		g.VSUBPD(m, v, v)
		g.VFMADD231PD(v, v, sum)
	})
}

func (g *generator) sum(name, signature, doc string, add func(m, v, sum reg.VecVirtual)) {
	const vectors, lanes = 4, 4
	g.function(g.name+name, signature, doc)
	x := g.Load(g.Param("x").Base(), g.GP64())
	n := g.Load(g.Param("x").Len(), g.GP64())
	m := g.YMM()
	if name == "Distance" {
		a, err := g.Param("m").Resolve()
		if err != nil {
			panic(err)
		}
		g.VBROADCASTSD(a.Addr, m)
	}
	s := g.newGroup(vectors)
	g.zero(s...)
	for _, count := range []int{vectors, 1} {
		label := map[int]string{vectors: "wide", 1: "vector"}[count]
		g.Label(label)
		g.CMPQ(n, operand.U8(count*lanes))
		g.JL(operand.LabelRef(label + "end"))
		for i := range count {
			v := g.YMM()
			g.VCVTPS2PD(operand.Mem{Base: x, Disp: 4 * lanes * i}, v)
			add(m, v, s[i])
		}
		g.ADDQ(operand.U8(4*lanes*count), x)
		g.SUBQ(operand.U8(lanes*count), n)
		g.JMP(operand.LabelRef(label))
		g.Label(label + "end")
	}
	g.VADDPD(s[1], s[0], s[0])
	g.VADDPD(s[3], s[2], s[2])
	g.VADDPD(s[2], s[0], s[0])
	high, low := g.XMM(), s[0].AsX()
	g.VEXTRACTF128(operand.U8(1), s[0], high)
	g.VADDPD(high, low, low)
	g.VUNPCKHPD(low, low, high)
	g.VADDSD(high, low, low)
	g.Label("element")
	g.TESTQ(n, n)
	g.JZ(operand.LabelRef("end"))
	v := g.YMM()
	g.VXORPD(v, v, v)
	g.VCVTSS2SD(operand.Mem{Base: x}, v.AsX(), v.AsX())
	if name == "Distance" {
		g.VSUBSD(m.AsX(), v.AsX(), v.AsX())
		g.VMULSD(v.AsX(), v.AsX(), v.AsX())
	}
	g.VADDSD(v.AsX(), low, low)
	g.ADDQ(operand.U8(4), x)
	g.DECQ(n)
	g.JMP(operand.LabelRef("element"))
	g.Label("end")
	g.Store(low, g.ReturnIndex(0))
	g.VZEROUPPER()
	g.RET()
}

// largest generates the largest number of a slice: four vectors a turn, then one, then single elements, each of which is
// compared as if all lanes were it.
func (g *generator) largest() {
	const vectors = 4
	g.function(g.name+"Largest", "(x []float32) float32", " returns the largest of x, NaN where one is.")
	x := g.Load(g.Param("x").Base(), g.GP64())
	n := g.Load(g.Param("x").Len(), g.GP64())
	most, nan := g.newGroup(vectors), g.vec()
	for i := range most {
		g.VMOVUPS(g.number(float32(math.Inf(-1))), most[i])
	}
	g.zero(nan)
	turn := func(label string, elements, count int, load func(i int, v reg.VecVirtual)) {
		g.Label(label)
		g.CMPQ(n, operand.U8(elements))
		g.JL(operand.LabelRef(label + "end"))
		for i := range count {
			v, not := g.YMM(), g.YMM()
			load(i, v)
			g.VCMPPS(operand.U8(3), v, v, not) // all ones, a NaN, where v is NaN
			g.VMAXPS(v, most[i], most[i])
			g.VORPS(not, nan, nan)
		}
		g.ADDQ(operand.U8(4*elements), x)
		g.SUBQ(operand.U8(elements), n)
		g.JMP(operand.LabelRef(label))
		g.Label(label + "end")
	}
	whole := func(i int, v reg.VecVirtual) { g.VMOVUPS(operand.Mem{Base: x, Disp: i * g.bytes()}, v) }
	turn("wide", vectors*g.lanes, vectors, whole)
	turn("vector", g.lanes, 1, whole)
	turn("element", 1, 1, func(_ int, v reg.VecVirtual) { g.VBROADCASTSS(operand.Mem{Base: x}, v) })
	g.VMAXPS(most[1], most[0], most[0])
	g.VMAXPS(most[3], most[2], most[2])
	g.VMAXPS(most[2], most[0], most[0])
	for _, v := range []reg.VecVirtual{most[0], nan} {
		high, low := g.XMM(), v.AsX()
		combine := func() {
			if v == nan {
				g.VORPS(high, low, low)
			} else {
				g.VMAXPS(high, low, low)
			}
		}
		g.VEXTRACTF128(operand.U8(1), v, high)
		combine()
		g.VPERMILPS(operand.U8(0x4e), low, high) // the upper two lanes
		combine()
		g.VPERMILPS(operand.U8(0xb1), low, high)
		combine()
	}
	g.VORPS(nan.AsX(), most[0].AsX(), most[0].AsX())
	g.Store(most[0].AsX(), g.ReturnIndex(0))
	g.VZEROUPPER()
	g.RET()
}

// affineRows generates dst = min(max(dst*scale + shift, lo), hi) with a factor and a term for each row.
func (g *generator) affineRows() {
	g.function(g.name+"AffineRows", "(dst *float32, rows, width int, scale, shift *float32, lo, hi float32)",
		" computes dst = min(max(dst*scale + shift, lo), hi) for rows of width elements, whole vectors.")
	load := func(name string) reg.GPVirtual { return g.Load(g.Param(name), g.GP64()).(reg.GPVirtual) }
	dst, rows, width, scale, shift := load("dst"), load("rows"), load("width"), load("scale"), load("shift")
	limit := func(name string) reg.VecVirtual {
		a, err := g.Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		v := g.vec()
		g.VBROADCASTSS(a.Addr, v)
		return v
	}
	lo, hi := limit("lo"), limit("hi")
	left := g.GP64()
	g.Label("row")
	g.TESTQ(rows, rows)
	g.JZ(operand.LabelRef("end"))
	f, s := g.vec(), g.vec()
	g.VBROADCASTSS(operand.Mem{Base: scale}, f)
	g.VBROADCASTSS(operand.Mem{Base: shift}, s)
	g.MOVQ(width, left)
	g.Label("vector")
	v := g.vec()
	g.VMOVUPS(operand.Mem{Base: dst}, v)
	g.VFMADD213PS(s, f, v)
	g.VMAXPS(v, lo, v) // NaN stays
	g.VMINPS(v, hi, v)
	g.VMOVUPS(v, operand.Mem{Base: dst})
	g.ADDQ(operand.U8(g.bytes()), dst)
	g.SUBQ(operand.U8(g.lanes), left)
	g.JNZ(operand.LabelRef("vector"))
	g.ADDQ(operand.U8(4), scale)
	g.ADDQ(operand.U8(4), shift)
	g.DECQ(rows)
	g.JMP(operand.LabelRef("row"))
	g.Label("end")
	g.VZEROUPPER()
	g.RET()
}
