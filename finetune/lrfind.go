package finetune

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/chart"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// LRFinder says over which learning rates [FindLR] goes. The zero value goes from 1e-7 to 10 in 100 steps.
type LRFinder struct {
	From, To float64
	Steps    int
}

// LRPoint is a step of a learning rate range test.
type LRPoint struct {
	LR       float64 `json:"lr"`
	Loss     float64 `json:"loss"`     // of the batch, before the step
	Smoothed float64 `json:"smoothed"` // running mean of the losses so far
}

// LRFind is what a learning rate range test has found.
type LRFind struct {
	Points    []LRPoint `json:"points"`
	Suggested float64   `json:"suggested"` // where the smoothed loss falls most steeply
	Smallest  float64   `json:"smallest"`  // where it is smallest: beyond it training goes astray
	Diverged  bool      `json:"diverged"`  // it went astray before the last step
	Plot      string    `json:"plot"`      // the file
}

const (
	lrSmoothing = 0.9 // share of the running mean that stays in each step
	lrDiverged  = 4   // times the smallest loss
	lrLeast     = 10  // steps without which there is nothing to see
)

// FindLR does a learning rate range test (Smith 2017, Cyclical Learning Rates): it trains as [Run] would in its first
// phase, while the rate of the head rises evenly in its logarithm, until the loss is four times its smallest. It writes
// lr_find.csv, lr_find.json and lr_find.png to the folder and nothing else: what was learned is let go.
//
// The same seed gives the same losses. Options about epochs, schedules and validation do not apply.
func FindLR(ctx context.Context, m *onnx.Model, data *Data, dir string, o Options, f LRFinder) (*LRFind, error) {
	if f.From == 0 {
		f.From = 1e-7
	}
	if f.To == 0 {
		f.To = 10
	}
	if f.Steps == 0 {
		f.Steps = 100
	}
	if !(f.From > 0 && f.From < f.To) || math.IsInf(f.To, 0) || f.Steps < lrLeast {
		return nil, fmt.Errorf("learning rates from %v to %v in %d steps: want them rising from above 0, in %d steps or more", f.From, f.To, f.Steps, lrLeast)
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	r := &run{o: o, dir: folder(dir), base: m, data: data, values: weights{}, budget: budget{start: time.Now()}}
	defer r.close()
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if r.head != nil {
		return nil, fmt.Errorf("head %s has no learning rate", o.Head)
	}
	if err := r.dir.open(false, true); err != nil { // it stays beside a run
		return nil, err
	}
	var err error
	if r.train, err = r.scan(ctx, data.Train, o.Augment.IsNone() && o.Mix.IsNone()); err != nil {
		return nil, err
	}
	if len(r.train.items) == 0 {
		return nil, errors.Join(append([]error{errors.New("none of the images can be read")}, r.skipped...)...)
	}
	found, err := r.findLR(ctx, f)
	if err != nil {
		return nil, err
	}
	found.suggest()
	found.Plot = r.dir.path("lr_find.png")
	return found, r.dir.writeLRFind(found)
}

// errDiverged ends a range test.
var errDiverged = errors.New("the loss has gone astray")

// findLR trains with rising rates.
func (r *run) findLR(ctx context.Context, f LRFinder) (*LRFind, error) {
	found := &LRFind{}
	mean, smallest := 0.0, math.Inf(1)
	for epoch := 0; len(found.Points) < f.Steps; epoch++ {
		err := r.each(ctx, r.train, r.batches(epoch), epoch, func(_ []int, cut []*onnx.Tensor, y []float32) error {
			n := len(found.Points)
			if n == f.Steps {
				return errDiverged // an end like another
			}
			lr := f.From * math.Pow(f.To/f.From, float64(n)/float64(f.Steps-1))
			s, err := r.trainer.Step(ctx, cut, y, lr/r.trainer.o.LR)
			var bad *NotFiniteError
			if errors.As(err, &bad) {
				found.Diverged = true
				return errDiverged
			}
			if err != nil {
				return err
			}
			mean = lrSmoothing*mean + (1-lrSmoothing)*s.Loss
			p := LRPoint{LR: lr, Loss: s.Loss, Smoothed: mean / (1 - math.Pow(lrSmoothing, float64(n+1)))}
			found.Points = append(found.Points, p)
			smallest = min(smallest, p.Smoothed)
			r.tell(Progress{Phase: "train", Epoch: 1, Done: n + 1, Total: f.Steps, Loss: p.Smoothed})
			if n >= lrLeast && p.Smoothed > lrDiverged*smallest {
				found.Diverged = true
				return errDiverged
			}
			return nil
		})
		if errors.Is(err, errDiverged) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if len(found.Points) < lrLeast {
		return nil, fmt.Errorf("the loss is no number after %d steps, at a learning rate of %.2g: the images' recipe may be wrong", len(found.Points), f.From)
	}
	return found, nil
}

// suggest finds the smallest smoothed loss, and where it falls most steeply before that.
func (l *LRFind) suggest() {
	best := 0
	for i, p := range l.Points {
		if p.Smoothed < l.Points[best].Smoothed {
			best = i
		}
	}
	l.Smallest = l.Points[best].LR
	l.Suggested = l.Smallest / 10 // where it never falls
	steepest := 0.0
	for i := 1; i < best; i++ {
		// Rates are evenly apart in their logarithm.
		if d := l.Points[i+1].Smoothed - l.Points[i-1].Smoothed; d < steepest {
			steepest, l.Suggested = d, l.Points[i].LR
		}
	}
}

// writeLRFind writes the files of a range test.
func (f folder) writeLRFind(l *LRFind) error {
	err := atomicfile.Write(f.path("lr_find.csv"), func(w io.Writer) error {
		rows := [][]string{{"lr", "loss", "smoothed"}}
		text := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
		for _, p := range l.Points {
			rows = append(rows, []string{text(p.LR), text(p.Loss), text(p.Smoothed)})
		}
		return csv.NewWriter(w).WriteAll(rows)
	})
	return errors.Join(err, f.writeJSON("lr_find.json", l), f.plotLRFind(l))
}

// plotLRFind draws the losses over the rates.
func (f folder) plotLRFind(l *LRFind) error {
	losses, smoothed := make(plotter.XYs, len(l.Points)), make(plotter.XYs, len(l.Points))
	top := 0.0
	for i, p := range l.Points {
		losses[i], smoothed[i] = plotter.XY{X: p.LR, Y: p.Loss}, plotter.XY{X: p.LR, Y: p.Smoothed}
		top = max(top, p.Smoothed)
	}
	for i := range losses { // single batches must not squeeze the curve
		losses[i].Y = min(losses[i].Y, 1.5*top)
	}
	t := &chart.Light
	p := t.Plot("learning rate", "loss")
	p.Title.Text = fmt.Sprintf("The loss falls most steeply at %.2g", l.Suggested)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	mark := plotter.XYs{{X: l.Suggested, Y: 0}, {X: l.Suggested, Y: top}}
	for _, c := range []struct {
		name   string
		points plotter.XYs
		width  float64
		color  color.Color
	}{{"batch", losses, 0.5, color.Gray{Y: 0xa0}}, {"smoothed", smoothed, 1.5, t.Series[0]}, {"suggested", mark, 1, t.Series[1]}} {
		line, err := plotter.NewLine(c.points)
		if err != nil {
			return err
		}
		line.Color, line.Width = c.color, vg.Points(c.width)
		p.Add(line)
		p.Legend.Add(c.name, line)
	}
	return atomicfile.Write(f.path("lr_find.png"), func(w io.Writer) error {
		return chart.Picture(w, 16*vg.Centimeter, 10*vg.Centimeter, t, func(c draw.Canvas) { p.Draw(draw.Crop(c, 8, -14, 8, -8)) })
	})
}
