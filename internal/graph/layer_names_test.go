package graph

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Layers of today's PyTorch exports are named, and found, after modules: what torch.onnx.export(dynamo=True) writes of a
// residual block with a normalisation folded into its first convolution, a Relu used twice, a module that becomes two nodes,
// attention in a function, and nodes of a rewriter.
func TestLayersOfTorchModules(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	m := build(18).in("x", onnx.Float, -1, 2, 4, 4).weight("layer1.0.conv1.weight", random(r, 2, 2, 1, 1)).weight("layer1.0.conv2.weight_quantized", random(r, 2, 2, 1, 1)).
		weight("fc.weight", random(r, 3, 2)).weight("two", random(r, 2, 1, 1)).weight("shape", onnx.Of([]int{2}, []int64{-1, 2})).
		node("getitem = Conv(x, layer1.0.conv1.weight)").node("relu = Relu(getitem)").node("conv2d_1 = Conv(relu, layer1.0.conv2.weight_quantized)").
		node("add_20 = Add(conv2d_1, x)").node("relu_1 = Relu(add_20)").
		node("val_3 = Sigmoid(relu_1)").node("silu = Mul(relu_1, val_3)").
		node("val_4 = Softmax(silu)").node("sdpa = Mul(val_4, two)").node("add_30 = Add(sdpa, two)").node("add_31 = Add(add_30, two)").
		node("plain = Abs(add_31)").node("mean = GlobalAveragePool(plain)").node("view = Reshape(mean, shape)").
		node("linear = Gemm(view, fc.weight)", intAttr("transB", 1)).out("linear")
	scopes := []string{
		"['', 'layer1', 'layer1.0', 'layer1.0.bn1', '_native_batch_norm_legit_no_training']", "['', 'layer1', 'layer1.0', 'layer1.0.relu', 'relu']",
		"['', 'layer1', 'layer1.0', 'layer1.0.bn2', 'conv2d_1']", "['', 'layer1', 'layer1.0', 'add_20']", "['', 'layer1', 'layer1.0', 'layer1.0.relu', 'relu_1']",
		`["", "act", "silu"]`, `["", "act", "silu"]`,
		"['', 'attn', 'scaled_dot_product_attention']", "['', 'attn', 'scaled_dot_product_attention']", "['', 'attn', 'add_30']", "['', 'attn', 'add_31']",
		"no list", "['', 'pool', 'mean']", "['', 'view']", "['', 'fc', 'linear']",
	}
	for i, n := range m.Graph.Nodes {
		n.Name = fmt.Sprintf("node_%s_%d", n.OpType, i)
		n.Metadata = []onnx.Entry{{Key: "namespace", Value: "unread"}, {Key: scopesKey, Value: scopes[i]}}
	}
	layers, err := Layers(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range layers {
		got = append(got, l.Name)
	}
	want := []string{
		"layer1.0.conv1", "layer1.0.relu", "layer1.0.conv2", "layer1.0.add", "layer1.0.relu_1", "act.sigmoid", "act.mul",
		"attn.scaled_dot_product_attention.softmax", "attn.scaled_dot_product_attention.mul", "attn.add", "attn.add_1",
		"node_Abs_11", "pool", "view", "fc",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), strings.Join(want, " "))
	}
	for sel, want := range map[string][2]int{
		"layer1": {0, 4}, "layer1.0": {0, 4}, "layer1.0.conv1": {0, 0}, "layer1.0.relu": {1, 1}, "relu_1": {4, 4}, "act": {5, 6},
		"attn": {7, 10}, "attn.add": {9, 9}, "node_Abs_11": {11, 11}, "node_Gemm_14": {14, 14}, "linear": {14, 14}, "fc": {14, 14},
	} {
		first, err := FindFirstLayer(layers, sel)
		last, err2 := FindLayer(layers, sel)
		if err != nil || err2 != nil || first.Index != want[0] || last.Index != want[1] {
			t.Errorf("%q: %d to %d (%v, %v), want %v", sel, first.Index, last.Index, err, err2, want)
		}
	}
}

func TestModulePath(t *testing.T) {
	for name, want := range map[string]string{
		"/layer4/layer4.0/conv1/Conv":                                   "layer4.0.conv1.Conv",
		"/features/features.1/features.1.0/block/block.0/block.0.2/Mul": "features.1.0.block.0.2.Mul",
		"layer1.0.conv1": "layer1.0.conv1", "/conv1/Conv": "conv1.Conv", "Conv_0": "Conv_0", "": "", "/": "",
		"/stages.0/stages.0.1/Add": "stages.0.1.Add", "//a": "a",
	} {
		if got := modulePath(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestPythonStrings(t *testing.T) {
	for list, want := range map[string][]string{
		"['', 'a.b', \"it's\"]": {"", "a.b", "it's"}, " ['a'] ": {"a"}, "[]": nil, "": nil, "['a'": nil, "['a": nil, "[a]": nil, "['a', b]": nil, "[,": nil, "'a'": nil,
	} {
		if got := pythonStrings(list); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", list, got, want)
		}
	}
}
