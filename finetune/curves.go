package finetune

import (
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
)

var (
	trainColor = color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}
	valColor   = color.RGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}
)

// writeCurves draws loss and accuracy over the epochs into curves.png.
func (f folder) writeCurves(history []Epoch) error {
	loss, err := curves("loss", history, func(e Epoch) (train, val float64) { return e.TrainLoss, e.ValLoss })
	if err != nil {
		return err
	}
	acc, err := curves("accuracy", history, func(e Epoch) (train, val float64) { return e.TrainAcc, e.ValAcc })
	if err != nil {
		return err
	}
	acc.Legend.Top = false
	img := vgimg.New(24*vg.Centimeter, 9*vg.Centimeter)
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: vg.Centimeter, PadTop: vg.Millimeter * 3, PadBottom: vg.Millimeter * 3, PadLeft: vg.Millimeter * 3, PadRight: vg.Millimeter * 5}
	plots := [][]*plot.Plot{{loss, acc}}
	for i, c := range plot.Align(plots, tiles, draw.New(img))[0] {
		plots[0][i].Draw(c)
	}
	return atomicfile.Write(f.path("curves.png"), func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: img}.WriteTo(w)
		return err
	})
}

// curves plots one quantity of training and validation.
func curves(name string, history []Epoch, of func(Epoch) (train, val float64)) (*plot.Plot, error) {
	train, val := make(plotter.XYs, len(history)), make(plotter.XYs, len(history))
	for i, e := range history {
		train[i].X, val[i].X = float64(e.Epoch), float64(e.Epoch)
		train[i].Y, val[i].Y = of(e)
	}
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "epoch", name
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	for _, c := range []struct {
		name   string
		points plotter.XYs
		color  color.Color
	}{{"training", train, trainColor}, {"validation", val, valColor}} {
		line, marks, err := plotter.NewLinePoints(c.points)
		if err != nil {
			return nil, err
		}
		line.Color, marks.Color = c.color, c.color
		line.Width = vg.Points(1.5)
		marks.Shape, marks.Radius = draw.CircleGlyph{}, vg.Points(2)
		p.Add(line, marks)
		p.Legend.Add(c.name, line, marks)
	}
	return p, nil
}
