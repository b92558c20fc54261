package metrics

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/onnxcnn/onnxcnn/internal/chart"
)

// square is a part of a chart in which both axes go from 0 to 1.
type square struct {
	t            *chart.Theme
	x, y         vg.Length // the lower left corner
	width, depth vg.Length
}

// at returns where a point lies.
func (s *square) at(x, y float64) vg.Point {
	return vg.Point{X: s.x + s.width*vg.Length(x), Y: s.y + s.depth*vg.Length(y)}
}

// axes draws the grid, numbers and names.
func (s *square) axes(c draw.Canvas, xName, yName string) {
	grid := draw.LineStyle{Color: s.t.Faint, Width: 0.75}
	below, beside := s.t.Text(10), s.t.Text(10)
	below.YAlign, beside.XAlign = draw.YTop, draw.XRight
	for i := 0; i <= 5; i++ {
		v := float64(i) / 5
		c.StrokeLines(grid, []vg.Point{s.at(v, 0), s.at(v, 1)}, []vg.Point{s.at(0, v), s.at(1, v)})
		text := fmt.Sprintf("%.1f", v)
		c.FillText(below, s.at(v, 0).Add(vg.Point{Y: -6}), text)
		c.FillText(beside, s.at(0, v).Add(vg.Point{X: -6}), text)
	}
	name := s.t.Text(11)
	c.FillText(name, s.at(0.5, 0).Add(vg.Point{Y: -30}), xName)
	name.Rotation = math.Pi / 2
	c.FillText(name, s.at(0, 0.5).Add(vg.Point{X: -40}), yName)
}

// diagonal draws where the two axes are equal.
func (s *square) diagonal(c draw.Canvas) {
	c.StrokeLines(draw.LineStyle{Color: s.t.Ink, Width: 1, Dashes: []vg.Length{4, 4}}, []vg.Point{s.at(0, 0), s.at(1, 1)})
}

// key is a line of a legend.
type key struct {
	line draw.LineStyle
	text string
}

// drawLegend lists keys downwards from a point.
func drawLegend(t *chart.Theme, c draw.Canvas, keys []key, x, y vg.Length) {
	style := t.Text(10)
	style.XAlign = draw.XLeft
	for i, k := range keys {
		at := y - vg.Length(i)*17
		c.StrokeLines(k.line, []vg.Point{{X: x, Y: at}, {X: x + 24, Y: at}})
		c.FillText(style, vg.Point{X: x + 32, Y: at}, k.text)
	}
}
