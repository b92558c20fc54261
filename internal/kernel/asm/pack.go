package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.Lanes; a test of that package compares them with the struct.
const (
	lanesDst     = 0
	lanesDstStep = 8
	lanesSrc     = 16
	lanesBase    = 24
	lanesSrcStep = 32
	lanesRows    = 40
	lanesRuns    = 48
	lanesOff     = 56
	lanesMask    = 88
	lanesIndex   = 104
	lanesTable   = 232

	maxRuns = 4
)

// copyPanel generates the copy of k rows of nr floats, ld apart in src.
func (g *generator) copyPanel() {
	g.function(g.name+"CopyPanel", "(dst, src *float32, ld, k int)", fmt.Sprintf(" copies k rows of %d floats, ld apart in src.", g.nr))
	dst := g.Load(g.Param("dst"), g.GP64())
	src := g.Load(g.Param("src"), g.GP64())
	ld := g.Load(g.Param("ld"), g.GP64())
	k := g.Load(g.Param("k"), g.GP64())
	g.SHLQ(operand.U8(2), ld)
	g.TESTQ(k, k)
	g.JLE(operand.LabelRef("done"))
	g.Label("loop")
	row := make([]reg.VecVirtual, g.vectors())
	for v := range row {
		row[v] = g.vec()
		g.VMOVUPS(operand.Mem{Base: src, Disp: v * g.bytes()}, row[v])
	}
	for v := range row {
		g.VMOVUPS(row[v], operand.Mem{Base: dst, Disp: v * g.bytes()})
	}
	g.ADDQ(ld, src)
	g.ADDQ(operand.U32(g.nr*4), dst)
	g.DECQ(k)
	g.JNZ(operand.LabelRef("loop"))
	g.Label("done")
	g.VZEROUPPER()
	g.RET()
}

// packLanes generates the functions behind Table.PackLanes and PackTable, for 1, 2 or 4 runs and for gathering: rows
// are a step apart, or where a table says.
func (g *generator) packLanes() {
	var bits operand.Mem
	if g.lanes == 8 {
		bits = g.StaticGlobal(g.name + "Bits")
		g.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range g.nr {
			g.AddDatum(4*i, operand.U32(1<<i))
		}
	}
	g.packRows("PackLanes", " writes the rows of a panel that l describes.", bits, false)
	g.packRows("PackTable", " is PackLanes for rows that lie where l.Table says.", bits, true)
}

func (g *generator) packRows(name, doc string, bits operand.Mem, table bool) {
	g.function(g.name+name, "(l *Lanes)", doc)
	l := g.Load(g.Param("l"), g.GP64())
	field := func(off int) reg.GPVirtual {
		r := g.GP64()
		g.MOVQ(operand.Mem{Base: l, Disp: off}, r)
		return r
	}
	dst, dstStep, src, srcStep, rows := field(lanesDst), field(lanesDstStep), field(lanesSrc), field(lanesSrcStep), field(lanesRows)
	base := field(lanesBase)
	g.LEAQ(operand.Mem{Base: src, Index: base, Scale: 4}, src)
	g.SHLQ(operand.U8(2), dstStep)
	g.SHLQ(operand.U8(2), srcStep)
	from, entries := src, srcStep
	if table {
		from, entries = g.GP64(), field(lanesTable)
	}
	runs := field(lanesRuns)
	g.TESTQ(runs, runs)
	g.JL(operand.LabelRef("gather"))
	g.CMPQ(runs, operand.U8(1))
	g.JLE(operand.LabelRef("runs1"))
	g.CMPQ(runs, operand.U8(2))
	g.JE(operand.LabelRef("runs2"))

	begin := func(loop string) {
		g.Label(loop)
		if table {
			g.MOVQ(operand.Mem{Base: entries}, from)
			g.LEAQ(operand.Mem{Base: src, Index: from, Scale: 4}, from)
		}
	}
	advance := func(loop string) {
		if table {
			g.ADDQ(operand.U8(8), entries)
		} else {
			g.ADDQ(srcStep, src)
		}
		g.ADDQ(dstStep, dst)
		g.DECQ(rows)
		g.JNZ(operand.LabelRef(loop))
		g.VZEROUPPER()
		g.RET()
	}
	for _, n := range []int{maxRuns, 2, 1} {
		label := fmt.Sprintf("runs%d", n)
		g.Label(label)
		offs := make([]reg.GPVirtual, n)
		masks := make([][]reg.Register, n)
		for i := range offs {
			offs[i] = field(lanesOff + 8*i)
			g.SHLQ(operand.U8(2), offs[i])
			masks[i] = g.masks(operand.Mem{Base: l, Disp: lanesMask + 4*i}, bits)
		}
		begin(label + "loop")
		for v := range g.vectors() {
			var sum reg.VecVirtual
			for i := range offs {
				m := operand.Mem{Base: from, Index: offs[i], Scale: 1, Disp: v * g.bytes()}
				if g.lanes == 16 {
					// Merging keeps what earlier runs have loaded.
					if i == 0 {
						sum = g.vec()
						g.VMOVUPS_Z(m, g.half(masks[i][0], v), sum)
					} else {
						g.VMOVUPS(m, g.half(masks[i][0], v), sum)
					}
					continue
				}
				x := g.vec()
				g.VMASKMOVPS(m, masks[i][v], x)
				if i == 0 {
					sum = x
				} else {
					g.VORPS(x, sum, sum)
				}
			}
			g.VMOVUPS(sum, operand.Mem{Base: dst, Disp: v * g.bytes()})
		}
		advance(label + "loop")
	}

	g.Label("gather")
	masks := g.masks(operand.Mem{Base: l, Disp: lanesMask}, bits)
	index := make([]reg.VecVirtual, g.vectors())
	for v := range index {
		index[v] = g.vec()
		g.VMOVUPS(operand.Mem{Base: l, Disp: lanesIndex + v*g.bytes()}, index[v])
	}
	begin("gatherloop")
	for v := range index {
		x := g.vec()
		g.zero(x)
		values := operand.Mem{Base: from, Index: index[v], Scale: 4}
		if g.lanes == 16 { // the instruction clears its mask
			g.VGATHERDPS(values, g.half(masks[0], v), x)
		} else {
			m := g.vec()
			g.VMOVAPS(masks[v], m)
			g.VGATHERDPS(m, values, x)
		}
		g.VMOVUPS(x, operand.Mem{Base: dst, Disp: v * g.bytes()})
	}
	advance("gatherloop")
}

// half returns the mask register of a vector of columns; there are too few of them to keep each.
func (g *generator) half(mask reg.Register, vector int) reg.Register {
	k := g.K()
	if vector == 0 {
		g.KMOVD(mask, k)
	} else {
		g.KSHIFTRD(operand.U8(vector*g.lanes), mask, k)
	}
	return k
}

// masks turns the bits at m into masks: with AVX-512 one register with a bit for each column, without it one vector of
// all-ones lanes for each vector of columns.
func (g *generator) masks(m, bits operand.Mem) []reg.Register {
	var out []reg.Register
	if g.lanes == 16 {
		w, k := g.GP32(), g.K()
		g.MOVL(m, w)
		g.KMOVD(w, k)
		return []reg.Register{k}
	}
	for v := range g.vectors() {
		x, b := g.vec(), g.vec()
		g.VPBROADCASTD(m, x)
		g.VMOVUPS(bits.Offset(v*g.bytes()), b)
		g.VPAND(b, x, x)
		g.VPCMPEQD(b, x, x)
		out = append(out, x)
	}
	return out
}
