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
	m, err := m.Inlined()
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

// Names of what is added to the part of the network up to the layer.
const (
	answersName = "onnxcnn:answers"
	sumName     = "onnxcnn:sum"
	selectName  = "onnxcnn:filters"
)

// compile prepares the network up to the layer, with the gradient by its input, for images of this size.
func (a *ascent) compile() error {
	n := len(a.filters)
	shape := []int{n, 3, a.side, a.side}
	if a.o.Recipe.Channels == "GRAY" {
		shape[1] = 1
	}
	if a.o.Recipe.Layout == "NHWC" {
		shape = []int{n, a.side, a.side, shape[1]}
	}
	layers, err := backend.Layers(a.m, map[string][]int{a.input: shape})
	if err != nil {
		return err
	}
	if a.layer, err = backend.FindLayer(layers, a.o.Layer); err != nil {
		return err
	}
	l := a.layer
	if l.Err != nil || l.Shape == nil || len(l.Shape) != 4 && len(l.Shape) != 2 || l.Shape[0] != n || slices.Min(l.Shape) < 1 {
		for _, l := range layers {
			if l.Err != nil {
				return fmt.Errorf("the network does not fit images of %dx%d, at which the ascent begins: give a larger size or fewer scales: %w", a.side, a.side, l.Err)
			}
		}
		return fmt.Errorf("layer %d %q gives %v for %d images of %dx%d: want maps, or a number a class", l.Index, l.Name, l.Shape, n, a.side, a.side)
	}
	a.last = len(l.Shape) == 4 && features.ChannelsLast(a.m, l.Output, a.o.Recipe.Layout == "NHWC")
	channels := l.Shape[1]
	if a.last {
		channels = l.Shape[3]
	}
	positions := onnx.NumElements(l.Shape[1:]) / channels
	a.selector = onnx.New(onnx.Float, l.Shape...)
	for i, f := range a.filters {
		if f < 0 || f >= channels {
			return fmt.Errorf("layer %d %q has filters 0 to %d, and no %d", l.Index, l.Name, channels-1, f)
		}
		each(a.selector, a.last, i, f, func(v *float32) { *v = 1 / float32(positions) })
	}
	sorted, err := a.m.Graph.Sort()
	if err != nil {
		return err
	}
	g := &onnx.Graph{Name: "filters", Inputs: []*onnx.Value{declare(a.input, onnx.New(onnx.Float, shape...), false), declare(selectName, a.selector, false)}}
	need := map[string]bool{l.Output: true}
	for _, node := range slices.Backward(sorted) {
		if slices.ContainsFunc(node.Outputs, func(out string) bool { return out != "" && need[out] }) {
			for in := range node.Uses() {
				need[in] = true
			}
			g.Nodes = append(g.Nodes, node)
		}
	}
	slices.Reverse(g.Nodes)
	a.rectified = openRectifiers(g, l.Output)
	for _, t := range a.m.Graph.Initializers {
		if need[t.Name] {
			g.Initializers = append(g.Initializers, t)
		}
	}
	g.Nodes = append(g.Nodes,
		&onnx.Node{OpType: "Mul", Inputs: []string{l.Output, selectName}, Outputs: []string{answersName}},
		&onnx.Node{OpType: "ReduceSum", Inputs: []string{answersName}, Outputs: []string{sumName}, Attrs: []*onnx.Attribute{{Name: "keepdims", Type: onnx.AttrInt}}})
	g.Outputs = []*onnx.Value{{Name: sumName}}
	m := &onnx.Model{IRVersion: a.m.IRVersion, Opsets: a.m.Opsets, Graph: g}
	a.tensor = onnx.New(onnx.Float, shape...)
	a.program, err = graph.CompileTraining(m, graph.TrainOptions{Shapes: map[string][]int{a.input: shape, selectName: l.Shape},
		Train: []string{a.input}, Loss: sumName, Outputs: []string{answersName}, Pool: a.pool})
	return err
}

// openRectifiers lets gradients through the rectifiers that make a value, directly or by a Concat, where they answer nothing:
// a filter that is silent at the start could not be woken. It reports whether there are any.
func openRectifiers(g *onnx.Graph, value string) bool {
	readers := map[string]int{value: 1}
	producer := map[string]int{}
	for i, n := range g.Nodes {
		for in := range n.Uses() {
			readers[in]++
		}
		for _, out := range n.Outputs {
			producer[out] = i
		}
	}
	targets := []string{value}
	if i, ok := producer[value]; ok && g.Nodes[i].OpType == "Concat" {
		targets = g.Nodes[i].Inputs
	}
	found := false
	for _, t := range targets {
		i, ok := producer[t]
		if !ok || g.Nodes[i].OpType != "Relu" || readers[t] > 1 {
			continue
		}
		n := *g.Nodes[i]
		n.OpType, n.Attrs = "LeakyRelu", []*onnx.Attribute{{Name: "alpha", Type: onnx.AttrFloat, F: 0.05}}
		g.Nodes[i] = &n
		found = true
	}
	return found
}

// each calls f with the elements of a filter's map.
func each(t *onnx.Tensor, last bool, image, filter int, f func(v *float32)) {
	v := t.Float32s()
	n := len(v) / t.Shape[0]
	v = v[image*n : (image+1)*n]
	switch {
	case last:
		for i := filter; i < n; i += t.Shape[3] {
			f(&v[i])
		}
	default:
		size := n / t.Shape[1]
		for i := range size {
			f(&v[filter*size+i])
		}
	}
}

// means returns each image's mean of its filter's map, from what the selector let through.
func (a *ascent) means(answers *onnx.Tensor) []float64 {
	out := make([]float64, len(a.filters))
	for i, f := range a.filters {
		each(answers, a.last, i, f, func(v *float32) {
			if *v > 0 || !a.rectified {
				out[i] += float64(*v)
			}
		})
	}
	return out
}

// colours maps decorrelated colours to red, green and blue (the square root of their covariance in ImageNet's pictures, as
// Lucid has it, over its largest row).
var colours = func() [3][3]float32 {
	m := [3][3]float64{{0.26, 0.09, 0.02}, {0.27, 0, -0.05}, {0.27, -0.09, 0.03}}
	norm := 0.0
	for j := range 3 {
		norm = max(norm, math.Sqrt(m[0][j]*m[0][j]+m[1][j]*m[1][j]+m[2][j]*m[2][j]))
	}
	var out [3][3]float32
	for i := range 3 {
		for j := range 3 {
			out[i][j] = float32(m[i][j] / norm)
		}
	}
	return out
}()

// rgb returns the colour of a pixel of an image, 0..1.
func (a *ascent) rgb(image, at int) [3]float32 {
	x := [3]float32{a.x[3*image].V[at], a.x[3*image+1].V[at], a.x[3*image+2].V[at]}
	if !a.o.Decorrelate {
		return x
	}
	var c [3]float32
	for i := range 3 {
		v := colours[i][0]*x[0] + colours[i][1]*x[1] + colours[i][2]*x[2]
		c[i] = float32(1 / (1 + math.Exp(-4*float64(v))))
	}
	return c
}

// index is where a channel of a pixel lies in the network's input, and the constants of the recipe for it.
func (a *ascent) index(image, channel, at int) (pos int, scale, mean float32) {
	r := a.o.Recipe
	channels := 3
	if r.Channels == "GRAY" {
		channels = 1
	}
	pixels := a.side * a.side
	pos = (image*channels+channel)*pixels + at
	if r.Layout == "NHWC" {
		pos = (image*pixels+at)*channels + channel
	}
	return pos, float32(255 * r.Scale / r.Std[channel]), float32(r.Mean[channel] / r.Std[channel])
}

// luma are the weights of red, green and blue in grey (Rec. 601).
var luma = [3]float32{0.299, 0.587, 0.114}

// fill writes the images, shifted around, to the network's input.
func (a *ascent) fill(dx, dy int) {
	x := a.tensor.Float32s()
	for k := range a.filters {
		for at := range a.side * a.side {
			c := a.rgb(k, a.shifted(at, dx, dy))
			switch a.o.Recipe.Channels {
			case "GRAY":
				pos, scale, mean := a.index(k, 0, at)
				x[pos] = (luma[0]*c[0]+luma[1]*c[1]+luma[2]*c[2])*scale - mean
			default:
				for i := range 3 {
					v := c[i]
					if a.o.Recipe.Channels == "BGR" {
						v = c[2-i]
					}
					pos, scale, mean := a.index(k, i, at)
					x[pos] = v*scale - mean
				}
			}
		}
	}
}

// shifted is the pixel of an image that lies at a place of the shifted one.
func (a *ascent) shifted(at, dx, dy int) int {
	y, x := at/a.side, at%a.side
	wrap := func(v int) int { return ((v % a.side) + a.side) % a.side }
	return wrap(y+dy)*a.side + wrap(x+dx)
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

// pixelGradient returns the gradient by an image's three planes, scaled to a mean square of 1.
func (a *ascent) pixelGradient(grad []float32, k, dx, dy int) [3]heat.Field {
	g := [3]heat.Field{heat.NewField(a.side, a.side), heat.NewField(a.side, a.side), heat.NewField(a.side, a.side)}
	sum := 0.0
	for at := range a.side * a.side {
		to := a.shifted(at, dx, dy)
		var d [3]float32
		if a.o.Recipe.Channels == "GRAY" {
			pos, scale, _ := a.index(k, 0, at)
			for i := range 3 {
				d[i] = grad[pos] * scale * luma[i]
			}
		} else {
			for i := range 3 {
				pos, scale, _ := a.index(k, i, at)
				c := i
				if a.o.Recipe.Channels == "BGR" {
					c = 2 - i
				}
				d[c] = grad[pos] * scale
			}
		}
		if a.o.Decorrelate {
			c := a.rgb(k, to)
			var e [3]float32
			for i := range 3 {
				slope := d[i] * 4 * c[i] * (1 - c[i])
				for j := range 3 {
					e[j] += colours[i][j] * slope
				}
			}
			d = e
		}
		for i := range 3 {
			g[i].V[to] = d[i]
			sum += float64(d[i]) * float64(d[i])
		}
	}
	rms := float32(math.Sqrt(sum/float64(3*a.side*a.side))) + 1e-12
	for i := range g {
		for at := range g[i].V {
			g[i].V[at] /= rms
		}
	}
	return g
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

// image draws an image as it is now.
func (a *ascent) image(k int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, a.side, a.side))
	for at := range a.side * a.side {
		c := a.rgb(k, at)
		if a.o.Recipe.Channels == "GRAY" {
			v := luma[0]*c[0] + luma[1]*c[1] + luma[2]*c[2]
			c = [3]float32{v, v, v}
		}
		for i, v := range c {
			img.Pix[4*at+i] = uint8(math.Round(float64(min(max(v, 0), 1)) * 255))
		}
		img.Pix[4*at+3] = 255
	}
	return img
}

// cubic returns a square field at another size by cubic interpolation (Keys 1981, a = -1/2) between the centres of its cells,
// with the edge cells going on outwards.
func cubic(f heat.Field, side int) heat.Field {
	weight := func(d float64) float64 {
		switch d = math.Abs(d); {
		case d <= 1:
			return (1.5*d-2.5)*d*d + 1
		case d < 2:
			return ((-0.5*d+2.5)*d-4)*d + 2
		}
		return 0
	}
	along := func(v []float32, n, rows int) []float32 { // rows of n become columns of side
		out := make([]float32, rows*side)
		for i := range side {
			at := (float64(i)+0.5)*float64(n)/float64(side) - 0.5
			first := int(math.Floor(at)) - 1
			for r := range rows {
				sum := 0.0
				for k := first; k < first+4; k++ {
					sum += weight(at-float64(k)) * float64(v[r*n+min(max(k, 0), n-1)])
				}
				out[i*rows+r] = float32(sum)
			}
		}
		return out
	}
	out := heat.NewField(side, side)
	out.V = along(along(f.V, f.W, f.H), f.H, side)
	return out
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

// WeightImages draws the filters of the first convolution as images: with three channels in colour, each filter scaled to
// its own largest weight around middle grey; with another number of channels their mean in grey.
func WeightImages(m *onnx.Model, recipe zoo.Recipe, side int) ([]image.Image, error) {
	m, err := m.Inlined()
	if err != nil {
		return nil, err
	}
	sorted, err := m.Graph.Sort()
	if err != nil {
		return nil, err
	}
	for _, n := range sorted {
		if n.OpType != "Conv" || len(n.Inputs) < 2 {
			continue
		}
		w := m.Graph.Initializer(n.Inputs[1])
		if w == nil || len(w.Shape) != 4 || w.Type != onnx.Float {
			return nil, fmt.Errorf("%s: its weights are not an initializer of float32", n)
		}
		var out []image.Image
		channels, h, width := w.Shape[1], w.Shape[2], w.Shape[3]
		times := max((side+width-1)/width, 1)
		for f := range w.Shape[0] {
			v := w.Float32s()[f*channels*h*width:][:channels*h*width]
			largest := float32(1e-12)
			for _, x := range v {
				largest = max(largest, x, -x)
			}
			img := image.NewNRGBA(image.Rect(0, 0, times*width, times*h))
			for i := range img.Pix {
				c, x, y := i%4, i/4%img.Rect.Dx()/times, i/4/img.Rect.Dx()/times
				img.Pix[i] = 255
				if c == 3 {
					continue
				}
				at := y*width + x
				value := float32(0)
				switch {
				case channels == 3 && recipe.Channels == "BGR":
					value = v[(2-c)*h*width+at]
				case channels == 3:
					value = v[c*h*width+at]
				default:
					for k := range channels {
						value += v[k*h*width+at] / float32(channels)
					}
				}
				img.Pix[i] = uint8(math.Round(float64(value/largest)*127 + 128))
			}
			out = append(out, img)
		}
		return out, nil
	}
	return nil, errors.New("the network has no convolution")
}
