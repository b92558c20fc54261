package kernel

import (
	"math/rand/v2"
	"testing"
)

func TestInterleave(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(51, 52))
		for n := range 35 {
			for columns := range 20 {
				// Runs of columns that have a source, of all lengths, between some that have none.
				at := make([]int, columns)
				length := n
				for l := range at {
					at[l] = -1
					if r.IntN(5) > 0 {
						at[l] = r.IntN(50)
						length = max(length, at[l]+n)
					}
				}
				width := columns + r.IntN(3)
				src, dst := guardedRandom(t, r, length, n%2 == 0), guarded(t, max(0, (n-1)*width+columns), n%2 == 0)
				for i := range dst {
					dst[i] = -1
				}
				table.Interleave(dst, width, src, at, n)
				for i, v := range dst {
					want := float32(-1) // between rows
					if l := i % width; l < columns && at[l] < 0 {
						want = 0
					} else if l < columns {
						want = src[at[l]+i/width]
					}
					if v != want {
						t.Fatalf("%d rows of %v, %d apart: element %d is %v, want %v", n, at, width, i, v, want)
					}
				}
			}
		}
	})
}

// A panel's rows of a matrix, as packing reads them.
func BenchmarkInterleave(b *testing.B) {
	const n, width = 256, 6
	table := Default()
	src, dst := make([]float32, n*width), make([]float32, n*width)
	at := []int{0, n, 2 * n, 3 * n, 4 * n, 5 * n}
	for b.Loop() {
		table.Interleave(dst, width, src, at, n)
	}
	b.ReportMetric(float64(len(dst))*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "elem/ns")
}
