package metrics

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/onnxcnn/onnxcnn/internal/chart"
)

// curve is a line of a chart, with what lies below it.
type curve struct {
	name string
	area Value
	x, y []float64 // 0 to 1
}

// curvesChart is a chart of classes' curves in a square, with a legend beside it. Up to 10 curves each have a colour, beyond
// that the three with the smallest area have one.
type curvesChart struct {
	title, x, y string
	diagonal    bool
	curves      []curve
	mean        *curve // nil for none
}

func (f *curvesChart) draw(w io.Writer, t *chart.Theme) error {
	const side, left, bottom = 380, 64, 56
	lines, keys := f.lines(t)
	wide := chart.Bold(t.Text(13)).Width(f.title)
	for _, k := range keys {
		wide = max(wide, 32+t.Text(10).Width(k.text))
	}
	return chart.Picture(w, left+side+24+wide+24, bottom+side+24, t, func(c draw.Canvas) {
		s := square{t: t, x: left, y: bottom, width: side, depth: side}
		s.axes(c, f.x, f.y)
		if f.diagonal {
			s.diagonal(c)
		}
		for _, l := range lines {
			points := make([]vg.Point, len(l.x))
			for i, x := range l.x {
				points[i] = s.at(x, l.y[i])
			}
			c.StrokeLines(l.style, points)
		}
		title := chart.Bold(t.Text(13))
		title.XAlign = draw.XLeft
		c.FillText(title, vg.Point{X: left + side + 24, Y: bottom + side - 8}, f.title)
		drawLegend(t, c, keys, left+side+24, bottom+side-36)
	})
}

// curveLine is a curve to draw.
type curveLine struct {
	curve
	style draw.LineStyle
}

// lines returns the curves, the ones on top last, and what the legend says of them.
func (f *curvesChart) lines(t *chart.Theme) (lines []curveLine, keys []key) {
	curves := slices.Clone(f.curves)
	coloured := len(curves)
	if coloured > len(t.Series) {
		coloured = 3
		slices.SortStableFunc(curves, func(a, b curve) int { return cmp.Compare(a.area, b.area) })
	}
	if f.mean != nil {
		style := draw.LineStyle{Color: t.Ink, Width: 2.5}
		lines = append(lines, curveLine{*f.mean, style})
		keys = append(keys, key{style, f.mean.name})
	}
	for i, c := range curves {
		style := draw.LineStyle{Color: t.Faint, Width: 0.75}
		if i < coloured {
			style = draw.LineStyle{Color: t.Series[i], Width: 1.75}
			keys = append(keys, key{style, fmt.Sprintf("%s (%.3f)", chart.Short(c.name), c.area)})
		}
		lines = append(lines, curveLine{c, style})
	}
	if n := len(curves) - coloured; n > 0 {
		keys = append(keys, key{draw.LineStyle{Color: t.Faint, Width: 0.75}, fmt.Sprintf("%d others", n)})
	}
	slices.Reverse(lines)
	return lines, keys
}
