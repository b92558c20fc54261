package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Internal is the domain of the operators that only gradients and training use: their inputs and attributes may change
// from version to version, and no file has them.
const Internal = "onnxcnn"

// A Gradient is the rule by which the gradient of an operator's inputs follows from that of its outputs. It does not
// compute: it adds nodes to the training graph through g, so that forward, backward and update are planned as one.
//
// For every input that g.Wanted, it calls g.Set with the name of a value of that input's shape and type; an input that
// does not influence the outputs may be left out. An operator is refused in the trainable part where no rule exists.
type Gradient func(g *Grad) error

var gradients = map[[2]string]Gradient{}

// registerGrad gives an operator its gradient.
func registerGrad(domain, opType string, rule Gradient) {
	key := [2]string{domain, opType}
	if gradients[key] != nil {
		panic("op: gradient of " + opType + " registered twice")
	}
	gradients[key] = rule
}

// GradientOf returns the gradient rule of a node's operator, nil if there is none.
func GradientOf(n *onnx.Node) Gradient {
	domain := n.Domain
	if domain == "ai.onnx" {
		domain = ""
	}
	return gradients[[2]string{domain, n.OpType}]
}

// Grad is a node whose gradient is wanted, and the graph that it is added to.
type Grad struct {
	*Spec              // the node with its attributes and opset
	In      []Info     // types and shapes of the inputs, all known; values where they are constant
	Out     []Info     // and of the outputs
	Up      []string   // names of the gradients of the outputs; "" where an output does not influence the loss
	Want    []bool     // by input
	Down    []string   // by input: what Set was told
	Builder GradTarget // where nodes go
}

// GradTarget is a graph that gradient rules add nodes to.
type GradTarget interface {
	// Add appends a node; its domain's newest version holds. It names the outputs and returns the names.
	Add(n *onnx.Node, outputs int) []string
	// Const adds a constant and returns its name.
	Const(t *onnx.Tensor) string
}

// Wanted reports whether the gradient of an input is wanted.
func (g *Grad) Wanted(input int) bool { return input < len(g.Want) && g.Want[input] }

// Set says which value is the gradient of an input.
func (g *Grad) Set(input int, value string) { g.Down[input] = value }

// Input returns the name of an input of the node, "" where it is absent.
func (g *Grad) Input(i int) string {
	if i < len(g.Node.Inputs) {
		return g.Node.Inputs[i]
	}
	return ""
}

// Output returns the name of an output of the node.
func (g *Grad) Output(i int) string { return g.Node.Outputs[i] }

// Add adds a standard operator of the newest opset and returns the name of its first output. Attributes are given as
// for [Attr].
func (g *Grad) Add(opType string, inputs []string, attrs ...*onnx.Attribute) string {
	return g.Builder.Add(&onnx.Node{OpType: opType, Inputs: inputs, Attrs: attrs}, 1)[0]
}

// AddInternal adds an operator of the domain [Internal] and returns the names of its outputs.
func (g *Grad) AddInternal(opType string, outputs int, inputs []string, attrs ...*onnx.Attribute) []string {
	return g.Builder.Add(&onnx.Node{Domain: Internal, OpType: opType, Inputs: inputs, Attrs: attrs}, outputs)
}

// Scalar adds a constant of the same type as input 0.
func (g *Grad) Scalar(v float64) string {
	if g.In[0].Type == onnx.Double {
		return g.Builder.Const(onnx.Of([]int{}, []float64{v}))
	}
	return g.Builder.Const(onnx.Of([]int{}, []float32{float32(v)}))
}

// Ints adds a constant list of integers: axes, a shape.
func (g *Grad) Ints(v []int) string {
	list := make([]int64, len(v))
	for i, x := range v {
		list[i] = int64(x)
	}
	return g.Builder.Const(onnx.Of([]int{len(list)}, list))
}

// Reshape adds a node that gives value another shape.
func (g *Grad) Reshape(value string, shape []int) string {
	return g.Add("Reshape", []string{value, g.Ints(shape)}, Attr("allowzero", 1))
}

// SumTo adds what sums value, of shape from, to the shape to that was broadcast to it.
func (g *Grad) SumTo(value string, from, to []int) string {
	if sameShape(from, to) {
		return value
	}
	var axes []int
	lead := len(from) - len(to)
	for i := range from {
		if i < lead || to[i-lead] == 1 && from[i] != 1 {
			axes = append(axes, i)
		}
	}
	if len(axes) > 0 {
		value = g.Add("ReduceSum", []string{value, g.Ints(axes)}, Attr("keepdims", 1))
	}
	if lead > 0 {
		value = g.Reshape(value, to)
	}
	return value
}

// Attr makes an attribute: of an int, []int, float32, []float32 or string.
func Attr(name string, v any) *onnx.Attribute {
	a := &onnx.Attribute{Name: name}
	switch v := v.(type) {
	case int:
		a.Type, a.I = onnx.AttrInt, int64(v)
	case []int:
		a.Type, a.Ints = onnx.AttrInts, make([]int64, len(v))
		for i, x := range v {
			a.Ints[i] = int64(x)
		}
	case float32:
		a.Type, a.F = onnx.AttrFloat, v
	case []float32:
		a.Type, a.Floats = onnx.AttrFloats, v
	case string:
		a.Type, a.S = onnx.AttrString, []byte(v)
	default:
		panic(fmt.Sprintf("op.Attr: %s of type %T", name, v))
	}
	return a
}

// MakeGrad prepares the gradient of a node: opset is that of the node, up and want are as in [Grad].
func MakeGrad(n *onnx.Node, opset int, in, out []Info, up []string, want []bool, to GradTarget) *Grad {
	return &Grad{Spec: &Spec{Node: n, Opset: opset, used: map[string]bool{}}, In: in, Out: out, Up: up, Want: want,
		Down: make([]string, len(in)), Builder: to}
}

// Err returns what the getters of attributes have found wrong.
func (g *Grad) Err() error {
	for _, err := range g.errs {
		return err
	}
	return nil
}
