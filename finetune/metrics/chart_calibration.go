package metrics

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/onnxcnn/onnxcnn/internal/chart"
)

// WriteCalibration draws the reliability diagram as a PNG: how often predictions of some confidence are right, where
// that should be, and below how many predictions there are.
func (r *Report) WriteCalibration(w io.Writer) error { return r.drawCalibration(w, &chart.Light) }

func (r *Report) drawCalibration(w io.Writer, t *chart.Theme) error {
	f := calibrationChart{bins: r.Calibration, ece: r.CalibrationError, x: "confidence", y: "accuracy", gap: "gap to the confidence", counts: "predictions of that confidence"}
	return f.draw(w, t)
}

// calibrationChart is a reliability diagram: bars of how often what was said with some probability is so.
type calibrationChart struct {
	bins              []Bin
	ece               float64
	x, y, gap, counts string // names of the axes, of the distance from the diagonal, and of what is counted
}

func (f *calibrationChart) draw(w io.Writer, t *chart.Theme) error {
	const side, left, bottom, counts, between = 380, 64, 56, 70, 48
	return chart.Picture(w, left+side+40, bottom+counts+between+side+76, t, func(c draw.Canvas) {
		s := square{t: t, x: left, y: bottom + counts + between, width: side, depth: side}
		s.axes(c, f.x, f.y)
		for _, b := range f.bins {
			if b.Count > 0 {
				drawBin(c, &s, b)
			}
		}
		s.diagonal(c)
		c.FillText(chart.Bold(t.Text(13)), vg.Point{X: left + side/2, Y: s.y + side + 52},
			fmt.Sprintf("Calibration: expected error %.3f", f.ece))
		column := func(at vg.Length, fill draw.LineStyle, text string) {
			drawLegend(t, c, []key{{fill, text}}, left+at, s.y+side+26)
		}
		column(40, draw.LineStyle{Color: t.Shade(0.5), Width: 8}, f.y)
		column(40+32+t.Text(10).Width(f.y)+24, draw.LineStyle{Color: t.Gap, Width: 2}, f.gap)

		f.drawCounts(c, &square{t: t, x: left, y: bottom - 16, width: side, depth: counts})
	})
}

// drawBin draws a bar up to the accuracy and the distance from there to the mean confidence.
func drawBin(c draw.Canvas, s *square, b Bin) {
	from, to := s.at(b.From, 0), s.at(b.To, float64(b.Accuracy))
	chart.Rectangle(c, s.t.Shade(0.5), from.X+1, from.Y, to.X-1, to.Y)
	middle := (b.From + b.To) / 2
	end := s.at(middle, float64(b.Confidence))
	style := draw.LineStyle{Color: s.t.Gap, Width: 2}
	c.StrokeLines(style, []vg.Point{s.at(middle, float64(b.Accuracy)), end})
	c.StrokeLines(style, []vg.Point{{X: from.X + 4, Y: end.Y}, {X: to.X - 4, Y: end.Y}})
}

// drawCounts draws how many predictions are in each bin.
func (f *calibrationChart) drawCounts(c draw.Canvas, s *square) {
	most := 0
	for _, b := range f.bins {
		most = max(most, b.Count)
	}
	for _, b := range f.bins {
		from, to := s.at(b.From, 0), s.at(b.To, share(b.Count, most))
		chart.Rectangle(c, s.t.Shade(0.6), from.X+1, from.Y, to.X-1, to.Y)
	}
	style := draw.LineStyle{Color: s.t.Faint, Width: 0.75}
	c.StrokeLines(style, []vg.Point{s.at(0, 0), s.at(1, 0)}, []vg.Point{s.at(0, 1), s.at(1, 1)})
	beside := s.t.Text(10)
	beside.XAlign = draw.XRight
	c.FillText(beside, s.at(0, 0).Add(vg.Point{X: -6}), "0")
	c.FillText(beside, s.at(0, 1).Add(vg.Point{X: -6}), fmt.Sprint(most))
	name := s.t.Text(11)
	c.FillText(name, s.at(0.5, 0).Add(vg.Point{Y: -16}), f.counts)
	name.Rotation = math.Pi / 2
	c.FillText(name, s.at(0, 0.5).Add(vg.Point{X: -40}), "count")
}
