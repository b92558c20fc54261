package conv

import (
	"cmp"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// depthwiseWeightGrad computes the weight gradient where each group has one input channel: for each output channel and
// position of the kernel, the scalar product of a channel's gradients with the inputs under that position. The gradients
// of a slice are laid out as the spread input is, with zeros between rows, so that each product is one long run.
func depthwiseWeightGrad(t *kernel.Table, pool *par.Pool, alloc func(int) []float32, s *Shape, x, dy, dw []float32) {
	g := newGeometry(s)
	sp := newSpread(&g)
	rows := g.m / g.groups
	flat := (g.out[1]-1)*sp.cols + g.out[2]
	size := g.in[0] * sp.slice
	each := flat + size + dotRows*mostApart // products of fewer than dotRows positions read on
	scratch := alloc(pool.Threads() * each)
	clear(scratch)
	area, outArea := g.in[1]*g.in[2], g.out[1]*g.out[2]
	groups := tapGroups(sp.tap)
	pool.ForWorker(g.c, max(1, 1<<16/max(g.n*(g.plane+g.outPlane*g.taps*rows), 1)), func(worker, lo, hi int) {
		mine := scratch[worker*each:][:each]
		up, spread := mine[:flat], mine[flat:]
		for c := lo; c < hi; c++ {
			sums := dw[c*rows*g.taps:][:rows*g.taps]
			clear(sums)
			for n := range g.n {
				in := x[(n*g.c+c)*g.plane:][:g.plane]
				for z := range g.in[0] {
					sp.fill(spread[z*sp.slice:][:sp.slice], in[z*area:][:area])
				}
				for r := range rows {
					for z := range g.out[0] {
						t.CopyRows(up, sp.cols, dy[(n*g.m+c*rows+r)*g.outPlane+z*outArea:], g.out[2], g.out[1], g.out[2])
						for kz := range g.ker[0] {
							iz := z*g.stride[0] - g.pad[0] + kz*g.dilate[0]
							if uint(iz) < uint(g.in[0]) {
								addTaps(t, groups, sums[r*g.taps+kz*len(sp.tap):], spread[iz*sp.slice:], up)
							}
						}
					}
				}
			}
		}
	})
}

const (
	dotRows   = 4  // rows that [kernel.Table.Dots] takes at a time
	mostApart = 64 // elements between positions that are taken together, at most
)

// tapGroup is a few positions of a kernel that read the same distance apart.
type tapGroup struct {
	taps       []int // of the kernel, by where they read
	off, apart int
}

// tapGroups divides the positions of a kernel, given where each reads.
func tapGroups(offs []int) []tapGroup {
	order := make([]int, len(offs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(offs[a], offs[b]) })
	var groups []tapGroup
	for len(order) > 0 {
		n, apart := 1, 0
		for n < min(dotRows, len(order)) {
			d := offs[order[n]] - offs[order[n-1]]
			if d > mostApart || n > 1 && d != apart {
				break
			}
			apart = d
			n++
		}
		groups = append(groups, tapGroup{taps: order[:n], off: offs[order[0]], apart: apart})
		order = order[n:]
	}
	return groups
}

// addTaps adds the scalar products of up with what each position reads of x.
func addTaps(t *kernel.Table, groups []tapGroup, sums, x, up []float32) {
	var dots [2 * dotRows]float32
	for i := range groups {
		g := &groups[i]
		t.Dots(&dots, x[g.off:], g.apart, up, 0, len(up))
		for j, tap := range g.taps {
			sums[tap] += dots[2*j]
		}
	}
}
