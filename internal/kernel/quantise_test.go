package kernel

import (
	"math"
	"testing"
)

// The values around every rounding, and those far away.
func roundings() []float32 {
	x := []float32{nan, inf32, -inf32, 0, float32(math.Copysign(0, -1)), 3e9, -3e9, 1e30, -1e30, 1 << 23, 1<<22 + 0.5, 0.49999997, -0.49999997}
	for i := -300; i < 600; i++ {
		for _, d := range []float32{0, 0.25, 0.5, 0.75} {
			x = append(x, float32(i)+d)
		}
	}
	return x
}

func TestRound8(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		all := roundings()
		for _, c := range []struct{ zero, lo, hi float32 }{{0, 0, 255}, {128, 0, 255}, {0, -128, 127}, {-7, -128, 127}} {
			for n := 1; n < 20; n++ {
				x, dst := guarded(t, n, n%2 == 0), make([]byte, n+1)
				for from := 0; from+n <= len(all); from += n * (1 + n%3*50) {
					copy(x, all[from:])
					dst[n] = 77
					table.Round8(dst[:n], x, c.zero, c.lo, c.hi)
					for i, v := range x {
						want := byte(0)
						if v == v {
							want = byte(int32(min(max(math.RoundToEven(float64(v))+float64(c.zero), float64(c.lo)), float64(c.hi))))
						}
						if dst[i] != want {
							t.Fatalf("%v with %v: %d, want %d", v, c, dst[i], want)
						}
					}
					if dst[n] != 77 {
						t.Fatalf("%d elements: one more was written", n)
					}
				}
			}
		}
	})
}

func TestWiden8(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		for n := range 300 {
			unsigned, signed := make([]uint8, n), make([]int8, n)
			for i := range n {
				unsigned[i], signed[i] = uint8(i*7), int8(i*7)
			}
			a, b := guarded(t, n, true), guarded(t, n, true)
			table.WidenUint8(a, unsigned)
			table.WidenInt8(b, signed)
			for i := range n {
				if a[i] != float32(unsigned[i]) || b[i] != float32(signed[i]) {
					t.Fatalf("%d and %d become %v and %v", unsigned[i], signed[i], a[i], b[i])
				}
			}
		}
	})
}

func TestRounding(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		x := roundings()
		y := make([]float32, len(x))
		for name, f := range map[string]struct {
			run  func(dst, x []float32)
			want func(float64) float64
		}{"floor": {table.Floor, math.Floor}, "ceil": {table.Ceil, math.Ceil}, "round": {table.Round, math.RoundToEven}} {
			f.run(y, x)
			for i, v := range x {
				want := float32(f.want(float64(v)))
				if math.Float32bits(y[i]) != math.Float32bits(want) && (y[i] == y[i] || want == want) {
					t.Errorf("%s(%v) = %v, want %v", name, v, y[i], want)
				}
			}
		}
	})
}
