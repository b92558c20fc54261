// Package chart has what the charts of this module have in common: colours for bright and dark screens, fonts, plots.
package chart

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Theme are the colours of a chart.
type Theme struct {
	Paper, Ink, Faint color.NRGBA
	Low, High         color.NRGBA   // of shares 0 and 1
	Line, Gap         color.NRGBA   // what is shown, and how far it is from where it should be
	Series            []color.NRGBA // classes side by side
}

// The themes. The categorical colours are those of Okabe and Ito, which colour-blind readers can tell apart.
var (
	Light = Theme{
		Paper: rgb(0xffffff), Ink: rgb(0x1c1e21), Faint: rgb(0xd5d8dc),
		Low: rgb(0xf4f7fb), High: rgb(0x08407e),
		Line: rgb(0x0060a8), Gap: rgb(0xd55e00),
		Series: []color.NRGBA{rgb(0x0072b2), rgb(0xd55e00), rgb(0x009e73), rgb(0xcc79a7), rgb(0xe69f00), rgb(0x56b4e9), rgb(0x7a5195), rgb(0x8c6d31), rgb(0x555555), rgb(0xb0a800)},
	}
	Dark = Theme{
		Paper: rgb(0x1b1e24), Ink: rgb(0xe7e9ec), Faint: rgb(0x3c424c),
		Low: rgb(0x232831), High: rgb(0x8cc8ff),
		Line: rgb(0x6bb6ff), Gap: rgb(0xff9a4d),
		Series: []color.NRGBA{rgb(0x56b4e9), rgb(0xff8a3d), rgb(0x2fd0a0), rgb(0xe59ac8), rgb(0xf0b429), rgb(0x9ad1ff), rgb(0xb790d6), rgb(0xc9a85c), rgb(0xaaaaaa), rgb(0xe0d830)},
	}
)

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

// Shade returns the colour of a share of 0 to 1.
func (t *Theme) Shade(v float64) color.NRGBA {
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + v*(float64(b)-float64(a)))) }
	return color.NRGBA{mix(t.Low.R, t.High.R), mix(t.Low.G, t.High.G), mix(t.Low.B, t.High.B), 255}
}

// On returns the colour of text on another colour: of black and white the one with more contrast (WCAG 2.2).
func On(c color.NRGBA) color.NRGBA {
	linear := func(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }
	if 0.2126*linear(c.R)+0.7152*linear(c.G)+0.0722*linear(c.B) > 0.179 {
		return rgb(0x000000)
	}
	return rgb(0xffffff)
}

// maxLabel is how many characters of a class's name charts show.
const maxLabel = 24

// Short cuts a long name in the middle: names often differ at the end.
func Short(name string) string {
	if r := []rune(name); len(r) > maxLabel {
		return string(r[:maxLabel/2]) + "…" + string(r[len(r)-maxLabel/2+1:])
	}
	return name
}

// Sans returns the font of charts.
func Sans(size vg.Length) plotfont.Font {
	return plotfont.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// Text returns a style of text, centred at the point where it is drawn.
func (t *Theme) Text(size vg.Length) draw.TextStyle {
	return draw.TextStyle{Color: t.Ink, Font: Sans(size), XAlign: draw.XCenter, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
}

// Bold returns a style in bold.
func Bold(s draw.TextStyle) draw.TextStyle {
	s.Font.Weight = font.WeightBold
	return s
}

// DPI gives charts two pixels a point, so that they are sharp on dense screens too.
const DPI = 144

// Picture writes a PNG of that size with what paint draws.
func Picture(w io.Writer, width, height vg.Length, t *Theme, paint func(draw.Canvas)) error {
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(DPI), vgimg.UseBackgroundColor(t.Paper))
	paint(draw.New(c))
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(w); err != nil {
		return fmt.Errorf("writing a chart: %w", err)
	}
	return nil
}

// Rectangle fills a rectangle.
func Rectangle(c draw.Canvas, fill color.Color, x0, y0, x1, y1 vg.Length) {
	c.FillPolygon(fill, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}

// Plot returns an empty plot in the theme's colours, with a grid.
func (t *Theme) Plot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = t.Paper
	p.X.Label.Text, p.Y.Label.Text = x, y
	t.style(&p.Title.TextStyle, 13)
	p.Title.TextStyle.Font.Weight = font.WeightBold
	p.Title.Padding = 8
	t.style(&p.Legend.TextStyle, 10)
	p.Legend.Padding = 2
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Tick.Color = t.Ink, t.Ink
		t.style(&a.Label.TextStyle, 11)
		t.style(&a.Tick.Label, 9)
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = t.Faint, t.Faint
	p.Add(grid)
	return p
}

// style gives text the theme's colour and font.
func (t *Theme) style(s *draw.TextStyle, size vg.Length) { s.Color, s.Font = t.Ink, Sans(size) }
