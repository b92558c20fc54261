package finetune

import (
	"math"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// activations are the names that heads know, with what appends them to a graph. They compute what PyTorch's modules of
// these names compute with their defaults, by operators that the opsets of old networks have, too.
var activations = map[string]func(b *builder, value string) string{
	"relu":      plainActivation("Relu"),
	"leakyrelu": plainActivation("LeakyRelu"), // 0.01 below 0, PyTorch's default and ONNX's
	"elu":       plainActivation("Elu"),
	"selu":      plainActivation("Selu"),
	"tanh":      plainActivation("Tanh"),
	"sigmoid":   plainActivation("Sigmoid"),
	"softplus":  plainActivation("Softplus"),
	"relu6":     (*builder).relu6,
	"gelu":      (*builder).gelu,
	"silu": func(b *builder, value string) string {
		return b.node("Mul", []string{value, b.node("Sigmoid", []string{value})})
	},
	"hardswish": func(b *builder, value string) string {
		return b.node("Mul", []string{value, b.node("HardSigmoid", []string{value}, op.Attr("alpha", float32(1.0/6)), op.Attr("beta", float32(0.5)))})
	},
}

// activationNames lists what activations knows, for messages.
func activationNames() string {
	var names []string
	for name := range activations {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func plainActivation(opType string) func(*builder, string) string {
	return func(b *builder, value string) string { return b.node(opType, []string{value}) }
}

// relu6 limits values to 0 up to 6. The limits are attributes before opset 11.
func (b *builder) relu6(value string) string {
	if b.opset < 11 {
		return b.node("Clip", []string{value}, op.Attr("min", float32(0)), op.Attr("max", float32(6)))
	}
	return b.node("Clip", []string{value, b.scalar("head.min", 0), b.scalar("head.max", 6)})
}

// gelu is x*Phi(x), Phi being the normal distribution: x/2 * (1 + erf(x/sqrt 2)). (Gelu is an operator since opset 20 only.)
func (b *builder) gelu(value string) string {
	erf := b.node("Erf", []string{b.node("Mul", []string{value, b.scalar("head.gelu.root", math.Sqrt2/2)})})
	share := b.node("Add", []string{erf, b.scalar("head.gelu.one", 1)})
	half := b.node("Mul", []string{value, b.scalar("head.gelu.half", 0.5)})
	return b.node("Mul", []string{half, share})
}

// scalar adds a constant to the graph and returns its name.
func (b *builder) scalar(name string, v float64) string {
	t := onnx.Of([]int{}, []float32{float32(v)})
	t.Name = b.fresh(name)
	b.g.Initializers = append(b.g.Initializers, t)
	return t.Name
}
