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
	tanhTerms     = []float32{-0.00571703656, 0.020650579, -0.0537434953, 0.133314912, -0.333332839}
	tanhSmall     = float32(0.625)
	tanhMost      = float32(10) // the result is 1 from here on

	// logErfcTerms from 0.95 to 4.5, where the complement of the error function is 2e-10.
	geluTerms = []float32{1.3833567e-06, -4.094643e-05, 0.0005530063, -0.0045515546, 0.025823463, -0.10901916, -0.63296, -1.1295673, 0.00015562396}
	geluMost  = float32(4.5)
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

// group is a few vectors that the functions below treat alike, step by step: what they compute are long chains, and
// the processor works on several at once only where these lie close together.
type group []reg.VecVirtual

func (g *generator) newGroup(n int) group {
	v := make(group, n)
	for i := range v {
		v[i] = g.vec()
	}
	return v
}

// numbers returns as many vectors as x has of one number.
func (g *generator) numbers(x group, v float32) group {
	c := g.newGroup(len(x))
	for _, r := range c {
		g.VMOVUPS(g.number(v), r)
	}
	return c
}

// one returns a vector of one number.
func (g *generator) one(v float32) reg.VecVirtual { return g.numbers(make(group, 1), v)[0] }

// most returns min(x, v), NaN where x is.
func (g *generator) most(x group, v float32) group {
	c := g.numbers(x, v)
	for i := range x {
		g.VMINPS(x[i], c[i], c[i])
	}
	return c
}

// least returns max(x, v), NaN where x is.
func (g *generator) least(x group, v float32) group {
	c := g.numbers(x, v)
	for i := range x {
		g.VMAXPS(x[i], c[i], c[i])
	}
	return c
}

// times returns x*v.
func (g *generator) times(x group, v float32) group {
	c := g.newGroup(len(x))
	for i := range x {
		g.VMULPS(g.number(v), x[i], c[i])
	}
	return c
}

func (g *generator) square(x group) group {
	y := g.newGroup(len(x))
	for i := range x {
		g.VMULPS(x[i], x[i], y[i])
	}
	return y
}

func (g *generator) absolute(x group) group {
	y := g.newGroup(len(x))
	for i := range x {
		g.and(g.pattern(signBit-1), x[i], y[i])
	}
	return y
}

// subtractFrom computes x = v - x.
func (g *generator) subtractFrom(v float32, x group) {
	c := g.one(v)
	for i := range x {
		g.VSUBPS(x[i], c, x[i])
	}
}

// chooseWhere replaces by v the lanes of dst for which x is related so to y.
func (g *generator) chooseWhere(x group, predicate operand.U8, y float32, v, dst group) {
	for i := range x {
		g.choose(g.compare(predicate, x[i], g.number(y)), v[i], dst[i])
	}
}

// clearBelow makes the lanes of v zero for which x is below y.
func (g *generator) clearBelow(x group, y float32, v group) {
	for i := range x {
		g.clear(g.compare(less, x[i], g.number(y)), v[i])
	}
}

// polynomial returns the value at x of the one with these coefficients, highest first: two polynomials of the square.
func (g *generator) polynomial(x group, terms []float32) group {
	y := g.square(x)
	p, q := g.numbers(x, terms[0]), g.numbers(x, terms[1])
	for _, c := range terms[2:] {
		for i := range x {
			g.VFMADD213PS(g.number(c), y[i], p[i])
		}
		p, q = q, p
	}
	for i := range x { // q ends with the lowest coefficient
		g.VFMADD231PS(x[i], p[i], q[i])
	}
	return q
}

// exp returns e^x for x within expLeast..expMost, and overwrites x.
func (g *generator) exp(x group) group {
	t, n := g.numbers(x, magic), g.newGroup(len(x))
	for i := range x {
		g.VFMADD231PS(g.number(log2e), x[i], t[i])
	}
	for i := range x {
		g.VSUBPS(g.number(magic), t[i], n[i])
	}
	for i := range x {
		g.VFNMADD231PS(g.number(ln2Hi), n[i], x[i])
	}
	for i := range x {
		g.VFNMADD231PS(g.number(ln2Lo), n[i], x[i])
		g.VPSLLD(operand.U8(23), t[i], t[i])
	}
	p := g.polynomial(x, expTerms)
	for i := range x {
		g.VPADDD(t[i], p[i], p[i])
	}
	return p
}

// sigmoid returns 1/(1+e^-x), 0 where x is too low for a normal number.
func (g *generator) sigmoid(x group) group {
	y := g.newGroup(len(x))
	for i := range x {
		g.xor(g.pattern(signBit), x[i], y[i])
	}
	e := g.exp(g.most(g.least(y, expLeast), expMost))
	one := g.one(1)
	for i := range x {
		g.VADDPS(one, e[i], e[i])
		g.VDIVPS(e[i], one, e[i])
	}
	g.clearBelow(x, -expMost, e)
	return e
}

// power returns e^x for x that are not positive, 0 where that is no normal number.
func (g *generator) power(x group) group {
	e := g.exp(g.most(g.least(x, expLeast), 0))
	g.clearBelow(x, expLeast, e)
	return e
}

// silu returns x times its sigmoid.
func (g *generator) silu(x group) group {
	y := g.sigmoid(x)
	for i := range x {
		g.VMULPS(x[i], y[i], y[i])
	}
	return y
}

// erf returns the error function.
func (g *generator) erf(x group) group {
	far := g.exp(g.polynomial(g.most(g.absolute(x), erfcVanishes), logErfcTerms))
	g.subtractFrom(1, far)
	for i := range x {
		g.signOf(x[i], far[i])
	}
	near := g.polynomial(g.square(x), erfTerms)
	for i := range x {
		g.VMULPS(x[i], near[i], near[i])
	}
	g.chooseWhere(g.absolute(x), lessEqual, erfSmallUntil, near, far)
	return far
}

// tanh returns the hyperbolic tangent: an odd polynomial, and 1-2/(e^2x+1) beyond.
func (g *generator) tanh(x group) group {
	far := g.exp(g.times(g.most(g.absolute(x), tanhMost), 2))
	two := g.one(2)
	for i := range x {
		g.VADDPS(g.number(1), far[i], far[i])
		g.VDIVPS(far[i], two, far[i])
	}
	g.subtractFrom(1, far)
	for i := range x {
		g.signOf(x[i], far[i])
	}
	near := g.polynomial(g.square(x), tanhTerms)
	z := g.square(x)
	for i := range x {
		g.VMULPS(x[i], z[i], z[i])
		g.VFMADD213PS(x[i], z[i], near[i])
	}
	g.chooseWhere(g.absolute(x), less, tanhSmall, near, far)
	return far
}

// gelu returns x/2*erfc(-x/sqrt(2)): with the error function near 0, with its complement where that is small.
func (g *generator) gelu(x group) group {
	// What takes one multiplication is computed again, to keep registers free.
	scaled := func() group { return g.times(x, math.Sqrt2/2) }
	far := g.exp(g.polynomial(g.most(g.absolute(scaled()), geluMost), geluTerms))
	g.clearBelow(x, -math.Sqrt2*geluMost, far)
	zero := g.vec()
	g.zero(zero)
	for i, other := range g.numbers(x, 2) { // 2 - far where x is positive
		g.VSUBPS(far[i], other, other)
		g.choose(g.compare(less, zero, x[i]), other, far[i])
	}
	near := g.polynomial(g.square(scaled()), erfTerms)
	z := scaled()
	one := g.one(1)
	for i := range x {
		g.VFMADD213PS(one, z[i], near[i])
	}
	g.chooseWhere(g.absolute(x), lessEqual, math.Sqrt2*erfSmallUntil, near, far)
	half := g.times(g.least(x, -2*geluMost), 0.5) // what lies below has the result 0
	for i := range x {
		g.VMULPS(half[i], far[i], far[i])
	}
	return far
}

// transcendental generates functions of the exponential function.
func (g *generator) transcendental() {
	g.function(g.name+"ExpShifted", "(dst, x []float32, shift float32)", " computes dst = e^(x-shift) for x <= shift.")
	a, err := g.Param("shift").Resolve()
	if err != nil {
		panic(err)
	}
	shift := g.vec()
	g.VBROADCASTSS(a.Addr, shift)
	g.ofGroups(func(x group) group {
		for i := range x {
			g.VSUBPS(shift, x[i], x[i])
		}
		return g.power(x)
	})
	for _, f := range []struct {
		name, doc string
		of        func(group) group
	}{
		{"Sigmoid", " computes dst = 1/(1+e^-x).", g.sigmoid},
		{"Silu", " computes dst = x/(1+e^-x).", g.silu},
		{"Erf", " computes the error function.", g.erf},
		{"Tanh", " computes the hyperbolic tangent.", g.tanh},
		{"Gelu", " computes dst = x/2*erfc(-x/sqrt(2)).", g.gelu},
	} {
		g.function(g.name+f.name, "(dst, x []float32)", f.doc)
		g.ofGroups(f.of)
	}
}

// ofGroups generates the body of a function that applies of to all of x and writes dst.
func (g *generator) ofGroups(of func(group) group) {
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	n := g.Load(g.Param("dst").Len(), g.GP64())
	x := g.Load(g.Param("x").Base(), g.GP64())
	g.overTwo(n, []reg.Register{dst, x}, func(count, size int) {
		v := g.newGroup(count)
		for i := range v {
			g.load(operand.Mem{Base: x, Disp: i * g.bytes()}, v[i], size)
		}
		for i, y := range of(v) {
			g.store(y, operand.Mem{Base: dst, Disp: i * g.bytes()}, size)
		}
	})
}
