package kernel

import (
	"math/rand/v2"
	"testing"
)

// The three transforms together are a convolution of each tile.
func TestWinograd(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, n := range []int{table.NR, 3 * table.NR} {
			step := n + 5
			w := guardedRandom(t, r, 9, true)
			const more = 3 // elements between rows
			ld := WinogradTile*n + 2 + more
			tiles := (n + WinogradGroup - 1) / WinogradGroup * WinogradGroup
			raw := guardedRandom(t, r, 5*ld+WinogradTile*tiles+8, true)
			v := guarded(t, (WinogradPoints-1)*step+(n+7)/8*8, true)
			out := guarded(t, 16*n, true)
			var u [WinogradPoints]float32
			WinogradFilter(&u, w)
			table.WinogradInput(v, step, raw, ld, n, guarded(t, WinogradTmp, true))
			for i, f := range u {
				for l := range n {
					v[i*step+l] *= f
				}
			}
			table.WinogradOutput(out, v, step, n, 0.5, -2, 2)
			for l := range n {
				for i := range WinogradTile {
					for j := range WinogradTile {
						sum := float32(0.5)
						for k, f := range w {
							sum += f * raw[(i+k/3)*ld+WinogradTile*l+j+k%3]
						}
						if got, want := out[(i*n+l)*WinogradTile+j], min(max(sum, -2), 2); !near(got, want, 20) {
							t.Fatalf("tile %d of %d: output (%d,%d) is %v, want %v", l, n, i, j, got, want)
						}
					}
				}
			}
		}
		table.WinogradInput(nil, 0, nil, 0, 0, nil)
		table.WinogradOutput(nil, nil, 0, 0, 0, 0, 0)
	})
}
