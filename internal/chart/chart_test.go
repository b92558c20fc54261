package chart

import (
	"bytes"
	"errors"
	"image/color"
	"image/png"
	"math"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func TestShade(t *testing.T) {
	for _, theme := range []*Theme{&Light, &Dark} {
		if theme.Shade(0) != theme.Low || theme.Shade(1) != theme.High {
			t.Errorf("from %v to %v", theme.Shade(0), theme.Shade(1))
		}
	}
	if got := Light.Shade(0.5); got != rgb(0x7e9cbd) { // (0xf4+0x08)/2, (0xf7+0x40)/2, (0xfb+0x7e)/2, rounded
		t.Errorf("between: %v", got)
	}
}

// contrast is that of WCAG 2.2: 1 for the same colour, 21 for black on white.
func contrast(a, b color.NRGBA) float64 {
	linear := func(v uint8) float64 {
		if c := float64(v) / 255; c > 0.04045 {
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return float64(v) / 255 / 12.92
	}
	light := func(c color.NRGBA) float64 {
		return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B) + 0.05
	}
	if x, y := light(a), light(b); x > y {
		return x / y
	}
	return light(b) / light(a)
}

func TestTextIsReadable(t *testing.T) {
	for _, theme := range []*Theme{&Light, &Dark} {
		if c := contrast(theme.Paper, theme.Ink); c < 7 {
			t.Errorf("ink on paper has a contrast of %.1f", c)
		}
		for i, s := range theme.Series {
			if c := contrast(theme.Paper, s); c < 1.9 {
				t.Errorf("series %d on paper has a contrast of %.1f", i, c)
			}
		}
		for v := 0.0; v <= 1; v += 0.05 {
			if c := contrast(theme.Shade(v), On(theme.Shade(v))); c < 4.5 {
				t.Errorf("text on the shade of %.2f has a contrast of %.1f", v, c)
			}
		}
	}
}

func TestShort(t *testing.T) {
	for name, want := range map[string]string{
		"tabby": "tabby", "": "", "abcdefghijklmnopqrstuvwx": "abcdefghijklmnopqrstuvwx",
		"abcdefghijklmnopqrstuvwxyz": "abcdefghijkl…pqrstuvwxyz", "ääääääääääääöööööööööööüü": "ääääääääääää…öööööööööüü",
	} {
		if got := Short(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestPicture(t *testing.T) {
	var p *plot.Plot
	paint := func(c draw.Canvas) {
		p = Dark.Plot("x", "y")
		p.Draw(c)
		Rectangle(c, rgb(0xff0000), 0, 0, 10, 10)
		c.FillText(Bold(Dark.Text(10)), vg.Point{X: 36, Y: 36}, "text")
	}
	var b bytes.Buffer
	if err := Picture(&b, 72, 36, &Dark, paint); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if w, h := img.Bounds().Dx(), img.Bounds().Dy(); w != DPI || h != DPI/2 {
		t.Errorf("%dx%d", w, h)
	}
	for at, want := range map[[2]int]color.NRGBA{{2, 2}: Dark.Paper, {5, DPI/2 - 5}: rgb(0xff0000)} {
		if got := color.NRGBAModel.Convert(img.At(at[0], at[1])); got != want {
			t.Errorf("at %v: %v, want %v", at, got, want)
		}
	}
	// All text of a plot has the font and the colour of the other charts.
	for name, s := range map[string]draw.TextStyle{"title": p.Title.TextStyle, "legend": p.Legend.TextStyle, "x": p.X.Label.TextStyle, "ticks": p.Y.Tick.Label} {
		if s.Font.Variant != "Sans" || s.Color != Dark.Ink {
			t.Errorf("%s: %v in %v", name, s.Font, s.Color)
		}
	}
	if err := Picture(full{}, 72, 36, &Dark, paint); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}
