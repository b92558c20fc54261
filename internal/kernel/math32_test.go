package kernel

import (
	"math"
	"testing"
)

// The float32 functions against float64, over the whole range of float32 exponents that matter, in units in the last
// place of the exact value.
func TestMath32(t *testing.T) {
	for _, f := range []struct {
		name  string
		f     func(float32) float32
		exact func(float64) float64
		ulps  float64
		abs   float64 // difference that is always allowed
	}{
		{"exp", ExpF, math.Exp, 2, 0},
		{"expm1", Expm1F, math.Expm1, 2, 0},
		{"sigmoid", SigmoidF, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 4, 1e-38},
		{"tanh", TanhF, math.Tanh, 3, 0},
		{"erf", ErfF, math.Erf, 3, 0},
	} {
		t.Run(f.name, func(t *testing.T) {
			worst, at := 0.0, float32(0)
			check := func(x float32) {
				got, want := float64(f.f(x)), f.exact(float64(x))
				w32 := float32(want)
				if float32(got) == w32 || math.Abs(got-want) <= f.abs {
					return
				}
				ulp := float64(math.Nextafter32(float32(math.Abs(float64(w32))), float32(math.Inf(1)))) - math.Abs(float64(w32))
				if d := math.Abs(got-want) / ulp; d > worst || d != d {
					worst, at = d, x
				}
			}
			for i := uint32(0); i < 1<<31; i += 9973 { // all exponents, both signs
				if x := math.Float32frombits(i); x == x {
					check(x)
					check(-x)
				}
			}
			for x := -104.5; x < 90; x += 0.0037 {
				check(float32(x))
			}
			if !(worst <= f.ulps) {
				t.Errorf("%.2f ulps off at %v: got %v, want %v", worst, at, f.f(at), f.exact(float64(at)))
			}
			t.Logf("worst: %.2f ulps at %v", worst, at)
			nan := float32(math.NaN())
			if y := f.f(nan); y == y {
				t.Errorf("of NaN: %v", y)
			}
		})
	}
}
