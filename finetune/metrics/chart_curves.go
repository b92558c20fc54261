package metrics

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

// Epoch is what an epoch of training came to. Losses are means over the images.
type Epoch struct {
	Epoch     int // from 1
	TrainLoss float64
	TrainAcc  float64 // 0 to 1
	ValLoss   float64
	ValAcc    float64
}

// WriteCurves draws loss and accuracy over the epochs as a PNG.
func WriteCurves(w io.Writer, history []Epoch) error { return drawCurves(w, &chart.Light, history) }

func drawCurves(w io.Writer, t *chart.Theme, history []Epoch) error {
	loss, err := curves(t, "loss", history, func(e Epoch) (train, val float64) { return e.TrainLoss, e.ValLoss })
	if err != nil {
		return err
	}
	acc, err := curves(t, "accuracy", history, func(e Epoch) (train, val float64) { return e.TrainAcc, e.ValAcc })
	if err != nil {
		return err
	}
	acc.Legend.Top = false
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: vg.Centimeter, PadTop: 8, PadBottom: 8, PadLeft: 8, PadRight: 14}
	return chart.Picture(w, 24*vg.Centimeter, 9*vg.Centimeter, t, func(c draw.Canvas) {
		plots := [][]*plot.Plot{{loss, acc}}
		for i, part := range plot.Align(plots, tiles, c)[0] {
			plots[0][i].Draw(part)
		}
	})
}

// curves plots one quantity of training and validation.
func curves(t *chart.Theme, name string, history []Epoch, of func(Epoch) (train, val float64)) (*plot.Plot, error) {
	train, val := make(plotter.XYs, len(history)), make(plotter.XYs, len(history))
	for i, e := range history {
		train[i].X, val[i].X = float64(e.Epoch), float64(e.Epoch)
		train[i].Y, val[i].Y = of(e)
	}
	p := t.Plot("epoch", name)
	p.Legend.Top = true
	for _, c := range []struct {
		name   string
		points plotter.XYs
		color  color.Color
	}{{"training", train, t.Series[0]}, {"validation", val, t.Series[1]}} {
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
