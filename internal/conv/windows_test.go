package conv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
)

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		in, out, kernel, stride, dilation, pad []int
	}{
		{[]int{17, 17}, []int{17, 17}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
		{[]int{35, 40}, []int{35, 40}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
		{[]int{23, 90}, []int{12, 46}, []int{3, 3}, []int{2, 2}, []int{1, 1}, []int{1, 2}}, // the last ones stick out
		{[]int{9, 8}, []int{3, 4}, []int{2, 3}, []int{2, 1}, []int{3, 2}, []int{0, 1}},
		{[]int{30}, []int{15}, []int{2}, []int{2}, []int{1}, []int{0}},
		{[]int{4, 7, 6}, []int{4, 4, 6}, []int{3, 3, 1}, []int{1, 2, 1}, []int{1, 1, 1}, []int{1, 1, 0}},
		{[]int{3, 3}, []int{5, 5}, []int{2, 2}, []int{1, 1}, []int{2, 2}, []int{2, 2}}, // some windows hold nothing
	} {
		s := &Shape{N: 2, C: 3, M: 3, Groups: 3, In: c.in, Out: c.out, Kernel: c.kernel, Stride: c.stride, Dilation: c.dilation, Pad: c.pad}
		if !WindowsFit(s) {
			t.Fatalf("%v: does not fit", c)
		}
		r := rand.New(rand.NewPCG(1, 2))
		x := make([]float32, 6*size(c.in))
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		x[len(x)/2] = float32(math.NaN())
		out := size(c.out)
		sums, most := make([]float32, 6*out), make([]float32, 6*out)
		at, tap := make([]int, len(c.in)), make([]int, len(c.in))
		for i := range sums {
			clear(tap)
			most[i] = float32(math.Inf(-1))
			for range size(c.kernel) {
				if o := s.offset(at, tap); o >= 0 {
					v := x[i/out*size(c.in)+o]
					sums[i] += 0.5 * v
					most[i] = max(most[i], v)
				}
				next(tap, c.kernel)
			}
			next(at, c.out)
		}
		half := make([]float32, c.out[len(c.out)-1])
		for i := range half {
			half[i] = 0.5
		}
		for _, threads := range []int{1, 3} {
			for _, kind := range []string{"sum", "largest"} {
				t.Run(fmt.Sprint(kind, c, threads), func(t *testing.T) {
					pool := par.New(threads)
					defer pool.Close()
					y, want := make([]float32, 6*out), most
					var shares func(z, y int) []float32
					if kind == "sum" {
						want, shares = sums, func(int, int) []float32 { return half }
					}
					Windows(pool, allocate, s, x, y, shares)
					for i, v := range y {
						if d := math.Abs(float64(v - want[i])); v != want[i] && d > 1e-5 || (v != v) != (want[i] != want[i]) {
							t.Fatalf("output %d is %g, want %g", i, v, want[i])
						}
					}
				})
			}
		}
	}
	for _, s := range []*Shape{
		{N: 1, C: 1, M: 1, Groups: 1, In: []int{8, 8}, Out: []int{1, 1}, Kernel: []int{8, 8}, Stride: []int{1, 1}, Dilation: []int{1, 1}, Pad: []int{0, 0}},
		{N: 1, C: 1, M: 1, Groups: 1, In: []int{8, 8}, Out: []int{2, 2}, Kernel: []int{2, 2}, Stride: []int{4, 4}, Dilation: []int{1, 1}, Pad: []int{0, 0}},
	} {
		if WindowsFit(s) {
			t.Errorf("%v fits", s)
		}
	}
}

// Pools of InceptionV3, ResNet50 and VGG16.
func BenchmarkWindows(b *testing.B) {
	for _, c := range []struct{ c, in, out, kernel, stride, pad int }{
		{192, 35, 35, 3, 1, 1}, {768, 17, 17, 3, 1, 1}, {2048, 8, 8, 3, 1, 1},
		{64, 112, 56, 3, 2, 1}, {64, 147, 73, 3, 2, 0}, {768, 17, 8, 3, 2, 0}, {64, 224, 112, 2, 2, 0}, {512, 14, 7, 2, 2, 0},
	} {
		s := layer{c.c, c.c, c.in, c.kernel, c.stride, c.pad, c.c, 1}.shape(1)
		x, y := make([]float32, c.c*c.in*c.in), make([]float32, c.c*c.out*c.out)
		ones := slices.Repeat([]float32{1}, c.out)
		for kind, shares := range map[string]func(z, y int) []float32{"sum": func(int, int) []float32 { return ones }, "largest": nil} {
			b.Run(fmt.Sprintf("%s/c%d_%dx%d_k%d_s%d", kind, c.c, c.in, c.in, c.kernel, c.stride), func(b *testing.B) {
				for b.Loop() {
					Windows(par.Shared(1), allocate, s, x, y, shares)
				}
				b.SetBytes(int64(4 * (len(x) + len(y))))
			})
		}
	}
}

func allocate(n int) []float32 { return make([]float32, n) }
