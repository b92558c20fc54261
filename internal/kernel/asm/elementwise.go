package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elementwise generates the loops over whole slices. They run at the speed of memory, so that wider vectors than those
// of AVX2 would gain nothing.
func (g *generator) elementwise() {
	type vec = reg.VecVirtual
	type op = operand.Op
	g.loop("Relu", "(dst, x []float32)", " computes dst = max(x, 0).", nil, func(x []vec, _ []vec) {
		zero := g.vec()
		g.zero(zero)
		for _, v := range x {
			g.VMAXPS(v, zero, v)
		}
	})
	g.loop("Clamp", "(dst, x []float32, lo, hi float32)", " computes dst = min(max(x, lo), hi).", []string{"lo", "hi"}, func(x, c []vec) {
		for _, v := range x {
			g.VMAXPS(v, c[0], v)
			g.VMINPS(v, c[1], v)
		}
	})
	g.loop("ScaleShift", "(dst, x []float32, scale, shift float32)", " computes dst = x*scale + shift.", []string{"scale", "shift"}, func(x, c []vec) {
		for _, v := range x {
			g.VFMADD213PS(c[1], c[0], v)
		}
	})
	g.loop("LeakyRelu", "(dst, x []float32, alpha float32)", " computes dst = x, alpha*x where x is negative.", []string{"alpha"}, func(x, c []vec) {
		zero := g.vec()
		g.zero(zero)
		for _, v := range x {
			scaled := g.vec()
			g.VMULPS(c[0], v, scaled)
			g.choose(g.compare(less, v, zero), scaled, v)
		}
	})
	g.loop("HardSwish", "(dst, x []float32, scale, shift float32)", " computes dst = x * min(max(x*scale+shift, 0), 1).", []string{"scale", "shift"}, func(x, c []vec) {
		zero, one := g.vec(), g.vec()
		g.zero(zero)
		g.VMOVUPS(g.number(1), one)
		for _, v := range x {
			f := g.vec()
			g.VMOVAPS(v, f)
			g.VFMADD213PS(c[1], c[0], f)
			g.VMAXPS(f, zero, f)
			g.VMINPS(f, one, f)
			g.VMULPS(f, v, v)
		}
	})
	for _, f := range []struct {
		name, doc string
		mode      operand.U8
	}{
		{"Floor", " computes the greatest whole number that is not above x.", 9},
		{"Ceil", " computes the least whole number that is not below x.", 10},
		{"Round", " computes the nearest whole number, the even one of two.", 8},
	} {
		g.loop(f.name, "(dst, x []float32)", f.doc, nil, func(x, _ []vec) {
			for _, v := range x {
				g.VROUNDPS(f.mode, v, v)
			}
		})
	}
	g.loop2("Add", " computes dst = x + y.", func(x []vec, y []op) {
		for i, v := range x {
			g.VADDPS(y[i], v, v)
		}
	})
	g.loop2("AddRelu", " computes dst = max(x+y, 0).", func(x []vec, y []op) {
		zero := g.vec()
		g.zero(zero)
		for i, v := range x {
			g.VADDPS(y[i], v, v)
			g.VMAXPS(v, zero, v)
		}
	})
	g.loop2("Mul", " computes dst = x * y.", func(x []vec, y []op) {
		for i, v := range x {
			g.VMULPS(y[i], v, v)
		}
	})
	g.loop2("Sub", " computes dst = x - y.", func(x []vec, y []op) {
		for i, v := range x {
			g.VSUBPS(y[i], v, v)
		}
	})
	g.loop2("Div", " computes dst = x / y.", func(x []vec, y []op) {
		for i, v := range x {
			g.VDIVPS(y[i], v, v)
		}
	})
	g.loop("DivBy", "(dst, x []float32, y float32)", " computes dst = x / y.", []string{"y"}, func(x, c []vec) {
		for _, v := range x {
			g.VDIVPS(c[0], v, v)
		}
	})
	g.loop2("Max", " computes dst = max(x, y), NaN where one is.", func(x []vec, y []op) {
		for i, v := range x {
			nan := g.vec()
			g.VCMPPS(operand.U8(3), v, v, nan) // all ones, a NaN, where x is NaN
			g.VMAXPS(y[i], v, v)               // y where one is NaN
			g.VORPS(nan, v, v)
		}
	})
}

const wide = 4 // vectors in one turn of a loop

// loop generates a function of one slice and constants: body changes registers of x in place.
func (g *generator) loop(name, signature, doc string, consts []string, body func(x, c []reg.VecVirtual)) {
	g.function(g.name+name, signature, doc)
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	n := g.Load(g.Param("dst").Len(), g.GP64())
	x := g.Load(g.Param("x").Base(), g.GP64())
	var c []reg.VecVirtual
	for _, name := range consts {
		a, err := g.Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		v := g.vec()
		g.VBROADCASTSS(a.Addr, v)
		c = append(c, v)
	}
	g.over(n, []reg.Register{dst, x}, func(count, size int) {
		v := make([]reg.VecVirtual, count)
		for i := range v {
			v[i] = g.vec()
			g.load(operand.Mem{Base: x, Disp: i * g.bytes()}, v[i], size)
		}
		body(v, c)
		for i := range v {
			g.store(v[i], operand.Mem{Base: dst, Disp: i * g.bytes()}, size)
		}
	})
}

// loop2 generates a function of two slices: body combines registers of x with y, which are registers or memory.
func (g *generator) loop2(name, doc string, body func(x []reg.VecVirtual, y []operand.Op)) {
	g.function(g.name+name, "(dst, x, y []float32)", doc)
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	n := g.Load(g.Param("dst").Len(), g.GP64())
	x := g.Load(g.Param("x").Base(), g.GP64())
	y := g.Load(g.Param("y").Base(), g.GP64())
	g.over(n, []reg.Register{dst, x, y}, func(count, size int) {
		v, w := make([]reg.VecVirtual, count), make([]operand.Op, count)
		for i := range v {
			v[i] = g.vec()
			g.load(operand.Mem{Base: x, Disp: i * g.bytes()}, v[i], size)
			w[i] = operand.Mem{Base: y, Disp: i * g.bytes()}
			if size == 1 {
				r := g.vec()
				g.load(operand.Mem{Base: y}, r, size)
				w[i] = r
			}
		}
		body(v, w)
		for i := range v {
			g.store(v[i], operand.Mem{Base: dst, Disp: i * g.bytes()}, size)
		}
	})
}

// over generates the loops over n elements: wide vectors at a time, then one, then single elements (in the lowest
// lane). pointers are moved along.
func (g *generator) over(n reg.Register, pointers []reg.Register, turn func(count, size int)) {
	g.overCounts(wide, n, pointers, turn)
}

func (g *generator) overCounts(wide int, n reg.Register, pointers []reg.Register, turn func(count, size int)) {
	for _, l := range []struct {
		label       string
		count, size int
	}{{"wide", wide, g.lanes}, {"vector", 1, g.lanes}, {"element", 1, 1}} {
		step := l.count * l.size
		g.Label(l.label)
		g.CMPQ(n, operand.U8(step))
		g.JL(operand.LabelRef(l.label + "end"))
		turn(l.count, l.size)
		for _, p := range pointers {
			g.ADDQ(operand.U32(4*step), p)
		}
		g.SUBQ(operand.U8(step), n)
		g.JMP(operand.LabelRef(l.label))
		g.Label(l.label + "end")
	}
	g.VZEROUPPER()
	g.RET()
}

// overTwo is over for functions that need many registers: two vectors at a time.
func (g *generator) overTwo(n reg.Register, pointers []reg.Register, turn func(count, size int)) {
	g.overCounts(2, n, pointers, turn)
}

// load reads a vector or, with size 1, an element into its lowest lane and zeros into the others.
func (g *generator) load(m operand.Mem, v reg.VecVirtual, size int) {
	if size == 1 {
		g.VMOVSS(m, v.AsX())
		return
	}
	g.VMOVUPS(m, v)
}

func (g *generator) store(v reg.VecVirtual, m operand.Mem, size int) {
	if size == 1 {
		g.VMOVSS(v.AsX(), m)
		return
	}
	g.VMOVUPS(v, m)
}

// axpy4 generates dst += a[0]*x[0:] + a[1]*x[ld:] + a[2]*x[2*ld:] + a[3]*x[3*ld:].
func (g *generator) axpy4() {
	g.function(g.name+"Axpy4", "(dst, x []float32, ld int, a *[4]float32)", " adds four rows of x, ld apart, times a to dst.")
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	n := g.Load(g.Param("dst").Len(), g.GP64())
	ld := g.Load(g.Param("ld"), g.GP64())
	a := g.Load(g.Param("a"), g.GP64())
	rows := []reg.Register{g.Load(g.Param("x").Base(), g.GP64())}
	g.SHLQ(operand.U8(2), ld)
	for i := range 3 {
		r := g.GP64()
		g.MOVQ(rows[i], r)
		g.ADDQ(ld, r)
		rows = append(rows, r)
	}
	f := make([]reg.VecVirtual, 4)
	for i := range f {
		f[i] = g.vec()
		g.VBROADCASTSS(operand.Mem{Base: a, Disp: 4 * i}, f[i])
	}
	g.over(n, append([]reg.Register{dst}, rows...), func(count, size int) {
		sums := make([]reg.VecVirtual, count)
		for i := range sums {
			sums[i] = g.vec()
			g.load(operand.Mem{Base: dst, Disp: i * g.bytes()}, sums[i], size)
		}
		for r := range rows {
			for i := range sums {
				x := g.vec()
				g.load(operand.Mem{Base: rows[r], Disp: i * g.bytes()}, x, size)
				g.VFMADD231PS(x, f[r], sums[i])
			}
		}
		for i := range sums {
			g.store(sums[i], operand.Mem{Base: dst, Disp: i * g.bytes()}, size)
		}
	})
}

// taps generates dst[i] = bias + sum over t of w[t]*src[offs[t]+i].
func (g *generator) taps() {
	g.function(g.name+"Taps", "(dst, src []float32, offs []int, w []float32, bias float32)",
		" computes dst[i] = bias + the sum over t of w[t]*src[offs[t]+i].")
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	n := g.Load(g.Param("dst").Len(), g.GP64())
	src := g.Load(g.Param("src").Base(), g.GP64())
	offs := g.Load(g.Param("offs").Base(), g.GP64())
	taps := g.Load(g.Param("offs").Len(), g.GP64())
	w := g.Load(g.Param("w").Base(), g.GP64())
	bias := g.vec()
	a, err := g.Param("bias").Resolve()
	if err != nil {
		panic(err)
	}
	g.VBROADCASTSS(a.Addr, bias)
	turns := 0
	g.over(n, []reg.Register{dst, src}, func(count, size int) {
		turns++
		sums := make([]reg.VecVirtual, count)
		for i := range sums {
			sums[i] = g.vec()
			g.VMOVAPS(bias, sums[i])
		}
		t := g.GP64()
		g.XORQ(t, t)
		loop, end := fmt.Sprintf("taps%d", turns), fmt.Sprintf("taps%dend", turns)
		g.Label(loop)
		g.CMPQ(t, taps)
		g.JGE(operand.LabelRef(end))
		f, p := g.vec(), g.GP64()
		g.VBROADCASTSS(operand.Mem{Base: w, Index: t, Scale: 4}, f)
		g.MOVQ(operand.Mem{Base: offs, Index: t, Scale: 8}, p)
		g.LEAQ(operand.Mem{Base: src, Index: p, Scale: 4}, p)
		for i, sum := range sums {
			if size == 1 {
				x := g.vec()
				g.load(operand.Mem{Base: p}, x, size)
				g.VFMADD231PS(x, f, sum)
			} else {
				g.VFMADD231PS(operand.Mem{Base: p, Disp: i * g.bytes()}, f, sum)
			}
		}
		g.INCQ(t)
		g.JMP(operand.LabelRef(loop))
		g.Label(end)
		for i := range sums {
			g.store(sums[i], operand.Mem{Base: dst, Disp: i * g.bytes()}, size)
		}
	})
}

// dots generates the scalar products of four rows of x with two rows of w.
func (g *generator) dots() {
	g.function(g.name+"Dots", "(dst *[8]float32, x []float32, ldx int, w []float32, ldw int, k int)",
		" computes dst[2*i+j] = x[i]·w[j] for four rows of x, ldx apart, and two of w, ldw apart, of k elements.")
	dst := g.Load(g.Param("dst"), g.GP64())
	ldx := g.Load(g.Param("ldx"), g.GP64())
	ldw := g.Load(g.Param("ldw"), g.GP64())
	k := g.Load(g.Param("k"), g.GP64())
	x := []reg.Register{g.Load(g.Param("x").Base(), g.GP64())}
	w := []reg.Register{g.Load(g.Param("w").Base(), g.GP64()), g.GP64()}
	g.SHLQ(operand.U8(2), ldx)
	g.SHLQ(operand.U8(2), ldw)
	for i := range 3 {
		r := g.GP64()
		g.MOVQ(x[i], r)
		g.ADDQ(ldx, r)
		x = append(x, r)
	}
	g.MOVQ(w[0], w[1])
	g.ADDQ(ldw, w[1])
	sums := make([]reg.VecVirtual, 8)
	for i := range sums {
		sums[i] = g.vec()
	}
	g.zero(sums...)
	for _, l := range []struct {
		label string
		size  int
	}{{"vector", g.lanes}, {"element", 1}} {
		g.Label(l.label)
		g.CMPQ(k, operand.U8(l.size))
		g.JL(operand.LabelRef(l.label + "end"))
		ws := []reg.VecVirtual{g.vec(), g.vec()}
		for j := range ws {
			g.load(operand.Mem{Base: w[j]}, ws[j], l.size)
		}
		for i := range x {
			v := g.vec()
			g.load(operand.Mem{Base: x[i]}, v, l.size)
			for j := range ws {
				g.VFMADD231PS(v, ws[j], sums[2*i+j])
			}
		}
		for _, p := range append(append([]reg.Register{}, x...), w...) {
			g.ADDQ(operand.U8(4*l.size), p)
		}
		g.SUBQ(operand.U8(l.size), k)
		g.JMP(operand.LabelRef(l.label))
		g.Label(l.label + "end")
	}
	for i, s := range sums {
		h := g.XMM()
		g.VEXTRACTF128(operand.U8(1), s, h)
		g.VADDPS(s.AsX(), h, h)
		g.VHADDPS(h, h, h)
		g.VHADDPS(h, h, h)
		g.VMOVSS(h, operand.Mem{Base: dst, Disp: 4 * i})
	}
	g.VZEROUPPER()
	g.RET()
}
