package onnx

import (
	"fmt"
	"slices"
)

// Check returns every fault in how the model is put together, nil where there is none: versions and operator sets,
// names that are defined twice or not at all, cycles, nodes without operator, tensors whose data does not fit, functions
// that call themselves. Faults are [*StructureError] values. What operators mean is not looked at.
func (m *Model) Check() []error {
	c := &checker{model: m, opsets: map[string]bool{}, reported: map[string]bool{}}
	if m.IRVersion <= 0 {
		c.fault(nil, "", "the model has no IR version")
	}
	// Before IR version 3 there were no operator sets.
	if len(m.Opsets) == 0 && m.IRVersion >= 3 {
		c.fault(nil, "", "the model imports no operator set")
	}
	c.imports(m.Opsets, "the model")
	if m.Graph == nil {
		c.fault(nil, "", "the model has no graph")
	} else {
		c.graph(m.Graph, nil)
	}
	c.functions()
	return c.faults
}

type checker struct {
	model    *Model
	opsets   map[string]bool // imported domains
	reported map[string]bool // domains reported as not imported
	function *Function       // that is being checked, nil in the graph
	faults   []error
}

func (c *checker) fault(n *Node, value, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if c.function != nil {
		what = "function " + c.function.label() + ": " + what
	}
	c.faults = append(c.faults, &StructureError{Node: n, Value: value, What: what})
}

func (c *checker) imports(opsets []Opset, who string) {
	clear(c.opsets)
	for _, o := range opsets {
		domain := keyOf(o.Domain, "", "").domain
		if c.opsets[domain] {
			c.fault(nil, "", "%s imports the operator set %q twice", who, o.Domain)
		}
		if o.Version <= 0 {
			c.fault(nil, "", "%s imports version %d of the operator set %q", who, o.Version, o.Domain)
		}
		c.opsets[domain] = true
	}
}

// names are the values that can be used at one level, and at those around it.
type names struct {
	outer *names
	own   map[string]bool
}

func (s *names) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.own[name] {
			return true
		}
	}
	return false
}

func (c *checker) graph(g *Graph, outer *names) {
	scope := &names{outer: outer, own: map[string]bool{}}
	weights := map[string]bool{}
	for _, v := range g.Inputs {
		if v.Name == "" {
			c.fault(nil, "", "an input of graph %q has no name", g.Name)
		} else if scope.own[v.Name] {
			c.fault(nil, v.Name, "input %q is given twice", v.Name)
		}
		scope.own[v.Name] = true
	}
	for _, t := range g.Initializers {
		if t.Name == "" {
			c.fault(nil, "", "an initializer of graph %q has no name", g.Name)
		} else if weights[t.Name] {
			c.fault(nil, t.Name, "initializer %q is given twice", t.Name)
		}
		c.tensor(nil, t)
		weights[t.Name], scope.own[t.Name] = true, true
	}
	c.nodes(g.Nodes, scope)
	for _, v := range g.Outputs {
		if !scope.has(v.Name) {
			c.fault(nil, v.Name, "graph output %q is produced by no node", v.Name)
		}
	}
}

func (c *checker) nodes(nodes []*Node, scope *names) {
	producer := map[string]*Node{}
	sortable := true
	for _, n := range nodes {
		for _, name := range n.Outputs {
			switch p := producer[name]; {
			case name == "":
				continue
			case p != nil:
				c.fault(n, name, "output %q is also an output of %v", name, p)
				sortable = false
			case scope.own[name]:
				c.fault(n, name, "output %q is also an input or an initializer", name)
			}
			producer[name], scope.own[name] = n, true
		}
	}
	for _, n := range nodes {
		c.node(n, scope)
	}
	if !sortable {
		return
	}
	if _, f := sortNodes(nodes); f != nil {
		c.fault(f.Node, f.Value, "%s", f.What)
	}
}

func (c *checker) node(n *Node, scope *names) {
	if n.OpType == "" {
		c.fault(n, "", "the node has no operator")
	}
	if domain := keyOf(n.Domain, "", "").domain; !c.opsets[domain] && len(c.opsets) > 0 && !c.reported[domain] {
		c.reported[domain] = true
		c.fault(n, "", "the operator set %q is not imported", domain)
	}
	for _, name := range n.Inputs {
		if name != "" && !scope.has(name) {
			c.fault(n, name, "input %q is produced by no node and is no input or initializer", name)
		}
	}
	given := map[string]bool{}
	for _, a := range n.Attrs {
		switch {
		case a.Name == "":
			c.fault(n, "", "an attribute has no name")
		case given[a.Name]:
			c.fault(n, "", "attribute %q is given twice", a.Name)
		}
		given[a.Name] = true
		if f := c.function; a.RefName != "" {
			known := f != nil && (slices.Contains(f.Attrs, a.RefName) || slices.ContainsFunc(f.Defaults, func(d *Attribute) bool { return d.Name == a.RefName }))
			if !known {
				c.fault(n, "", "attribute %q refers to %q, which is no attribute of a function around it", a.Name, a.RefName)
			}
		}
		if a.Tensor != nil {
			c.tensor(n, a.Tensor)
		}
		for _, t := range a.Tensors {
			c.tensor(n, t)
		}
	}
	for g := range n.Subgraphs() {
		c.graph(g, scope)
	}
}

func (c *checker) tensor(n *Node, t *Tensor) {
	if !t.Type.Known() {
		c.fault(n, t.Name, "tensor %q is of %v, which is no type of this version of ONNX", t.Name, t.Type)
	}
	if err := t.validate(); err != nil {
		c.fault(n, t.Name, "%v", err)
	}
}

// functions checks the bodies of all functions, and that none reaches itself.
func (c *checker) functions() {
	byKey := map[funcKey]*Function{}
	for _, f := range c.model.Functions {
		c.function = f
		key := keyOf(f.Domain, f.Name, f.Overload)
		if byKey[key] != nil {
			c.fault(nil, "", "the function is defined twice")
		} else {
			byKey[key] = f
		}
		c.imports(f.Opsets, "the function")
		c.reported = map[string]bool{}
		scope := &names{own: map[string]bool{}}
		for _, name := range f.Inputs {
			scope.own[name] = true
		}
		c.nodes(f.Nodes, scope)
		for _, name := range f.Outputs {
			if !scope.own[name] {
				c.fault(nil, name, "output %q is produced by no node", name)
			}
		}
	}
	c.function = nil
	c.recursion(byKey)
}

// recursion sorts functions by their calls: each is taken as a node that uses what it calls.
func (c *checker) recursion(byKey map[funcKey]*Function) {
	text := func(k funcKey) string { return fmt.Sprintf("%q", k) }
	var calls []*Node
	for _, f := range c.model.Functions {
		key := keyOf(f.Domain, f.Name, f.Overload)
		if byKey[key] != f {
			continue
		}
		call := &Node{Name: f.Name, Domain: f.Domain, OpType: "function", Outputs: []string{text(key)}}
		for n := range deep(f.Nodes) {
			if k := keyOf(n.Domain, n.OpType, n.Overload); byKey[k] != nil {
				call.Inputs = append(call.Inputs, text(k))
			}
		}
		calls = append(calls, call)
	}
	if _, f := sortNodes(calls); f != nil {
		c.fault(nil, "", "function %s calls itself: %s", f.Node.Name, f.What)
	}
}
