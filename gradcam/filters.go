package gradcam

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/heat"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/internal/sheet"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// FilterOptions say which filters of a layer are visualised, and how. The zero value shows the layer's first filter, with
// the values that the fields name.
type FilterOptions struct {
	Recipe  zoo.Recipe // how pictures become the network's input
	Layer   string     // number, name or block; maps or, behind the last pool, classes
	Filters []int      // nil: the first
	Size    int        // side of the images in pixels; 0 for 160
	Scales  int        // images begin small, and grow by Factor so many times less one; 0 for 6
	Factor  float64    // 0 for 1.2
	Steps   int        // of ascent at each scale; 0 for 20
	Rate    float64    // learning rate of Adam, of pixels from 0 to 1; 0 for 0.03
	Blur    float64    // sigma in pixels of the bell that smooths an image after it grew; 0 for 0.7, negative for none
	Jitter  int        // before each step the images are shifted by up to so many pixels
	TV      float64    // weight of the total variation (squared differences of neighbours) beside the activation's gradient
	// Decorrelate ascends in a colour space in which natural images are not correlated (Olah, Mordvintsev and Schubert
	// 2017, "Feature Visualization", doi:10.23915/distill.00007).
	Decorrelate bool
	Seed        uint64 // of the random start, and of the shifts
	Threads     int    // 0: one a processor
	Progress    func(done, total int)
}

// FilterImage is an image that excites a filter.
type FilterImage struct {
	Filter int
	Image  *image.NRGBA
	Start  float64 // mean activation of the random start, at the smallest scale
	End    float64 // of the image
}

// filterBatch bounds how many filters are visualised at once.
const filterBatch = 16

// VisualizeFilters looks for images that excite filters of a layer: gradient ascent in the space of pixels (Erhan et al.
// 2009), from random starts, on the mean of the filter's map, at growing sizes: a small image gets large structures, which
// finer ones are added to. Each image of a batch excites a filter of its own.
func VisualizeFilters(ctx context.Context, m *onnx.Model, o FilterOptions) ([]FilterImage, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	if features.TrainsStatistics(m) {
		m = features.StoredStatistics(m)
	}
	m, err := inSingle(m)
	if err != nil {
		return nil, err
	}
	in, err := features.ImageInput(m)
	if err != nil {
		return nil, err
	}
	if o.Recipe, err = o.Recipe.ForInput(in); err != nil {
		return nil, err
	}
	var out []FilterImage
	done := 0
	for group := range slices.Chunk(o.Filters, filterBatch) {
		a := &ascent{m: m, o: o, input: in.Name, filters: group, pool: par.Shared(o.Threads)}
		a.step = func() {
			done += len(group)
			if o.Progress != nil {
				o.Progress(done, len(o.Filters)*o.Scales*o.Steps)
			}
		}
		images, err := a.run(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, images...)
	}
	return out, nil
}

// complete fills in what was left out, and checks the rest.
func (o *FilterOptions) complete() error {
	if o.Filters == nil {
		o.Filters = []int{0}
	}
	for _, d := range []struct {
		v   *int
		def int
	}{{&o.Size, 160}, {&o.Scales, 6}, {&o.Steps, 20}} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	for _, d := range []struct {
		v   *float64
		def float64
	}{{&o.Factor, 1.2}, {&o.Rate, 0.03}, {&o.Blur, 0.7}} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	switch {
	case len(o.Filters) == 0:
		return errors.New("no filter is named")
	case o.Size < 1 || o.Size > 4096:
		return fmt.Errorf("size %d: want 1 to 4096 pixels", o.Size)
	case o.Scales < 1 || o.Scales > 100 || o.Steps < 1 || o.Steps > 100_000:
		return fmt.Errorf("%d scales of %d steps: want 1 to 100 of 1 to 100000", o.Scales, o.Steps)
	case !(o.Factor >= 1) || o.Factor > 4:
		return fmt.Errorf("factor %v: want 1 to 4", o.Factor)
	case !(o.Rate > 0) || o.Rate > 10:
		return fmt.Errorf("rate %v: want more than 0, at most 10", o.Rate)
	case !(o.TV >= 0) || o.TV > 1000 || o.Jitter < 0 || o.Blur > 30:
		return fmt.Errorf("total variation %v, jitter %d, blur %v: want 0 or more, blur at most 30", o.TV, o.Jitter, o.Blur)
	}
	return o.Recipe.Validate()
}

// ascent is the work on one batch of images.
type ascent struct {
	m       *onnx.Model
	o       FilterOptions
	input   string
	filters []int
	pool    *par.Pool
	step    func()

	layer     backend.Layer
	last      bool // the layer's channels come last
	rectified bool // what is negative of its answers is for the gradient only
	side      int

	x      []heat.Field // three a image: what is changed
	m1, m2 []heat.Field // Adam's means of gradients and of their squares
	t      int          // steps of Adam

	program  *graph.Program
	tensor   *onnx.Tensor // the network's input
	selector *onnx.Tensor
}

// run visualises the batch.
func (a *ascent) run(ctx context.Context) ([]FilterImage, error) {
	rng := rand.New(rand.NewPCG(a.o.Seed, 0xf117e5))
	out := make([]FilterImage, len(a.filters))
	for scale := range a.o.Scales {
		a.side = max(int(math.Round(float64(a.o.Size)*math.Pow(a.o.Factor, float64(scale-a.o.Scales+1)))), 1)
		a.grow(rng)
		if err := a.compile(); err != nil {
			return nil, err
		}
		for range a.o.Steps {
			dx, dy := 0, 0
			if a.o.Jitter > 0 {
				dx, dy = rng.IntN(2*a.o.Jitter+1)-a.o.Jitter, rng.IntN(2*a.o.Jitter+1)-a.o.Jitter
			}
			means, err := a.ascend(ctx, dx, dy)
			if err != nil {
				return nil, err
			}
			if scale == 0 && a.t == 1 {
				for i, v := range means {
					out[i].Start = v
				}
			}
			a.step()
		}
	}
	a.fill(0, 0)
	res, err := a.program.RunInto(ctx, []*onnx.Tensor{a.tensor, a.selector}, nil)
	if err != nil {
		return nil, err
	}
	for i, v := range a.means(res[1]) {
		out[i].Filter, out[i].End, out[i].Image = a.filters[i], v, a.image(i)
	}
	return out, nil
}

// grow makes the images of this scale from those of the last, or from nothing.
func (a *ascent) grow(rng *rand.Rand) {
	n := 3 * len(a.filters)
	a.t, a.m1, a.m2 = 0, make([]heat.Field, n), make([]heat.Field, n)
	first := a.x == nil
	if first {
		a.x = make([]heat.Field, n)
	}
	for k := range n {
		a.m1[k], a.m2[k] = heat.NewField(a.side, a.side), heat.NewField(a.side, a.side)
		if !first {
			a.x[k] = cubic(a.x[k], a.side)
			if a.o.Blur > 0 {
				if bell, err := gauss(max(a.o.Blur, 0.1)); err == nil {
					a.x[k] = bell.apply(a.x[k])
				}
			}
			continue
		}
		a.x[k] = heat.NewField(a.side, a.side)
		for i := range a.x[k].V { // grey with some noise
			v := rng.Float64() - 0.5
			if a.o.Decorrelate {
				a.x[k].V[i] = float32(v * 0.2)
			} else {
				a.x[k].V[i] = float32(0.5 + v*0.12)
			}
		}
	}
}

// ascend makes one step, and returns the mean activations before it.
func (a *ascent) ascend(ctx context.Context, dx, dy int) ([]float64, error) {
	a.fill(dx, dy)
	res, err := a.program.RunInto(ctx, []*onnx.Tensor{a.tensor, a.selector}, nil)
	if err != nil {
		return nil, err
	}
	grad := res[2].Float32s()
	a.t++
	for k := range a.filters {
		g := a.pixelGradient(grad, k, dx, dy)
		a.regularize(g, k)
		a.adam(g, k)
	}
	return a.means(res[1]), nil
}

// regularize takes the gradient of the total variation off.
func (a *ascent) regularize(g [3]heat.Field, k int) {
	if a.o.TV == 0 {
		return
	}
	n := a.side
	for c := range g {
		x := a.x[3*k+c].V
		for y := range n {
			for col := range n {
				at := y*n + col
				var d float32
				if y > 0 {
					d += x[at] - x[at-n]
				}
				if y < n-1 {
					d += x[at] - x[at+n]
				}
				if col > 0 {
					d += x[at] - x[at-1]
				}
				if col < n-1 {
					d += x[at] - x[at+1]
				}
				g[c].V[at] -= float32(a.o.TV) * 2 * d
			}
		}
	}
}

// adam makes a step uphill (Kingma and Ba 2015, arXiv:1412.6980), and keeps pixels in their range.
func (a *ascent) adam(g [3]heat.Field, k int) {
	const b1, b2 = 0.9, 0.999
	c1, c2 := 1-math.Pow(b1, float64(a.t)), 1-math.Pow(b2, float64(a.t))
	for c := range g {
		x, m1, m2 := a.x[3*k+c].V, a.m1[3*k+c].V, a.m2[3*k+c].V
		for i, d := range g[c].V {
			m1[i] = b1*m1[i] + (1-b1)*d
			m2[i] = b2*m2[i] + (1-b2)*d*d
			x[i] += float32(a.o.Rate * float64(m1[i]) / c1 / (math.Sqrt(float64(m2[i])/c2) + 1e-8))
			if !a.o.Decorrelate {
				x[i] = min(max(x[i], 0), 1)
			}
		}
	}
}

// DrawFilters draws images of filters, each with its number and how much it excites the filter.
func DrawFilters(images []FilterImage, title string) (image.Image, error) {
	columns := int(math.Ceil(math.Sqrt(float64(len(images)))))
	s := sheet.Sheet{Title: title}
	for row := range slices.Chunk(images, max(columns, 1)) {
		var cells []sheet.Cell
		for _, f := range row {
			cells = append(cells, sheet.Cell{Image: f.Image, Title: fmt.Sprintf("filter %d", f.Filter), Text: fmt.Sprintf("%.3g, at the start %.3g", f.End, f.Start)})
		}
		s.Rows = append(s.Rows, cells)
	}
	return s.Draw()
}
