package features

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/walk"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// DefaultLayer returns the name of the value whose features are taken when no layer is named: the input of the
// network's classifier. That is the flattened global pool of a ResNet or Inception (2048 columns for ResNet50), the
// 4096 values before the last Gemm of VGG16, the last feature map of SqueezeNet, whose classifier is a convolution.
//
// The classifier is the last Gemm or MatMul, or the last 1x1 convolution, if between it and the network's first output
// there are only a bias, a softmax or sigmoid, and changes of shape or type. A 1x1 convolution also counts before the
// global pool, if a Relu at most lies between and it has as many channels as there are classes: the number of labels
// in the model's metadata, or 1000 or 1001, ImageNet's. A classifier of nearest neighbours (TopK, and Gather of their votes)
// and one that compares directions (rows divided by their lengths before the Gemm) count with all of that, as do two
// classifiers of the same features whose sum is taken (LeViT, EfficientFormer), with a normalisation each. A network
// without a classifier gives its first output.
func DefaultLayer(m *onnx.Model) (string, error) {
	g := m.Graph
	if g == nil || len(g.Outputs) == 0 {
		return "", fmt.Errorf("the network has no output")
	}
	out := g.Outputs[0].Name
	p := newProducers(g)
	if in := p.classified(m, out, true); in != "" {
		return in, nil
	}
	return out, nil
}

// classified returns the features that the classifier before an output gets, "" where there is none. A sum may be of two
// classifiers where pair says so.
func (p producers) classified(m *onnx.Model, out string, pair bool) string {
	n := findClassifier(m, p, out)
	if n == nil {
		return ""
	}
	if n.OpType != "Add" {
		return p.unscaled(p.unquantised(dataInput(p, n)))
	}
	if !pair || len(n.Inputs) != 2 {
		return ""
	}
	a, b := p.classified(m, n.Inputs[0], false), p.classified(m, n.Inputs[1], false)
	if a != b {
		a, b = p.unnormalised(a), p.unnormalised(b)
	}
	if a != b {
		return ""
	}
	return a
}

// unquantised returns what a value was before the network quantised it as it runs, or else the value.
func (p producers) unquantised(value string) string {
	if n := p.node[value]; n != nil && n.OpType == "DynamicQuantizeLinear" && len(n.Inputs) > 0 {
		return n.Inputs[0]
	}
	return value
}

// unnormalised returns what a batch normalisation makes a value of, or else the value.
func (p producers) unnormalised(value string) string {
	if n := p.node[value]; n != nil && n.OpType == "BatchNormalization" && len(n.Inputs) > 0 {
		return n.Inputs[0]
	}
	return value
}

// unscaled returns the rows that a value has divided by their own lengths, or else the value.
func (p producers) unscaled(value string) string {
	div := p.node[value]
	if div == nil || div.OpType != "Div" || len(div.Inputs) != 2 {
		return value
	}
	length := p.node[div.Inputs[1]]
	for length != nil && slices.Contains([]string{"Add", "Max", "Clip"}, length.OpType) { // what keeps it from being 0
		length = p.node[dataInput(p, length)]
	}
	if length == nil || length.OpType != "ReduceL2" || dataInput(p, length) != div.Inputs[0] {
		return value
	}
	return div.Inputs[0]
}

// producers tells which node computes a value and which values are constant.
type producers struct {
	node  map[string]*onnx.Node
	fixed map[string]*onnx.Tensor // initializers and Constant nodes
}

func newProducers(g *onnx.Graph) producers {
	w := walk.New(g)
	p := producers{w.Node, w.Weights}
	for _, n := range g.Nodes {
		if n.OpType == "Constant" && len(n.Outputs) == 1 {
			t := &onnx.Tensor{}
			if a := n.Attr("value"); a != nil && a.Tensor != nil {
				t = a.Tensor
			}
			p.fixed[n.Outputs[0]] = t
		}
	}
	return p
}

// constant reports whether a value is one of the weights, perhaps renamed or dequantised, or says how the network quantises its
// values as it runs: a scale or zero point of DynamicQuantizeLinear, perhaps times a weight's.
func (p producers) constant(name string) bool {
	for range len(p.node) + 1 {
		if _, ok := p.fixed[name]; ok {
			return true
		}
		n := p.node[name]
		if n != nil && n.OpType == "DynamicQuantizeLinear" {
			return n.Outputs[0] != name
		}
		if n != nil && n.OpType == "Mul" && len(n.Inputs) == 2 {
			if _, ok := p.fixed[n.Inputs[1]]; ok {
				name = n.Inputs[0]
				continue
			}
		}
		if n == nil || len(n.Inputs) == 0 || !slices.Contains([]string{"Identity", "DequantizeLinear", "Cast", "Transpose", "Reshape"}, n.OpType) {
			return false
		}
		name = n.Inputs[0]
	}
	return false
}

// weightShape returns the shape of a weight, nil where it is not known without computing.
func (p producers) weightShape(name string) []int {
	for range len(p.node) + 1 {
		if t := p.fixed[name]; t != nil {
			return t.Shape
		}
		n := p.node[name]
		if n == nil || len(n.Inputs) == 0 || n.OpType == "Transpose" || n.OpType == "Reshape" {
			return nil
		}
		name = n.Inputs[0]
	}
	return nil
}

// dataInput returns the input of a node that is no weight.
func dataInput(p producers, n *onnx.Node) string {
	for _, in := range n.Inputs {
		if in != "" && !p.constant(in) {
			return in
		}
	}
	return ""
}

// one reports whether a node has exactly one input that is no weight.
func one(p producers, n *onnx.Node) bool {
	varying := 0
	for _, in := range n.Inputs {
		if in != "" && !p.constant(in) {
			varying++
		}
	}
	return varying == 1
}

// findClassifier walks from an output towards the input; see DefaultLayer for where it stops. It also returns an Add of two
// values, which may be those of two classifiers.
func findClassifier(m *onnx.Model, p producers, out string) *onnx.Node {
	labels := []int{1000, 1001}
	if n := labelCount(m); n > 0 {
		labels = []int{n}
	}
	pooled, relu := false, false // seen on the way
	name := out
	for range len(p.node) + 1 {
		n := p.node[name]
		if n == nil {
			return nil
		}
		switch n.OpType {
		case "Gather": // votes of the nearest
			if len(n.Inputs) < 2 || !p.constant(n.Inputs[0]) {
				return nil
			}
			pooled, name = false, n.Inputs[1] // what was pooled were votes
			continue
		case "TopK":
			name = n.Inputs[0]
			continue
		case "Softmax", "LogSoftmax", "Log", "Sigmoid", "Identity", "Cast", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "DequantizeLinear", "QuantizeLinear":
		case "Reshape", "Transpose":
			// The target shape may be computed from the data's own.
			if len(n.Inputs) == 0 {
				return nil
			}
			name = n.Inputs[0]
			continue
		case "Add", "Sub", "Mul", "Div":
			if !one(p, n) {
				if n.OpType == "Add" && !pooled {
					return n
				}
				return nil
			}
		case "Relu":
			if !pooled || relu {
				return nil
			}
			relu = true
		case "GlobalAveragePool", "AveragePool", "ReduceMean":
			if pooled {
				return nil
			}
			pooled = true
		case "Gemm", "MatMul", "QLinearMatMul", "QGemm", "MatMulInteger":
			if pooled || !one(p, n) {
				return nil
			}
			return n
		case "Conv", "QLinearConv", "FusedConv":
			w := 1
			if n.OpType == "QLinearConv" {
				w = 3
			}
			if len(n.Inputs) <= w {
				return nil
			}
			shape := p.weightShape(n.Inputs[w])
			if len(shape) < 3 || onnx.NumElements(shape[2:]) != 1 || pooled && !slices.Contains(labels, shape[0]) {
				return nil
			}
			return n
		default:
			return nil
		}
		if name = dataInput(p, n); name == "" {
			return nil
		}
	}
	return nil
}

// resolveLayer returns the name of the value that a selection means: any value of the graph by its own name, else
// what [backend.FindLayer] finds.
func resolveLayer(m *onnx.Model, at string, inputs map[string][]int) (string, error) {
	p := newProducers(m.Graph)
	if p.node[at] != nil || slices.ContainsFunc(m.Graph.Inputs, func(v *onnx.Value) bool { return v.Name == at }) {
		return at, nil
	}
	layers, err := backend.Layers(m, inputs)
	if err != nil {
		return "", err
	}
	l, err := backend.FindLayer(layers, at)
	if err != nil {
		return "", err
	}
	return l.Output, nil
}

// ChannelsLast reports whether a value of rank 4 has its channels last: it walks towards the input up to the first
// node that fixes the order. tf2onnx keeps the network's input NHWC, transposes it, and transposes back at the end.
// inputLast says whether the input itself has them last.
func ChannelsLast(m *onnx.Model, name string, inputLast bool) bool {
	p := newProducers(m.Graph)
	for range len(p.node) + 1 {
		n := p.node[name]
		if n == nil {
			return inputLast
		}
		switch {
		case n.OpType == "Transpose":
			if a := n.Attr("perm"); a != nil {
				if slices.Equal(a.Ints, []int64{0, 2, 3, 1}) {
					return true
				}
				if slices.Equal(a.Ints, []int64{0, 3, 1, 2}) {
					return false
				}
			}
		case strings.Contains(n.OpType, "Conv"), strings.HasSuffix(n.OpType, "Pool"), n.OpType == "BatchNormalization",
			n.OpType == "LRN", n.OpType == "InstanceNormalization", n.OpType == "DepthToSpace", n.OpType == "SpaceToDepth":
			return false // ONNX defines these for channels at axis 1 only
		}
		if name = dataInput(p, n); name == "" {
			return inputLast
		}
	}
	return inputLast
}
