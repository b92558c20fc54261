package features

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// Options says how features are extracted. The zero value takes everything from the model.
type Options struct {
	At      string      // the layer: a number, a name, a block, or the name of a value; "" takes [DefaultLayer]
	Pool    Pool        // what becomes of height and width
	Recipe  *zoo.Recipe // how images become the input; nil takes the model's own, see [RecipeFor]
	Size    [2]int      // height and width of the input, whatever the recipe and the model say; zero leaves them
	Batch   int         // images that run at once, 0 for 32; a model with a fixed batch size takes that
	Workers int         // images decoded at once, 0 for one a processor
	Views   int         // rows an image, 0 for one; more than one need Augment
	Augment zoo.Augment // changes each view at random, the same way for the same Seed, image name and view
	Seed    uint64
	Strict  bool // end at the first image that cannot be read instead of skipping it

	// MaxPixels is the largest width*height of an image that is decoded, 0 for what [zoo.DecodeOptions] says.
	MaxPixels int

	// StoredStatistics makes a BatchNormalization that was exported in training mode, and so normalises with the
	// statistics of the batch, use those stored in the model.
	StoredStatistics bool

	Provider string // as in [backend.Options]
	Threads  int    // as in [backend.Options]

	Warn     func(string)   // told once of each thing that is done in another way than asked for; may be nil
	Progress func(Progress) // called after each batch from the goroutine that ranges over the stream; may be nil

	// Session runs the network instead of one that New opens. It computes the layer's output under its name, and
	// Close leaves it open.
	Session backend.Session
}

// Progress says how far an extraction is. Images that were skipped count as done.
type Progress struct {
	Done, Total, Skipped int
	Elapsed              time.Duration
	Rate                 float64       // images a second
	Left                 time.Duration // estimated from Rate
}

// Skip says that an image has no row, and why.
type Skip struct {
	Item Item
	Err  error
}

func (s *Skip) Error() string { return fmt.Sprintf("%s: %v", s.Item.Path, s.Err) }

// Unwrap returns what the decoder or the file system said.
func (s *Skip) Unwrap() error { return s.Err }

// Batch is a piece of the stream of rows. It belongs to who receives it.
type Batch struct {
	Items    []Item    // the image of each row
	Views    []int     // which view of the image each row is, from 0
	Features []float32 // row after row
	Shape    []int     // of one row: [D], or [C,H,W] where nothing is pooled
	Skipped  []Skip    // images without a row since the batch before
}

// Row returns the features of row i.
func (b *Batch) Row(i int) []float32 {
	n := onnx.NumElements(b.Shape)
	return b.Features[i*n : (i+1)*n : (i+1)*n]
}

// Row is one row of features.
type Row struct {
	Item     Item
	View     int
	Features []float32
	Shape    []int
}

// Extractor computes features with one network. It is safe for concurrent use.
type Extractor struct {
	o       Options
	recipe  zoo.Recipe
	session backend.Session
	own     bool // the session is ours to close

	input  string
	typ    onnx.DataType
	layer  string
	last   bool // the layer's output has its channels last
	fixed  int  // the batch size that the network insists on, 0 for any
	single atomic.Bool
	warned atomic.Bool
}

// maxBatch bounds the numbers of one batch's input: a model may declare any batch size.
const maxBatch = 1 << 29

// New opens a network for extraction.
func New(m *onnx.Model, o Options) (*Extractor, error) {
	recipe, err := RecipeFor(m, o.Recipe)
	if err != nil {
		return nil, named(m, err)
	}
	in, err := ImageInput(m)
	if err != nil {
		return nil, named(m, err)
	}
	var shapes map[string][]int // nil where the declared one stays
	if o.Size != [2]int{} {
		recipe = recipe.WithSize(o.Size[0], o.Size[1])
		if err := recipe.Validate(); err != nil {
			return nil, named(m, err)
		}
		batch := -1
		if in.Type != nil && in.Type.HasShape && in.Type.Shape[0].Size > 0 {
			batch = in.Type.Shape[0].Size
		}
		shapes = map[string][]int{in.Name: append([]int{batch}, recipe.Shape()...)}
	}
	if o.Batch <= 0 {
		o.Batch = 32
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Views <= 0 {
		o.Views = 1
	}
	if o.Views > 1 && o.Augment.IsNone() {
		return nil, fmt.Errorf("%d views of an image without augmentation would be the same", o.Views)
	}
	x := &Extractor{o: o, recipe: recipe, input: in.Name, typ: onnx.Float}
	if in.Type != nil && in.Type.Elem != onnx.Undefined {
		x.typ = in.Type.Elem
	}
	if _, err := InputTensor(x.typ, []int{0}, nil); err != nil {
		return nil, named(m, fmt.Errorf("input %q: %w", in.Name, err))
	}
	if o.At == "" {
		x.layer, err = DefaultLayer(m)
	} else {
		x.layer, err = resolveLayer(m, o.At, map[string][]int{in.Name: append([]int{1}, recipe.Shape()...)})
	}
	if err != nil {
		return nil, named(m, err)
	}
	x.last = ChannelsLast(m, x.layer, recipe.Layout == "NHWC")
	if n := Dequantising(m.Graph, x.layer); n != nil && o.Session == nil {
		c, g := *m, *m.Graph
		g.Nodes = append(slices.Clone(g.Nodes), n)
		c.Graph, m, x.layer = &g, &c, n.Outputs[0]
	}
	if TrainsStatistics(m) {
		if o.StoredStatistics {
			m = StoredStatistics(m)
		} else {
			x.warn("the network was exported in training mode and normalises with the statistics of each batch: what comes out for an image depends on the others (StoredStatistics, --stored-statistics, turns that off)")
		}
	}
	x.session = o.Session
	if x.session == nil {
		x.session, err = backend.Open(m, backend.Options{Provider: o.Provider, Threads: o.Threads, Outputs: []string{x.layer}, Shapes: shapes, Warn: o.Warn})
		if err != nil {
			return nil, err
		}
		x.own = true
	}
	for _, v := range x.session.Inputs() {
		if v.Name == x.input && v.Type != nil && v.Type.HasShape && len(v.Type.Shape) > 0 {
			x.fixed = max(v.Type.Shape[0].Size, 0)
		}
	}
	if x.fixed > 0 && x.fixed != x.o.Batch {
		x.warn(fmt.Sprintf("the network is made for batches of %d: images run by %d, not %d", x.fixed, x.fixed, x.o.Batch))
		x.o.Batch = x.fixed
	}
	if size := x.imageSize(); x.o.Batch > maxBatch/size {
		err := fmt.Errorf("batches of %d images of %v take more memory than %d numbers", x.o.Batch, recipe.Shape(), maxBatch)
		return nil, errors.Join(named(m, err), x.Close())
	}
	return x, nil
}

// named puts the model's file before an error.
func named(m *onnx.Model, err error) error {
	if m.Path() == "" {
		return err
	}
	return fmt.Errorf("%s: %w", m.Path(), err)
}

// Close releases the network.
func (x *Extractor) Close() error {
	if !x.own {
		return nil
	}
	return x.session.Close()
}

// Recipe returns how images become the network's input.
func (x *Extractor) Recipe() zoo.Recipe { return x.recipe }

// Layer returns the name of the value that is extracted.
func (x *Extractor) Layer() string { return x.layer }

func (x *Extractor) warn(s string) {
	if x.o.Warn != nil {
		x.o.Warn(s)
	}
}

// Batches computes the features of a data set's images, batch after batch, in their order. Images are decoded while
// the network runs; memory does not depend on how many there are. An image that cannot be read is reported in Skipped
// of the next batch; under Options.Strict it ends the stream with a *[Skip] as error. Any error is the last thing in
// the stream. Rows of images before a skipped one are not held back for it: batches are full except the last.
func (x *Extractor) Batches(ctx context.Context, d *Dataset) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		start := time.Now()
		p := x.startPipeline(ctx, d)
		defer p.stop()
		progress := Progress{Total: len(d.Items)}
		var shape []int
		for {
			in, err := p.next()
			if in == nil || err != nil {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			b := &Batch{Items: slices.Clone(in.items), Views: slices.Clone(in.views), Skipped: in.skipped, Shape: shape}
			if n := len(in.items); n > 0 {
				if b.Features, b.Shape, err = x.run(p.ctx, in.data, n); err == nil && shape != nil && !slices.Equal(shape, b.Shape) {
					err = fmt.Errorf("layer %q: shape %v after %v", x.layer, b.Shape, shape)
				}
				shape = b.Shape
			}
			progress.Done += in.images
			progress.Skipped += len(in.skipped)
			p.recycle(in)
			if err != nil {
				yield(nil, err)
				return
			}
			if x.o.Progress != nil {
				progress.Elapsed = time.Since(start)
				progress.estimate()
				x.o.Progress(progress)
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (p *Progress) estimate() {
	if s := p.Elapsed.Seconds(); s > 0 && p.Done > 0 {
		p.Rate = float64(p.Done) / s
		p.Left = time.Duration(float64(p.Total-p.Done) / p.Rate * float64(time.Second))
	}
}

// Rows is Batches row by row. A skipped image comes as an error of type *[Skip], after which the stream goes on; any
// other error is the last.
func (x *Extractor) Rows(ctx context.Context, d *Dataset) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for b, err := range x.Batches(ctx, d) {
			if err != nil {
				yield(Row{}, err)
				return
			}
			for i := range b.Skipped {
				if !yield(Row{}, &b.Skipped[i]) {
					return
				}
			}
			for i := range b.Items {
				if !yield(Row{Item: b.Items[i], View: b.Views[i], Features: b.Row(i), Shape: b.Shape}, nil) {
					return
				}
			}
		}
	}
}

// run computes n images' rows. Where the network cannot take more than one image, although it does not say so, they
// run one by one.
func (x *Extractor) run(ctx context.Context, data []float32, n int) ([]float32, []int, error) {
	if x.single.Load() && n > 1 {
		return x.runSingly(ctx, data, n)
	}
	rows, shape, err := x.runBatch(ctx, data, n)
	if err == nil || n == 1 || x.fixed > 0 || ctx.Err() != nil {
		return rows, shape, err
	}
	one, oneShape, oneErr := x.runSingly(ctx, data, n)
	if oneErr != nil {
		return nil, nil, err // the images are not to blame for: the first error tells more
	}
	x.single.Store(true)
	if !x.warned.Swap(true) {
		x.warn(fmt.Sprintf("the network takes one image at a time (%v): images run one by one", err))
	}
	return one, oneShape, nil
}

func (x *Extractor) runSingly(ctx context.Context, data []float32, n int) ([]float32, []int, error) {
	var all []float32
	var shape []int
	size := len(data) / n
	if k := x.imageSize(); k > 0 {
		size = k
	}
	for i := range n {
		row, s, err := x.runBatch(ctx, data[i*size:(i+1)*size], 1)
		if err != nil {
			return nil, nil, err
		}
		if i > 0 && !slices.Equal(s, shape) {
			return nil, nil, fmt.Errorf("layer %q: shape %v after %v", x.layer, s, shape)
		}
		all, shape = append(all, row...), s
	}
	return all, shape, nil
}

func (x *Extractor) imageSize() int { return onnx.NumElements(x.recipe.Shape()) }

// runBatch runs n images at once; where the batch size is fixed the rest is filled with the last image.
func (x *Extractor) runBatch(ctx context.Context, data []float32, n int) ([]float32, []int, error) {
	size, rows := x.imageSize(), n
	data = data[:n*size]
	if x.fixed > n {
		rows = x.fixed
		full := make([]float32, rows*size)
		copy(full, data)
		for i := n; i < rows; i++ {
			copy(full[i*size:], data[(n-1)*size:])
		}
		data = full
	}
	in, err := InputTensor(x.typ, append([]int{rows}, x.recipe.Shape()...), data)
	if err != nil {
		return nil, nil, err
	}
	in.Name = x.input
	out, err := x.session.Run(ctx, map[string]*onnx.Tensor{x.input: in})
	if err != nil {
		return nil, nil, err
	}
	t := out[x.layer]
	if t == nil {
		return nil, nil, fmt.Errorf("the network did not compute %q", x.layer)
	}
	if rows > 1 && (len(t.Shape) == 0 || t.Shape[0] != rows) {
		return nil, nil, fmt.Errorf("layer %q: shape %v for %d images", x.layer, t.Shape, rows)
	}
	values, shape, err := pool(t, rows, x.o.Pool, x.last)
	if err != nil {
		return nil, nil, fmt.Errorf("layer %q: %w", x.layer, err)
	}
	return values[:n*onnx.NumElements(shape)], shape, nil
}

// InputTensor returns images as a tensor of the type of a network's input. It holds data itself where that is float32.
func InputTensor(typ onnx.DataType, shape []int, data []float32) (*onnx.Tensor, error) {
	switch typ {
	case onnx.Float:
		return onnx.Of(shape, data), nil
	case onnx.Double:
		return onnx.Of(shape, convert(data, func(v float32) float64 { return float64(v) })), nil
	case onnx.Float16:
		return onnx.Of(shape, convert(data, onnx.Float16FromFloat32)), nil
	case onnx.BFloat16:
		return onnx.Of(shape, convert(data, onnx.BFloat16FromFloat32)), nil
	case onnx.Uint8:
		// Networks that normalise inside take the bytes of the image: recipe "raw".
		return onnx.Of(shape, convert(data, func(v float32) uint8 { return uint8(min(max(v+0.5, 0), 255)) })), nil
	}
	return nil, fmt.Errorf("images as %v are not supported", typ)
}

func convert[T any](data []float32, to func(float32) T) []T {
	out := make([]T, len(data))
	for i, v := range data {
		out[i] = to(v)
	}
	return out
}

// IsSkip reports whether an error says that an image was skipped.
func IsSkip(err error) bool {
	var s *Skip
	return errors.As(err, &s)
}
