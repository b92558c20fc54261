package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMaxTaps(t *testing.T) {
	nan := float32(math.NaN())
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(15, 16))
		for n := range 75 {
			offs := make([]int, n%10)
			far := 0
			for i := range offs {
				offs[i] = r.IntN(50)
				far = max(far, offs[i])
			}
			src, dst := guardedRandom(t, r, far+n, true), guarded(t, n, true)
			for range n / 20 {
				src[r.IntN(len(src))] = nan
			}
			table.MaxTaps(dst, src, offs)
			for i := range dst {
				most := -inf32
				for _, off := range offs {
					most = max(most, src[off+i])
				}
				if math.Float32bits(dst[i]) != math.Float32bits(most) && (dst[i] == dst[i] || most == most) {
					t.Fatalf("length %d, %d taps: element %d is %v, want %v", n, len(offs), i, dst[i], most)
				}
			}
		}
	})
}
