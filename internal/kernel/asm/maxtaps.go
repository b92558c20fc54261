package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// maxTaps generates dst[i] = max over t of src[offs[t]+i].
func (g *generator) maxTaps() {
	g.function(g.name+"MaxTaps", "(dst, src []float32, offs []int)", " computes dst[i] = the largest src[offs[t]+i], NaN where one is.")
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	n := g.Load(g.Param("dst").Len(), g.GP64())
	src := g.Load(g.Param("src").Base(), g.GP64())
	offs := g.Load(g.Param("offs").Base(), g.GP64())
	taps := g.Load(g.Param("offs").Len(), g.GP64())
	lowest := g.constant(float32(math.Inf(-1)))
	turns := 0
	g.over(n, []reg.Register{dst, src}, func(count, size int) {
		turns++
		most, nan := make([]reg.VecVirtual, count), make([]reg.VecVirtual, count)
		for i := range most {
			most[i], nan[i] = g.vec(), g.vec()
			g.VMOVAPS(lowest, most[i])
			g.zero(nan[i])
		}
		t := g.GP64()
		g.XORQ(t, t)
		loop, end := fmt.Sprintf("taps%d", turns), fmt.Sprintf("taps%dend", turns)
		g.Label(loop)
		g.CMPQ(t, taps)
		g.JGE(operand.LabelRef(end))
		p := g.GP64()
		g.MOVQ(operand.Mem{Base: offs, Index: t, Scale: 8}, p)
		g.LEAQ(operand.Mem{Base: src, Index: p, Scale: 4}, p)
		for i := range most {
			x, isNaN := g.vec(), g.vec()
			g.load(operand.Mem{Base: p, Disp: i * g.bytes()}, x, size)
			g.VCMPPS(operand.U8(3), x, x, isNaN) // all ones, a NaN, where x is NaN
			g.VORPS(isNaN, nan[i], nan[i])
			g.VMAXPS(x, most[i], most[i])
		}
		g.INCQ(t)
		g.JMP(operand.LabelRef(loop))
		g.Label(end)
		for i := range most {
			g.VORPS(nan[i], most[i], most[i])
			g.store(most[i], operand.Mem{Base: dst, Disp: i * g.bytes()}, size)
		}
	})
}
