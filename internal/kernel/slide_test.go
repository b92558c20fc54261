package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// The assembly relies on these.
func TestSlideLayout(t *testing.T) {
	var s Slide
	for name, c := range map[string][2]uintptr{
		"Src": {unsafe.Offsetof(s.Src), 8}, "Pitch": {unsafe.Offsetof(s.Pitch), 16}, "Rows": {unsafe.Offsetof(s.Rows), 24},
		"Cols": {unsafe.Offsetof(s.Cols), 32}, "W": {unsafe.Offsetof(s.W), 40}, "Offs": {unsafe.Offsetof(s.Offs), 48},
		"Bias": {unsafe.Offsetof(s.Bias), 56}, "Lo": {unsafe.Offsetof(s.Lo), 60}, "Hi": {unsafe.Offsetof(s.Hi), 64},
	} {
		if c[0] != c[1] && unsafe.Sizeof(uintptr(0)) == 8 {
			t.Errorf("%s is at offset %d, assembly has %d", name, c[0], c[1])
		}
	}
}

// Every size and stride, for planes of few and many rows and columns, next to pages that must not be touched.
func TestSlide(t *testing.T) {
	eachTable(t, func(t *testing.T, table *Table) {
		r := rand.New(rand.NewPCG(21, 22))
		for _, size := range []int{3, 5, 7} {
			for _, stride := range []int{1, 2} {
				for cols := 1; cols < 40; cols++ {
					rows := 1 + r.IntN(9)
					slideCase(t, table, r, size, stride, rows, cols)
				}
			}
		}
	})
}

func slideCase(t *testing.T, table *Table, r *rand.Rand, size, stride, rows, cols int) {
	t.Helper()
	pitch := cols + 20 + r.IntN(5)
	offs := make([]int, size)
	for i := range offs {
		offs[i] = r.IntN(20)
	}
	in := (rows-1)*stride + size
	src := guardedRandom(t, r, (in-1)*pitch+19+cols+MaxLanes-1, true)
	w, dst := guardedRandom(t, r, size*size, true), guarded(t, rows*cols, true)
	s := &Slide{Dst: &dst[0], Src: &src[0], Pitch: pitch, Rows: rows, Cols: cols, W: &w[0], Offs: &offs[0],
		Bias: 0.5, Lo: -1, Hi: 2, Size: size, Stride: stride}
	src[r.IntN(len(src))] = nan
	table.SlideOf(s.Size, s.Stride)(s)
	for i := range dst {
		sum := 0.5
		for k := range w {
			sum += float64(w[k]) * float64(src[(i/cols*stride+k/size)*pitch+offs[k%size]+i%cols])
		}
		if want := clamp(float32(sum), -1, 2); !near(dst[i], want, 50) && (want == want || dst[i] == dst[i]) {
			t.Fatalf("size %d, stride %d, %dx%d: element %d is %v, want %v", size, stride, rows, cols, i, dst[i], want)
		}
	}
}

func TestSlides(t *testing.T) {
	for _, c := range []struct {
		size, stride int
		want         bool
	}{{3, 1, true}, {7, 2, true}, {4, 1, false}, {9, 1, false}, {3, 3, false}} {
		if got := Slides(c.size, c.stride); got != c.want {
			t.Errorf("size %d, stride %d: %v", c.size, c.stride, got)
		}
	}
}

// Planes of MobileNetV2, EfficientNet and ConvNeXt, with their padding; the figure is GFLOP/s.
func BenchmarkSlide(b *testing.B) {
	for _, c := range []struct{ size, stride, out int }{
		{3, 1, 112}, {3, 1, 56}, {3, 1, 28}, {3, 1, 14}, {3, 1, 7}, {3, 2, 56}, {3, 2, 7}, {5, 1, 28}, {5, 1, 14}, {5, 1, 7}, {5, 2, 14}, {7, 1, 56}, {7, 1, 7},
	} {
		b.Run(fmt.Sprintf("%dx%d_s%d_%d", c.size, c.size, c.stride, c.out), func(b *testing.B) {
			pitch := c.out*c.stride + c.size + MaxLanes
			src, dst := make([]float32, pitch*(c.out*c.stride+c.size)), make([]float32, c.out*c.out)
			w, offs := make([]float32, c.size*c.size), make([]int, c.size)
			s := &Slide{Dst: &dst[0], Src: &src[0], Pitch: pitch, Rows: c.out, Cols: c.out, W: &w[0], Offs: &offs[0], Size: c.size, Stride: c.stride}
			for b.Loop() {
				Default().SlideOf(s.Size, s.Stride)(s)
			}
			b.ReportMetric(2*float64(c.size*c.size*c.out*c.out)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
