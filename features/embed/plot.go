package embed

import (
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/onnxcnn/onnxcnn/internal/chart"
)

// glyphs tell classes apart that have the same colour.
var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.TriangleGlyph{}, draw.SquareGlyph{}, draw.PlusGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}}

// maxLegend is how many classes the legend names.
const maxLegend = 24

// Plot draws points in the colour of their class as a PNG. labels are indices into classes, -1 for none; without classes all
// points are of one kind. x and y name the axes; where both are "", distances from the axes mean nothing, and none are drawn.
func Plot(w io.Writer, points []Point, labels []int, classes []string, title, x, y string) error {
	if labels != nil && len(labels) != len(points) {
		return fmt.Errorf("%d labels for %d points", len(labels), len(points))
	}
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
	t := &chart.Light
	p := t.Plot(x, y)
	p.Title.Text = title
	if x == "" && y == "" {
		p.HideAxes()
	}
	radius := vg.Points(3)
	if len(points) > 1000 {
		radius = vg.Points(2)
	}
	// The legend stands beside the plot: inside, it would cover points.
	legend, named, more := p.Legend, 0, 0
	legend.Top = true
	for k, list := range byClass {
		if len(list) == 0 {
			continue
		}
		s, err := plotter.NewScatter(list)
		if err != nil {
			return err
		}
		s.Radius, s.Color, s.Shape = radius, color.NRGBA{0x99, 0x99, 0x99, 255}, glyphs[0]
		name := "no class"
		if k < len(classes) {
			s.Color, s.Shape = t.Series[k%len(t.Series)], glyphs[k/len(t.Series)%len(glyphs)]
			name = chart.Short(classes[k])
		}
		p.Add(s)
		switch {
		case len(classes) == 0:
		case named < maxLegend:
			legend.Add(name, s)
			named++
		default:
			more++
		}
	}
	if more > 0 {
		legend.Add(fmt.Sprintf("and %d more", more))
	}
	widen(&p.X)
	widen(&p.Y)
	const side, margin = 6.4 * vg.Inch, 10
	beside := vg.Length(0)
	if named > 0 {
		r := legend.Rectangle(draw.Canvas{})
		beside = r.Size().X + 2*margin
	}
	return chart.Picture(w, side*1.15+beside, side, t, func(c draw.Canvas) {
		p.Draw(draw.Crop(c, margin, -margin-beside, margin, -margin))
		if named > 0 {
			legend.Left = true
			legend.Draw(draw.Crop(c, c.Size().X-beside, -margin, margin, -4*margin))
		}
	})
}

// widen leaves room between the outermost points and the frame.
func widen(a *plot.Axis) {
	room := (a.Max - a.Min) * 0.03
	a.Min, a.Max = a.Min-room, a.Max+room
}
