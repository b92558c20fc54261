package metrics

import (
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Epoch is what an epoch of training came to. Losses are means over the images.
type Epoch struct {
	Epoch     int // from 1
	TrainLoss float64
	TrainAcc  float64 // 0 to 1
	ValLoss   float64
	ValAcc    float64
}

// WriteCurves draws loss and accuracy over the epochs as a PNG.
func WriteCurves(w io.Writer, history []Epoch) error { return drawCurves(w, &light, history) }

func drawCurves(w io.Writer, t *theme, history []Epoch) error {
	loss, err := t.curves("loss", history, func(e Epoch) (train, val float64) { return e.TrainLoss, e.ValLoss })
	if err != nil {
		return err
	}
	acc, err := t.curves("accuracy", history, func(e Epoch) (train, val float64) { return e.TrainAcc, e.ValAcc })
	if err != nil {
		return err
	}
	acc.Legend.Top = false
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: vg.Centimeter, PadTop: 8, PadBottom: 8, PadLeft: 8, PadRight: 14}
	return picture(w, 24*vg.Centimeter, 9*vg.Centimeter, t, func(c draw.Canvas) {
		plots := [][]*plot.Plot{{loss, acc}}
		for i, part := range plot.Align(plots, tiles, c)[0] {
			plots[0][i].Draw(part)
		}
	})
}

// curves plots one quantity of training and validation.
func (t *theme) curves(name string, history []Epoch, of func(Epoch) (train, val float64)) (*plot.Plot, error) {
	train, val := make(plotter.XYs, len(history)), make(plotter.XYs, len(history))
	for i, e := range history {
		train[i].X, val[i].X = float64(e.Epoch), float64(e.Epoch)
		train[i].Y, val[i].Y = of(e)
	}
	p := t.plot("epoch", name)
	p.Legend.Top = true
	for _, c := range []struct {
		name   string
		points plotter.XYs
		color  color.Color
	}{{"training", train, t.series[0]}, {"validation", val, t.series[1]}} {
		line, marks, err := plotter.NewLinePoints(c.points)
		if err != nil {
			return nil, fmt.Errorf("the curve of %s: %w", name, err)
		}
		line.Color, marks.Color = c.color, c.color
		line.Width = vg.Points(1.5)
		marks.Shape, marks.Radius = draw.CircleGlyph{}, vg.Points(2)
		p.Add(line, marks)
		p.Legend.Add(c.name, line, marks)
	}
	return p, nil
}

// plot returns an empty plot in the theme's colours, with a grid.
func (t *theme) plot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = t.paper
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Legend.TextStyle.Color = t.ink
	p.Title.TextStyle.Color = t.ink
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Label.TextStyle.Color, a.Tick.Label.Color, a.Tick.Color = t.ink, t.ink, t.ink, t.ink
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = t.faint, t.faint
	p.Add(grid)
	return p
}
