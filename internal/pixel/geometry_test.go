package pixel

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"math"
	"strings"
	"testing"
)

// case 20: rows of one pixel's height, where each weight can be checked by hand.
func TestRows(t *testing.T) {
	for _, c := range []struct {
		in    []uint8
		alias bool
		f     Filter
		want  []uint8
	}{
		{[]uint8{0, 1, 2, 3}, false, Bilinear, []uint8{1, 2}},                 // 0.714, 2.286
		{[]uint8{0, 70, 140, 210}, false, Bilinear, []uint8{50, 160}},         // 70 times as much
		{[]uint8{0, 0, 0, 255, 0, 0, 0, 0}, false, Bilinear, []uint8{46, 27}}, // 45.54, 27.32
		{[]uint8{0, 0, 0, 255, 0, 0, 0, 0}, true, Bilinear, []uint8{0, 0}},
		{[]uint8{0, 50, 100, 150}, true, Bilinear, []uint8{25, 125}},
		{[]uint8{0, 50, 100, 150}, false, Box, []uint8{25, 125}},
		{[]uint8{0, 50, 100, 150}, false, Nearest, []uint8{50, 150}},
	} {
		m := image.NewGray(image.Rect(0, 0, len(c.in), 1))
		copy(m.Pix, c.in)
		g := Geometry{Rule: Exact, ResizeH: 1, ResizeW: len(c.want), Filter: c.f, Alias: c.alias, H: 1, W: len(c.want)}
		dst := make([]uint8, 3*len(c.want))
		if err := g.Render(FromImage(m), dst); err != nil {
			t.Fatal(err)
		}
		for i, w := range c.want {
			if dst[3*i] != w || dst[3*i+2] != w {
				t.Errorf("%v %s alias=%v: got %v, want %v", c.in, c.f, c.alias, dst, c.want)
				break
			}
		}
	}
}

// case 20: the size after "shorter side 256", and what the crop of 224 shows of it.
func TestThinImages(t *testing.T) {
	g := Geometry{Rule: Shorter, Side: 256, H: 224, W: 224}
	for _, c := range []struct{ w, h, rw, rh int }{
		{1, 3000, 256, 768000},
		{3000, 1, 768000, 256},
		{1, 1, 256, 256},
		{224, 224, 256, 256},
		{255, 256, 256, 257},
		{500, 333, 384, 256}, // 384.38
		{333, 500, 256, 384},
	} {
		rw, rh, err := g.resized(c.w, c.h)
		if err != nil || rw != c.rw || rh != c.rh {
			t.Errorf("%dx%d: resized to %dx%d (%v), want %dx%d", c.w, c.h, rw, rh, err, c.rw, c.rh)
		}
		m := image.NewGray(image.Rect(0, 0, c.w, c.h))
		for i := range m.Pix {
			m.Pix[i] = 90
		}
		dst := make([]uint8, 3*224*224)
		if err := g.Render(FromImage(m), dst); err != nil {
			t.Errorf("%dx%d: %v", c.w, c.h, err)
		} else if !bytes.Equal(dst, bytes.Repeat([]uint8{90}, len(dst))) {
			t.Errorf("%dx%d: a plain image does not stay plain", c.w, c.h)
		}
	}
	// Beyond any use it is refused with both sizes.
	for _, c := range []struct{ w, h int }{{1, 1 << 20}, {1 << 20, 1}, {1, 1 << 62}} {
		_, _, err := g.resized(c.w, c.h)
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), fmt.Sprintf("%dx%d", c.w, c.h)) {
			t.Errorf("%dx%d: got %v", c.w, c.h, err)
		}
	}
}

func TestWindow(t *testing.T) {
	for _, c := range []struct{ have, want, lo, hi, pad int }{
		{256, 224, 16, 240, 0},
		{257, 224, 16, 240, 0}, // 16.5, half to even
		{259, 224, 18, 242, 0}, // 17.5, half to even
		{5, 5, 0, 5, 0},
		{4, 9, 0, 4, 2},
		{5, 9, 0, 5, 2},
	} {
		lo, hi, pad := window(c.have, c.want)
		if lo != c.lo || hi != c.hi || pad != c.pad {
			t.Errorf("window(%d, %d): %d, %d, %d; want %d, %d, %d", c.have, c.want, lo, hi, pad, c.lo, c.hi, c.pad)
		}
	}
}

func TestRenderErrors(t *testing.T) {
	g := Geometry{H: 2, W: 2}
	if err := g.Render(FromImage(picture(2, 2)), make([]uint8, 11)); err == nil || !strings.Contains(err.Error(), "11 bytes, want 12") {
		t.Errorf("short destination: %v", err)
	}
	empty := FromImage(image.NewGray(image.Rect(3, 3, 3, 9)))
	if err := g.Render(empty, make([]uint8, 12)); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("empty image: %v", err)
	}
	thin := FromImage(image.NewGray(image.Rect(0, 0, 1, 1<<20)))
	g = Geometry{Rule: Shorter, Side: 256, H: 2, W: 2}
	if err := g.Render(thin, make([]uint8, 12)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("thin image: %v", err)
	}
	a := Augment{Crop: Range{0.5, 1}}
	if err := a.Render(empty, g, make([]uint8, 12), 1, nil); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("augmented empty image: %v", err)
	}
	if err := a.Render(thin, g, make([]uint8, 11), 1, nil); err == nil || !strings.Contains(err.Error(), "11 bytes") {
		t.Errorf("augmented, short destination: %v", err)
	}
	if err := new(Augment).Render(thin, g, make([]uint8, 12), 1, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("augmented thin image: %v", err)
	}
}

// Cutting first and resizing the part that shows gives the bytes of resizing everything and cutting.
func TestCropEqualsResizeThenCut(t *testing.T) {
	img := FromImage(picture(61, 47))
	for f := Bilinear; f <= Lanczos; f++ {
		for _, side := range []int{20, 47, 90} {
			g := Geometry{Rule: Shorter, Side: side, Filter: f}
			rw, rh, err := g.resized(61, 47)
			if err != nil {
				t.Fatal(err)
			}
			g.H, g.W = rh, rw
			all := make([]uint8, 3*rh*rw)
			if err := g.Render(img, all); err != nil {
				t.Fatal(err)
			}
			g.H, g.W = 13, 11
			part := make([]uint8, 3*13*11)
			if err := g.Render(img, part); err != nil {
				t.Fatal(err)
			}
			x, _, _ := window(rw, 11)
			y, _, _ := window(rh, 13)
			for i := range 13 {
				if !bytes.Equal(part[3*11*i:][:3*11], all[3*((y+i)*rw+x):][:3*11]) {
					t.Errorf("%s to %d: row %d differs", f, side, i)
					break
				}
			}
		}
	}
}

// raceDetector says that the test runs under the race detector, which empties pools at random.
var raceDetector bool

// Rendering needs no memory of its own once the pools are warm.
func TestRenderAllocates(t *testing.T) {
	img := FromImage(image.NewYCbCr(image.Rect(0, 0, 500, 375), image.YCbCrSubsampleRatio420))
	img.Format = "jpeg"
	g := Geometry{Rule: Shorter, Side: 171, H: 150, W: 150}
	dst := make([]uint8, 3*150*150)
	n := testing.AllocsPerRun(20, func() {
		if err := g.Render(img, dst); err != nil {
			t.Fatal(err)
		}
	})
	if n > 5 && !raceDetector {
		t.Errorf("%v allocations an image", n)
	}
}

func TestFilters(t *testing.T) {
	for f := Bilinear; f <= Lanczos; f++ {
		got, err := ParseFilter(f.String())
		if err != nil || got != f {
			t.Errorf("%s is read as %v, %v", f, got, err)
		}
		if f != Nearest && math.Abs(f.weight(0)-1) > 1e-12 {
			t.Errorf("%s at 0 is %v", f, f.weight(0))
		}
		if f.weight(f.support()+0.001) != 0 {
			t.Errorf("%s is not 0 beyond its window", f)
		}
	}
	if _, err := ParseFilter("cubic"); err == nil || !strings.Contains(err.Error(), "bicubic") {
		t.Errorf("unknown filter: %v", err)
	}
	if s := Filter(99).String(); s != "Filter(99)" {
		t.Errorf("unknown filter is %q", s)
	}
}

func TestNormalise(t *testing.T) {
	rgb := []uint8{255, 128, 0, 1, 2, 3}
	mean, std := [3]float64{1, 2, 3}, [3]float64{1, 2, 4}
	for _, c := range []struct {
		channels Channels
		last     bool
		want     []float32
	}{
		{RGB, false, []float32{254, 0, 63, 0, -0.75, 0}},
		{RGB, true, []float32{254, 63, -0.75, 0, 0, 0}},
		{BGR, false, []float32{-1, 2, 63, 0, 63, -0.5}},
		{BGR, true, []float32{-1, 63, 63, 2, 0, -0.5}},
		{Gray, false, []float32{150, 1}}, // luma 151, 2
	} {
		got := make([]float32, len(c.want))
		if err := NewNormaliser(c.channels, c.last, 1, mean, std).Apply(rgb, got); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("channels %d, last %v: got %v, want %v", c.channels, c.last, got, c.want)
				break
			}
		}
	}
	if err := NewNormaliser(RGB, false, 1, mean, std).Apply(rgb, make([]float32, 5)); err == nil {
		t.Error("short destination: no error")
	}
}

func BenchmarkRender(b *testing.B) {
	for _, size := range []image.Point{{500, 375}, {4000, 3000}} {
		b.Run(fmt.Sprintf("%dx%d", size.X, size.Y), func(b *testing.B) {
			p := FromImage(image.NewYCbCr(image.Rectangle{Max: size}, image.YCbCrSubsampleRatio420))
			p.Format = "jpeg"
			g := Geometry{Rule: Shorter, Side: 256, H: 224, W: 224}
			dst := make([]uint8, 3*224*224)
			for b.Loop() {
				if err := g.Render(p, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
