package onnx

import "slices"

// Clone returns a copy of the node with names, attributes and subgraphs of its own. Tensors are shared.
func (n *Node) Clone() *Node {
	c := *n
	c.Inputs = slices.Clone(n.Inputs)
	c.Outputs = slices.Clone(n.Outputs)
	c.Metadata = slices.Clone(n.Metadata)
	c.Attrs = cloneAll(n.Attrs, (*Attribute).Clone)
	return &c
}

// Clone returns a copy of the attribute with lists and subgraphs of its own. Tensors are shared.
func (a *Attribute) Clone() *Attribute {
	c := *a
	c.S = slices.Clone(a.S)
	c.Floats = slices.Clone(a.Floats)
	c.Ints = slices.Clone(a.Ints)
	c.Strings = cloneAll(a.Strings, slices.Clone[[]byte])
	c.Tensors = slices.Clone(a.Tensors)
	c.Graphs = cloneAll(a.Graphs, (*Graph).Clone)
	if a.Graph != nil {
		c.Graph = a.Graph.Clone()
	}
	return &c
}

// Clone returns a copy of the graph with nodes and values of its own. Tensors are shared.
func (g *Graph) Clone() *Graph {
	c := *g
	c.Nodes = cloneAll(g.Nodes, (*Node).Clone)
	c.Initializers = slices.Clone(g.Initializers)
	c.Inputs = cloneAll(g.Inputs, (*Value).Clone)
	c.Outputs = cloneAll(g.Outputs, (*Value).Clone)
	c.ValueInfo = cloneAll(g.ValueInfo, (*Value).Clone)
	c.Metadata = slices.Clone(g.Metadata)
	return &c
}

// Clone returns a copy of the value with a type of its own.
func (v *Value) Clone() *Value {
	c := *v
	c.Metadata = slices.Clone(v.Metadata)
	if v.Type != nil {
		t := *v.Type
		t.Shape = slices.Clone(t.Shape)
		c.Type = &t
	}
	return &c
}

// cloneAll clones every element of a list; nil stays nil.
func cloneAll[T any](list []T, clone func(T) T) []T {
	if list == nil {
		return nil
	}
	c := make([]T, len(list))
	for i, v := range list {
		c[i] = clone(v)
	}
	return c
}
