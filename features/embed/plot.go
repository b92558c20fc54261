package embed

import (
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// tones are colours that are told apart by eyes of every kind (Okabe and Ito 2008); further classes take them again, with
// other shapes.
var tones = []color.NRGBA{
	{0x00, 0x72, 0xb2, 255}, {0xd5, 0x5e, 0x00, 255}, {0x00, 0x9e, 0x73, 255}, {0xcc, 0x79, 0xa7, 255},
	{0xe6, 0x9f, 0x00, 255}, {0x56, 0xb4, 0xe9, 255}, {0x33, 0x33, 0x33, 255}, {0xb8, 0xa9, 0x00, 255},
}

var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.TriangleGlyph{}, draw.SquareGlyph{}, draw.PlusGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}}

// maxLegend is how many classes the legend names.
const maxLegend = 40

// Plot draws points in the colour of their class as a PNG. labels are indices into classes, -1 for none; without classes all
// points are of one kind. x and y name the axes.
func Plot(w io.Writer, points []Point, labels []int, classes []string, title, x, y string) error {
	if labels != nil && len(labels) != len(points) {
		return fmt.Errorf("%d labels for %d points", len(labels), len(points))
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	p.Legend.Top = true
	p.Legend.Padding = vg.Points(2)
	byClass := make([]plotter.XYs, len(classes)+1)
	for i, at := range points {
		k := len(classes)
		if labels != nil && labels[i] >= 0 {
			if labels[i] >= len(classes) {
				return fmt.Errorf("label %d of %d classes", labels[i], len(classes))
			}
			k = labels[i]
		}
		byClass[k] = append(byClass[k], plotter.XY{X: at.X, Y: at.Y})
	}
	for k, list := range byClass {
		if len(list) == 0 {
			continue
		}
		s, err := plotter.NewScatter(list)
		if err != nil {
			return err
		}
		s.Radius = vg.Points(2.2)
		s.Color, s.Shape = color.NRGBA{0x99, 0x99, 0x99, 255}, glyphs[0]
		name := "no class"
		if k < len(classes) {
			s.Color, s.Shape = tones[k%len(tones)], glyphs[k/len(tones)%len(glyphs)]
			name = classes[k]
		}
		p.Add(s)
		if len(classes) > 0 && k < maxLegend {
			p.Legend.Add(name, s)
		}
	}
	if n := len(classes) - maxLegend; n > 0 {
		p.Legend.Add(fmt.Sprintf("and %d more", n))
	}
	to, err := p.WriterTo(8*vg.Inch, 6.4*vg.Inch, "png")
	if err != nil {
		return err
	}
	_, err = to.WriteTo(w)
	return err
}
