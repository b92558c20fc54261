package finetune_test

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// TestSplitVGG16 counts the parameters of the usual setting: VGG16 at 150x150, flattened to 8192, from conv3_1 on.
func TestSplitVGG16(t *testing.T) {
	m := open(t, reftest.Model(t, "vgg16")+".onnx")
	for _, c := range []struct {
		from           string
		trained, total int
		cut            string
	}{
		{"10", 16552193, 16812353, ""},
		{"none", 2097665, 16812353, ""},
		{"all", 16812353, 16812353, "input"},
	} {
		n, err := finetune.Split(m, 1, finetune.NetOptions{Head: "256,relu", UnfreezeFrom: c.from, Shape: []int{3, 150, 150}})
		if err != nil {
			t.Fatal(err)
		}
		if n.Trained != c.trained || n.Trained+n.Frozen != c.total {
			t.Errorf("from %s: %d of %d parameters are trained, want %d of %d", c.from, n.Trained, n.Trained+n.Frozen, c.trained, c.total)
		}
		if w := n.Model.Graph.Initializer("head.0.weight"); w == nil || !slices.Equal(w.Shape, []int{256, 8192}) {
			t.Errorf("from %s: the head's first weight is %v", c.from, w)
		}
	}
}

// TestSplitResNet50 takes blocks by name; the head gets 2048 averages.
func TestSplitResNet50(t *testing.T) {
	m := open(t, reftest.Model(t, "resnet50")+".bn.onnx")
	n, err := finetune.Split(m, 5, finetune.NetOptions{UnfreezeFrom: "layer4"})
	if err != nil {
		t.Fatal(err)
	}
	if w := n.Model.Graph.Initializer("head.0.weight"); w == nil || !slices.Equal(w.Shape, []int{5, 2048}) {
		t.Errorf("the head's weight is %v", w)
	}
	for _, p := range n.Params {
		if p.Base && !strings.Contains(p.Name, "layer4.") {
			t.Errorf("%q is trained", p.Name)
		}
	}
	if len(n.Params) != 12 { // ten convolutions, and the head's two
		t.Errorf("%d weights are trained", len(n.Params))
	}
}

// TestPoolOfBareBase looks at heads of models that end with a map.
func TestPoolOfBareBase(t *testing.T) {
	for _, c := range []struct {
		arch string
		size int
		want int // inputs of the head
	}{
		{"vgg16", 224, 512 * 7 * 7},
		{"vgg16", 320, 512}, // 51200 numbers
		{"inception_v3", 299, 2048},
	} {
		a, _ := zoo.Lookup(c.arch)
		m, err := a.Build(zoo.BuildOptions{NoTop: true, Blank: true, Size: [2]int{c.size, c.size}})
		if err != nil {
			t.Fatal(err)
		}
		n, err := finetune.Split(m, 2, finetune.NetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if w := n.Model.Graph.Initializer("head.0.weight"); w == nil || !slices.Equal(w.Shape, []int{2, c.want}) {
			t.Errorf("%s at %d: the head's weight is %v, want %d inputs", c.arch, c.size, w, c.want)
		}
	}
}

// TestDepth counts the layers with weights behind each of the base: a normalisation is as deep as the convolution before it,
// and how many layers are trained makes no difference.
func TestDepth(t *testing.T) {
	for _, c := range []struct {
		o    finetune.NetOptions
		want []int // of all weights of the base
	}{
		{finetune.NetOptions{UnfreezeFrom: "all", BN: "affine"}, []int{3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0}},
		{finetune.NetOptions{UnfreezeFrom: "7"}, []int{1, 0}},
		{finetune.NetOptions{UnfreezeFrom: "all", Head: "keep"}, []int{3, 2, 1, 0}},
		{finetune.NetOptions{UnfreezeFrom: "all", At: "9"}, []int{2, 1, 0}},
		{finetune.NetOptions{}, nil},
	} {
		outputs := 2
		if c.o.Head == "keep" {
			outputs = 7
		}
		n, err := finetune.Split(backbone(t), outputs, c.o)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, p := range n.Params {
			if p.Base {
				got = append(got, p.Depth)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.o, got, c.want)
		}
	}
}

// Branches beside each other are as deep as they are long.
func TestDepthOfBranches(t *testing.T) {
	arch, _ := zoo.Lookup("resnet18")
	m, err := arch.Build(zoo.BuildOptions{NoTop: true, Blank: true})
	if err != nil {
		t.Fatal(err)
	}
	n, err := finetune.Split(m, 2, finetune.NetOptions{UnfreezeFrom: "all"})
	if err != nil {
		t.Fatal(err)
	}
	// 17 convolutions one after the other; that of a shortcut is as deep as its block's last.
	want := map[string]int{"conv1.weight": 16, "layer2.0.conv1.weight": 11, "layer2.0.conv2.weight": 10, "layer2.0.downsample.0.weight": 10, "layer4.1.conv2.weight": 0}
	got := map[string]int{}
	for _, p := range n.Params {
		if _, ok := want[p.Name]; ok {
			got[p.Name] = p.Depth
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSplitRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		outputs int
		o       finetune.NetOptions
		message string
	}{
		{"nothing left to train", 2, finetune.NetOptions{UnfreezeFrom: "13"}, `unfreezing from "13" trains nothing of the base: the last layer with weights is 11`},
		{"only a normalisation, frozen", 2, finetune.NetOptions{UnfreezeFrom: "11"}, `unfreezing from "11" trains nothing`},
		{"no such layer", 2, finetune.NetOptions{UnfreezeFrom: "layr"}, `there is no layer "layr"`},
		{"number", 2, finetune.NetOptions{UnfreezeFrom: "99"}, "there is no layer 99"},
		{"no outputs", 0, finetune.NetOptions{}, "0 outputs"},
		{"head", 2, finetune.NetOptions{Head: "256,rely"}, `"rely"`},
		{"dropout", 2, finetune.NetOptions{Head: "dropout=1"}, "dropout=1"},
		{"units", 2, finetune.NetOptions{Head: "0"}, `"0"`},
		{"pool", 2, finetune.NetOptions{Pool: "mean"}, `"mean"`},
		{"normalisation", 2, finetune.NetOptions{BN: "on"}, `"on"`},
		{"own head of another size", 3, finetune.NetOptions{Head: "keep"}, "own head gives [1 7], and 3 outputs are wanted"},
		{"base", 2, finetune.NetOptions{At: "nowhere"}, `"nowhere"`},
	} {
		_, err := finetune.Split(backbone(t), c.outputs, c.o)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %q", c.name, err, c.message)
		}
		var empty *finetune.EmptySelectionError
		if strings.Contains(c.message, "trains nothing") != errors.As(err, &empty) {
			t.Errorf("%s: type %T", c.name, err)
		}
	}
}

// TestHeadWeights are drawn as PyTorch's Linear draws them: evenly from ±1/sqrt(in), the same for the same seed.
func TestHeadWeights(t *testing.T) {
	weights := func(seed uint64) []float32 {
		n, err := finetune.Split(backbone(t), 4, finetune.NetOptions{Head: "512,relu", Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return n.Model.Graph.Initializer("head.0.weight").Float32s()
	}
	w := weights(1)
	if !slices.Equal(w, weights(1)) || slices.Equal(w, weights(2)) {
		t.Error("the seed does not decide on the weights")
	}
	bound := 1 / math.Sqrt(128)
	sum, squares := 0.0, 0.0
	for _, v := range w {
		if math.Abs(float64(v)) > bound {
			t.Fatalf("%v is beyond %v", v, bound)
		}
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(w))
	if mean, sd := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 0.01*bound || math.Abs(sd-bound/math.Sqrt(3)) > 0.01*bound {
		t.Errorf("mean %v, deviation %v; want 0 and %v", mean, sd, bound/math.Sqrt(3))
	}
}

// Equal weights that an exporter keeps once are the layers' own where all their elements are the same: today's PyTorch lets
// all biases that are still zero read one initializer. Other weights that several layers read stay shared.
func TestSplitSharedWeights(t *testing.T) {
	for _, c := range []struct {
		bias []float32
		want []string // what is trained of the base
		err  string
	}{
		{[]float32{0, 0}, []string{"w2", "b_2"}, ""}, // b_1 is taken
		{[]float32{0.5, 0.5}, []string{"w2", "b_2"}, ""},
		{[]float32{1}, []string{"w2", "b_2"}, ""}, // the scale of a normalisation over all channels
		{[]float32{0, 1}, nil, `weight "b" belongs to a frozen and to a trained layer: unfreeze both or none`},
	} {
		conv := func(name, x, w, y string) *onnx.Node {
			return &onnx.Node{Name: name, OpType: "Conv", Inputs: []string{x, w, "b"}, Outputs: []string{y}}
		}
		kernel := func(name string) *onnx.Tensor {
			k := len(c.bias)
			w := onnx.Of([]int{k, k, 1, 1}, []float32{1, 2, 3, 4}[:k*k])
			w.Name = name
			return w
		}
		bias := onnx.Of([]int{len(c.bias)}, c.bias)
		bias.Name = "b"
		sizes := []onnx.Dim{{Size: -1}, {Size: len(c.bias)}, {Size: 4}, {Size: 4}}
		m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
			Inputs:       []*onnx.Value{{Name: "x", Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: sizes}}},
			Outputs:      []*onnx.Value{{Name: "y"}},
			Initializers: []*onnx.Tensor{kernel("w1"), kernel("w2"), bias},
			Nodes:        []*onnx.Node{conv("first", "x", "w1", "b_1"), conv("second", "b_1", "w2", "y")},
		}}
		n, err := finetune.Split(m, 2, finetune.NetOptions{UnfreezeFrom: "second", At: "second"})
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("bias %v: %v", c.bias, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range n.Params {
			if p.Base {
				got = append(got, p.Name)
			}
		}
		if !slices.Equal(got, c.want) || !slices.Equal(m.Graph.Nodes[1].Inputs, []string{"b_1", "w2", "b"}) {
			t.Errorf("bias %v: %q is trained, want %q; the model's node reads %q", c.bias, got, c.want, m.Graph.Nodes[1].Inputs)
		}
	}
}

// Quantised weights are not trained, and the error says so.
func TestSplitQuantised(t *testing.T) {
	w := onnx.Of([]int{2, 2, 1, 1}, []int8{1, 2, 3, 4})
	w.Name = "w"
	scale := onnx.Of(nil, []float32{0.5})
	scale.Name = "scale"
	sizes := []onnx.Dim{{Size: -1}, {Size: 2}, {Size: 4}, {Size: 4}}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Inputs:       []*onnx.Value{{Name: "x", Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: sizes}}},
		Outputs:      []*onnx.Value{{Name: "y"}},
		Initializers: []*onnx.Tensor{w, scale},
		Nodes: []*onnx.Node{{Name: "d", OpType: "DequantizeLinear", Inputs: []string{"w", "scale"}, Outputs: []string{"dw"}},
			{Name: "conv", OpType: "Conv", Inputs: []string{"x", "dw"}, Outputs: []string{"c"}},
			{Name: "last", OpType: "Relu", Inputs: []string{"c"}, Outputs: []string{"y"}}},
	}}
	for selection, want := range map[string]string{
		"conv": `unfreezing from "conv" trains nothing of the base: its weights are quantised; train the network that was quantised, and quantise the result`,
		"last": `unfreezing from "last" trains nothing of the base`,
	} {
		if _, err := finetune.Split(m, 2, finetune.NetOptions{UnfreezeFrom: selection}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", selection, err, want)
		}
	}
}

// A base that ends in quantised numbers gets a node that makes real ones of them, for the head.
func TestSplitBehindQuantised(t *testing.T) {
	named := func(name string, v *onnx.Tensor) *onnx.Tensor {
		v.Name = name
		return v
	}
	sizes := []onnx.Dim{{Size: -1}, {Size: 2}, {Size: 4}, {Size: 4}}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Inputs:       []*onnx.Value{{Name: "x", Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: sizes}}},
		Outputs:      []*onnx.Value{{Name: "y"}},
		Initializers: []*onnx.Tensor{named("s", onnx.Of(nil, []float32{0.5})), named("z", onnx.Of(nil, []uint8{128}))},
		Nodes: []*onnx.Node{{Name: "q", OpType: "QuantizeLinear", Inputs: []string{"x", "s", "z"}, Outputs: []string{"q"}},
			{Name: "flat", OpType: "Flatten", Inputs: []string{"q"}, Outputs: []string{"y"}}},
	}}
	n, err := finetune.Split(m, 2, finetune.NetOptions{At: "flat"})
	if err != nil {
		t.Fatal(err)
	}
	if d := n.Model.Graph.Nodes[2]; d.OpType != "DequantizeLinear" || !slices.Equal(d.Inputs, []string{"y", "s", "z"}) {
		t.Errorf("behind the base stands %v of %q", d, d.Inputs)
	}
	if w := n.Model.Graph.Initializer("head.0.weight"); w == nil || !slices.Equal(w.Shape, []int{2, 32}) {
		t.Errorf("the head's weight is %v", w)
	}
}
