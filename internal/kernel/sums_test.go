package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSums(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(41, 42))
		for n := range 75 {
			x := guardedRandom(t, r, n, n%2 == 0)
			sum, distance := 0.0, 0.0
			for _, v := range x {
				sum += float64(v)
				distance += (float64(v) - 0.25) * (float64(v) - 0.25)
			}
			if got := table.Sum(x); math.Abs(got-sum) > 1e-12 {
				t.Fatalf("length %d: sum %v, want %v", n, got, sum)
			}
			if got := table.Distance(x, 0.25); math.Abs(got-distance) > 1e-12 {
				t.Fatalf("length %d: distance %v, want %v", n, got, distance)
			}
		}
	})
}

func TestLargest(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		if got := table.Largest(nil); got != -inf32 {
			t.Errorf("of nothing: %v", got)
		}
		r := rand.New(rand.NewPCG(47, 48))
		for n := 1; n < 75; n++ {
			x := guardedRandom(t, r, n, n%2 == 0)
			for at := range n {
				v := x[at]
				for _, most := range []float32{7, inf32, nan} {
					x[at] = most
					if got := table.Largest(x); math.Float32bits(got) != math.Float32bits(most) && (got == got || most == most) {
						t.Fatalf("%d elements: %v, want %v, which is at %d", n, got, most, at)
					}
				}
				x[at] = v
			}
			for i := range x {
				x[i] = -inf32
			}
			if got := table.Largest(x); got != -inf32 {
				t.Fatalf("%d times negative infinity: %v", n, got)
			}
			for i := range x {
				x[i] = -1 - float32(i)
			}
			if got := table.Largest(x); got != -1 {
				t.Fatalf("%d elements: %v, want -1", n, got)
			}
		}
	})
}

func TestAffineRows(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(43, 44))
		for rows := range 20 {
			dst := guardedRandom(t, r, rows*table.NR, rows%2 == 0)
			scale, shift := guardedRandom(t, r, rows, true), guardedRandom(t, r, rows, true)
			if rows > 0 {
				dst[rows] = nan
			}
			x := append([]float32{}, dst...)
			table.AffineRows(dst, scale, shift, -0.5, 0.75)
			for i, v := range x {
				want := clamp(v*scale[i/table.NR]+shift[i/table.NR], -0.5, 0.75)
				if !near(dst[i], want, 4) && (want == want || dst[i] == dst[i]) {
					t.Fatalf("%d rows: element %d is %v, want %v", rows, i, dst[i], want)
				}
			}
		}
	})
}

// A channel of an early feature map; the figure is elements a nanosecond.
func BenchmarkSum(b *testing.B) {
	x := make([]float32, 56*56)
	for b.Loop() {
		Default().Sum(x)
	}
	b.ReportMetric(float64(len(x))*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "elem/ns")
}
