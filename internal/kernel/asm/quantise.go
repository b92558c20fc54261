package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// quantise generates what goes between float32 and 8-bit numbers: eight elements a turn, then single ones.
func (g *generator) quantise() {
	g.round8()
	g.widen8("WidenUint8", "[]uint8", g.VPMOVZXBD, g.MOVBLZX)
	g.widen8("WidenInt8", "[]int8", g.VPMOVSXBD, g.MOVBLSX)
}

// eights generates loops over n elements, of which turn handles size: eight, then one.
func (g *generator) eights(n reg.Register, turn func(size int)) {
	for _, size := range []int{8, 1} {
		label := map[int]string{8: "vector", 1: "element"}[size]
		g.Label(label)
		g.CMPQ(n, operand.U8(size))
		g.JL(operand.LabelRef(label + "end"))
		turn(size)
		g.SUBQ(operand.U8(size), n)
		g.JMP(operand.LabelRef(label))
		g.Label(label + "end")
	}
	g.VZEROUPPER()
	g.RET()
}

func (g *generator) round8() {
	g.function(g.name+"Round8", "(dst []byte, x []float32, zero, lo, hi float32)",
		" computes the low byte of min(max(round(x)+zero, lo), hi), ties to even, 0 where x is NaN.")
	constant := func(name string) reg.VecVirtual {
		a, err := g.Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		v := g.YMM()
		g.VBROADCASTSS(a.Addr, v)
		return v
	}
	zero, lo, hi := constant("zero"), constant("lo"), constant("hi")
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	n := g.Load(g.Param("dst").Len(), g.GP64())
	x := g.Load(g.Param("x").Base(), g.GP64())
	bytes := g.StaticGlobal(g.name + "LowBytes") // of four 32-bit numbers
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		g.AddDatum(4*i, operand.U32(map[bool]uint32{true: 0x0c080400, false: 0x80808080}[i%4 == 0]))
	}
	g.eights(n, func(size int) {
		v, number := g.YMM(), g.YMM()
		g.load(operand.Mem{Base: x}, v, size)
		g.VCMPPS(operand.U8(7), v, v, number) // all ones where v is a number
		g.VROUNDPS(operand.U8(8), v, v)
		g.VADDPS(zero, v, v)
		g.VMAXPS(lo, v, v)
		g.VMINPS(hi, v, v)
		g.VANDPS(number, v, v)
		g.VCVTPS2DQ(v, v)
		g.VPSHUFB(bytes, v, v)
		if size == 1 {
			g.VPEXTRB(operand.U8(0), v.AsX(), operand.Mem{Base: dst})
		} else {
			g.VMOVD(v.AsX(), operand.Mem{Base: dst})
			high := g.XMM()
			g.VEXTRACTI128(operand.U8(1), v, high)
			g.VMOVD(high, operand.Mem{Base: dst, Disp: 4})
		}
		g.ADDQ(operand.U8(4*size), x)
		g.ADDQ(operand.U8(size), dst)
	})
}

func (g *generator) widen8(name, typ string, eight func(...operand.Op), one func(src, dst operand.Op)) {
	g.function(g.name+name, "(dst []float32, x "+typ+")", " writes 8-bit numbers as float32.")
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	n := g.Load(g.Param("dst").Len(), g.GP64())
	x := g.Load(g.Param("x").Base(), g.GP64())
	g.eights(n, func(size int) {
		if size == 1 {
			e, v := g.GP32(), g.XMM()
			one(operand.Mem{Base: x}, e)
			g.VXORPS(v, v, v)
			g.VCVTSI2SSL(e, v, v)
			g.VMOVSS(v, operand.Mem{Base: dst})
		} else {
			v := g.YMM()
			eight(operand.Mem{Base: x}, v)
			g.VCVTDQ2PS(v, v)
			g.VMOVUPS(v, operand.Mem{Base: dst})
		}
		g.ADDQ(operand.U8(4*size), dst)
		g.ADDQ(operand.U8(size), x)
	})
}
