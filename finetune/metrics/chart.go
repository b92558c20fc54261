package metrics

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// theme are the colours of a chart.
type theme struct {
	paper, ink, faint color.NRGBA
	low, high         color.NRGBA   // of shares 0 and 1
	line, gap         color.NRGBA   // what is shown, and how far it is from where it should be
	series            []color.NRGBA // classes side by side
}

// The categorical colours are those of Okabe and Ito, which colour-blind readers can tell apart.
var (
	light = theme{
		paper: rgb(0xffffff), ink: rgb(0x1c1e21), faint: rgb(0xd5d8dc),
		low: rgb(0xf4f7fb), high: rgb(0x08407e),
		line: rgb(0x0060a8), gap: rgb(0xd55e00),
		series: []color.NRGBA{rgb(0x0072b2), rgb(0xd55e00), rgb(0x009e73), rgb(0xcc79a7), rgb(0xe69f00), rgb(0x56b4e9), rgb(0x7a5195), rgb(0x8c6d31), rgb(0x555555), rgb(0xb0a800)},
	}
	dark = theme{
		paper: rgb(0x1b1e24), ink: rgb(0xe7e9ec), faint: rgb(0x3c424c),
		low: rgb(0x232831), high: rgb(0x8cc8ff),
		line: rgb(0x6bb6ff), gap: rgb(0xff9a4d),
		series: []color.NRGBA{rgb(0x56b4e9), rgb(0xff8a3d), rgb(0x2fd0a0), rgb(0xe59ac8), rgb(0xf0b429), rgb(0x9ad1ff), rgb(0xb790d6), rgb(0xc9a85c), rgb(0xaaaaaa), rgb(0xe0d830)},
	}
)

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

// shade returns the colour of a share of 0 to 1.
func (t *theme) shade(v float64) color.NRGBA {
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + v*(float64(b)-float64(a)))) }
	return color.NRGBA{mix(t.low.R, t.high.R), mix(t.low.G, t.high.G), mix(t.low.B, t.high.B), 255}
}

// on returns the colour of text that is readable on another.
func on(c color.NRGBA) color.NRGBA {
	if 0.299*float64(c.R)+0.587*float64(c.G)+0.114*float64(c.B) > 140 {
		return rgb(0x101214)
	}
	return rgb(0xffffff)
}

// maxLabel is how many characters of a class's name charts show.
const maxLabel = 24

// short cuts a long name in the middle: names often differ at the end.
func short(name string) string {
	if r := []rune(name); len(r) > maxLabel {
		return string(r[:maxLabel/2]) + "…" + string(r[len(r)-maxLabel/2+1:])
	}
	return name
}

func sans(size vg.Length) plotfont.Font {
	return plotfont.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// text returns a style of text, centred at the point where it is drawn.
func (t *theme) text(size vg.Length) draw.TextStyle {
	return draw.TextStyle{Color: t.ink, Font: sans(size), XAlign: draw.XCenter, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
}

func bold(s draw.TextStyle) draw.TextStyle {
	s.Font.Weight = font.WeightBold
	return s
}

// dpi gives charts two pixels a point, so that they are sharp on dense screens too.
const dpi = 144

// picture writes a PNG of that size with what paint draws.
func picture(w io.Writer, width, height vg.Length, t *theme, paint func(draw.Canvas)) error {
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(t.paper))
	paint(draw.New(c))
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(w); err != nil {
		return fmt.Errorf("writing a chart: %w", err)
	}
	return nil
}

// rectangle fills a rectangle.
func rectangle(c draw.Canvas, fill color.Color, x0, y0, x1, y1 vg.Length) {
	c.FillPolygon(fill, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
