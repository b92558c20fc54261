package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestColumnNorm(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(31, 32))
		for n := range 75 {
			rows := 1 + r.IntN(20)
			ld := n + r.IntN(3)
			src, dst := guardedRandom(t, r, max(0, (rows-1)*ld+n), n%2 == 0), guarded(t, max(0, (rows-1)*ld+n), true)
			scale, shift := guardedRandom(t, r, rows, true), guardedRandom(t, r, rows, true)
			table.ColumnNorm(dst, src, ld, n, scale, shift, 1e-3)
			over := append([]float32{}, src...)
			table.ColumnNorm(over, over, ld, n, scale, shift, 1e-3)
			for j := range n {
				mean, variance := 0.0, 0.0
				for i := range rows {
					mean += float64(src[i*ld+j]) / float64(rows)
				}
				for i := range rows {
					d := float64(src[i*ld+j]) - mean
					variance += d * d / float64(rows)
				}
				for i := range rows {
					at := i*ld + j
					want := (float64(src[at])-mean)/math.Sqrt(variance+1e-3)*float64(scale[i]) + float64(shift[i])
					if !near(dst[at], float32(want), 8) || over[at] != dst[at] {
						t.Fatalf("%d rows of %d: (%d,%d) is %v, in place %v, want %v", rows, n, i, j, dst[at], over[at], want)
					}
				}
			}
			for i := range dst { // between the rows nothing is written
				if i%max(ld, 1) >= n && dst[i] != 0 {
					t.Fatalf("%d rows of %d, %d apart: wrote element %d", rows, n, ld, i)
				}
			}
		}
		table.ColumnNorm(nil, nil, 5, 5, nil, nil, 0)
	})
}

// Feature maps of ConvNeXt: channels and positions. The figure is elements a nanosecond.
func BenchmarkColumnNorm(b *testing.B) {
	for _, c := range [][2]int{{96, 3136}, {192, 784}, {384, 196}, {768, 49}} {
		b.Run(fmt.Sprintf("%dx%d", c[0], c[1]), func(b *testing.B) {
			x, y := make([]float32, c[0]*c[1]), make([]float32, c[0]*c[1])
			scale, shift := make([]float32, c[0]), make([]float32, c[0])
			for b.Loop() {
				Default().ColumnNorm(y, x, c[1], c[1], scale, shift, 1e-6)
			}
			b.ReportMetric(float64(len(x))*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "elem/ns")
		})
	}
}
