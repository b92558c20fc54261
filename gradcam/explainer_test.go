package gradcam_test

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// tiny opens the network of two blocks for pictures of 16x16 in testdata/models, to be changed by the test.
func tiny(t testing.TB) *onnx.Model {
	t.Helper()
	m, err := onnx.Open("../testdata/models/tiny_described.onnx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// picture is a smooth picture with a bright corner.
func picture(side int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			img.SetNRGBA(x, y, color.NRGBA{uint8(255 * x / side), uint8(255 * y / side), uint8(7 * (x + 2*y) % 256), 255})
		}
	}
	return img
}

// opened is an explainer with an image.
func opened(t testing.TB, m *onnx.Model, o gradcam.Options) (*gradcam.Explainer, *gradcam.Image) {
	t.Helper()
	x, err := gradcam.New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	im, err := x.Image(context.Background(), zoo.PictureOf(picture(16)))
	if err != nil {
		t.Fatal(err)
	}
	return x, im
}

// mapOf explains class 1.
func mapOf(t testing.TB, m *onnx.Model, o gradcam.Options, method string) *gradcam.Map {
	t.Helper()
	x, im := opened(t, m, o)
	out, err := x.Explain(context.Background(), im, method, 1)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return out
}

func add(m *onnx.Model, n ...*onnx.Node) { m.Graph.Nodes = append(m.Graph.Nodes, n...) }

func node(op, in, out string, attrs ...*onnx.Attribute) *onnx.Node {
	return &onnx.Node{OpType: op, Name: out, Inputs: strings.Fields(in), Outputs: []string{out}, Attrs: attrs}
}

func perm(v ...int64) *onnx.Attribute {
	return &onnx.Attribute{Name: "perm", Type: onnx.AttrInts, Ints: v}
}

// output makes a value the network's output.
func output(m *onnx.Model, name string) { m.Graph.Outputs = []*onnx.Value{{Name: name}} }

// rename lets the nodes after the first that makes a value read another in its place.
func rename(m *onnx.Model, from, to string) {
	for i, n := range m.Graph.Nodes {
		c := *n
		c.Inputs = slices.Clone(n.Inputs)
		for k, in := range c.Inputs {
			if in == from && n.Name != to {
				c.Inputs[k] = to
			}
		}
		m.Graph.Nodes[i] = &c
	}
}

func shape(dims ...int) *onnx.Type {
	typ := &onnx.Type{Elem: onnx.Float, HasShape: true}
	for _, d := range dims {
		typ.Shape = append(typ.Shape, onnx.Dim{Size: d})
	}
	return typ
}

// variants are the same network, written otherwise: what explains one explains all.
var variants = map[string]struct {
	change func(m *onnx.Model)
	layer  string
}{
	"softmax": {func(m *onnx.Model) { add(m, node("Softmax", "output", "p")); output(m, "p") }, ""},
	"log softmax": {func(m *onnx.Model) {
		add(m, node("LogSoftmax", "output", "p"), node("Identity", "p", "q"))
		output(m, "q")
	}, ""},
	"sigmoid": {func(m *onnx.Model) { add(m, node("Sigmoid", "output", "p")); output(m, "p") }, ""},
	"channels last": {func(m *onnx.Model) {
		m.Graph.Inputs[0] = &onnx.Value{Name: "pictures", Type: shape(-1, 16, 16, 3)}
		m.Graph.Nodes = append([]*onnx.Node{node("Transpose", "pictures", "input", perm(0, 3, 1, 2))}, m.Graph.Nodes...)
	}, ""},
	"a layer with channels last": {func(m *onnx.Model) {
		add(m, node("Transpose", "r2", "last", perm(0, 2, 3, 1)), node("Transpose", "last", "first", perm(0, 3, 1, 2)))
		rename(m, "r2", "first")
		m.Graph.Nodes[len(m.Graph.Nodes)-2].Inputs[0] = "r2"
	}, "last"},
	"a fixed batch": {func(m *onnx.Model) {
		m.Graph.Inputs[0] = &onnx.Value{Name: "input", Type: shape(4, 3, 16, 16)}
		target := onnx.Of([]int{2}, []int64{4, 128})
		target.Name = "target"
		m.Graph.Initializers = append(m.Graph.Initializers, target)
		for i, n := range m.Graph.Nodes {
			if n.OpType == "Flatten" {
				m.Graph.Nodes[i] = node("Reshape", "p2 target", "flat")
			}
		}
		m.Graph.Outputs[0].Type = nil
	}, ""},
	"one image at a time, although it does not say so": {func(m *onnx.Model) {
		target := onnx.Of([]int{2}, []int64{1, 128})
		target.Name = "target"
		m.Graph.Initializers = append(m.Graph.Initializers, target)
		for i, n := range m.Graph.Nodes {
			if n.OpType == "Flatten" {
				m.Graph.Nodes[i] = node("Reshape", "p2 target", "flat")
			}
		}
	}, ""},
	"another value's shape decides": {func(m *onnx.Model) {
		first := onnx.Of([]int{1}, []int64{0})
		first.Name = "first"
		rest := onnx.Of([]int{1}, []int64{-1})
		rest.Name = "rest"
		m.Graph.Initializers = append(m.Graph.Initializers, first, rest)
		for i, n := range m.Graph.Nodes {
			if n.OpType == "Flatten" {
				m.Graph.Nodes[i] = node("Reshape", "p2 target", "flat")
			}
		}
		add(m, node("Shape", "c1", "shape"), node("Gather", "shape first", "rows"),
			node("Concat", "rows rest", "target", &onnx.Attribute{Name: "axis", Type: onnx.AttrInt}))
	}, ""},
}

func TestVariants(t *testing.T) {
	o := gradcam.Options{Samples: 3, Steps: 6, Window: 6, Batch: 5}
	want := map[string]*gradcam.Map{}
	for _, m := range gradcam.Methods() {
		if m.Name != "cam" {
			want[m.Name] = mapOf(t, tiny(t), o, m.Name)
		}
	}
	if w := want["gradcam"]; w.H != 8 || w.W != 8 || w.Layer != "/features/features.4/Relu" {
		t.Errorf("default layer %q of %dx%d", w.Layer, w.H, w.W)
	}
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			m := tiny(t)
			v.change(m)
			o := o
			o.Layer = v.layer
			x, im := opened(t, m, o)
			for method, w := range want {
				got, err := x.Explain(context.Background(), im, method, 1)
				if err != nil {
					t.Errorf("%s: %v", method, err)
					continue
				}
				if len(got.Values) != len(w.Values) {
					t.Errorf("%s: map of %dx%d, want %dx%d", method, got.H, got.W, w.H, w.W)
				} else if d := difference(got.Values, w.Values); !(d < 1e-4) {
					t.Errorf("%s differs by %.2g", method, d)
				}
			}
		})
	}
}

// Maps are the same bits for any number of threads.
func TestThreads(t *testing.T) {
	for _, m := range gradcam.Methods() {
		if m.Name == "cam" {
			continue
		}
		o := gradcam.Options{Samples: 3, Steps: 5, Threads: 1}
		one := mapOf(t, tiny(t), o, m.Name)
		o.Threads = 3
		if three := mapOf(t, tiny(t), o, m.Name); !slices.Equal(one.Values, three.Values) {
			t.Errorf("%s depends on the number of threads", m.Name)
		}
	}
}

// The parts of integrated gradients add up to the logit's difference from the baseline.
func TestCompleteness(t *testing.T) {
	for _, baseline := range []string{"", "black", "white", "gray", "zero", "blur"} {
		m := mapOf(t, tiny(t), gradcam.Options{Steps: 200, Baseline: baseline}, "integrated-gradients")
		sum := 0.0
		for _, v := range m.Values {
			sum += float64(v)
		}
		c := m.Completeness
		if math.Abs(sum-c.Sum) > 1e-4 || math.Abs(c.Sum-c.Difference) > 0.01*max(math.Abs(c.Difference), 0.05) {
			t.Errorf("baseline %q: the map sums to %v, said is %v; the logit differs by %v", baseline, sum, c.Sum, c.Difference)
		}
	}
}

// Of a network with one output, class 0 is the opposite of class 1.
func TestSingleOutput(t *testing.T) {
	m := tiny(t)
	pick := onnx.Of([]int{3, 1}, []float32{1, -2, 0.5})
	pick.Name = "pick"
	m.Graph.Initializers = append(m.Graph.Initializers, pick)
	add(m, node("MatMul", "output pick", "one"), node("Sigmoid", "one", "p"))
	output(m, "p")
	if err := zoo.SetLabels(m, []string{"no", "yes"}); err != nil {
		t.Fatal(err)
	}
	x, im := opened(t, m, gradcam.Options{})
	if len(im.Logits) != 2 || im.Logits[0] != -im.Logits[1] || math.Abs(im.Probability(0)+im.Probability(1)-1) > 1e-9 {
		t.Errorf("logits %v", im.Logits)
	}
	no, err := x.Explain(context.Background(), im, "gradcam", 0)
	if err != nil {
		t.Fatal(err)
	}
	yes, err := x.Explain(context.Background(), im, "gradcam", 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range yes.Values {
		if v != -no.Values[i] {
			t.Fatalf("%v and %v", no.Values, yes.Values)
		}
	}
	if im.Label(1) != "yes" {
		t.Errorf("label %q", im.Label(1))
	}
}

// Inside a residual block other values pass by the layer. Behind a global average pool the weight of a map is that of the
// classifier, over the number of places.
func TestResidual(t *testing.T) {
	m := tiny(t)
	fc := onnx.Of([]int{8, 3}, make([]float32, 24))
	for i := range fc.Float32s() {
		fc.Float32s()[i] = float32(i%5) - 2
	}
	fc.Name = "fc"
	m.Graph.Initializers = append(m.Graph.Initializers, fc)
	add(m, node("Tanh", "c2", "side"), node("Neg", "side", "turned"), node("Add", "c2 turned", "joined"),
		node("GlobalAveragePool", "joined", "pooled"), node("Flatten", "pooled", "row"), node("MatMul", "row fc", "logits"))
	output(m, "logits")
	for method, layer := range map[string]string{"gradcam": "turned", "hirescam": "turned", "cam": "joined"} {
		x, im := opened(t, m, gradcam.Options{Layer: layer})
		got, err := x.Explain(context.Background(), im, method, 2)
		if err != nil {
			t.Fatal(err)
		}
		a, err := gradcam.ActivationsOf(context.Background(), m, pictures(t, 16), activationOptions(layer))
		if err != nil {
			t.Fatal(err)
		}
		scale := float32(1) / 64
		if method == "cam" {
			scale = 1
		}
		want := make([]float32, 64)
		for k := range a.Maps.C {
			for i, v := range a.Maps.Channel(k) {
				want[i] += fc.Float32s()[3*k+2] * v * scale
			}
		}
		if d := difference(got.Values, want); !(d < 1e-5) {
			t.Errorf("%s differs by %.2g", method, d)
		}
	}
}

// Half precision is explained in float32.
func TestHalf(t *testing.T) {
	want := mapOf(t, tiny(t), gradcam.Options{}, "gradcam")
	m := tiny(t)
	for i, w := range m.Graph.Initializers {
		half := onnx.New(onnx.Float16, w.Shape...)
		half.Name = w.Name
		for k, v := range w.Float32s() {
			onnx.Data[onnx.Float16Bits](half)[k] = onnx.Float16FromFloat32(v)
		}
		m.Graph.Initializers[i] = half
	}
	for _, v := range append(slices.Clone(m.Graph.Inputs), m.Graph.Outputs...) {
		v.Type.Elem = onnx.Float16
	}
	for _, method := range []string{"gradcam", "saliency", "ablationcam"} {
		got := mapOf(t, m, gradcam.Options{}, method)
		if method == "gradcam" {
			if d := difference(got.Values, want.Values); !(d < 0.02) {
				t.Errorf("differs by %.2g", d)
			}
		}
	}
}

// An operator without gradient stands in the way of some methods only, and the error says which do without.
func TestNoGradient(t *testing.T) {
	m := tiny(t)
	scale, zero := onnx.Of([]int{}, []float32{0.02}), onnx.Of([]int{}, []uint8{0})
	scale.Name, zero.Name = "scale", "zero"
	m.Graph.Initializers = append(m.Graph.Initializers, scale, zero)
	rename(m, "r2", "real")
	add(m, node("QuantizeLinear", "r2 scale zero", "bytes"), node("DequantizeLinear", "bytes scale zero", "real"))
	x, im := opened(t, m, gradcam.Options{Layer: "r2"})
	for _, method := range gradcam.Methods() {
		_, err := x.Explain(context.Background(), im, method.Name, 1)
		switch {
		case method.Name == "cam":
		case method.Free && err != nil:
			t.Errorf("%s: %v", method.Name, err)
		case !method.Free && (err == nil || !strings.Contains(err.Error(), "a method without gradients (eigencam, scorecam")):
			t.Errorf("%s: error %v", method.Name, err)
		}
	}
}

// Case 30: nothing supports the class.
func TestNothingSupports(t *testing.T) {
	m := tiny(t)
	zero := onnx.New(onnx.Float, 3, 10)
	zero.Name = "classifier.2.weight"
	for i, w := range m.Graph.Initializers {
		if w.Name == zero.Name {
			m.Graph.Initializers[i] = zero
		}
	}
	got := mapOf(t, m, gradcam.Options{}, "gradcam")
	if got.Note == "" || slices.Max(got.Unit()) != 0 || slices.Min(got.Unit()) != 0 {
		t.Errorf("note %q, map %v", got.Note, got.Unit())
	}
}

func TestErrors(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		o      gradcam.Options
		change func(m *onnx.Model)
		want   string
	}{
		{"case 30: a layer of rows", gradcam.Options{Layer: "flat"}, nil, "needs a layer with maps"},
		{"no such layer", gradcam.Options{Layer: "conv99"}, nil, `no layer "conv99"`},
		{"baseline", gradcam.Options{Baseline: "pink"}, nil, "the baselines are"},
		{"window", gradcam.Options{Window: -1}, nil, "negative"},
		{"too large a batch", gradcam.Options{Batch: 1 << 29}, nil, "more memory"},
		{"size", gradcam.Options{Size: [2]int{0, 5}}, nil, "size"},
		{"another size than it is made for", gradcam.Options{Size: [2]int{32, 32}}, nil, "does not fit"},
		{"no recipe", gradcam.Options{}, func(m *onnx.Model) { m.Metadata = nil }, "how images become"},
		{"labels", gradcam.Options{}, func(m *onnx.Model) { m.SetMeta(zoo.LabelsKey, "{") }, "labels"},
		{"no maps before the classifier", gradcam.Options{}, func(m *onnx.Model) { output(m, "input") }, "no layer with spatial extent"},
		{"a layer beside the way", gradcam.Options{Layer: "beside"}, func(m *onnx.Model) {
			add(m, node("Relu", "c1", "beside"))
			m.Graph.Outputs = append(m.Graph.Outputs, &onnx.Value{Name: "beside"})
		}, "does not lie before"},
	} {
		m := tiny(t)
		if c.change != nil {
			c.change(m)
		}
		if _, err := gradcam.New(m, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}

	x, im := opened(t, tiny(t), gradcam.Options{Window: 40})
	for _, c := range []struct {
		method string
		class  int
		want   string
	}{
		{"gradcam", 3, "no class"}, {"gradcam", -1, "no class"}, {"cam", 0, "global average pool"},
		{"nothing", 0, "the methods are"}, {"occlusion", 0, "does not fit"},
	} {
		if _, err := x.Explain(ctx, im, c.method, c.class); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of class %d: error %v, want one with %q", c.method, c.class, err, c.want)
		}
	}
	if _, err := x.Input(ctx, make([]float32, 5)); err == nil {
		t.Error("too few numbers are an image")
	}
	broken := make([]float32, 3*16*16)
	broken[7] = float32(math.NaN())
	if _, err := x.Input(ctx, broken); err == nil {
		t.Error("NaN is explained")
	}
	if _, err := x.Image(ctx, zoo.PictureOf(image.NewGray(image.Rect(0, 0, 0, 0)))); err == nil {
		t.Error("an empty picture is explained")
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	for _, method := range []string{"gradcam", "scorecam", "occlusion", "integrated-gradients"} {
		if _, err := x.Explain(stopped, im, method, 0); err == nil {
			t.Errorf("%s is not stopped", method)
		}
	}
	strided, im := opened(t, tiny(t), gradcam.Options{Window: 4, Stride: 5})
	if _, err := strided.Explain(ctx, im, "occlusion", 0); err == nil || !strings.Contains(err.Error(), "uncovered") {
		t.Errorf("stride: error %v", err)
	}
	if _, err := x.Measure(ctx, im, &gradcam.Map{}); err == nil {
		t.Error("an image of another explainer is measured")
	}
}

func TestClass(t *testing.T) {
	_, im := opened(t, tiny(t), gradcam.Options{Labels: []string{"Tabby cat", "tiger cat", "7"}})
	for text, want := range map[string]int{"tabby CAT": 0, "tiger": 1, "7": 2, "0": 0, "tabby": 0} {
		if got, err := im.Class(text); err != nil || got != want {
			t.Errorf("%q: class %d, %v; want %d", text, got, err, want)
		}
	}
	var e *gradcam.ClassError
	for text, want := range map[string]string{"cat": `"Tabby cat", "tiger cat"`, "dog": "classes 0 to 2", "": "", "3": "", "-1": ""} {
		if _, err := im.Class(text); !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v", text, err)
		}
	}
	if _, plain := opened(t, tiny(t), gradcam.Options{Channels: 2}); plain.Label(1) != "square" || plain.Label(3) != "class 3" {
		t.Errorf("labels %q and %q", plain.Label(1), plain.Label(3))
	}
	top := im.Top(2)
	if len(top) != 2 || top[0] != im.Predicted || im.Logits[top[0]] < im.Logits[top[1]] || len(im.Top(9)) != 3 {
		t.Errorf("top %v of %v", top, im.Logits)
	}
	sum := im.Probability(0) + im.Probability(1) + im.Probability(2)
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("probabilities sum to %v", sum)
	}
	if _, err := gradcam.New(tiny(t), gradcam.Options{Labels: []string{"a", "b"}}); err != nil {
		t.Fatal(err) // the number of classes shows when it runs
	}
}

// A network exported in training mode is explained with the statistics in the file.
func TestTrainingMode(t *testing.T) {
	m := tiny(t)
	m.Opsets[0].Version = 15
	for _, name := range []string{"scale", "shift", "mean", "var"} {
		w := onnx.Of([]int{8}, []float32{1, 2, 1, 2, 1, 2, 1, 2})
		w.Name = name
		m.Graph.Initializers = append(m.Graph.Initializers, w)
	}
	rename(m, "c2", "bn")
	norm := node("BatchNormalization", "c2 scale shift mean var", "bn", &onnx.Attribute{Name: "training_mode", Type: onnx.AttrInt, I: 1})
	norm.Outputs = append(norm.Outputs, "m1", "v1")
	add(m, norm)
	var warned []string
	got := mapOf(t, m, gradcam.Options{Warn: func(s string) { warned = append(warned, s) }}, "gradcam")
	if got.H != 8 || len(warned) != 1 || !strings.Contains(warned[0], "training mode") {
		t.Errorf("map of %dx%d, warnings %q", got.H, got.W, warned)
	}
}

// Fewer channels are those that vary most; the passes are told of.
func TestChannels(t *testing.T) {
	a, err := gradcam.ActivationsOf(context.Background(), tiny(t), pictures(t, 16), activationOptions("r2"))
	if err != nil {
		t.Fatal(err)
	}
	best, spread := 0, -1.0
	for k := range a.Maps.C {
		mean, s := 0.0, 0.0
		for _, v := range a.Maps.Channel(k) {
			mean += float64(v) / 64
		}
		for _, v := range a.Maps.Channel(k) {
			s += (float64(v) - mean) * (float64(v) - mean)
		}
		if s > spread {
			best, spread = k, s
		}
	}
	for _, method := range []string{"scorecam", "ablationcam"} {
		var told []int
		m := mapOf(t, tiny(t), gradcam.Options{Channels: 1, Progress: func(done, total int) { told = append(told, done, total) }}, method)
		scale := m.Values[0] / a.Maps.Channel(best)[0]
		for i, v := range a.Maps.Channel(best) {
			if math.Abs(float64(m.Values[i]-scale*v)) > 1e-5 {
				t.Fatalf("%s is not the map of channel %d", method, best)
			}
		}
		if !slices.Equal(told, []int{1, 1}) {
			t.Errorf("%s: told of passes %v", method, told)
		}
	}
}

// The matrices of an attention have four dimensions, and are no maps: the default layer is the last one before the tokens.
func TestDefaultLayerBeforeAttention(t *testing.T) {
	var weights []*onnx.Tensor
	weight := func(name string, w *onnx.Tensor) {
		w.Name = name
		weights = append(weights, w)
	}
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i%7-3) / 7
		}
		return v
	}
	weight("w", onnx.Of([]int{4, 3, 4, 4}, values(4*3*16)))
	weight("fc", onnx.Of([]int{4, 3}, values(12)))
	weight("rows", onnx.Of([]int{3}, []int64{0, 4, 16}))
	weight("heads", onnx.Of([]int{4}, []int64{0, 16, 2, 2}))
	weight("joined", onnx.Of([]int{3}, []int64{0, 16, 4}))
	node := func(op, out, in string, attrs ...*onnx.Attribute) *onnx.Node {
		return &onnx.Node{Name: "n_" + out, OpType: op, Inputs: strings.Fields(in), Outputs: []string{out}, Attrs: attrs}
	}
	perm := func(p ...int64) *onnx.Attribute {
		return &onnx.Attribute{Name: "perm", Type: onnx.AttrInts, Ints: p}
	}
	sizes := []onnx.Dim{{Size: -1, Param: "batch"}, {Size: 3}, {Size: 16}, {Size: 16}}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Metadata: tiny(t).Metadata, Graph: &onnx.Graph{
		Inputs:       []*onnx.Value{{Name: "x", Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: sizes}}},
		Outputs:      []*onnx.Value{{Name: "y"}},
		Initializers: weights,
		Nodes: []*onnx.Node{
			node("Conv", "c", "x w", &onnx.Attribute{Name: "strides", Type: onnx.AttrInts, Ints: []int64{4, 4}}), node("Relu", "r", "c"),
			node("Reshape", "flat", "r rows"), node("Transpose", "tokens", "flat", perm(0, 2, 1)),
			node("Reshape", "apart", "tokens heads"), node("Transpose", "q", "apart", perm(0, 2, 1, 3)), node("Transpose", "k", "q", perm(0, 1, 3, 2)),
			node("MatMul", "scores", "q k"), node("Softmax", "p", "scores"), node("MatMul", "o", "p q"),
			node("Transpose", "back", "o", perm(0, 2, 1, 3)), node("Reshape", "sum", "back joined"),
			node("ReduceMean", "mean", "sum", &onnx.Attribute{Name: "axes", Type: onnx.AttrInts, Ints: []int64{1}}, &onnx.Attribute{Name: "keepdims", Type: onnx.AttrInt}),
			node("MatMul", "y", "mean fc"),
		}}}
	x, _ := opened(t, m, gradcam.Options{})
	if x.Layer().Output != "r" {
		t.Errorf("default layer %q, want that of the Relu", x.Layer().Name)
	}
}
