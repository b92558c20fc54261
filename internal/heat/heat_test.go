package heat

import (
	"image"
	"image/color"
	"math"
	"slices"
	"testing"
)

// The ends and some colours between, as their authors publish them.
func TestPalettes(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int // of 255
		want color.NRGBA
		off  uint8
	}{
		{"viridis", 0, color.NRGBA{68, 1, 84, 255}, 0}, {"viridis", 64, color.NRGBA{59, 82, 139, 255}, 2}, {"viridis", 100, color.NRGBA{42, 118, 142, 255}, 2},
		{"viridis", 200, color.NRGBA{112, 207, 87, 255}, 2}, {"viridis", 255, color.NRGBA{253, 231, 37, 255}, 0},
		{"inferno", 0, color.NRGBA{0, 0, 4, 255}, 0}, {"inferno", 64, color.NRGBA{87, 16, 110, 255}, 2}, {"inferno", 200, color.NRGBA{251, 157, 7, 255}, 2},
		{"inferno", 255, color.NRGBA{252, 255, 164, 255}, 0},
		{"turbo", 0, color.NRGBA{48, 18, 59, 255}, 0}, {"turbo", 64, color.NRGBA{40, 188, 235, 255}, 2}, {"turbo", 200, color.NRGBA{244, 102, 23, 255}, 2},
		{"turbo", 255, color.NRGBA{122, 4, 3, 255}, 0},
		{"jet", 0, color.NRGBA{0, 0, 128, 255}, 0}, {"jet", 255, color.NRGBA{128, 0, 0, 255}, 0}, {"jet", 127, color.NRGBA{126, 255, 130, 255}, 2},
		{"gray", 51, color.NRGBA{51, 51, 51, 255}, 0},
		{"diverging", 128, color.NRGBA{255, 255, 255, 255}, 1},
	} {
		got := PaletteByName(c.name).At(float64(c.at) / 255)
		for _, d := range [][2]uint8{{got.R, c.want.R}, {got.G, c.want.G}, {got.B, c.want.B}, {got.A, c.want.A}} {
			if max(d[0], d[1])-min(d[0], d[1]) > c.off {
				t.Errorf("%s at %d: %v, want %v", c.name, c.at, got, c.want)
				break
			}
		}
	}
	if PaletteByName("rainbow") != nil || len(PaletteNames()) != 6 {
		t.Errorf("palettes %q", PaletteNames())
	}
	p := PaletteByName("gray")
	for _, c := range []struct {
		v    float64
		want uint8
	}{{math.NaN(), 0}, {-1, 0}, {math.Inf(1), 255}, {0.5, 128}} {
		if got := p.At(c.v).R; got != c.want {
			t.Errorf("gray at %v: %d, want %d", c.v, got, c.want)
		}
	}
}

func TestField(t *testing.T) {
	f := Field{W: 2, H: 2, V: []float32{-1, 0, 1, 3}}
	for _, c := range []struct {
		name      string
		got, want []float32
	}{
		{"unit", f.Unit().V, []float32{0, 0, 1.0 / 3, 1}},
		{"unit of nothing positive", Field{1, 2, []float32{-1, 0}}.Unit().V, []float32{0, 0}},
		{"unit of what is no number", Field{1, 1, []float32{float32(math.NaN())}}.Unit().V, []float32{0}},
		{"spread", f.Spread().V, []float32{0, 0.25, 0.5, 1}},
		{"spread of one number", Field{2, 1, []float32{3, 3}}.Spread().V, []float32{0, 0}},
		{"signed", f.Signed().V, []float32{0.5 - 1.0/6, 0.5, 0.5 + 1.0/6, 1}},
		{"signed of zeros", Field{2, 1, []float32{0, 0}}.Signed().V, []float32{0.5, 0.5}},
		{"nearest", Field{2, 1, []float32{1, 2}}.Nearest(4, 2).V, []float32{1, 1, 2, 2, 1, 1, 2, 2}},
		// torch.nn.functional.interpolate(x, size=(2, 4), mode="bilinear") of [[1, 2], [3, 6]] with its size made 2x4.
		{"bilinear", Field{2, 2, []float32{1, 2, 3, 6}}.Resize(4, 2).V, []float32{1, 1.25, 1.75, 2, 3, 3.75, 5.25, 6}},
		{"bilinear down", Field{4, 1, []float32{1, 2, 3, 4}}.Resize(2, 1).V, []float32{1.5, 3.5}},
		{"bilinear of one", Field{1, 1, []float32{7}}.Resize(2, 2).V, []float32{7, 7, 7, 7}},
		{"clip", Field{4, 1, []float32{4, 1, 100, 2}}.Clip(0.5).V, []float32{4, 1, 4, 2}},
	} {
		for i, w := range c.want {
			if math.Abs(float64(c.got[i]-w)) > 1e-6 {
				t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
				break
			}
		}
	}
	if f.Check() != nil || (Field{W: 2, H: 2}).Check() == nil {
		t.Error("Check")
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("quantile of nothing")
	}
}

func TestOverlay(t *testing.T) {
	white := image.NewNRGBA(image.Rect(3, 3, 11, 11))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	f := Field{W: 2, H: 1, V: []float32{0, 1}}
	gray := PaletteByName("gray")
	at := func(s Style, x int) uint8 { return Overlay(white, f, s).NRGBAAt(x, 4).R }
	for _, c := range []struct {
		name string
		s    Style
		x    int
		want uint8
	}{
		{"colours alone", Style{Palette: gray, Alpha: 1}, 0, 0},
		{"picture alone", Style{Palette: gray, Alpha: 0}, 0, 255},
		{"half", Style{Palette: gray, Alpha: 0.5}, 0, 128},
		{"half, where the map is hot", Style{Palette: gray, Alpha: 0.5}, 7, 255},
		{"nothing to see where the map is 0", Style{Palette: gray, Alpha: 0.5, Fade: true}, 0, 255},
	} {
		if got := at(c.s, c.x); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	// A contour at 1/2 runs down the middle, white on a dark rim, and leaves the edges alone.
	img := Overlay(white, f, Style{Palette: gray, Levels: []float64{0.5}})
	row := make([]uint8, 8)
	for x := range row {
		row[x] = img.NRGBAAt(x, 4).R
	}
	if row[0] != 255 || row[7] != 255 || slices.Min(row) > 200 || row[3] < 200 || row[4] < 200 {
		t.Errorf("contour: %v", row)
	}
	if b := Bar(gray, 3, 2); b.NRGBAAt(0, 1).R != 0 || b.NRGBAAt(1, 0).R != 128 || b.NRGBAAt(2, 0).R != 255 {
		t.Error("the legend does not go from 0 to 1")
	}
	if Draw(f, gray).NRGBAAt(1, 0).R != 255 {
		t.Error("Draw")
	}
}

func TestDrawImage(t *testing.T) {
	zero := NewField(2, 1)
	rgb := [3]Field{{2, 1, []float32{2, -2}}, {2, 1, []float32{0, 1}}, zero}
	img := DrawImage(rgb, 0)
	if a, b := img.NRGBAAt(0, 0), img.NRGBAAt(1, 0); a != (color.NRGBA{255, 128, 128, 255}) || b != (color.NRGBA{0, 191, 128, 255}) {
		t.Errorf("%v %v", a, b)
	}
	if got := DrawImage([3]Field{zero, zero, zero}, 0.01).NRGBAAt(0, 0); got != (color.NRGBA{128, 128, 128, 255}) {
		t.Errorf("zeros: %v", got)
	}
}
