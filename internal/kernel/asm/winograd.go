package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const winogradTmp = 240 // kernel.WinogradTmp

// winograd generates the transforms of F(4x4, 3x3) for rows of n tiles, eight tiles at a time.
func (g *generator) winograd() {
	g.winogradInput()
	g.winogradOutput()
}

// constant returns a vector of a number.
func (g *generator) constant(f float32) reg.VecVirtual {
	r, v := g.GP32(), g.vec()
	g.MOVL(operand.U32(math.Float32bits(f)), r)
	g.VMOVD(r, v.AsX())
	g.VBROADCASTSS(v.AsX(), v)
	return v
}

func (g *generator) winogradInput() {
	g.function(g.name+"WinogradInput", "(dst *float32, step int, src *float32, ld, n int, tmp *float32)",
		" transforms n tiles of a row of tiles, eight at a time.")
	dst := g.Load(g.Param("dst"), g.GP64())
	step := g.Load(g.Param("step"), g.GP64())
	src := g.Load(g.Param("src"), g.GP64())
	ld := g.Load(g.Param("ld"), g.GP64())
	n := g.Load(g.Param("n"), g.GP64())
	tmp := g.Load(g.Param("tmp"), g.GP64())
	g.SHLQ(operand.U8(2), step)
	g.SHLQ(operand.U8(2), ld)
	ld3, ld5 := g.GP64(), g.GP64()
	g.LEAQ(operand.Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	g.LEAQ(operand.Mem{Base: ld, Index: ld, Scale: 4}, ld5)
	two, four, five := g.constant(2), g.constant(4), g.constant(5)

	// six transforms six vectors that load gives, and stores them.
	six := func(load func(i int) reg.VecVirtual, store func(i int, v reg.VecVirtual)) {
		d := make([]reg.VecVirtual, 6)
		for i := range d {
			d[i] = load(i)
		}
		copyOf := func(v reg.VecVirtual) reg.VecVirtual {
			c := g.vec()
			g.VMOVAPS(v, c)
			return c
		}
		t := copyOf(d[4]) // 4 d0 - 5 d2 + d4
		g.VFMADD231PS(d[0], four, t)
		g.VFNMADD231PS(d[2], five, t)
		store(0, t)
		g.VFMADD231PS(d[1], four, d[5]) // 4 d1 - 5 d3 + d5
		g.VFNMADD231PS(d[3], five, d[5])
		store(5, d[5])
		a, b := copyOf(d[4]), copyOf(d[3])
		g.VFNMADD231PS(d[2], four, a) // d4 - 4 d2
		g.VFNMADD231PS(d[1], four, b) // d3 - 4 d1
		t = g.vec()
		g.VADDPS(b, a, t)
		store(1, t)
		g.VSUBPS(b, a, a)
		store(2, a)
		g.VSUBPS(d[2], d[4], d[4]) // d4 - d2
		g.VSUBPS(d[1], d[3], d[3]) // d3 - d1
		t = copyOf(d[4])
		g.VFMADD231PS(d[3], two, t)
		store(3, t)
		g.VFNMADD231PS(d[3], two, d[4])
		store(4, d[4])
	}
	const tmpRow = 4 * winogradTmp / 6 // bytes
	p, q, count := g.GP64(), g.GP64(), g.GP64()
	g.Label("group")
	// The columns of all eight tiles, which overlap, a vector of them at a time.
	g.MOVQ(src, p)
	g.MOVQ(tmp, q)
	g.MOVQ(operand.U32(tmpRow/g.bytes()), count)
	g.Label("columns")
	six(func(i int) reg.VecVirtual {
		v := g.vec()
		g.VMOVUPS([]operand.Mem{
			{Base: p}, {Base: p, Index: ld, Scale: 1}, {Base: p, Index: ld, Scale: 2},
			{Base: p, Index: ld3, Scale: 1}, {Base: p, Index: ld, Scale: 4}, {Base: p, Index: ld5, Scale: 1},
		}[i], v)
		return v
	}, func(i int, v reg.VecVirtual) { g.VMOVUPS(v, operand.Mem{Base: q, Disp: i * tmpRow}) })
	g.ADDQ(operand.U8(g.bytes()), p)
	g.ADDQ(operand.U8(g.bytes()), q)
	g.DECQ(count)
	g.JNZ(operand.LabelRef("columns"))

	// Rows: element j of tile l is at 4*l+j.
	out, step5 := g.GP64(), g.GP64()
	g.MOVQ(tmp, p)
	g.MOVQ(dst, out)
	g.LEAQ(operand.Mem{Base: step, Index: step, Scale: 4}, step5)
	g.MOVQ(operand.U32(6), count)
	g.Label("rows")
	x := make([]reg.VecVirtual, 5) // elements 0..3 of tiles i and i+4
	for i := range x {
		x[i] = g.vec()
		g.VMOVUPS(operand.Mem{Base: p, Disp: 16 * i}, x[i].AsX())
		g.VINSERTF128(operand.U8(1), operand.Mem{Base: p, Disp: 16 * (i + 4)}, x[i], x[i])
	}
	low := func(a, b reg.VecVirtual) reg.VecVirtual { v := g.vec(); g.VUNPCKLPS(b, a, v); return v }
	high := func(a, b reg.VecVirtual) reg.VecVirtual { v := g.vec(); g.VUNPCKHPS(b, a, v); return v }
	pairs := func(a, b reg.VecVirtual) (first, second reg.VecVirtual) {
		first = g.vec()
		g.VUNPCKLPD(b, a, first)
		g.VUNPCKHPD(b, a, b)
		return first, b
	}
	var d [6]reg.VecVirtual
	d[4], d[5] = pairs(low(x[1], x[2]), low(x[3], x[4])) // elements 0 and 1 of the next tile
	d[2], d[3] = pairs(high(x[0], x[1]), high(x[2], x[3]))
	d[0], d[1] = pairs(low(x[0], x[1]), low(x[2], x[3]))
	// Stores come in the order 0, 5, 1, 2, 3, 4: the pointer starts at 0 and is moved by what lies between.
	g.MOVQ(out, q)
	six(func(i int) reg.VecVirtual { return d[i] }, func(i int, v reg.VecVirtual) {
		switch i {
		case 0:
			g.VMOVUPS(v, operand.Mem{Base: q})
		case 5:
			g.VMOVUPS(v, operand.Mem{Base: q, Index: step5, Scale: 1})
		default:
			g.ADDQ(step, q)
			g.VMOVUPS(v, operand.Mem{Base: q})
		}
	})
	g.LEAQ(operand.Mem{Base: out, Index: step, Scale: 2}, out)
	g.LEAQ(operand.Mem{Base: out, Index: step, Scale: 4}, out)
	g.ADDQ(operand.U32(tmpRow), p)
	g.DECQ(count)
	g.JNZ(operand.LabelRef("rows"))

	g.ADDQ(operand.U32(4*g.bytes()), src)
	g.ADDQ(operand.U8(g.bytes()), dst)
	g.SUBQ(operand.U8(g.lanes), n)
	g.JG(operand.LabelRef("group"))
	g.VZEROUPPER()
	g.RET()
}

func (g *generator) winogradOutput() {
	g.function(g.name+"WinogradOutput", "(dst, src *float32, step, n int, bias, lo, hi float32)",
		" transforms 36 rows of n elements, step apart, into four rows of 4*n outputs limited to lo..hi. It overwrites src.")
	dst := g.Load(g.Param("dst"), g.GP64())
	src := g.Load(g.Param("src"), g.GP64())
	step := g.Load(g.Param("step"), g.GP64())
	n := g.Load(g.Param("n"), g.GP64())
	g.SHLQ(operand.U8(2), step)
	step6, row := g.GP64(), g.GP64()
	g.LEAQ(operand.Mem{Base: step, Index: step, Scale: 2}, step6)
	g.ADDQ(step6, step6)
	g.MOVQ(n, row)
	g.SHLQ(operand.U8(4), row)
	param := func(name string) reg.VecVirtual {
		a, err := g.Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		v := g.vec()
		g.VBROADCASTSS(a.Addr, v)
		return v
	}
	bias, lo, hi := param("bias"), param("lo"), param("hi")
	two, four, eight := g.constant(2), g.constant(4), g.constant(8)

	// six turns six vectors at p, step apart, into four.
	six := func(p, step reg.Register) [4]reg.VecVirtual {
		m := make([]reg.VecVirtual, 6)
		for i := range m {
			m[i] = g.vec()
			g.VMOVUPS(operand.Mem{Base: p}, m[i])
			if i < 5 {
				g.ADDQ(step, p)
			}
		}
		s, d := g.vec(), m[1]
		g.VADDPS(m[2], m[1], s)
		g.VSUBPS(m[2], m[1], d)
		s2, d2 := m[2], m[3]
		g.VADDPS(m[4], m[3], s2)
		g.VSUBPS(m[4], m[3], d2)
		g.VADDPS(s, m[0], m[0]) // y0 = m0 + s + s2
		g.VADDPS(s2, m[0], m[0])
		g.VADDPS(d, m[5], m[5]) // y3 = d + 8 d2 + m5
		g.VFMADD231PS(d2, eight, m[5])
		g.VFMADD231PS(d2, two, d)  // y1 = d + 2 d2
		g.VFMADD231PS(s2, four, s) // y2 = s + 4 s2
		return [4]reg.VecVirtual{m[0], d, s, m[5]}
	}
	p, q, first, out, count := g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64()
	g.Label("vector")
	g.MOVQ(src, first)
	g.MOVQ(operand.U32(6), count)
	g.Label("columns")
	g.MOVQ(first, p)
	g.MOVQ(first, q)
	for i, v := range six(p, step6) {
		if i > 0 {
			g.ADDQ(step6, q)
		}
		g.VMOVUPS(v, operand.Mem{Base: q})
	}
	g.ADDQ(step, first)
	g.DECQ(count)
	g.JNZ(operand.LabelRef("columns"))

	g.MOVQ(src, first)
	g.MOVQ(dst, out)
	g.MOVQ(operand.U32(4), count)
	g.Label("rows")
	g.MOVQ(first, p)
	y := six(p, step)
	for _, v := range y {
		g.VADDPS(bias, v, v)
		g.VMAXPS(v, lo, v)
		g.VMINPS(v, hi, v)
	}
	// Element l of the four vectors becomes outputs 4*l to 4*l+3.
	a, b := g.vec(), g.vec()
	g.VUNPCKLPS(y[1], y[0], a)
	g.VUNPCKHPS(y[1], y[0], y[0])
	g.VUNPCKLPS(y[3], y[2], b)
	g.VUNPCKHPS(y[3], y[2], y[2])
	low := func(hi bool, a, b reg.VecVirtual) reg.VecVirtual {
		v := g.vec()
		if hi {
			g.VUNPCKHPD(b, a, v)
		} else {
			g.VUNPCKLPD(b, a, v)
		}
		return v
	}
	for i, v := range []reg.VecVirtual{low(false, a, b), low(true, a, b), low(false, y[0], y[2]), low(true, y[0], y[2])} {
		g.VMOVUPS(v.AsX(), operand.Mem{Base: out, Disp: 16 * i})
		g.VEXTRACTF128(operand.U8(1), v, operand.Mem{Base: out, Disp: 16 * (i + 4)})
	}
	g.ADDQ(row, out)
	g.ADDQ(step6, first)
	g.DECQ(count)
	g.JNZ(operand.LabelRef("rows"))

	g.ADDQ(operand.U8(g.bytes()), src)
	g.ADDQ(operand.U32(4*g.bytes()), dst)
	g.SUBQ(operand.U8(g.lanes), n)
	g.JNZ(operand.LabelRef("vector"))
	g.VZEROUPPER()
	g.RET()
}
