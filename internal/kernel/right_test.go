package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/kernel/ref"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// A packed right operand gives the product, in the same bits for any number of threads.
func TestMultiplyRight(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		for _, s := range [][3]int{{1, 1, 1}, {3, 700, 50}, {8, 31, 5}, {13, 15, 321}, {48, 900, 340}, {2, 20, 0}, {0, 5, 5}, {5, 0, 5}} {
			m, n, k := s[0], s[1], s[2]
			var first []float32
			for _, threads := range []int{1, 3} {
				pool := par.New(threads)
				r := rand.New(rand.NewPCG(1, 1))
				a, b, bias := guardedRandom(t, r, m*k, true), guardedRandom(t, r, k*n, true), guardedRandom(t, r, n, true)
				c := guarded(t, m*n, true)
				alloc := func(n int) []float32 { return guarded(t, n, true) }
				right := table.PackRight(pool, alloc(table.RightSize(k, n)), b, n, k, n)
				table.MultiplyRight(pool, alloc, m, Matrix{a, k, 1}, &right, &Output{C: c, LD: n, Cols: n}, &Epilogue{ColBias: bias})
				pool.Close()
				for i, w := range ref.MatMul(a, b, m, n, k) {
					if w += bias[i%n]; !near(c[i], w, float32(k+8)) {
						t.Fatalf("%v: element %d is %v, want %v", s, i, c[i], w)
					}
				}
				if first == nil {
					first = slices.Clone(c)
				} else if !slices.Equal(first, c) {
					t.Fatalf("%v: %d threads give other bits than 1", s, threads)
				}
			}
		}
	})
}
