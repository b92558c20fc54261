package finetune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// numbered makes a batch whose values tell where they came from, and targets of one class an image.
func numbered(n, size int) (x, y []float32) {
	for i := range n {
		for k := range size {
			x = append(x, float32(100*i+k))
		}
		row := make([]float32, n)
		row[i] = 1
		y = append(y, row...)
	}
	return x, y
}

func TestMixup(t *testing.T) {
	x, y := numbered(3, 2)
	mixup(x, y, 3, 0.75)
	// Each is 3/4 of itself and 1/4 of the one before: 0.75*0 + 0.25*200, ...
	if want := []float32{50, 51, 75, 76, 175, 176}; !slices.Equal(x, want) {
		t.Errorf("images %v, want %v", x, want)
	}
	if want := []float32{0.75, 0, 0.25, 0.25, 0.75, 0, 0, 0.25, 0.75}; !slices.Equal(y, want) {
		t.Errorf("targets %v, want %v", y, want)
	}
}

func TestCutmix(t *testing.T) {
	// Two images of 2 channels, 2x3 pixels; the last two columns of the second row are exchanged.
	for _, c := range []struct {
		name           string
		planes, values int
		moved          []int
	}{
		{"NCHW", 2, 1, []int{4, 5, 10, 11}},
		{"NHWC", 1, 2, []int{8, 9, 10, 11}},
	} {
		x, y := numbered(2, 12)
		cutmix(x, y, 2, box{1, 1, 2, 3}, c.planes, 3, c.values, 2.0/3)
		for i, v := range x {
			image, k := i/12, i%12
			if slices.Contains(c.moved, k) {
				image = 1 - image
			}
			if want := float32(100*image + k); v != want {
				t.Errorf("%s: value %d is %v, want %v", c.name, i, v, want)
			}
		}
		for i, want := range []float64{2.0 / 3, 1.0 / 3, 1.0 / 3, 2.0 / 3} {
			if d := float64(y[i]) - want; math.Abs(d) > 1e-6 {
				t.Errorf("%s: target %d is %v, want %v", c.name, i, y[i], want)
			}
		}
	}
}

// What is in a batch stays in it: mean and targets of mixed batches, for both layouts; a seed decides.
func TestMixer(t *testing.T) {
	shape := []int{4, 3, 6, 5}
	mixed := func(m Mixer, last bool, seed uint64) ([]float32, []float32) {
		x, y := numbered(4, 90)
		s := shape
		if last {
			s = []int{4, 6, 5, 3}
		}
		if err := m.Mix(x, s, last, y, seed); err != nil {
			t.Fatal(err)
		}
		return x, y
	}
	plain, targets := numbered(4, 90)
	for _, m := range []Mixer{{Mixup: 0.2}, {Cutmix: 1}, {Mixup: 0.001, Cutmix: 0.001}, {Mixup: 1, Cutmix: 1}} {
		changed := 0
		for seed := range uint64(40) {
			for _, last := range []bool{false, true} {
				x, y := mixed(m, last, seed)
				again, labels := mixed(m, last, seed)
				if !slices.Equal(x, again) || !slices.Equal(y, labels) {
					t.Fatalf("%+v: seed %d gives two results", m, seed)
				}
				if !slices.Equal(x, plain) {
					changed++
				}
				if a, b := sumOf(x), sumOf(plain); math.Abs(a-b) > 1e-4*b {
					t.Errorf("%+v, seed %d: the images' sum is %v, was %v", m, seed, a, b)
				}
				for i := range 4 {
					if s := sumOf(y[4*i : 4*i+4]); math.Abs(s-1) > 1e-6 {
						t.Errorf("%+v, seed %d: target %d sums to %v", m, seed, i, s)
					}
				}
			}
		}
		if changed < 10 {
			t.Errorf("%+v: only %d of 80 batches were changed", m, changed)
		}
	}
	if x, y := mixed(Mixer{}, false, 1); !slices.Equal(x, plain) || !slices.Equal(y, targets) || !(Mixer{}).IsNone() {
		t.Error("the zero value changes something")
	}
	one, label := numbered(1, 4)
	if err := (Mixer{Mixup: 1}).Mix(one, []int{1, 1, 2, 2}, false, label, 3); err != nil || !slices.Equal(one, []float32{0, 1, 2, 3}) {
		t.Errorf("a batch of one becomes %v, %v", one, err)
	}
}

func sumOf(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

// The beta distribution of two equal parameters has mean 1/2 and variance 1/(4(2a+1)).
func TestBeta(t *testing.T) {
	for _, a := range []float64{1e-5, 0.1, 0.2, 1, 4, 999} {
		r := rand.New(rand.NewPCG(1, 2))
		const n = 20000
		var sum, squares float64
		for range n {
			v := betaOf(a, r)
			if !(v >= 0 && v <= 1) {
				t.Fatalf("alpha %v gives %v", a, v)
			}
			sum += v
			squares += (v - 0.5) * (v - 0.5)
		}
		variance := 1 / (4 * (2*a + 1))
		if mean := sum / n; math.Abs(mean-0.5) > 5*math.Sqrt(variance/n) {
			t.Errorf("alpha %v: mean %v", a, mean)
		}
		if got := squares / n; math.Abs(got-variance) > 0.05*variance {
			t.Errorf("alpha %v: variance %v, want %v", a, got, variance)
		}
	}
}

// Where the rectangle is not cut by the edges it has the area that was asked for; the share is always that of its area.
func TestCutBox(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	whole := 0
	for range 1000 {
		b, share := cutBox(60, 80, 0.75, r)
		area := (b.Y1 - b.Y0) * (b.X1 - b.X0)
		if b.Y0 < 0 || b.X0 < 0 || b.Y1 > 60 || b.X1 > 80 || area < 0 {
			t.Fatalf("box %+v", b)
		}
		if math.Abs(share-(1-float64(area)/4800)) > 1e-12 {
			t.Fatalf("box %+v: share %v", b, share)
		}
		if area == 30*40 {
			whole++
		}
	}
	if whole < 200 {
		t.Errorf("only %d of 1000 boxes have a quarter of the area", whole)
	}
}

func TestMixerRefuses(t *testing.T) {
	for _, c := range []struct {
		m     Mixer
		shape []int
		x, y  int
		want  string
	}{
		{Mixer{Mixup: -1}, []int{2, 1, 2, 2}, 8, 2, "mixup: -1 is not at least 0"},
		{Mixer{Cutmix: math.NaN()}, []int{2, 1, 2, 2}, 8, 2, "cutmix: NaN"},
		{Mixer{Mixup: 1000}, []int{2, 1, 2, 2}, 8, 2, "below 1000"},
		{Mixer{Mixup: 1}, []int{2, 4}, 8, 2, "want 4 dimensions"},
		{Mixer{Mixup: 1}, []int{2, 1, 2, 2}, 7, 2, "do not fit"},
		{Mixer{Mixup: 1}, []int{2, 1, 2, 2}, 8, 3, "do not fit"},
		{Mixer{Mixup: 1}, []int{0, 1, 2, 2}, 0, 0, "do not fit"},
	} {
		err := c.m.Mix(make([]float32, c.x), c.shape, false, make([]float32, c.y), 1)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v of %v: got %v, want an error with %q", c.m, c.shape, err, c.want)
		}
	}
}

func ExampleMixer() {
	images := []float32{0, 100}      // a black and a bright image of one pixel
	targets := []float32{1, 0, 0, 1} // of two classes
	err := Mixer{Mixup: 1}.Mix(images, []int{2, 1, 1, 1}, false, targets, 2)
	fmt.Printf("%.0f %.2f %v\n", images, targets, err)
	// Output:
	// [76 24] [0.24 0.76 0.76 0.24] <nil>
}
