package finetune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// headLayer is one layer of a head.
type headLayer struct {
	units   int     // of a linear layer, else 0
	act     string  // an activation's name, else ""
	dropout float64 // share of values that training drops, else 0
	norm    bool    // batch normalisation
}

// erfSince is the first opset with Erf.
const erfSince = 9

// maxUnits bounds a linear layer of a head.
const maxUnits = 1 << 20

// parseHead reads a specification such as "256,relu,dropout=0.5": the layers before the last, which is always linear
// with one unit an output.
func parseHead(spec string) ([]headLayer, error) {
	spec = strings.TrimSpace(spec)
	if spec == "" || spec == "linear" {
		return nil, nil
	}
	var layers []headLayer
	for _, part := range strings.Split(spec, ",") {
		part = strings.TrimSpace(part)
		rate, isDropout := strings.CutPrefix(part, "dropout=")
		units, err := strconv.Atoi(part)
		switch {
		case err == nil && units >= 1 && units <= maxUnits:
			layers = append(layers, headLayer{units: units})
		case isDropout:
			p, err := strconv.ParseFloat(rate, 64)
			if err != nil || !(p >= 0 && p < 1) {
				return nil, fmt.Errorf("head %q: dropout=%s is not at least 0 and below 1", spec, rate)
			}
			layers = append(layers, headLayer{dropout: p})
		case activations[part] != nil:
			layers = append(layers, headLayer{act: part})
		case part == "batchnorm":
			layers = append(layers, headLayer{norm: true})
		default:
			return nil, fmt.Errorf("head %q: %q is neither a number of units (1 to %d), an activation (%s), batchnorm nor dropout=P", spec, part, maxUnits, activationNames())
		}
	}
	return layers, nil
}

// addHead appends a head to the graph: it reads value of that shape (with the batch first) and gives logits. The names
// of its weights are head.N.weight and head.N.bias, as those of a torch.nn.Sequential.
func (b *builder) addHead(value string, shape []int, pool string, layers []headLayer, outputs int, rng *rand.Rand) (string, error) {
	if len(shape) > 2 {
		spatial := onnx.NumElements(shape[2:])
		if spatial == 0 {
			return "", fmt.Errorf("the base gives a map of %v: the images are too small for this network", shape[1:])
		}
		switch pool {
		case "avg":
			value = b.node("GlobalAveragePool", []string{value})
			spatial = 1
		case "max":
			value = b.node("GlobalMaxPool", []string{value})
			spatial = 1
		}
		value = b.node("Flatten", []string{value})
		shape = []int{shape[0], shape[1] * spatial}
	}
	if len(shape) != 2 || shape[1] < 1 {
		return "", fmt.Errorf("the base gives values of shape %v, a head needs a row or a map for each image", shape)
	}
	width := shape[1]
	n := 0
	for _, l := range append(layers, headLayer{units: outputs}) {
		switch {
		case l.units > 0:
			if width > math.MaxInt32/l.units {
				return "", fmt.Errorf("head: a linear layer from %d to %d values is too large", width, l.units)
			}
			value = b.linear(value, fmt.Sprintf("head.%d", n), width, l.units, rng)
			width = l.units
		case l.act == "gelu" && b.opset < erfSince:
			return "", fmt.Errorf("head: gelu needs Erf, which is an operator since opset %d, and the network is of opset %d: take silu", erfSince, b.opset)
		case l.act != "":
			value = activations[l.act](b, value)
		case l.norm:
			value = b.batchNorm(value, fmt.Sprintf("head.%d", n), width)
		case l.dropout > 0:
			value = b.dropout(value, l.dropout)
		}
		n++
	}
	return value, nil
}

// linear appends a linear layer whose weights and biases are drawn as PyTorch's Linear draws them: evenly from
// ±1/sqrt(in), which is what Kaiming's rule with a = sqrt(5) comes to.
func (b *builder) linear(value, name string, in, out int, rng *rand.Rand) string {
	bound := 1 / math.Sqrt(float64(in))
	draw := func(name string, shape ...int) string {
		t := onnx.New(onnx.Float, shape...)
		t.Name = b.fresh(name)
		w := t.Float32s()
		for i := range w {
			w[i] = float32((2*rng.Float64() - 1) * bound)
		}
		b.g.Initializers = append(b.g.Initializers, t)
		b.head[t.Name] = true
		return t.Name
	}
	inputs := []string{value, draw(name+".weight", out, in), draw(name+".bias", out)}
	attrs := []*onnx.Attribute{op.Attr("transB", 1)}
	if b.opset < 7 {
		attrs = append(attrs, op.Attr("broadcast", 1))
	}
	return b.node("Gemm", inputs, attrs...)
}

// batchNorm appends a normalisation of each value over the batch, as PyTorch's BatchNorm1d begins: scale 1, shift 0, running
// mean 0 and variance 1. In training it uses the statistics of the batch.
func (b *builder) batchNorm(value, name string, width int) string {
	fill := func(what string, v float32) string {
		t := onnx.New(onnx.Float, width)
		t.Name = b.fresh(name + "." + what)
		for i := range t.Float32s() {
			t.Float32s()[i] = v
		}
		b.g.Initializers = append(b.g.Initializers, t)
		return t.Name
	}
	scale, bias := fill("weight", 1), fill("bias", 0)
	b.head[scale], b.head[bias] = true, true
	b.norms[scale] = true
	inputs := []string{value, scale, bias, fill("running_mean", 0), fill("running_var", 1)}
	if b.opset < 7 {
		return b.node("BatchNormalization", inputs, op.Attr("is_test", 1))
	}
	return b.node("BatchNormalization", inputs)
}

// dropout appends a Dropout, which runs as nothing everywhere but in training.
func (b *builder) dropout(value string, rate float64) string {
	switch {
	case b.opset >= 12:
		return b.node("Dropout", []string{value, b.scalar("head.dropout.ratio", rate)})
	case b.opset >= 7:
		return b.node("Dropout", []string{value}, op.Attr("ratio", float32(rate)))
	}
	return b.node("Dropout", []string{value}, op.Attr("ratio", float32(rate)), op.Attr("is_test", 1))
}

// builder appends nodes to a graph.
type builder struct {
	g     *onnx.Graph
	opset int
	taken map[string]bool
	head  map[string]bool // names of the head's weights
	norms map[string]bool // and of the scales of its normalisations
}

// fresh returns a name that no value has.
func (b *builder) fresh(name string) string {
	base := name
	for i := 1; b.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	b.taken[name] = true
	return name
}

// node appends a node and returns the name of its output.
func (b *builder) node(opType string, inputs []string, attrs ...*onnx.Attribute) string {
	out := b.fresh("/head/" + opType)
	b.g.Nodes = append(b.g.Nodes, &onnx.Node{Name: out, OpType: opType, Inputs: inputs, Outputs: []string{out}, Attrs: attrs})
	return out
}
