package convert

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// editor changes one graph of a model.
type editor struct {
	g      *onnx.Graph
	outer  *editor // of the graph around a sub-graph
	taken  map[string]bool
	infos  map[string]op.Info // of the model's graph before changes, free dimensions having example sizes; nil where they are not known
	others map[string]op.Info // the same with other example sizes
	before map[string]bool    // values that were read before
}

// edit returns a copy of a model that can be changed without changing the model (tensors are shared, and to be replaced,
// not written to), functions inlined, and its editor.
func edit(m *onnx.Model) (*onnx.Model, *editor, error) {
	m, err := m.Inlined()
	if err != nil {
		return nil, nil, err
	}
	if m.Graph == nil {
		return nil, nil, fmt.Errorf("the model has no graph")
	}
	c := *m
	c.Graph = m.Graph.Clone()
	c.Opsets = slices.Clone(m.Opsets)
	c.Metadata = slices.Clone(m.Metadata)
	// Before version 4 of the format every initializer had to be an input, too.
	c.IRVersion = max(c.IRVersion, 4)
	nodes, err := c.Graph.Sort()
	if err != nil {
		return nil, nil, err
	}
	c.Graph.Nodes = nodes
	e := newEditor(c.Graph, nil)
	// Of a model that the engine does not know less is possible.
	e.infos, _ = graph.Values(&c, nil)
	e.others, _ = graph.Values(&c, otherSizes(c.Graph))
	return &c, e, nil
}

// otherSizes returns shapes for the inputs with free dimensions, other ones than [graph.Values] takes as examples.
func otherSizes(g *onnx.Graph) map[string][]int {
	shapes := map[string][]int{}
	for _, v := range g.RequiredInputs() {
		if v.Type == nil || !v.Type.HasShape {
			continue
		}
		var shape []int
		for k, d := range v.Type.Shape {
			switch {
			case d.Size >= 0 && d.Param == "":
			case k == 0:
				d.Size = 7
			default:
				d.Size = 256
			}
			shape = append(shape, d.Size)
		}
		shapes[v.Name] = shape
	}
	return shapes
}

func newEditor(g *onnx.Graph, outer *editor) *editor {
	e := &editor{g: g, outer: outer, before: map[string]bool{}}
	if outer != nil {
		e.taken = outer.taken
	} else {
		e.taken = map[string]bool{}
	}
	e.takeNames(g)
	for _, n := range g.Nodes {
		for in := range n.Uses() {
			e.before[in] = true
		}
	}
	return e
}

func (e *editor) takeNames(g *onnx.Graph) {
	for _, v := range g.Inputs {
		e.taken[v.Name] = true
	}
	for _, t := range g.Initializers {
		e.taken[t.Name] = true
	}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			e.taken[o] = true
		}
		for s := range n.Subgraphs() {
			e.takeNames(s)
		}
	}
}

// fresh returns a name that no value has.
func (e *editor) fresh(base string) string {
	name := base
	for i := 1; e.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	e.taken[name] = true
	return name
}

// constant adds a tensor to the graph and returns its name.
func (e *editor) constant(base string, t *onnx.Tensor) string {
	c := *t
	c.Name = e.fresh(base)
	e.g.Initializers = append(e.g.Initializers, &c)
	return c.Name
}

func (e *editor) ints(base string, v []int64) string {
	return e.constant(base, onnx.Of([]int{len(v)}, v))
}

// float adds a number in the type of a value, float32 where that is not known. Shape is [] or [1].
func (e *editor) float(base, like string, v float32, shape ...int) (string, error) {
	t, err := op.CastTensor(onnx.Of(slices.Clone(shape), []float32{v}), e.typeOf(like))
	if err != nil {
		return "", err
	}
	return e.constant(base, t), nil
}

// node makes a node beside n: its one output is named after n's first.
func (e *editor) node(n *onnx.Node, opType string, inputs []string, attrs ...*onnx.Attribute) *onnx.Node {
	out := e.fresh(n.Outputs[0] + "/" + opType)
	return &onnx.Node{Name: out, OpType: opType, Inputs: inputs, Outputs: []string{out}, Attrs: attrs}
}

// info returns what is known of a value.
func (e *editor) info(value string) (op.Info, bool) {
	for ; e != nil; e = e.outer {
		if i, ok := e.infos[value]; ok {
			return i, true
		}
	}
	return op.Info{}, false
}

// rank returns the number of a value's dimensions.
func (e *editor) rank(value string) (int, bool) {
	i, ok := e.info(value)
	return len(i.Shape), ok && !i.Dynamic
}

// dims returns the sizes of a value's dimensions, -1 for those that depend on free ones of the inputs; false where not even
// the rank is known.
func (e *editor) dims(value string) ([]int, bool) {
	i, ok := e.info(value)
	if !ok || i.Dynamic {
		return nil, false
	}
	root := e
	for root.outer != nil {
		root = root.outer
	}
	o := root.others[value]
	out := make([]int, len(i.Shape))
	for k, d := range i.Shape {
		out[k] = -1
		if !o.Dynamic && len(o.Shape) == len(i.Shape) && o.Shape[k] == d {
			out[k] = d
		}
	}
	return out, true
}

// typeOf returns the element type of a value, float32 where it is not known.
func (e *editor) typeOf(value string) onnx.DataType {
	if i, ok := e.info(value); ok && i.Type != onnx.Undefined {
		return i.Type
	}
	return onnx.Float
}

// value returns a constant, also one that is computed whatever sizes the inputs have; nil where the value is none.
func (e *editor) value(name string) *onnx.Tensor {
	if name == "" {
		return nil
	}
	for ; e != nil; e = e.outer {
		for _, n := range e.g.Nodes {
			if n.OpType == "Constant" && len(n.Outputs) == 1 && n.Outputs[0] == name {
				if t, err := op.ConstantValue(n); err == nil {
					return t
				}
			}
		}
		if t := e.g.Initializer(name); t != nil {
			return t
		}
		if t, o := e.infos[name].Value, e.others[name].Value; t != nil && o != nil &&
			t.Type == o.Type && slices.Equal(t.Shape, o.Shape) && bytes.Equal(t.Raw, o.Raw) && t.Type != onnx.String {
			return t
		}
	}
	return nil
}

// intsOf returns a constant list of integers.
func (e *editor) intsOf(name string) ([]int64, bool) {
	t := e.value(name)
	if t == nil {
		return nil, false
	}
	t, err := op.CastTensor(t, onnx.Int64)
	if err != nil || len(t.Shape) > 1 {
		return nil, false
	}
	return t.Int64s(), true
}

// floatOf returns a constant number.
func (e *editor) floatOf(name string) (float32, bool) {
	t := e.value(name)
	if t == nil || t.Len() != 1 {
		return 0, false
	}
	t, err := op.CastTensor(t, onnx.Float)
	if err != nil {
		return 0, false
	}
	return t.Float32s()[0], true
}

// readCounts counts the nodes of the graph that read each value, its sub-graphs included, and its outputs.
func readCounts(g *onnx.Graph) map[string]int {
	r := map[string]int{}
	for _, n := range g.Nodes {
		for in := range n.Uses() {
			r[in]++
		}
	}
	for _, v := range g.Outputs {
		r[v.Name]++
	}
	return r
}

// sweep drops constants that were read and are no more, and nodes that are left without readers by that.
func (e *editor) sweep() {
	for again := true; again; {
		again = false
		read := readCounts(e.g)
		e.g.Nodes = slices.DeleteFunc(e.g.Nodes, func(n *onnx.Node) bool {
			for _, o := range n.Outputs {
				if o == "" {
					continue
				}
				if read[o] > 0 || !e.before[o] {
					return false
				}
			}
			again = true
			return true
		})
	}
	read := readCounts(e.g)
	gone := map[string]bool{}
	e.g.Initializers = slices.DeleteFunc(e.g.Initializers, func(t *onnx.Tensor) bool {
		gone[t.Name] = read[t.Name] == 0 && e.before[t.Name]
		return gone[t.Name]
	})
	e.g.Inputs = slices.DeleteFunc(e.g.Inputs, func(v *onnx.Value) bool { return gone[v.Name] })
	made := map[string]bool{}
	for _, n := range e.g.Nodes {
		for _, o := range n.Outputs {
			made[o] = true
		}
	}
	e.g.ValueInfo = slices.DeleteFunc(e.g.ValueInfo, func(v *onnx.Value) bool { return !made[v.Name] })
}

// input returns the name of an input, "" where it is left out.
func input(n *onnx.Node, i int) string {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return ""
}

// setInput sets an input, with those before it left out.
func setInput(n *onnx.Node, i int, name string) {
	for len(n.Inputs) <= i {
		n.Inputs = append(n.Inputs, "")
	}
	n.Inputs[i] = name
}

// trimInputs takes inputs that are left out from the end.
func trimInputs(n *onnx.Node) {
	for len(n.Inputs) > 0 && n.Inputs[len(n.Inputs)-1] == "" {
		n.Inputs = n.Inputs[:len(n.Inputs)-1]
	}
}

// takeAttr removes an attribute from a node and returns it, nil where it is not there.
func takeAttr(n *onnx.Node, name string) *onnx.Attribute {
	i := slices.IndexFunc(n.Attrs, func(a *onnx.Attribute) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	a := n.Attrs[i]
	n.Attrs = slices.Delete(slices.Clone(n.Attrs), i, i+1)
	return a
}

// setAttr sets an attribute in place of one of that name.
func setAttr(n *onnx.Node, a *onnx.Attribute) {
	takeAttr(n, a.Name)
	n.Attrs = append(slices.Clone(n.Attrs), a)
}

// int64s makes an attribute of integers.
func int64s(name string, v []int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: slices.Clone(v)}
}

// intAttr returns an integer attribute's value.
func intAttr(n *onnx.Node, name string, def int64) int64 {
	if a := n.Attr(name); a != nil && a.Type == onnx.AttrInt {
		return a.I
	}
	return def
}

// isONNX reports whether a domain is that of the ONNX operators.
func isONNX(domain string) bool { return domain == "" || domain == "ai.onnx" }
