package gradcam

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/heat"
	"github.com/onnxcnn/onnxcnn/internal/sheet"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Activations are what the filters of a layer answer to one image.
type Activations struct {
	Layer string // its name, or that of the value where no layer computes it
	Index int    // its number, -1 where no layer computes it
	Maps  Maps
}

// ActivationsOf runs a network on the first image of a data set, up to Options.At, which must give maps. Pool, Views and
// Augment of the options do not apply.
func ActivationsOf(ctx context.Context, m *onnx.Model, data *features.Dataset, o features.Options) (*Activations, error) {
	if len(data.Items) == 0 {
		return nil, errors.New("no image")
	}
	o.Pool, o.Views, o.Batch, o.Strict = features.PoolNone, 0, 1, true
	x, err := features.New(m, o)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	for row, err := range x.Rows(ctx, &features.Dataset{Items: data.Items[:1]}) {
		if err != nil {
			return nil, err
		}
		if len(row.Shape) != 3 {
			return nil, fmt.Errorf("layer %q gives %v for an image: want maps, [C,H,W]", x.Layer(), row.Shape)
		}
		a := &Activations{Layer: x.Layer(), Index: -1, Maps: Maps{Data: row.Features, C: row.Shape[0], H: row.Shape[1], W: row.Shape[2]}}
		layers, err := backend.Layers(m, nil)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(layers, func(l backend.Layer) bool { return l.Output == a.Layer }); i >= 0 {
			a.Layer, a.Index = layers[i].Name, layers[i].Index
		}
		if features.ChannelsLast(m, x.Layer(), x.Recipe().Layout == "NHWC") {
			a.Maps = Maps{C: row.Shape[2], H: row.Shape[0], W: row.Shape[1]}
			a.Maps.Data = channelsFirst(row.Features, a.Maps.C)
		}
		return a, nil
	}
	return nil, errors.New("no image")
}

// Dead lists the filters whose map has the same number everywhere: rectified ones that answer nothing.
func (a *Activations) Dead() []int {
	var dead []int
	for k := range a.Maps.C {
		if v := a.Maps.Channel(k); slices.Min(v) == slices.Max(v) {
			dead = append(dead, k)
		}
	}
	return dead
}

// GridOptions say how a grid of filters is drawn.
type GridOptions struct {
	Palette string // as [Style] has it; "" is viridis
	Columns int    // 0: about as many as there are rows
	Width   int    // of a map in pixels, 0 for at least 64
	Shared  bool   // all maps in one scale, else each in its own
	Title   string
}

// Grid draws every filter's map with its number and its largest value. Dead filters are gray and named so. Maps that are
// nowhere negative are drawn from 0 to their largest value, others from their smallest.
func (a *Activations) Grid(o GridOptions) (*image.RGBA, error) {
	if err := (Style{Palette: o.Palette}).Check(); err != nil {
		return nil, err
	}
	columns := o.Columns
	if columns <= 0 {
		columns = 1
		for columns*columns < a.Maps.C {
			columns++
		}
	}
	width := o.Width
	if width <= 0 {
		width = 64
	}
	times := max((width+a.Maps.W-1)/a.Maps.W, 1)
	w, h := times*a.Maps.W, times*a.Maps.H
	rows := (a.Maps.C + columns - 1) / columns
	if err := sheet.Fits(rows, columns, w, h); err != nil {
		return nil, err
	}
	palette := Style{Palette: o.Palette}.palette("viridis")
	lo, hi := heat.Field{W: 1, H: len(a.Maps.Data), V: a.Maps.Data}.Range()
	dead := a.Dead()
	gray := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range gray.Pix {
		gray.Pix[i] = 225
	}
	var cells []sheet.Cell
	for k := range a.Maps.C {
		f := heat.Field{W: a.Maps.W, H: a.Maps.H, V: a.Maps.Channel(k)}
		if _, is := slices.BinarySearch(dead, k); is {
			cells = append(cells, sheet.Cell{Image: gray, Title: fmt.Sprint(k), Text: "dead"})
			continue
		}
		from, to := lo, hi
		if !o.Shared {
			from, to = f.Range()
		}
		cells = append(cells, sheet.Cell{Image: heat.Draw(scaled(f, min(from, 0), to).Nearest(w, h), palette), Title: fmt.Sprint(k), Text: fmt.Sprintf("%.3g", slices.Max(f.V))})
	}
	s := sheet.Sheet{Title: o.Title, Rows: slices.Collect(slices.Chunk(cells, columns)),
		Legend: &sheet.Legend{Bar: heat.Bar(palette, 100, 10), Low: "0", High: "largest"}}
	if lo < 0 {
		s.Legend.Low = "smallest"
	}
	return s.Draw()
}

// scaled moves and scales a field so that from becomes 0 and to 1.
func scaled(f heat.Field, from, to float32) heat.Field {
	out := heat.NewField(f.W, f.H)
	if to > from {
		for i, v := range f.V {
			out.V[i] = (v - from) / (to - from)
		}
	}
	return out
}
