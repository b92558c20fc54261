// Package htmlreport writes one page about a classifier: how good it is on a data set, how it was trained, and for its
// mistakes what the network looked at and which training images look alike to it.
package htmlreport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// Options say what the page shows. The zero value shows the evaluation and heat maps.
type Options struct {
	Features features.Options  // how images become the network's input, as for the evaluation
	Train    *features.Dataset // among these the nearest images are looked for; nil for none
	History  []metrics.Epoch
	Summary  string // the network's layers, as text
	Worst    int    // how many of the worst mistakes are listed
	Nearest  int    // how many training images are shown with each mistake

	Warn func(string) // told of what cannot be shown; may be nil
}

// Write writes the page about an evaluation of a network to a file, whole or not at all.
func Write(ctx context.Context, file string, m *onnx.Model, e *metrics.Evaluation, o Options) error {
	x := metrics.Extra{History: o.History, Summary: o.Summary, Worst: e.Predictions.Worst(o.Worst), Details: map[int]metrics.Detail{}}
	var samples []int
	for _, m := range slices.Concat(e.Mistakes, x.Worst) {
		samples = append(samples, m.Sample)
	}
	slices.Sort(samples)
	samples = slices.Compact(samples)
	if err := explain(ctx, m, e, samples, o, x.Details); err != nil {
		return err
	}
	if o.Train != nil && o.Nearest > 0 && len(samples) > 0 {
		if err := nearest(ctx, m, e, samples, o, x.Details); err != nil {
			return err
		}
	}
	return atomicfile.Write(file, func(w io.Writer) error { return e.WritePageWith(w, x) })
}

// explain adds Grad-CAM's map of the predicted class to each sample. A network without maps has none.
func explain(ctx context.Context, m *onnx.Model, e *metrics.Evaluation, samples []int, o Options, details map[int]metrics.Detail) error {
	if len(samples) == 0 {
		return nil
	}
	f := o.Features
	x, err := gradcam.New(m, gradcam.Options{Recipe: f.Recipe, Size: f.Size, Labels: e.Predictions.Classes, Provider: f.Provider, Threads: f.Threads})
	if err != nil {
		if o.Warn != nil {
			o.Warn(fmt.Sprintf("the page has no heat maps: %v", err))
		}
		return nil
	}
	defer x.Close()
	for _, s := range samples {
		p, err := decode(e.Items[s], zoo.DecodeOptions{StoredOrientation: x.Recipe().StoredOrientation, MaxPixels: f.MaxPixels})
		if err != nil {
			return fmt.Errorf("%s: %w", e.Items[s].Path, err)
		}
		im, err := x.Image(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Items[s].Path, err)
		}
		class := e.Predictions.Predicted(s)
		cam, err := x.Explain(ctx, im, "gradcam", class)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Items[s].Path, err)
		}
		size := x.Recipe().Size
		view, err := im.View(max(1, 224/max(size[0], size[1])))
		if err != nil {
			return err
		}
		picture, err := im.Draw(view, cam, gradcam.Style{})
		if err != nil {
			return err
		}
		y, c := cam.Peak(size[0], size[1])
		details[s] = metrics.Detail{Map: picture, MapText: fmt.Sprintf("Grad-CAM of %s: most speaks for it at row %d, column %d of %dx%d", e.Predictions.Classes[class], y, c, size[0], size[1])}
	}
	return nil
}

func decode(it features.Item, o zoo.DecodeOptions) (*zoo.Picture, error) {
	f, err := it.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return zoo.Decode(f, o)
}

// nearest adds the training images whose features, before the head, have the largest cosine with a sample's. The earlier
// one comes first where two are equal.
func nearest(ctx context.Context, m *onnx.Model, e *metrics.Evaluation, samples []int, o Options, details map[int]metrics.Detail) error {
	f := o.Features
	f.At, f.Pool, f.Views, f.Strict, f.Progress = "", "", 0, false, nil
	x, err := features.New(m, f)
	if err != nil {
		return err
	}
	defer x.Close()
	asked := &features.Dataset{Classes: o.Train.Classes}
	for _, s := range samples {
		asked.Items = append(asked.Items, e.Items[s])
	}
	var rows [][]float64
	for row, err := range x.Rows(ctx, asked) {
		if err != nil {
			return err
		}
		rows = append(rows, unit(row.Features))
	}
	found := make([][]metrics.Neighbour, len(rows))
	for row, err := range x.Rows(ctx, o.Train) {
		var skip *features.Skip
		switch {
		case errors.As(err, &skip):
			continue
		case err != nil:
			return err
		}
		u := unit(row.Features)
		class := ""
		if row.Item.Label >= 0 {
			class = o.Train.Classes[row.Item.Label]
		}
		for i, v := range rows {
			n := metrics.Neighbour{Item: row.Item, Class: class, Similarity: dot(u, v)}
			at, _ := slices.BinarySearchFunc(found[i], n, func(a, b metrics.Neighbour) int {
				return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), -1)
			})
			if at < o.Nearest {
				found[i] = slices.Insert(found[i], at, n)
				found[i] = found[i][:min(len(found[i]), o.Nearest)]
			}
		}
	}
	for i, s := range samples {
		d := details[s]
		d.Nearest = found[i]
		details[s] = d
	}
	return nil
}

// unit scales a row to length 1; one of zeros stays.
func unit(row []float32) []float64 {
	sum := 0.0
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	out := make([]float64, len(row))
	if sum > 0 {
		for i, v := range row {
			out[i] = float64(v) / math.Sqrt(sum)
		}
	}
	return out
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
