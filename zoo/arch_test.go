package zoo

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// published are the multiplications that the sources of the architectures give for an image, in units of 10^9, to the
// digits given: torchvision's documentation (column GFLOPS) where no comment says otherwise.
var published = map[string]struct {
	gmacs, digits float64
	features      [3]int // C, H, W of the last feature map
}{
	"vgg11": {7.609, 1e-3, [3]int{512, 7, 7}}, "vgg11_bn": {7.609, 1e-3, [3]int{512, 7, 7}},
	"vgg13": {11.308, 1e-3, [3]int{512, 7, 7}}, "vgg13_bn": {11.308, 1e-3, [3]int{512, 7, 7}},
	"vgg16": {15.47, 1e-3, [3]int{512, 7, 7}}, "vgg16_bn": {15.47, 1e-3, [3]int{512, 7, 7}},
	"vgg19": {19.632, 1e-3, [3]int{512, 7, 7}}, "vgg19_bn": {19.632, 1e-3, [3]int{512, 7, 7}},
	"resnet18": {1.814, 1e-3, [3]int{512, 7, 7}}, "resnet34": {3.664, 1e-3, [3]int{512, 7, 7}},
	"resnet50": {4.089, 1e-3, [3]int{2048, 7, 7}}, "resnet101": {7.801, 1e-3, [3]int{2048, 7, 7}},
	"resnet152": {11.514, 1e-3, [3]int{2048, 7, 7}}, "resnext50_32x4d": {4.23, 1e-3, [3]int{2048, 7, 7}},
	"resnext101_32x8d": {16.414, 1e-3, [3]int{2048, 7, 7}}, "resnext101_64x4d": {15.46, 1e-3, [3]int{2048, 7, 7}},
	"wide_resnet50_2": {11.398, 1e-3, [3]int{2048, 7, 7}}, "wide_resnet101_2": {22.753, 1e-3, [3]int{2048, 7, 7}},
	// He et al., table 1: 3.8, 7.6 and 11.3; with the projections' and the classifier's part, which the table leaves out.
	"keras_resnet50": {3.8, 0.1, [3]int{2048, 7, 7}}, "keras_resnet101": {7.6, 0.1, [3]int{2048, 7, 7}}, "keras_resnet152": {11.3, 0.1, [3]int{2048, 7, 7}},
	"inception_v3": {5.713, 1e-3, [3]int{2048, 8, 8}}, "keras_inception_v3": {5.713, 1e-3, [3]int{2048, 8, 8}}, // the same convolutions
	"mobilenet_v2": {0.301, 1e-3, [3]int{1280, 7, 7}}, "mobilenet_v3_small": {0.057, 1e-3, [3]int{576, 7, 7}}, "mobilenet_v3_large": {0.217, 1e-3, [3]int{960, 7, 7}},
	"efficientnet_b0": {0.386, 1e-3, [3]int{1280, 7, 7}}, "efficientnet_b1": {0.687, 1e-3, [3]int{1280, 8, 8}},
	"efficientnet_b2": {1.088, 1e-3, [3]int{1408, 9, 9}}, "efficientnet_b3": {1.827, 1e-3, [3]int{1536, 10, 10}},
	// The authors' page has 407 M, 631 M and 899 M, which count what stands between the convolutions, too.
	"tf_efficientnet_lite0": {0.407, 0.022, [3]int{1280, 7, 7}}, "tf_efficientnet_lite1": {0.631, 0.031, [3]int{1280, 8, 8}}, "tf_efficientnet_lite2": {0.899, 0.04, [3]int{1280, 9, 9}},
	"efficientnet_lite0": {0.407, 0.022, [3]int{1280, 7, 7}}, "efficientnet_lite1": {0.631, 0.031, [3]int{1280, 8, 8}}, "efficientnet_lite2": {0.899, 0.04, [3]int{1280, 9, 9}},
	"densenet121": {2.834, 1e-3, [3]int{1024, 7, 7}}, "alexnet": {0.714, 1e-3, [3]int{256, 6, 6}}, "squeezenet1_1": {0.349, 1e-3, [3]int{512, 13, 13}},
	"convnext_tiny": {4.456, 1e-3, [3]int{768, 7, 7}},
	// By hand: 9*(26*26*64 + 11*11*64*128 + 3*3*128*256) + 256*10.
	"mnist_cnn": {0.011967232, 1e-9, [3]int{256, 3, 3}},
	// By hand: 9*(148*148*3*32 + 72*72*32*64 + 34*34*64*128 + 15*15*128*128) + 6272*512 + 512.
	"cats_dogs": {0.236095488, 1e-9, [3]int{128, 7, 7}}, "cats_dogs_dropout": {0.236095488, 1e-9, [3]int{128, 7, 7}},
}

// macs counts the multiplications of convolutions and dense layers for one image.
func macs(t *testing.T, m *onnx.Model) (total int, layers []backend.Layer) {
	t.Helper()
	layers, err := backend.Layers(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		if l.Err != nil {
			t.Fatal(l.Err)
		}
		if !slices.Contains([]string{"Conv", "Gemm", "MatMul"}, l.Op) {
			continue
		}
		w := m.Graph.Initializer(l.Node.Inputs[1])
		if w == nil {
			w = m.Graph.Initializer(l.Name + ".weight")
		}
		if w == nil {
			t.Fatalf("%s has no weight", l.Name)
		}
		positions := 1
		switch {
		case l.Op == "Conv":
			positions = l.Shape[2] * l.Shape[3]
		case l.Op == "MatMul" && len(l.Shape) > 2:
			positions = onnx.NumElements(l.Shape[1 : len(l.Shape)-1])
		}
		total += w.Len() * positions
	}
	return total, layers
}

// trained counts the parameters without running statistics.
func trained(m *onnx.Model) int {
	n := 0
	for _, t := range m.Graph.Initializers {
		if !isStatistic(t.Name) {
			n += t.Len()
		}
	}
	return n
}

// isStatistic reports whether a parameter is one that gradients do not train.
func isStatistic(name string) bool {
	return strings.HasSuffix(name, "running_mean") || strings.HasSuffix(name, "running_var") || strings.Contains(name, "/moving_")
}

func shapeOf(v *onnx.Value) []int {
	var s []int
	for _, d := range v.Type.Shape {
		s = append(s, d.Size)
	}
	return s
}

// Parameters, multiplications and shapes are the published ones.
func TestPublishedNumbers(t *testing.T) {
	for _, a := range Archs() {
		t.Run(a.Name, func(t *testing.T) {
			want, ok := published[a.Name]
			if !ok {
				t.Fatal("not in the table of published numbers")
			}
			m, err := a.Build(BuildOptions{Blank: true})
			if err != nil {
				t.Fatal(err)
			}
			if errs := m.Check(); len(errs) > 0 {
				t.Fatal(errs)
			}
			if n := trained(m); n != a.Params {
				t.Errorf("%d parameters, want %d", n, a.Params)
			}
			n, layers := macs(t, m)
			sum := 0
			for _, l := range layers {
				sum += l.Params
			}
			if sum != a.Params && a.Name != "keras_inception_v3" { // whose normalisations have a constant in place of a scale
				t.Errorf("the layers have %d parameters, want %d", sum, a.Params)
			}
			if g := float64(n) / 1e9; g < want.gmacs-want.digits || g > want.gmacs+want.digits {
				t.Errorf("%g G multiplications, want %g", g, want.gmacs)
			}
			if got := layers[len(layers)-1].Shape; !slices.Equal(got, []int{1, a.Classes}) {
				t.Errorf("the output is %v, want %d classes", got, a.Classes)
			}
			if got, want := shapeOf(m.Graph.Inputs[0]), []int{-1, a.Channels, a.Size[0], a.Size[1]}; !slices.Equal(got, want) {
				t.Errorf("the input is %v, want %v", got, want)
			}
			m, err = a.Build(BuildOptions{Blank: true, NoTop: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := shapeOf(m.Graph.Outputs[0]); !slices.Equal(got, append([]int{-1}, want.features[:]...)) {
				t.Errorf("without top the output is %v, want %v", got, want.features)
			}
			if _, layers := macs(t, m); !slices.Equal(layers[len(layers)-1].Shape, append([]int{1}, want.features[:]...)) {
				t.Errorf("without top the last layer gives %v, want %v", layers[len(layers)-1].Shape, want.features)
			}
			if _, ok := RecipeByName(a.Recipe); !ok {
				t.Errorf("there is no recipe %q", a.Recipe)
			}
		})
	}
}

// Other sizes, channels and numbers of classes: what fits runs, in every opset.
func TestVariants(t *testing.T) {
	for _, opset := range []int{13, 21} {
		for _, a := range Archs() {
			size := smallSizes[a.Name]
			if size == 0 {
				size = 64
			}
			if a.Params > 50e6 || opset > 13 && !byOpset[a.Name] {
				continue
			}
			m, err := a.Build(BuildOptions{Classes: 3, Channels: 2, Size: [2]int{size, size + 3}, Opset: opset, Blank: true})
			if err != nil {
				t.Errorf("opset %d: %v", opset, err)
				continue
			}
			s, err := backend.Open(m, backend.Options{})
			if err != nil {
				t.Errorf("opset %d: %s: %v", opset, a.Name, err)
				continue
			}
			out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"input": onnx.New(onnx.Float, 2, 2, size, size+3)})
			if err != nil {
				t.Errorf("opset %d: %s: %v", opset, a.Name, err)
			} else if got := out["output"].Shape; !slices.Equal(got, []int{2, 3}) {
				t.Errorf("opset %d: %s: output of shape %v, want [2 3]", opset, a.Name, got)
			}
			s.Close()
		}
	}
}

// byOpset are networks that are built of other operators in other operator sets.
var byOpset = map[string]bool{"alexnet": true, "convnext_tiny": true, "mobilenet_v3_small": true, "mobilenet_v3_large": true}

// smallSizes are sizes of pictures for tests where 64 does not do.
var smallSizes = map[string]int{"mnist_cnn": 28, "cats_dogs": 96, "cats_dogs_dropout": 96, "inception_v3": 80, "keras_inception_v3": 80, "alexnet": 63}

func TestBuildErrors(t *testing.T) {
	lookup := func(name string) Arch {
		a, ok := Lookup(name)
		if !ok {
			t.Fatalf("no architecture %q", name)
		}
		return a
	}
	for _, c := range []struct {
		arch string
		o    BuildOptions
		want string
	}{
		{"vgg16", BuildOptions{Size: [2]int{31, 31}}, "vgg16: pictures of 31x31 are too small: a map of 1x1 remains before features.30, which wants 2x2"},
		{"vgg16", BuildOptions{Size: [2]int{224, -1}}, "width: -1 is not between 1 and 16384"},
		{"vgg16", BuildOptions{Classes: -1}, "classes: -1 is not"},
		{"vgg16", BuildOptions{Channels: 1 << 20}, "channels: 1048576 is not"},
		{"vgg16", BuildOptions{Opset: 12}, "opset: 12 is not between 13 and 21"},
		{"cats_dogs", BuildOptions{Size: [2]int{9000, 9000}, Blank: true}, "fc1.weight: a weight of [512 40140800] makes the network too large"},
	} {
		if _, err := lookup(c.arch).Build(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.arch, err, c.want)
		}
	}
	if _, err := (Arch{}).Build(BuildOptions{}); err == nil {
		t.Error("the empty architecture is built")
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{"ResNet-50": "resnet50", "VGG16-BN": "vgg16_bn", "keras/resnet50": "", "resnet": "", "WIDE_ResNet50_2": "wide_resnet50_2"} {
		a, ok := Lookup(name)
		if ok != (want != "") || a.Name != want {
			t.Errorf("%q is %q (%v), want %q", name, a.Name, ok, want)
		}
	}
	seen := map[string]string{}
	for _, n := range Names() {
		if other, ok := seen[plainName(n)]; ok {
			t.Errorf("%s and %s cannot be told apart", n, other)
		}
		seen[plainName(n)] = n
	}
}

// Layers are found by the names of the source framework's modules.
func TestBlocksSelect(t *testing.T) {
	for _, c := range []struct {
		arch, sel, first, last string
		index                  int // of the first
	}{
		{"vgg16", "features.10", "features.10", "features.10", 10}, // conv3_1, as in torchvision
		{"vgg16_bn", "features.7", "features.7", "features.7", 7},
		{"vgg16", "classifier", "classifier.0", "classifier.6", 32},
		{"resnet50", "layer4", "layer4.0.conv1", "layer4.2.relu_2", 0},
		{"resnet50", "layer4.0.downsample", "layer4.0.downsample.0", "layer4.0.downsample.1", 0},
		{"keras_resnet50", "conv5_block1", "conv5_block1_0_conv", "conv5_block1_out", 0},
		{"inception_v3", "Mixed_7a", "Mixed_7a.branch3x3_1.conv", "Mixed_7a.concat", 0},
		{"keras_inception_v3", "mixed8", "mixed8", "mixed8", 0},
		{"mobilenet_v2", "features.10", "features.10.conv.0.0", "features.10.add", 0},
		{"efficientnet_b0", "features.7", "features.7.0.block.0.0", "features.7.0.block.3.1", 0},
		{"densenet121", "features.denseblock4", "features.denseblock4.denselayer1.norm1", "features.denseblock4.concat", 0},
		{"convnext_tiny", "features.7", "features.7.0.block.0", "features.7.2.add", 0},
		{"tf_efficientnet_lite0", "blocks.6", "blocks.6.0.conv_pw", "blocks.6.0.bn3", 0},
		{"mnist_cnn", "fc", "fc", "fc", 0},
	} {
		a, _ := Lookup(c.arch)
		m, err := a.Build(BuildOptions{Blank: true})
		if err != nil {
			t.Fatal(err)
		}
		layers, err := backend.Layers(m, nil)
		if err != nil {
			t.Fatal(err)
		}
		first, err := backend.FindFirstLayer(layers, c.sel)
		if err != nil || first.Name != c.first || c.index > 0 && first.Index != c.index {
			t.Errorf("%s %s begins with %d %q (%v), want %q", c.arch, c.sel, first.Index, first.Name, err, c.first)
		}
		if last, err := backend.FindLayer(layers, c.sel); err != nil || last.Name != c.last {
			t.Errorf("%s %s ends with %q (%v), want %q", c.arch, c.sel, last.Name, err, c.last)
		}
	}
}

// The adaptive pool averages from floor(i*s/n) to ceil((i+1)*s/n), in every operator set.
func TestAdaptivePool(t *testing.T) {
	for _, c := range []struct{ h, w, n int }{{7, 7, 7}, {14, 14, 7}, {14, 7, 7}, {4, 4, 7}, {1, 3, 6}, {9, 16, 6}} {
		for _, opset := range []int{13, 18} {
			b := newBuilder(Arch{}, BuildOptions{Channels: 2, Size: [2]int{c.h, c.w}, Opset: opset})
			x := b.relu("relu", b.input())
			m, err := b.model(b.relu("last", b.adaptivePool("pool", x, c.n)))
			if err != nil {
				t.Fatal(err)
			}
			in := onnx.New(onnx.Float, 1, 2, c.h, c.w)
			for i := range in.Float32s() {
				in.Float32s()[i] = float32(i * i % 17)
			}
			var want []float32
			for ch := range 2 {
				for i := range c.n {
					for j := range c.n {
						sum, count := float32(0), float32(0)
						for y := i * c.h / c.n; y < ((i+1)*c.h+c.n-1)/c.n; y++ {
							for x := j * c.w / c.n; x < ((j+1)*c.w+c.n-1)/c.n; x++ {
								sum += in.Float32s()[(ch*c.h+y)*c.w+x]
								count++
							}
						}
						want = append(want, sum/count)
					}
				}
			}
			within(t, output(t, m, in), want)
		}
	}
}

// Maps and groups that do not fit each other are faults of a builder, told instead of built.
func TestBuilderFaults(t *testing.T) {
	for name, build := range map[string]func(b *builder, x value) value{
		"add: ":    func(b *builder, x value) value { return b.add("add", x, b.maxPool("pool", x, square(2, 2, 0))) },
		"concat: ": func(b *builder, x value) value { return b.concat("concat", x, b.maxPool("pool", x, square(2, 2, 0))) },
		"conv: 4 channels to 8 do not fit 3 groups": func(b *builder, x value) value { return b.groupConv("conv", x, 8, 3, square(1, 1, 0), false) },
	} {
		a := Arch{Classes: 1, Channels: 4, Size: [2]int{8, 8}, build: build}
		if _, err := a.Build(BuildOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}
