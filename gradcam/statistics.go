package gradcam

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// LayerStatistics is what a layer answers to a folder of images.
type LayerStatistics struct {
	Index    int     `json:"index"`
	Name     string  `json:"name"`
	Op       string  `json:"op"`
	Units    int     `json:"units"`    // channels of maps, columns of rows
	Dead     int     `json:"dead"`     // units that gave the same number everywhere in every image
	Mean     float64 `json:"mean"`     // of all numbers
	Std      float64 `json:"std"`      // and their standard deviation
	Sparsity float64 `json:"sparsity"` // share of numbers that are exactly 0
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	Images   int     `json:"images"`

	DeadUnits []int `json:"dead_units"` // their numbers
}

// unmeasured are operators that only move numbers: what there is to say has been said of the layer before.
var unmeasured = []string{"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Dropout", "Slice", "Split", "Gather", "Expand"}

// StatisticsOf runs a network on a data set and measures what its layers give: the one that Options.At selects, or, where
// that is "", all but those that only move numbers. Pool, Views and Augment of the options do not apply. skipped is told of
// images that cannot be read; the error is returned where it is nil.
func StatisticsOf(ctx context.Context, m *onnx.Model, data *features.Dataset, o features.Options, skipped func(*features.Skip)) ([]LayerStatistics, error) {
	in, err := features.ImageInput(m)
	if err != nil {
		return nil, err
	}
	recipe, err := features.RecipeFor(m, o.Recipe)
	if err != nil {
		return nil, err
	}
	if o.Size != [2]int{} {
		recipe = recipe.WithSize(o.Size[0], o.Size[1])
	}
	if m, err = m.Inlined(); err != nil {
		return nil, err
	}
	if features.TrainsStatistics(m) {
		m = features.StoredStatistics(m) // dead or not must not depend on a batch
	}
	layers, err := backend.Layers(m, map[string][]int{in.Name: append([]int{1}, recipe.Shape()...)})
	if err != nil {
		return nil, err
	}
	var chosen []backend.Layer
	if o.At != "" {
		l, err := backend.FindLayer(layers, o.At)
		if err != nil {
			return nil, err
		}
		chosen = []backend.Layer{l}
	} else {
		chosen = slices.DeleteFunc(slices.Clone(layers), func(l backend.Layer) bool {
			return len(l.Shape) < 2 || slices.Contains(unmeasured, l.Op)
		})
	}
	if len(chosen) == 0 {
		return nil, errors.New("the network has no layer to measure")
	}
	var outputs []string
	var tallies []*tally
	for _, l := range chosen {
		outputs = append(outputs, l.Output)
		tallies = append(tallies, &tally{layer: l, last: len(l.Shape) != 4 || features.ChannelsLast(m, l.Output, recipe.Layout == "NHWC")})
	}
	shape := append([]int{-1}, recipe.Shape()...)
	if in.Type != nil && in.Type.HasShape && in.Type.Shape[0].Size > 0 {
		shape[0] = in.Type.Shape[0].Size
	}
	session, err := backend.Open(m, backend.Options{Provider: o.Provider, Threads: o.Threads, Outputs: outputs, Shapes: map[string][]int{in.Name: shape}, Warn: o.Warn})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	seen := &recorder{Session: session}
	o.At, o.Pool, o.Views, o.Session = outputs[0], features.PoolNone, 0, seen
	x, err := features.New(m, o)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	for b, err := range x.Batches(ctx, data) {
		if err != nil {
			return nil, err
		}
		for i := range b.Skipped {
			if skipped == nil {
				return nil, &b.Skipped[i]
			}
			skipped(&b.Skipped[i])
		}
		left := len(b.Items)
		for _, out := range seen.taken {
			rows := left
			for _, t := range tallies {
				n, err := t.add(out[t.layer.Output], left)
				if err != nil {
					return nil, fmt.Errorf("layer %d %q: %w", t.layer.Index, t.layer.Name, err)
				}
				rows = min(rows, n)
			}
			left -= rows
		}
		seen.taken = nil
	}
	var all []LayerStatistics
	for _, t := range tallies {
		if t.images > 0 {
			all = append(all, t.result())
		}
	}
	return all, nil
}

// recorder keeps what a session computes. The extractor runs one batch at a time.
type recorder struct {
	backend.Session
	taken []map[string]*onnx.Tensor // since the batch before
}

func (r *recorder) Run(ctx context.Context, in map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	out, err := r.Session.Run(ctx, in)
	if err == nil {
		r.taken = append(r.taken, out)
	}
	return out, err
}

// tally adds up what a layer gives.
type tally struct {
	layer    backend.Layer
	last     bool // units are the last axis, else the second
	images   int
	count    float64
	sum, sq  float64
	zeros    float64
	min, max []float32 // by unit
}

// add adds at most limit rows of a layer's output and returns how many images it has.
func (t *tally) add(v *onnx.Tensor, limit int) (int, error) {
	if v == nil {
		return 0, errors.New("the network did not compute it")
	}
	x, err := features.Floats(v)
	if err != nil {
		return 0, err
	}
	if len(v.Shape) < 2 || v.Shape[0] == 0 || len(x) == 0 {
		return 0, fmt.Errorf("its shape is %v: want a row for each image", v.Shape)
	}
	rows := v.Shape[0]
	size := len(x) / rows
	units, inner := v.Shape[len(v.Shape)-1], 1
	if !t.last {
		units, inner = v.Shape[1], onnx.NumElements(v.Shape[2:])
	}
	if t.min == nil {
		t.min, t.max = make([]float32, units), make([]float32, units)
		for i := range t.min {
			t.min[i], t.max[i] = float32(math.Inf(1)), float32(math.Inf(-1))
		}
	}
	if len(t.min) != units {
		return 0, fmt.Errorf("it has %d units after %d", units, len(t.min))
	}
	n := min(rows, limit)
	for i, f := range x[:n*size] {
		u := i / inner % units
		t.min[u], t.max[u] = min(t.min[u], f), max(t.max[u], f)
		t.sum += float64(f)
		t.sq += float64(f) * float64(f)
		if f == 0 {
			t.zeros++
		}
	}
	t.count += float64(n * size)
	t.images += n
	return n, nil
}

func (t *tally) result() LayerStatistics {
	s := LayerStatistics{
		Index: t.layer.Index, Name: t.layer.Name, Op: t.layer.Op, Units: len(t.min), Images: t.images,
		Mean: t.sum / t.count, Sparsity: t.zeros / t.count, Min: float64(slices.Min(t.min)), Max: float64(slices.Max(t.max)),
		DeadUnits: []int{},
	}
	s.Std = math.Sqrt(max(t.sq/t.count-s.Mean*s.Mean, 0))
	for u := range t.min {
		if t.min[u] == t.max[u] {
			s.DeadUnits = append(s.DeadUnits, u)
		}
	}
	s.Dead = len(s.DeadUnits)
	return s
}
