package features

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// conv1x1 sets the shape of every weight to [out,in,1,1].
func conv1x1(m *onnx.Model, out int) *onnx.Model {
	for _, w := range m.Graph.Initializers {
		w.Shape = []int{out, 2, 1, 1}
	}
	return m
}

func TestDefaultLayer(t *testing.T) {
	any4 := []int{-1, 3, 4, 4}
	labelled := conv1x1(network("y", any4, node("Conv", "c", "x", "w"), node("GlobalAveragePool", "y", "c")), 7)
	if err := zoo.SetLabels(labelled, []string{"a", "b", "c", "d", "e", "f", "g"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"ResNet", network("y", any4, node("GlobalAveragePool", "p", "x"), node("Flatten", "f", "p"), node("Gemm", "y", "f", "w", "w2")), "f"},
		{"VGG with softmax", network("y", any4, node("Gemm", "a", "x", "w"), node("Relu", "r", "a"), node("Dropout", "d", "r"), node("Gemm", "g", "d", "w2"), node("Softmax", "y", "g")), "d"},
		{"Keras", network("y", any4, node("ReduceMean", "p", "x"), node("MatMul", "mm", "p", "w"), node("Add", "b", "w2", "mm"), node("Softmax", "y", "b")), "p"},
		{"weight through Identity and DequantizeLinear", network("y", any4, node("Identity", "i", "w"), node("DequantizeLinear", "q", "i", "w2"), node("Gemm", "y", "x", "q")), "x"},
		{"weight in a Constant", network("y", any4, node("Constant", "k"), node("MatMul", "y", "x", "k")), "x"},
		{"SqueezeNet", conv1x1(network("y", any4, node("Relu", "f", "x"), node("Conv", "c", "f", "w"), node("Relu", "r", "c"), node("GlobalAveragePool", "p", "r"), node("Flatten", "y", "p")), 1000), "f"},
		{"SqueezeNet, its own classes", labelled, "x"},
		{"convolution after the pool", conv1x1(network("y", any4, node("GlobalAveragePool", "p", "x"), node("Conv", "c", "p", "w"), node("Reshape", "y", "c", "w")), 5), "p"},
		{"backbone that ends in a convolution", conv1x1(network("y", any4, node("Conv", "c", "x", "w"), node("GlobalAveragePool", "y", "c")), 1280), "y"},
		{"backbone that ends in Clip", conv1x1(network("y", any4, node("Conv", "c", "x", "w"), node("Clip", "cl", "c"), node("GlobalAveragePool", "y", "cl")), 1000), "y"},
		{"nearest neighbours", network("y", any4, node("Flatten", "f", "x"), node("Gemm", "g", "f", "w"), node("TopK", "k", "g", "w1"), node("Gather", "v", "w2", "k"), node("ReduceMean", "s", "v"), node("Add", "a", "s", "w1"), node("Log", "y", "a")), "f"},
		{"rows of a table that the data chooses", network("y", any4, node("TopK", "k", "x", "w1"), node("Gather", "y", "x", "k")), "y"},
		{"directions", network("y", any4, node("Flatten", "f", "x"), node("ReduceL2", "l", "f"), node("Add", "a", "l", "w1"), node("Div", "d", "f", "a"), node("Gemm", "y", "d", "w")), "f"},
		{"divided by something else", network("y", any4, node("Flatten", "f", "x"), node("ReduceL2", "l", "x"), node("Div", "d", "f", "l"), node("Gemm", "y", "d", "w")), "d"},
		{"3x3 convolution", network("y", any4, node("Conv", "y", "x", "w")), "y"},
		{"convolution without weight", network("y", any4, node("Conv", "y", "x")), "y"},
		{"residual end", network("y", any4, node("Relu", "a", "x"), node("Add", "y", "a", "x")), "y"},
		{"product of activations", network("y", any4, node("Relu", "a", "x"), node("MatMul", "y", "a", "x")), "y"},
		{"hidden layer with Relu", network("y", any4, node("Gemm", "g", "x", "w"), node("Relu", "y", "g")), "y"},
		{"two classifiers", network("y", any4, node("ReduceMean", "f", "x"), node("Gemm", "a", "f", "w"), node("Gemm", "b", "f", "w2"), node("Add", "s", "a", "b"), node("Div", "y", "s", "w1")), "f"},
		{"two classifiers with normalisations", network("y", any4, node("ReduceMean", "f", "x"), node("BatchNormalization", "n", "f", "w", "w", "w", "w"), node("BatchNormalization", "o", "f", "w", "w", "w", "w"), node("Gemm", "a", "n", "w"), node("Gemm", "b", "o", "w2"), node("Add", "y", "a", "b")), "f"},
		{"classifiers of two things", network("y", any4, node("Relu", "f", "x"), node("Gemm", "a", "f", "w"), node("Gemm", "b", "x", "w2"), node("Add", "y", "a", "b")), "y"},
		{"three classifiers", network("y", any4, node("Gemm", "a", "x", "w"), node("Gemm", "b", "x", "w2"), node("Add", "s", "a", "b"), node("Add", "y", "s", "b")), "y"},
		{"quantised as it runs", func() *onnx.Model {
			q := node("DynamicQuantizeLinear", "q", "f")
			q.Outputs = []string{"q", "qs", "qz"}
			return network("y", any4, node("ReduceMean", "f", "x"), q, node("MatMulInteger", "i", "q", "w", "qz", "w1"), node("Cast", "c", "i"),
				node("Mul", "s", "qs", "w2"), node("Mul", "m", "c", "s"), node("Add", "y", "m", "w2"))
		}(), "f"},
		{"two pools", network("y", any4, node("GlobalAveragePool", "a", "x"), node("GlobalAveragePool", "y", "a")), "y"},
		{"Reshape without input", network("y", any4, node("Reshape", "y")), "y"},
		{"Softmax without input", network("y", any4, node("Softmax", "y")), "y"},
		{"cycle", network("y", any4, node("Softmax", "y", "y")), "y"},
		{"quantised", func() *onnx.Model {
			m := conv1x1(network("y", any4, node("QLinearConv", "c", "x", "w", "w", "w1", "w", "w"), node("DequantizeLinear", "y", "c", "w")), 10)
			return m
		}(), "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := DefaultLayer(c.m)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
	if _, err := DefaultLayer(&onnx.Model{Graph: &onnx.Graph{}}); err == nil {
		t.Error("a network without output has a layer")
	}
}

func TestChannelsLast(t *testing.T) {
	perm := func(n *onnx.Node, p ...int64) *onnx.Node {
		n.Attrs = []*onnx.Attribute{{Name: "perm", Type: onnx.AttrInts, Ints: p}}
		return n
	}
	m := network("y", []int{-1, 4, 4, 3},
		node("Mul", "m", "x", "w"),
		perm(node("Transpose", "t", "m"), 0, 3, 1, 2),
		node("Conv", "c", "t", "w"),
		node("Relu", "r", "c"),
		perm(node("Transpose", "b", "r"), 0, 2, 3, 1),
		node("Relu", "y", "b"),
		perm(node("Transpose", "o", "y"), 1, 0, 2, 3),
		node("Neg", "none"), node("Neg", "loop", "loop"))
	for name, want := range map[string]bool{"x": true, "m": true, "t": false, "c": false, "r": false, "b": true, "y": true, "o": true, "none": true, "loop": true} {
		if got := ChannelsLast(m, name, true); got != want {
			t.Errorf("%s: channels last %v, want %v", name, got, want)
		}
	}
	if ChannelsLast(m, "x", false) {
		t.Error("an NCHW input has its channels last")
	}
}

func TestResolveLayer(t *testing.T) {
	m := network("y", []int{-1, 3, 4, 4}, node("Relu", "r", "x"), node("Neg", "y", "r"))
	for at, want := range map[string]string{"r": "r", "x": "x", "node_r": "r"} {
		got, err := resolveLayer(m, at, map[string][]int{"x": {1, 3, 4, 4}})
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", at, got, err, want)
		}
	}
	if _, err := resolveLayer(m, "nonsense", map[string][]int{"x": {1, 3, 4, 4}}); err == nil {
		t.Error("a layer of no name was found")
	}
}

func TestLogits(t *testing.T) {
	for _, c := range []struct {
		nodes []*onnx.Node
		out   string
		want  string
		final Final
	}{
		{[]*onnx.Node{node("Gemm", "y", "x", "w")}, "y", "y", FinalNone},
		{[]*onnx.Node{node("Gemm", "y", "x", "w"), node("Softmax", "p", "y")}, "p", "y", FinalSoftmax},
		{[]*onnx.Node{node("Gemm", "y", "x", "w"), node("LogSoftmax", "p", "y"), node("Identity", "q", "p")}, "q", "y", FinalLogSoftmax},
		{[]*onnx.Node{node("Gemm", "y", "x", "w"), node("Sigmoid", "p", "y"), node("Squeeze", "q", "p")}, "q", "y", FinalSigmoid},
		{[]*onnx.Node{node("Gemm", "y", "x", "w"), node("Flatten", "q", "y")}, "q", "q", FinalNone},
		{nil, "x", "x", FinalNone},
	} {
		got, final, err := Logits(network(c.out, []int{-1, 3, 4, 4}, c.nodes...))
		if err != nil || got != c.want || final != c.final {
			t.Errorf("%s: %q behind %q, %v; want %q behind %q", c.out, got, final, err, c.want, c.final)
		}
	}
	if _, _, err := Logits(&onnx.Model{}); err == nil {
		t.Error("a model without graph has logits")
	}
}
