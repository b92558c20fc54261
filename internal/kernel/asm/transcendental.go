package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The formulas and polynomials are those of math32.go in package kernel, with fused multiply-adds.

const (
	log2e    = 1.44269504
	ln2Hi    = 0.693359375
	ln2Lo    = -2.12194440e-4
	magic    = 3 << 22 // added to a small float32 it leaves the nearest integer in the lowest bits
	expLeast = -87     // 2^n is a normal number from here on
	expMost  = 88
	signBit  = 1 << 31
)

var (
	expTerms      = []float32{0.00139506003, 0.00836895371, 0.0416662042, 0.166665183, 0.50000001, 1, 1}
	erfTerms      = []float32{7.88911597e-05, -0.000802084013, 0.0051895352, -0.0268544445, 0.112836002, -0.376126271, 1.12837917}
	logErfcTerms  = []float32{-2.1697639e-05, 0.000441472916, -0.00420528589, 0.0252103423, -0.108422103, -0.633216395, -1.12958031, 0.000188467784}
	erfcVanishes  = float32(4)
	erfSmallUntil = float32(1)
)

// number returns a vector of one number in memory.
func (g *generator) number(v float32) operand.Mem { return g.pattern(math.Float32bits(v)) }

// pattern is number for bits.
func (g *generator) pattern(bits uint32) operand.Mem {
	m, ok := g.consts[bits]
	if !ok {
		m = g.StaticGlobal(fmt.Sprintf("%sv%08x", g.name, bits))
		g.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range g.lanes {
			g.AddDatum(4*i, operand.U32(bits))
		}
		g.consts[bits] = m
	}
	return m
}

// polynomial returns the value at x of the one with these coefficients, highest first.
func (g *generator) polynomial(x reg.VecVirtual, terms []float32) reg.VecVirtual {
	p := g.vec()
	g.VMOVUPS(g.number(terms[0]), p)
	for _, c := range terms[1:] {
		g.VFMADD213PS(g.number(c), x, p)
	}
	return p
}

// exp returns e^x for x within expLeast..expMost, and overwrites x.
func (g *generator) exp(x reg.VecVirtual) reg.VecVirtual {
	t, n := g.vec(), g.vec()
	g.VMOVUPS(g.number(magic), t)
	g.VFMADD231PS(g.number(log2e), x, t)
	g.VSUBPS(g.number(magic), t, n)
	g.VFNMADD231PS(g.number(ln2Hi), n, x)
	g.VFNMADD231PS(g.number(ln2Lo), n, x)
	p := g.polynomial(x, expTerms)
	g.VPSLLD(operand.U8(23), t, t)
	g.VPADDD(t, p, p)
	return p
}

// sigmoid returns 1/(1+e^-x), 0 where x is too low for a normal number.
func (g *generator) sigmoid(x reg.VecVirtual) reg.VecVirtual {
	low, y, limit := g.vec(), g.vec(), g.vec()
	g.VCMPPS(operand.U8(1), g.number(-expMost), x, low) // x < -expMost
	g.VXORPS(g.pattern(signBit), x, y)
	g.VMOVUPS(g.number(expLeast), limit)
	g.VMAXPS(y, limit, y) // NaN stays
	g.VMOVUPS(g.number(expMost), limit)
	g.VMINPS(y, limit, y)
	e := g.exp(y)
	one := g.vec()
	g.VMOVUPS(g.number(1), one)
	g.VADDPS(one, e, e)
	g.VDIVPS(e, one, e)
	g.VANDNPS(e, low, e)
	return e
}

// erf returns the error function.
func (g *generator) erf(x reg.VecVirtual) reg.VecVirtual {
	a, limit := g.vec(), g.vec()
	g.VANDPS(g.pattern(signBit-1), x, a)
	g.VMOVUPS(g.number(erfcVanishes), limit)
	g.VMINPS(a, limit, a) // NaN stays
	small, z := g.vec(), g.vec()
	g.VCMPPS(operand.U8(2), g.number(erfSmallUntil), a, small) // a <= erfSmallUntil
	g.VMULPS(x, x, z)
	near := g.polynomial(z, erfTerms)
	g.VMULPS(x, near, near)
	far := g.exp(g.polynomial(a, logErfcTerms))
	sign, one := g.vec(), g.vec()
	g.VMOVUPS(g.number(1), one)
	g.VSUBPS(far, one, far)
	g.VANDPS(g.pattern(signBit), x, sign)
	g.VORPS(sign, far, far)
	g.VBLENDVPS(small, near, far, far)
	return far
}

// transcendental generates functions of the exponential function.
func (g *generator) transcendental() {
	for _, f := range []struct {
		name, doc string
		of        func(reg.VecVirtual) reg.VecVirtual
	}{
		{"Sigmoid", " computes dst = 1/(1+e^-x).", g.sigmoid},
		{"Silu", " computes dst = x/(1+e^-x).", func(x reg.VecVirtual) reg.VecVirtual {
			y := g.sigmoid(x)
			g.VMULPS(x, y, y)
			return y
		}},
		{"Erf", " computes the error function.", g.erf},
	} {
		g.function(g.name+f.name, "(dst, x []float32)", f.doc)
		dst := g.Load(g.Param("dst").Base(), g.GP64())
		n := g.Load(g.Param("dst").Len(), g.GP64())
		x := g.Load(g.Param("x").Base(), g.GP64())
		g.overTwo(n, []reg.Register{dst, x}, func(count, size int) {
			v := make([]reg.VecVirtual, count)
			for i := range v {
				v[i] = g.vec()
				g.load(operand.Mem{Base: x, Disp: i * g.bytes()}, v[i], size)
			}
			for i := range v {
				v[i] = f.of(v[i])
			}
			for i := range v {
				g.store(v[i], operand.Mem{Base: dst, Disp: i * g.bytes()}, size)
			}
		})
	}
}
