package gradcam

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestFillIn(t *testing.T) {
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
	const h, w = 6, 7
	ramp := make([]float32, h*w)
	for i := range ramp {
		ramp[i] = float32(i%w) + 10*float32(i/w)
	}
	// Inside a plane that rises evenly each pixel is the mean of its neighbours: what is removed comes back, but for noise.
	got := append([]float32{}, ramp...)
	removed := []int{8, 9, 10, 15, 16, 17, 22, 23}
	for _, p := range removed {
		got[p] = 999
	}
	fillIn(got, h, w, removed, rng())
	for i := range got {
		if math.Abs(float64(got[i]-ramp[i])) > 0.06 {
			t.Errorf("pixel %d: %v, want %v", i, got[i], ramp[i])
		}
	}
	// One removed corner is (1/6*a + 1/6*b + 1/12*c)/(5/12).
	got = append([]float32{}, ramp...)
	fillIn(got, h, w, []int{0}, rng())
	if want := (1.0/6 + 10.0/6 + 11.0/12) / (5.0 / 12); math.Abs(float64(got[0])-want) > 0.05 {
		t.Errorf("corner %v, want %v", got[0], want)
	}
	// Nothing removed, and everything.
	fillIn(got, h, w, nil, rng())
	all := make([]int, h*w)
	for i := range all {
		all[i] = i
	}
	copy(got, ramp)
	fillIn(got, h, w, all, rng())
	if want := float32(sum(ramp) / (h * w)); got[0] != want || got[h*w-1] != want {
		t.Errorf("all removed: %v and %v, want %v", got[0], got[h*w-1], want)
	}
	// One known pixel gives its value to all.
	one := []float32{5, 0, 0, 0, 0, 0}
	fillIn(one, 2, 3, []int{1, 2, 3, 4, 5}, rng())
	for i, v := range one {
		if math.Abs(float64(v-5)) > 0.06 {
			t.Errorf("pixel %d: %v, want 5", i, v)
		}
	}
}

func TestBlur(t *testing.T) {
	flat := []float32{2, 2, 2, 2, 2, 2}
	for i, v := range blur(flat, 2, 3, 1.5) {
		if math.Abs(float64(v-2)) > 1e-6 {
			t.Errorf("pixel %d of a flat plane: %v", i, v)
		}
	}
	// The deviation of a point's image is that of the Gaussian, cut off at two deviations.
	below, want := 0.0, 0.0
	for d := -6.0; d <= 6; d++ {
		below += math.Exp(-d * d / 18)
		want += d * d * math.Exp(-d*d/18)
	}
	want = math.Sqrt(want / below)
	const n = 41
	point := make([]float32, n*n)
	point[n/2*n+n/2] = 1
	total, spread := 0.0, 0.0
	for i, v := range blur(point, n, n, 3) {
		total += float64(v)
		spread += float64(v) * math.Pow(float64(i%n-n/2), 2)
	}
	if math.Abs(total-1) > 1e-5 || math.Abs(math.Sqrt(spread)-want) > 1e-4 {
		t.Errorf("sum %v, deviation %v, want 1 and %v", total, math.Sqrt(spread), want)
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		length, side, step int
		last, n            int
	}{{10, 4, 2, 6, 4}, {10, 4, 3, 6, 3}, {11, 4, 3, 7, 4}, {4, 4, 1, 0, 1}} {
		if got := places(c.length, c.side, c.step); len(got) != c.n || got[len(got)-1] != c.last || got[0] != 0 {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
