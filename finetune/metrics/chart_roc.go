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

// WriteROC draws the ROC curve of each class against all others as a PNG, and their mean. For two classes it is the
// curve of the second. Up to 10 classes each has a colour, beyond that the three with the smallest area have one.
func (r *Report) WriteROC(w io.Writer) error { return r.drawROC(w, &chart.Light) }

func (r *Report) drawROC(w io.Writer, t *chart.Theme) error {
	const side, left, bottom = 380, 64, 56
	lines, keys := r.rocLines(t)
	wide := chart.Bold(t.Text(13)).Width(r.rocTitle())
	for _, k := range keys {
		wide = max(wide, 32+t.Text(10).Width(k.text))
	}
	return chart.Picture(w, left+side+24+wide+24, bottom+side+24, t, func(c draw.Canvas) {
		s := square{t: t, x: left, y: bottom, width: side, depth: side}
		s.axes(c, "false positive rate", "true positive rate")
		s.diagonal(c)
		for _, l := range lines {
			points := make([]vg.Point, len(l.curve.FPR))
			for i, x := range l.curve.FPR {
				points[i] = s.at(x, l.curve.TPR[i])
			}
			c.StrokeLines(l.style, points)
		}
		title := chart.Bold(t.Text(13))
		title.XAlign = draw.XLeft
		c.FillText(title, vg.Point{X: left + side + 24, Y: bottom + side - 8}, r.rocTitle())
		drawLegend(t, c, keys, left+side+24, bottom+side-36)
	})
}

func (r *Report) rocTitle() string {
	switch {
	case !r.AUC.Defined():
		return "ROC: undefined for one class"
	case len(r.Classes) == 2:
		return fmt.Sprintf("ROC: area %.3f", r.AUC)
	}
	return fmt.Sprintf("ROC: mean area %.3f", r.AUC)
}

// rocLine is a curve to draw.
type rocLine struct {
	curve Curve
	style draw.LineStyle
}

// rocLines returns the curves, the ones on top last, and what the legend says of them.
func (r *Report) rocLines(t *chart.Theme) (lines []rocLine, keys []key) {
	classes := slices.Clone(r.Classes)
	if len(classes) == 2 {
		classes = classes[1:]
	}
	classes = slices.DeleteFunc(classes, func(c Class) bool { return !c.AUC.Defined() })
	if len(classes) == 0 {
		return nil, nil
	}
	coloured := len(classes)
	if coloured > len(t.Series) {
		coloured = 3
		slices.SortStableFunc(classes, func(a, b Class) int { return cmp.Compare(a.AUC, b.AUC) })
	}
	if len(classes) > 1 {
		style := draw.LineStyle{Color: t.Ink, Width: 2.5}
		lines = append(lines, rocLine{r.ROC, style})
		keys = append(keys, key{style, "mean of the classes"})
	}
	for i, c := range classes {
		style := draw.LineStyle{Color: t.Faint, Width: 0.75}
		if i < coloured {
			style = draw.LineStyle{Color: t.Series[i], Width: 1.75}
			keys = append(keys, key{style, fmt.Sprintf("%s (%.3f)", chart.Short(c.Name), c.AUC)})
		}
		lines = append(lines, rocLine{c.ROC, style})
	}
	if n := len(classes) - coloured; n > 0 {
		keys = append(keys, key{draw.LineStyle{Color: t.Faint, Width: 0.75}, fmt.Sprintf("%d others", n)})
	}
	slices.Reverse(lines)
	return lines, keys
}
