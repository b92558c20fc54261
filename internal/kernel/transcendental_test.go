package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/cpu"
)

// The vectorised functions stay near the exact ones on every instruction set, and an element's result does not depend
// on where it lies.
func TestTranscendental(t *testing.T) {
	var x []float32
	for v := -110.0; v < 110; v += 0.037 {
		x = append(x, float32(v))
	}
	for v := -1.5; v < 1.5; v += 0.0031 {
		x = append(x, float32(v))
	}
	inf, nan := math.Inf(1), math.NaN()
	x = append(x, float32(inf), float32(-inf), float32(nan), 0, float32(math.Copysign(0, -1)), 1e-30, -1e-30, 87.5, -87.5, 1e30, -1e30)
	sigmoid := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	for _, isa := range cpu.Supported() {
		table, err := For(isa)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []struct {
			name  string
			of    func(dst, x []float32)
			exact func(float64) float64
		}{
			{"exp", func(dst, x []float32) { table.ExpShifted(dst, x, 0) }, func(v float64) float64 { return math.Exp(min(v, 0)) }},
			{"exp of the distance to 3", func(dst, x []float32) { table.ExpShifted(dst, x, 3) },
				func(v float64) float64 { return math.Exp(float64(min(float32(v)-3, 0))) }},
			{"sigmoid", table.Sigmoid, sigmoid},
			{"silu", table.Silu, func(v float64) float64 { return v * sigmoid(v) }},
			{"erf", table.Erf, math.Erf},
			{"tanh", table.Tanh, math.Tanh},
			{"gelu", table.Gelu, func(v float64) float64 { return v / 2 * math.Erfc(-v/math.Sqrt2) }},
		} {
			y := make([]float32, len(x))
			f.of(y, x)
			for i, v := range x {
				want := f.exact(float64(v))
				got := float64(y[i])
				if (f.name == "silu" || f.name == "gelu") && math.IsInf(float64(v), -1) {
					continue // the product of infinity and zero, or almost zero
				}
				rel, abs := 5e-7, 1e-36
				if f.name == "gelu" { // an exponential function's relative error is the absolute one of its argument
					rel, abs = 3e-6, 1e-9
				}
				if math.IsNaN(want) != math.IsNaN(got) || math.Abs(got-want) > rel*math.Abs(want)+abs {
					t.Fatalf("%v %s(%g) = %g, want %g", isa, f.name, v, got, want)
				}
			}
			for n := range 40 {
				part := make([]float32, n+1)
				f.of(part[:n], x[n:])
				if part[n] != 0 {
					t.Fatalf("%v %s writes beyond %d elements", isa, f.name, n)
				}
				for i := range n {
					if math.Float32bits(part[i]) != math.Float32bits(y[n+i]) {
						t.Fatalf("%v %s: element %d of %d differs from that of a longer slice", isa, f.name, i, n)
					}
				}
			}
		}
	}
}

// The figure is elements a nanosecond, for as many as a tile and as a part of a feature map has.
func BenchmarkTranscendental(b *testing.B) {
	table := Default()
	for _, n := range []int{96, 4096} {
		x, y := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = float32(i%97)/8 - 6
		}
		for name, f := range map[string]func(dst, x []float32){
			"exp": func(dst, x []float32) { table.ExpShifted(dst, x, 0) }, "sigmoid": table.Sigmoid, "silu": table.Silu, "erf": table.Erf, "tanh": table.Tanh, "gelu": table.Gelu,
			"hardswish": func(dst, x []float32) { table.HardSwish(dst, x, 1./6, 0.5) },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					f(y, x)
				}
				b.ReportMetric(float64(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "elem/ns")
			})
		}
	}
}

// An activation gives the same bits however an array is cut: pieces of work depend on the number of threads.
func TestActivationOfPieces(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		x := make([]float32, 257)
		for i := range x {
			x[i] = float32(i-128) / 16
		}
		for kind := Identity; kind <= Gelu; kind++ {
			act := Activation{Kind: kind, A: 0.2, B: 0.5}
			whole := slices.Clone(x)
			table.Apply(act, whole)
			for _, size := range []int{1, 3, 7, 8, 9, 16, 31} {
				y := slices.Clone(x)
				for piece := range slices.Chunk(y, size) {
					table.Apply(act, piece)
				}
				if !slices.Equal(y, whole) {
					t.Errorf("%v in pieces of %d gives other bits", kind, size)
				}
			}
		}
	})
}
