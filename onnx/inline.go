package onnx

import (
	"fmt"
	"slices"
	"strconv"
)

// maxInlined bounds the memory, in bytes, that inlining may take for nodes and names; maxCalls how deep functions
// call each other.
const (
	maxInlined = 256 << 20
	maxCalls   = 64
)

// funcKey identifies an operator or a function.
type funcKey struct{ domain, name, overload string }

func keyOf(domain, name, overload string) funcKey {
	if domain == "ai.onnx" {
		domain = ""
	}
	return funcKey{domain, name, overload}
}

// Function returns the model-local function of that domain, name and overload, nil if there is none.
func (m *Model) Function(domain, name, overload string) *Function {
	key := keyOf(domain, name, overload)
	for _, f := range m.Functions {
		if keyOf(f.Domain, f.Name, f.Overload) == key {
			return f
		}
	}
	return nil
}

// Inlined returns the model with every call of a model-local function replaced by the function's nodes, in subgraphs
// and in functions as well, and without functions; m itself if it has none. Values and nodes of a body are named
// after the call: "call/inner". Neither m nor anything it holds is changed; the copy shares tensors with m, and the
// file that it was read from.
//
// Functions that call themselves, that are written in another version of an operator set than the model, or that
// expand without measure are errors.
func (m *Model) Inlined() (*Model, error) { return m.inlined(maxInlined) }

func (m *Model) inlined(budget int) (*Model, error) {
	if len(m.Functions) == 0 || m.Graph == nil {
		return m, nil
	}
	in := &inliner{
		funcs:  make(map[funcKey]*Function, len(m.Functions)),
		values: map[string]int{},
		names:  map[string]int{},
		limit:  budget,
		budget: budget,
		opsets: slices.Clone(m.Opsets),
	}
	for _, f := range m.Functions {
		in.funcs[keyOf(f.Domain, f.Name, f.Overload)] = f
	}
	in.reserve(m.Graph)
	g, err := in.graph(m.Graph, nil)
	if err != nil {
		return nil, err
	}
	c := *m
	c.Graph, c.Functions, c.Opsets = g, nil, in.opsets
	return &c, nil
}

type inliner struct {
	funcs  map[funcKey]*Function
	values map[string]int // names that are taken, of values and of nodes, with the number to try next behind them
	names  map[string]int
	limit  int // in bytes
	budget int // what is left of it
	opsets []Opset
}

// reserve takes the names of a graph and its subgraphs.
func (in *inliner) reserve(g *Graph) {
	for name := range g.defined() {
		in.values[name] = 1
	}
	for _, n := range g.Nodes {
		in.names[n.Name] = 1
		for s := range n.Subgraphs() {
			in.reserve(s)
		}
	}
}

// unique returns name, with a number behind it if it is taken.
func (in *inliner) unique(taken map[string]int, name string) string {
	free := name
	for taken[free] > 0 {
		free = name + "_" + strconv.Itoa(taken[name])
		taken[name]++
	}
	taken[free] = 1
	in.budget -= 64 + len(free)
	return free
}

// graph returns a copy of g without calls. calls lists the functions whose bodies it lies in.
func (in *inliner) graph(g *Graph, calls []*Function) (*Graph, error) {
	c := *g
	c.ValueInfo = slices.Clip(g.ValueInfo)
	var err error
	c.Nodes, err = in.nodes(nil, g.Nodes, calls, &c.ValueInfo)
	return &c, err
}

// nodes appends nodes to out, with calls replaced, and the declared types of inner values to info.
func (in *inliner) nodes(out, nodes []*Node, calls []*Function, info *[]*Value) ([]*Node, error) {
	for _, n := range nodes {
		f := in.funcs[keyOf(n.Domain, n.OpType, n.Overload)]
		if f == nil {
			c, err := in.inner(n, calls)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
			continue
		}
		switch {
		case slices.Contains(calls, f):
			return nil, &StructureError{Node: n, What: fmt.Sprintf("function %s calls itself", f.label())}
		case len(calls) >= maxCalls:
			return nil, &StructureError{Node: n, What: fmt.Sprintf("functions call each other more than %d deep", maxCalls)}
		case len(n.Inputs) > len(f.Inputs) || len(n.Outputs) > len(f.Outputs):
			return nil, &StructureError{Node: n, What: fmt.Sprintf("%d inputs and %d outputs for function %s, which has %d and %d",
				len(n.Inputs), len(n.Outputs), f.label(), len(f.Inputs), len(f.Outputs))}
		}
		if err := in.adopt(n, f); err != nil {
			return nil, err
		}
		body := in.body(n, f, info)
		if in.budget < 0 {
			return nil, &StructureError{Node: n, What: fmt.Sprintf("calls of functions expand to more than %d bytes", in.limit)}
		}
		var err error
		if out, err = in.nodes(out, body, append(calls[:len(calls):len(calls)], f), info); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// inner returns n with its subgraphs inlined, n itself where it has none.
func (in *inliner) inner(n *Node, calls []*Function) (*Node, error) {
	c := *n
	c.Attrs = nil
	changed := false
	for _, a := range n.Attrs {
		if a.Graph != nil || len(a.Graphs) > 0 {
			b, err := *a, error(nil)
			if a.Graph != nil {
				if b.Graph, err = in.graph(a.Graph, calls); err != nil {
					return nil, err
				}
			}
			b.Graphs = nil
			for _, g := range a.Graphs {
				h, err := in.graph(g, calls)
				if err != nil {
					return nil, err
				}
				b.Graphs = append(b.Graphs, h)
			}
			a, changed = &b, true
		}
		c.Attrs = append(c.Attrs, a)
	}
	if !changed {
		return n, nil
	}
	return &c, nil
}

// adopt adds the operator sets of a function to the model's. Of those that the model has in another version the
// function must use nothing.
func (in *inliner) adopt(n *Node, f *Function) error {
	used := map[string]bool{}
	for b := range deep(f.Nodes) {
		if key := keyOf(b.Domain, b.OpType, b.Overload); in.funcs[key] == nil {
			used[key.domain] = true
		}
	}
	for _, o := range f.Opsets {
		key := keyOf(o.Domain, "", "")
		i := slices.IndexFunc(in.opsets, func(p Opset) bool { return keyOf(p.Domain, "", "") == key })
		if i < 0 {
			in.opsets = append(in.opsets, o)
		} else if v := in.opsets[i].Version; v != o.Version && used[key.domain] {
			return &StructureError{Node: n, What: fmt.Sprintf("function %s is written in opset %d of %q, the model in %d", f.label(), o.Version, o.Domain, v)}
		}
	}
	return nil
}

// scope gives names of a function's body, or of a graph in it, their names in the model.
type scope struct {
	outer *scope
	names map[string]string
}

func (s *scope) find(name string) (string, bool) {
	for ; s != nil; s = s.outer {
		if to, ok := s.names[name]; ok {
			return to, true
		}
	}
	return "", false
}

// call is the expansion of one call.
type call struct {
	*inliner
	node   *Node
	f      *Function
	prefix string
}

// body returns the nodes of f for the call n.
func (in *inliner) body(n *Node, f *Function, info *[]*Value) []*Node {
	c := &call{inliner: in, node: n, f: f, prefix: n.Name}
	if c.prefix == "" {
		c.prefix = f.Name
	}
	s := &scope{names: make(map[string]string, len(f.Inputs)+len(f.Outputs)+len(f.Nodes))}
	var copies []*Node // of outputs that are inputs, or that are given twice
	for i, name := range f.Inputs {
		s.names[name] = ""
		if i < len(n.Inputs) {
			s.names[name] = n.Inputs[i]
		}
	}
	for i, name := range f.Outputs {
		if i >= len(n.Outputs) || n.Outputs[i] == "" {
			continue
		}
		if from, ok := s.names[name]; ok {
			copies = append(copies, &Node{Name: in.unique(in.names, c.prefix+"/"+name), OpType: "Identity", Inputs: []string{from}, Outputs: []string{n.Outputs[i]}})
			continue
		}
		s.names[name] = n.Outputs[i]
	}
	for _, b := range f.Nodes {
		c.declare(s, b.Outputs...)
	}
	for _, v := range f.ValueInfo {
		if to, ok := s.find(v.Name); ok && to != "" && !slices.Contains(f.Inputs, v.Name) && !slices.Contains(f.Outputs, v.Name) {
			*info = append(*info, c.value(s, v))
		}
	}
	return append(c.nodesOf(f.Nodes, s), copies...)
}

// declare gives names that have none yet a new one.
func (c *call) declare(s *scope, names ...string) {
	for _, name := range names {
		if _, ok := s.names[name]; name != "" && !ok {
			s.names[name] = c.unique(c.values, c.prefix+"/"+name)
		}
	}
}

// name returns the model's name of a name in the body. One that nothing defines stays unknown, in the body's space of names.
func (c *call) name(s *scope, name string) string {
	if name == "" {
		return ""
	}
	if to, ok := s.find(name); ok {
		return to
	}
	return c.prefix + "/" + name
}

func (c *call) rename(s *scope, names []string) []string {
	to := make([]string, len(names))
	for i, name := range names {
		to[i] = c.name(s, name)
		c.budget -= 16
	}
	return to
}

func (c *call) value(s *scope, v *Value) *Value {
	w := *v
	w.Name = c.name(s, v.Name)
	c.budget -= 100
	return &w
}

func (c *call) nodesOf(nodes []*Node, s *scope) []*Node {
	var out []*Node
	for _, n := range nodes {
		if c.budget < 0 {
			return nil // the caller reports it
		}
		c.budget -= 200
		b := *n
		name := n.Name
		if name == "" {
			name = n.OpType
		}
		b.Name = c.unique(c.names, c.prefix+"/"+name)
		b.Inputs, b.Outputs = c.rename(s, n.Inputs), c.rename(s, n.Outputs)
		b.Attrs = nil
		for _, a := range n.Attrs {
			if a = c.attribute(s, a); a != nil {
				b.Attrs = append(b.Attrs, a)
			}
		}
		out = append(out, &b)
	}
	return out
}

// attribute returns a with what it refers to resolved; nil if it refers to an attribute that the call leaves out.
func (c *call) attribute(s *scope, a *Attribute) *Attribute {
	c.budget -= 250
	if a.RefName != "" {
		from := c.node.Attr(a.RefName)
		for _, d := range c.f.Defaults {
			if from == nil && d.Name == a.RefName {
				from = d
			}
		}
		if from == nil {
			return nil
		}
		b := *from
		b.Name = a.Name
		return &b
	}
	b := *a
	if a.Graph != nil {
		b.Graph = c.subgraph(s, a.Graph)
	}
	b.Graphs = nil
	for _, g := range a.Graphs {
		b.Graphs = append(b.Graphs, c.subgraph(s, g))
	}
	return &b
}

// subgraph returns a graph of the body with all that it defines renamed.
func (c *call) subgraph(outer *scope, g *Graph) *Graph {
	s := &scope{outer: outer, names: map[string]string{}}
	values := func(list []*Value, declare bool) []*Value {
		var out []*Value
		for _, v := range list {
			if declare {
				c.declare(s, v.Name)
			}
			out = append(out, c.value(s, v))
		}
		return out
	}
	b := *g
	b.Inputs = values(g.Inputs, true)
	b.Initializers = nil
	for _, t := range g.Initializers {
		c.declare(s, t.Name)
		u := *t
		u.Name = c.name(s, t.Name)
		c.budget -= 200
		b.Initializers = append(b.Initializers, &u)
	}
	for _, n := range g.Nodes {
		c.declare(s, n.Outputs...)
	}
	b.Nodes = c.nodesOf(g.Nodes, s)
	b.Outputs = values(g.Outputs, false)
	b.ValueInfo = values(g.ValueInfo, false)
	return &b
}
