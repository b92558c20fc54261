package metrics

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/onnxcnn/onnxcnn/internal/chart"
)

// WriteConfusion draws the confusion matrix as a PNG: a row for each true class, a column for each prediction, coloured
// by the share of the row, so that rare classes are seen as well as frequent ones. Up to 20 classes the counts stand in
// the cells, up to 120 the classes are named, beyond that numbered.
func (r *Report) WriteConfusion(w io.Writer) error { return r.drawConfusion(w, &chart.Light) }

// matrix is where the parts of the picture lie, in points.
type matrix struct {
	r       *Report
	t       *chart.Theme
	k       int
	cell    vg.Length
	font    vg.Length // size of the classes' names
	counted bool      // counts stand in the cells
	every   int       // which classes have a name or number
	turned  bool      // names of columns are written upwards

	left, bottom, side    vg.Length // of the cells
	width, height         vg.Length // of the picture
	labelWidth, labelDrop vg.Length // space of the names beside and below the cells
}

func newMatrix(r *Report, t *chart.Theme) *matrix {
	m := &matrix{r: r, t: t, k: len(r.Classes), every: 1}
	switch k := vg.Length(m.k); {
	case m.k <= 5:
		m.cell, m.font, m.counted = 72, 11, true
	case m.k <= 20:
		m.cell, m.font, m.counted = max(38, 520/k), 10, true
	case m.k <= 120:
		m.cell, m.font = max(8, 640/k), min(9, max(7, 0.75*640/k))
	default:
		m.cell, m.font = max(0.5, 960/k), 9
		m.every = niceStep(m.k)
	}
	m.side = m.cell * vg.Length(m.k)
	style := t.Text(m.font)
	for i := 0; i < m.k; i += m.every {
		m.labelWidth = max(m.labelWidth, style.Width(m.label(i)))
	}
	m.turned = m.every == 1 && m.labelWidth > m.cell-4
	m.labelDrop = 14
	if m.turned {
		m.labelDrop = m.labelWidth
	}
	m.left = 32 + m.labelWidth + 6
	m.bottom = 32 + m.labelDrop + 6
	m.width = m.left + m.side + 76 // the scale
	m.height = m.bottom + m.side + 44
	// Room for the title above few classes.
	if extra := chart.Bold(t.Text(13)).Width(m.title()) + 32 - m.width; extra > 0 {
		m.left += extra / 2
		m.width += extra
	}
	return m
}

// niceStep returns 1, 2 or 5 times a power of ten so that about ten to twenty of n numbers are shown.
func niceStep(n int) int {
	for step := 1; ; step *= 10 {
		for _, f := range []int{1, 2, 5} {
			if n/(step*f) <= 20 {
				return step * f
			}
		}
	}
}

func (m *matrix) label(i int) string {
	if m.every > 1 {
		return strconv.Itoa(i)
	}
	return chart.Short(m.r.Classes[i].Name)
}

func (m *matrix) title() string {
	return fmt.Sprintf("Confusion matrix: %d of %d right, %s", m.r.Correct, m.r.Samples, percent(m.r.Accuracy))
}

func (r *Report) drawConfusion(w io.Writer, t *chart.Theme) error {
	m := newMatrix(r, t)
	return chart.Picture(w, m.width, m.height, t, func(c draw.Canvas) {
		c.FillText(chart.Bold(t.Text(13)), vg.Point{X: m.width / 2, Y: m.height - 22}, m.title())
		m.cells(c)
		m.names(c)
		m.scale(c)
	})
}

func (m *matrix) cells(c draw.Canvas) {
	top := m.bottom + m.side
	chart.Rectangle(c, m.t.Low, m.left, m.bottom, m.left+m.side, top)
	gap := vg.Length(0)
	if m.cell >= 4 {
		gap = 0.5
	}
	for i, row := range m.r.Confusion {
		for j, n := range row {
			if n == 0 && !m.counted {
				continue
			}
			x, y := m.left+vg.Length(j)*m.cell, top-vg.Length(i+1)*m.cell
			v := share(n, m.r.Classes[i].Support)
			fill := m.t.Shade(v)
			if n > 0 && !m.counted {
				fill = m.t.Shade(0.25 + 0.75*v) // a single sample of many must be seen
			}
			chart.Rectangle(c, fill, x+gap, y+gap, x+m.cell-gap, y+m.cell-gap)
			if m.counted {
				m.count(c, x+m.cell/2, y+m.cell/2, n, v)
			}
		}
	}
	frame := draw.LineStyle{Color: m.t.Faint, Width: 0.75}
	c.StrokeLines(frame, []vg.Point{{X: m.left, Y: m.bottom}, {X: m.left + m.side, Y: m.bottom},
		{X: m.left + m.side, Y: top}, {X: m.left, Y: top}, {X: m.left, Y: m.bottom}})
}

// count writes a number into a cell, as small as needed, with its share of the row where there is room.
func (m *matrix) count(c draw.Canvas, x, y vg.Length, n int, v float64) {
	size := vg.Length(math.Min(14, float64(m.cell)/3))
	style := m.t.Text(size)
	text := strconv.Itoa(n)
	if w := style.Width(text); w > m.cell-4 {
		style.Font.Size = size * (m.cell - 4) / w
	}
	style.Color = chart.On(m.t.Shade(v))
	if m.cell < 60 || n == 0 {
		c.FillText(style, vg.Point{X: x, Y: y}, text)
		return
	}
	c.FillText(style, vg.Point{X: x, Y: y + 7}, text)
	style.Font.Size = 9
	c.FillText(style, vg.Point{X: x, Y: y - 11}, percent(v))
}

func (m *matrix) names(c draw.Canvas) {
	row, column := m.t.Text(m.font), m.t.Text(m.font)
	row.XAlign = draw.XRight
	column.YAlign = draw.YTop
	if m.turned {
		column.Rotation = math.Pi / 2
		column.XAlign, column.YAlign = draw.XRight, draw.YCenter
	}
	for i := 0; i < m.k; i += m.every {
		at := (vg.Length(i) + 0.5) * m.cell
		c.FillText(row, vg.Point{X: m.left - 6, Y: m.bottom + m.side - at}, m.label(i))
		c.FillText(column, vg.Point{X: m.left + at, Y: m.bottom - 6}, m.label(i))
	}
	axis := chart.Bold(m.t.Text(11))
	c.FillText(axis, vg.Point{X: m.left + m.side/2, Y: 16}, "predicted")
	axis.Rotation = math.Pi / 2
	c.FillText(axis, vg.Point{X: m.left - m.labelWidth - 22, Y: m.bottom + m.side/2}, "actual")
}

// scale draws what the colours mean.
func (m *matrix) scale(c draw.Canvas) {
	const steps = 50
	x, height := m.left+m.side+18, min(m.side, 200)
	y := m.bottom + m.side - height
	for i := range steps {
		v := float64(i) / (steps - 1)
		if !m.counted {
			v = 0.25 + 0.75*v
		}
		// Each step reaches up to the top, below the next ones: no paper shines through between them.
		chart.Rectangle(c, m.t.Shade(v), x, y+height*vg.Length(i)/steps, x+12, y+height)
	}
	style := m.t.Text(9)
	style.XAlign = draw.XLeft
	for _, v := range []float64{0, 0.5, 1} {
		c.FillText(style, vg.Point{X: x + 16, Y: y + height*vg.Length(v)}, fmt.Sprintf("%.0f %%", 100*v))
	}
}
