package pixel

import (
	"image"
	"image/color"
	"image/draw"
	"testing"
)

// Every type of image gives the colours that its own At gives, laid over white, whatever its origin; the loops of the
// types differ from At in the rounding of alpha only.
func TestRowsOfEveryType(t *testing.T) {
	r := image.Rect(-3, 2, 8, 9)
	fill := func(m draw.Image) image.Image {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				a := uint8(255)
				if (x+y)%3 == 0 {
					a = uint8(x*x*y + 17)
				}
				m.Set(x, y, color.NRGBA{uint8(20*x + 90), uint8(25 * y), uint8(x * y * 3), a})
			}
		}
		return m
	}
	ycc := func(ratio image.YCbCrSubsampleRatio) *image.YCbCr {
		m := image.NewYCbCr(r, ratio)
		for i := range m.Y {
			m.Y[i] = uint8(31 * i)
		}
		for i := range m.Cb {
			m.Cb[i], m.Cr[i] = uint8(77*i+5), uint8(255-41*i)
		}
		return m
	}
	withAlpha := image.NewNYCbCrA(r, image.YCbCrSubsampleRatio420)
	withAlpha.YCbCr = *ycc(image.YCbCrSubsampleRatio420)
	for i := range withAlpha.A {
		withAlpha.A[i] = uint8(255 - 3*i)
	}
	pal := image.NewPaletted(r, color.Palette{color.NRGBA{1, 2, 3, 255}, color.NRGBA{200, 100, 50, 128}, color.NRGBA{}, color.White})
	for i := range pal.Pix {
		pal.Pix[i] = uint8(i % 4)
	}
	for _, c := range []struct {
		name      string
		img       image.Image
		format    string
		tolerance int
	}{
		{"RGBA", fill(image.NewRGBA(r)), "", 1},
		{"NRGBA", fill(image.NewNRGBA(r)), "", 1},
		{"RGBA64", fill(image.NewRGBA64(r)), "", 1},
		{"NRGBA64", fill(image.NewNRGBA64(r)), "", 1},
		{"Gray", fill(image.NewGray(r)), "", 0},
		{"Gray16", fill(image.NewGray16(r)), "", 0},
		{"CMYK", fill(image.NewCMYK(r)), "", 1},
		{"Paletted", pal, "", 1},
		{"Alpha, through At", fill(image.NewAlpha(r)), "", 1},
		{"YCbCr 4:4:4", ycc(image.YCbCrSubsampleRatio444), "", 0},
		{"YCbCr 4:2:2", ycc(image.YCbCrSubsampleRatio422), "", 0},
		{"YCbCr 4:2:0", ycc(image.YCbCrSubsampleRatio420), "", 0},
		{"YCbCr 4:4:0", ycc(image.YCbCrSubsampleRatio440), "", 0},
		{"YCbCr 4:1:1", ycc(image.YCbCrSubsampleRatio411), "", 0},
		{"YCbCr 4:1:0", ycc(image.YCbCrSubsampleRatio410), "", 0},
		{"YCbCr 4:1:1 of a JPEG", ycc(image.YCbCrSubsampleRatio411), "jpeg", 0},
		{"YCbCr not as a JPEG has it", ycc(image.YCbCrSubsampleRatio420), "jpeg", 0},
		{"YCbCr not as a WebP has it", ycc(image.YCbCrSubsampleRatio420), "webp", 0},
		{"NYCbCrA", withAlpha, "", 1},
	} {
		read := rows(c.img, c.format)
		for y := range r.Dy() {
			for _, span := range [][2]int{{0, r.Dx()}, {3, 8}} {
				got := make([]uint8, 3*(span[1]-span[0]))
				read(got, y, span[0], span[1])
				for x := span[0]; x < span[1]; x++ {
					want := opaque(c.img.At(r.Min.X+x, r.Min.Y+y))
					if d, _ := difference(got[3*(x-span[0]):][:3], want[:]); d > c.tolerance {
						t.Fatalf("%s: pixel %d,%d: got %v, want %v", c.name, x, y, got[3*(x-span[0]):][:3], want)
					}
				}
			}
		}
	}
}

// Chroma is interpolated the same whichever part of a row is asked for, and 4:4:0 is by the formula.
func TestJPEGChroma(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440} {
		m := image.NewYCbCr(image.Rect(0, 0, 601, 5), ratio)
		for i := range m.Y {
			m.Y[i] = uint8(i * 7)
		}
		for i := range m.Cb {
			m.Cb[i], m.Cr[i] = uint8(i*i), uint8(200-i*5)
		}
		for _, format := range []string{"jpeg", "webp"} {
			read := rows(m, format)
			for y := range 5 {
				all := make([]uint8, 3*601)
				read(all, y, 0, 601)
				for _, span := range [][2]int{{1, 600}, {255, 258}, {600, 601}, {17, 17}} {
					part := make([]uint8, 3*(span[1]-span[0]))
					read(part, y, span[0], span[1])
					if d, at := difference(part, all[3*span[0]:3*span[1]]); d != 0 {
						t.Errorf("%v %s row %d, %v: byte %d differs by %d", ratio, format, y, span, at, d)
					}
				}
			}
		}
	}

	m := image.NewYCbCr(image.Rect(0, 0, 1, 4), image.YCbCrSubsampleRatio440)
	copy(m.Y, []uint8{100, 100, 100, 100})
	copy(m.Cb, []uint8{128, 128})
	copy(m.Cr, []uint8{128, 228})
	got := make([]uint8, 3)
	// Red is luma + 1.402 (Cr - 128); Cr is 128, 153, 203, 228 down the rows.
	for y, want := range []uint8{100, 135, 205, 240} {
		rows(m, "jpeg")(got, y, 0, 1)
		if got[0] != want {
			t.Errorf("4:4:0, row %d: red %d, want %d", y, got[0], want)
		}
	}
}
