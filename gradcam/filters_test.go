package gradcam

import (
	"context"
	"errors"
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/internal/heat"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func recipeNamed(t *testing.T, name string) zoo.Recipe {
	t.Helper()
	r, ok := zoo.RecipeByName(name)
	if !ok {
		t.Fatalf("no recipe %s", name)
	}
	return r
}

// Filters of InceptionV3's mixed layers answer at least ten times as much to the images made for them as to the random
// start, for nine of ten.
func TestVisualizeInception(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	m, _, err := convert.ReadTFJS(reftest.Shared(t, "models/tfjs/inception_v3/model.json"), convert.KerasOptions{})
	if err != nil {
		t.Fatal(err)
	}
	good, all := 0, 0
	for _, c := range []struct {
		layer   string
		filters []int
	}{{"mixed2", []int{5, 80, 130, 200, 260}}, {"mixed4", []int{10, 150, 300, 500, 700}}} {
		images, err := VisualizeFilters(t.Context(), m, FilterOptions{Recipe: recipeNamed(t, "unit"), Layer: c.layer, Filters: c.filters, Size: 112, Scales: 1, Steps: 40})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range images {
			all++
			ratio := f.End / max(f.Start, 1e-3)
			t.Logf("%s filter %d: %.4f at the start, %.4f in the end, %.0fx", c.layer, f.Filter, f.Start, f.End, ratio)
			if ratio >= 10 {
				good++
			}
		}
	}
	if good*10 < all*9 {
		t.Errorf("%d of %d filters answer ten times as much", good, all)
	}
}

// edgeNet has one convolution: a filter that loves red, one for vertical edges, and one for horizontal ones.
func edgeNet(layout string) *onnx.Model {
	w := onnx.New(onnx.Float, 3, 3, 3, 3)
	v := w.Float32s()
	v[4] = 1 // red in the middle
	for c := range 3 {
		for i := range 3 {
			v[27+9*c+3*i], v[27+9*c+3*i+2] = -1, 1
			v[54+9*c+i], v[54+9*c+6+i] = -1, 1
		}
	}
	w.Name = "w"
	shape := []onnx.Dim{{Size: -1, Param: "N"}, {Size: 3}, {Size: 16}, {Size: 16}}
	nodes := []*onnx.Node{{Name: "conv", OpType: "Conv", Inputs: []string{"x", "w"}, Outputs: []string{"c"}}, {Name: "relu", OpType: "Relu", Inputs: []string{"c"}, Outputs: []string{"y"}}}
	if layout == "NHWC" {
		shape = []onnx.Dim{{Size: -1, Param: "N"}, {Size: 16}, {Size: 16}, {Size: 3}}
		perm := &onnx.Attribute{Name: "perm", Type: onnx.AttrInts, Ints: []int64{0, 3, 1, 2}}
		nodes[0].Inputs[0] = "t"
		nodes = slices.Insert(nodes, 0, &onnx.Node{Name: "order", OpType: "Transpose", Inputs: []string{"x"}, Outputs: []string{"t"}, Attrs: []*onnx.Attribute{perm}})
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 13}}, Graph: &onnx.Graph{Name: "edges", Nodes: nodes, Initializers: []*onnx.Tensor{w},
		Inputs: []*onnx.Value{{Name: "x", Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: shape}}}, Outputs: []*onnx.Value{{Name: "y"}}}}
}

func TestVisualizeFilters(t *testing.T) {
	mean := func(img *image.NRGBA, c int) float64 {
		sum := 0.0
		for i := c; i < len(img.Pix); i += 4 {
			sum += float64(img.Pix[i])
		}
		return sum * 4 / float64(len(img.Pix))
	}
	for _, layout := range []string{"NCHW", "NHWC"} {
		for _, channels := range []string{"RGB", "BGR"} {
			r := recipeNamed(t, "torchvision-v1")
			r.Layout, r.Channels = layout, channels
			o := FilterOptions{Recipe: r, Layer: "relu", Filters: []int{0, 1}, Size: 24, Scales: 3, Steps: 30, Jitter: 1, TV: 0.01, Seed: 3}
			var first []FilterImage
			for threads := 1; threads <= 2; threads++ {
				o.Threads = threads
				last := 0
				o.Progress = func(done, total int) { last = done*1000 + total }
				images, err := VisualizeFilters(t.Context(), edgeNet(layout), o)
				if err != nil {
					t.Fatal(err)
				}
				if last != 180180 {
					t.Errorf("progress ended with %d", last)
				}
				if first == nil {
					first = images
				} else if !slices.Equal(first[0].Image.Pix, images[0].Image.Pix) || !slices.Equal(first[1].Image.Pix, images[1].Image.Pix) {
					t.Error("two threads give another image than one")
				}
			}
			red, blue := 0, 2
			if channels == "BGR" {
				red, blue = 2, 0
			}
			if f := first[0]; f.Filter != 0 || mean(f.Image, red) < 240 || mean(f.Image, blue) > 200 || f.End <= f.Start || f.Image.Bounds().Dx() != 24 {
				t.Errorf("%s %s: colour %v and %v, %v to %v", layout, channels, mean(f.Image, red), mean(f.Image, blue), f.Start, f.End)
			}
			if f := first[1]; f.End < 5*f.Start {
				t.Errorf("%s %s: edges: %v to %v", layout, channels, f.Start, f.End)
			}
			if img, err := DrawFilters(first, "title"); err != nil || img.Bounds().Empty() {
				t.Error(err)
			}
		}
	}
	images, err := VisualizeFilters(t.Context(), edgeNet("NCHW"), FilterOptions{Recipe: recipeNamed(t, "unit"), Layer: "0", Size: 16, Scales: 1, Decorrelate: true, Blur: -1})
	if err != nil || images[0].End <= images[0].Start {
		t.Errorf("decorrelated: %v", err)
	}
}

// A network for grey pictures is given their luma.
func TestVisualizeGrey(t *testing.T) {
	a, _ := zoo.Lookup("mnist_cnn")
	m, err := a.Build(zoo.BuildOptions{Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	images, err := VisualizeFilters(t.Context(), m, FilterOptions{Recipe: recipeNamed(t, a.Recipe), Layer: "fc", Filters: []int{0, 7}, Size: 28, Scales: 1, Steps: 15})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range images {
		if c := f.Image.NRGBAAt(5, 5); f.End <= f.Start || c.R != c.G || c.G != c.B {
			t.Errorf("class %d: %v to %v, colour %v", f.Filter, f.Start, f.End, c)
		}
	}
	if w, err := WeightImages(m, recipeNamed(t, "unit-gray"), 20); err != nil || len(w) != 64 || w[0].Bounds().Dx() != 21 {
		t.Errorf("%d images of weights, %v", len(w), err)
	}
}

func TestWeightImages(t *testing.T) {
	for channels, want := range map[string][3]uint8{"RGB": {255, 128, 128}, "BGR": {128, 128, 255}} {
		r := recipeNamed(t, "unit")
		r.Channels = channels
		w, err := WeightImages(edgeNet("NCHW"), r, 3)
		if err != nil || len(w) != 3 {
			t.Fatal(len(w), err)
		}
		if c := w[0].(*image.NRGBA).NRGBAAt(1, 1); [3]uint8{c.R, c.G, c.B} != want {
			t.Errorf("%s: the middle is %v, want %v", channels, c, want)
		}
		if c := w[1].(*image.NRGBA).NRGBAAt(0, 2); c.R != 1 || c.A != 255 {
			t.Errorf("the left is %v", c)
		}
	}
	m := edgeNet("NCHW")
	m.Graph.Nodes = m.Graph.Nodes[1:]
	m.Graph.Nodes[0].Inputs[0] = "x"
	if _, err := WeightImages(m, recipeNamed(t, "unit"), 3); err == nil || !strings.Contains(err.Error(), "no convolution") {
		t.Error(err)
	}
}

func TestVisualizeRefuses(t *testing.T) {
	unit := recipeNamed(t, "unit")
	for _, tt := range []struct {
		o    FilterOptions
		want string
	}{
		{FilterOptions{Recipe: unit, Layer: "relu", Filters: []int{3}}, "has filters 0 to 2, and no 3"},
		{FilterOptions{Recipe: unit, Layer: "relu", Filters: []int{}}, "no filter is named"},
		{FilterOptions{Recipe: unit, Layer: "nowhere"}, `no layer "nowhere"`},
		{FilterOptions{Recipe: unit, Layer: "relu", Size: 2}, "does not fit images of 1x1"},
		{FilterOptions{Recipe: unit, Layer: "relu", Size: -1}, "size -1"},
		{FilterOptions{Recipe: unit, Layer: "relu", Steps: -1}, "steps"},
		{FilterOptions{Recipe: unit, Layer: "relu", Factor: 0.5}, "factor"},
		{FilterOptions{Recipe: unit, Layer: "relu", Rate: math.NaN()}, "rate"},
		{FilterOptions{Recipe: unit, Layer: "relu", TV: -1}, "total variation"},
		{FilterOptions{Layer: "relu"}, "recipe"},
	} {
		if _, err := VisualizeFilters(t.Context(), edgeNet("NCHW"), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := VisualizeFilters(ctx, edgeNet("NCHW"), FilterOptions{Recipe: unit, Layer: "relu"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Cubic interpolation keeps a plane, and gives the values of the formula.
func TestCubic(t *testing.T) {
	f := heat.NewField(4, 4)
	for i := range f.V {
		f.V[i] = float32(i % 4)
	}
	g := cubic(f, 8)
	// At x = 1.25 between the samples 0, 1, 2, 3 the weights reproduce a straight line.
	if v := g.V[3]; math.Abs(float64(v)-1.25) > 1e-6 {
		t.Errorf("inside: %v, want 1.25", v)
	}
	// At -0.25 the samples are 0, 0, 0, 1 with the weights of distances 1.75, 0.75, 0.25 and 1.25.
	w := func(d float64) float64 { return ((-0.5*d+2.5)*d-4)*d + 2 }
	if v := g.V[0]; math.Abs(float64(v)-w(1.25)) > 1e-6 {
		t.Errorf("at the border: %v, want %v", v, w(1.25))
	}
	if g.V[3] != g.V[7*8+3] {
		t.Error("rows differ")
	}
}
