package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"sort"

	onnxgo "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"gorgonia.org/tensor"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Options say how a graph runs. The zero value is the native engine on all processors.
type Options struct {
	Provider string // as [backend.Options] has it
	Threads  int    // 0: one a processor

	// Opset is the version of the operator set that the file imports. onnx-go does not hand it on: 0 takes the oldest
	// version from 9 on (the one that onnx-go was written for) in which all operations have the form that they have in
	// the file. Set it where operations of one form changed their meaning, as Softmax did with version 13.
	Opset int

	Warn func(string) // told of leniencies; may be nil
}

// Graph is a computation backend for onnx-go: onnx.NewModel fills it, Run computes it. It is not safe for concurrent
// use, as backends of onnx-go are not.
type Graph struct {
	// The topology, for programs that walk it. An edge runs from a value to one that it is computed from; its weight is
	// the position of that input. Where a value is used twice by one operation the last position stays.
	*simple.WeightedDirectedGraph

	options    Options
	nodes      []*Node
	operations []*operation

	session backend.Session
	feeds   []*Node // inputs of session
	wants   []*Node // outputs of session
	stale   bool    // feeds or wants may have to change
	ran     bool
}

// operation is an application of an operator.
type operation struct {
	op      string
	attrs   []*onnx.Attribute
	inputs  []*Node
	outputs []*Node
}

// NewGraph returns an empty graph that runs on the native engine.
func NewGraph() *Graph { return New(Options{}) }

// New returns an empty graph.
func New(o Options) *Graph {
	return &Graph{WeightedDirectedGraph: simple.NewWeightedDirectedGraph(0, -1), options: o, stale: true}
}

// NewNode returns a node that is not in the graph yet.
func (g *Graph) NewNode() graph.Node {
	return &Node{id: g.WeightedDirectedGraph.NewNode().ID(), graph: g}
}

// AddNode puts a node that NewNode returned into the graph.
func (g *Graph) AddNode(n graph.Node) {
	g.WeightedDirectedGraph.AddNode(n)
	if own, ok := n.(*Node); ok {
		g.nodes = append(g.nodes, own)
	}
}

// SetWeightedEdge makes the value e.To() the input number e.Weight() of the operation that computes e.From().
func (g *Graph) SetWeightedEdge(e graph.WeightedEdge) {
	from, ok1 := e.From().(*Node)
	to, ok2 := e.To().(*Node)
	if i := int(e.Weight()); ok1 && ok2 && i >= 0 && i == len(from.inputs) {
		from.inputs = append(from.inputs, to)
	}
	if e.From().ID() != e.To().ID() { // a value that is computed from itself is found when the graph is compiled
		g.WeightedDirectedGraph.SetWeightedEdge(e)
	}
}

// ApplyOperation says that an operation computes the outputs, from the inputs that their edges lead to. The error is an
// *onnx.ErrNotImplemented where this engine does not have the operator.
func (g *Graph) ApplyOperation(o onnxgo.Operation, outputs ...graph.Node) error {
	def := op.Lookup("", o.Name)
	if def == nil {
		return &onnxgo.ErrNotImplemented{Operator: o.Name, Message: "this engine does not have it"}
	}
	if len(outputs) == 0 {
		return fmt.Errorf("onnxgo: operation %s has no outputs", o.Name)
	}
	attrs, err := attributes(o)
	if err != nil {
		return err
	}
	a := &operation{op: o.Name, attrs: attrs}
	for i, n := range outputs {
		own, ok := n.(*Node)
		if !ok || own.graph != g {
			return fmt.Errorf("onnxgo: operation %s: output %d is not a node of this graph", o.Name, i)
		}
		if own.producer != nil {
			return fmt.Errorf("onnxgo: value %q is computed by %s and by %s", own.name, own.producer.op, o.Name)
		}
		// onnx-go makes up an input for operations that have none.
		if i == 0 && def.MaxIn > 0 {
			a.inputs = own.inputs
		}
		own.inputs = nil
		a.outputs = append(a.outputs, own)
	}
	for _, n := range a.outputs {
		if n.name != "" {
			n.producer = a
		}
	}
	for _, n := range a.inputs {
		n.consumed = true
	}
	g.operations = append(g.operations, a)
	g.stale = true
	return nil
}

// Run computes the values that no operation reads, from the tensors that are set. The first run compiles the graph;
// later ones use that again, until another value is set or asked for.
func (g *Graph) Run() error {
	if g.stale || g.missing() {
		if err := g.compile(); err != nil {
			return fmt.Errorf("onnxgo: %w", err)
		}
	}
	in := map[string]*onnx.Tensor{}
	for _, n := range g.feeds {
		t, err := fromTensor(n.value)
		if err != nil {
			return fmt.Errorf("onnxgo: value %q: %w", n.name, err)
		}
		in[n.name] = t
	}
	out, err := g.session.Run(context.Background(), in)
	if err != nil {
		return fmt.Errorf("onnxgo: %w", err)
	}
	for _, n := range g.nodes {
		n.result = nil
	}
	for _, n := range g.wants {
		if n.result, err = toTensor(out[n.name]); err != nil {
			return fmt.Errorf("onnxgo: value %q: %w", n.name, err)
		}
	}
	g.ran = true
	return nil
}

// Close lets go of the compiled graph. A later Run compiles it again.
func (g *Graph) Close() error {
	if g.session == nil {
		return nil
	}
	err := g.session.Close()
	g.session, g.stale = nil, true
	return err
}

// missing reports whether a value is wanted that the session does not compute.
func (g *Graph) missing() bool {
	return len(g.outputs()) != len(g.wants)
}

// outputs returns the values that a run computes for the program.
func (g *Graph) outputs() []*Node {
	var out []*Node
	for _, n := range g.nodes {
		if n.producer != nil && (!n.consumed || n.wanted) {
			out = append(out, n)
		}
	}
	return out
}

// compile opens a session for the graph as it is, if that differs from what the last one was opened for.
func (g *Graph) compile() error {
	m, feeds, err := g.model()
	if err != nil {
		return err
	}
	wants := g.outputs()
	if len(wants) == 0 {
		return errors.New("the graph has no outputs")
	}
	names := make([]string, len(wants))
	for i, n := range wants {
		names[i] = n.name
	}
	if err := g.Close(); err != nil {
		return err
	}
	o := backend.Options{Provider: g.options.Provider, Threads: g.options.Threads, Outputs: names, Warn: g.options.Warn}
	if g.session, err = backend.Open(m, o); err != nil {
		return err
	}
	g.feeds, g.wants, g.stale = feeds, wants, false
	return nil
}

// model returns the graph as an ONNX model, and the nodes that are its inputs.
func (g *Graph) model() (*onnx.Model, []*Node, error) {
	m := &onnx.Model{IRVersion: 8, Graph: &onnx.Graph{Name: "onnx-go"}}
	var feeds []*Node
	for _, n := range g.nodes {
		if n.producer != nil || !n.consumed || n.name == "" {
			continue
		}
		if n.value == nil {
			return nil, nil, fmt.Errorf("value %q has no tensor: set it before the graph runs", n.name)
		}
		t, err := fromTensor(n.value)
		if err != nil {
			return nil, nil, fmt.Errorf("value %q: %w", n.name, err)
		}
		t.Name = n.name
		if !n.fed {
			m.Graph.Initializers = append(m.Graph.Initializers, t)
			continue
		}
		feeds = append(feeds, n)
		m.Graph.Inputs = append(m.Graph.Inputs, declare(n.name, t))
	}
	for _, a := range g.operations {
		m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{OpType: a.op, Attrs: a.attrs, Inputs: names(a.inputs), Outputs: names(a.outputs)})
	}
	for _, n := range g.outputs() {
		m.Graph.Outputs = append(m.Graph.Outputs, &onnx.Value{Name: n.name})
	}
	opset := g.options.Opset
	if opset == 0 {
		opset = guessOpset(m.Graph.Nodes)
	}
	m.Opsets = []onnx.Opset{{Version: int64(opset)}}
	return m, feeds, nil
}

// declare returns the declaration of an input that tensors of t's type and rank fit.
func declare(name string, t *onnx.Tensor) *onnx.Value {
	shape := make([]onnx.Dim, len(t.Shape))
	for i := range shape {
		shape[i] = onnx.Dim{Size: -1, Param: fmt.Sprintf("%s_%d", name, i)}
	}
	return &onnx.Value{Name: name, Type: &onnx.Type{Elem: t.Type, HasShape: true, Shape: shape}}
}

// names returns the names of the values, without those at the end that are left out.
func names(nodes []*Node) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.name)
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// attributes returns the attributes of an operation as ONNX has them, sorted by name.
func attributes(o onnxgo.Operation) ([]*onnx.Attribute, error) {
	var out []*onnx.Attribute
	for name, v := range o.Attributes {
		a := &onnx.Attribute{Name: name}
		switch v := v.(type) {
		case float32:
			a.Type, a.F = onnx.AttrFloat, v
		case int64:
			a.Type, a.I = onnx.AttrInt, v
		case string:
			a.Type, a.S = onnx.AttrString, []byte(v)
		case []float32:
			a.Type, a.Floats = onnx.AttrFloats, v
		case []int64:
			a.Type, a.Ints = onnx.AttrInts, v
		case []string:
			a.Type = onnx.AttrStrings
			for _, s := range v {
				a.Strings = append(a.Strings, []byte(s))
			}
		case tensor.Tensor:
			t, err := fromTensor(v)
			if err != nil {
				return nil, fmt.Errorf("onnxgo: operation %s: attribute %q: %w", o.Name, name, err)
			}
			a.Type, a.Tensor = onnx.AttrTensor, t
		default:
			return nil, &onnxgo.ErrNotImplemented{Operator: o.Name, AttributeName: name, AttributeValue: v,
				Message: fmt.Sprintf("an attribute of Go type %T", v)}
		}
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}
