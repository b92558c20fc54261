//go:build cgo

package ort

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// changed returns a copy of the model, sharing the weights, with other outputs and input shapes.
func changed(m *onnx.Model, o backend.Options) *onnx.Model {
	c, g := *m, *m.Graph
	c.Graph = &g
	g.Inputs = nil
	for _, v := range m.Graph.Inputs {
		shape, ok := o.Shapes[v.Name]
		if !ok || v.Type == nil {
			g.Inputs = append(g.Inputs, v)
			continue
		}
		w, t := *v, *v.Type
		t.HasShape, t.Shape = true, make([]onnx.Dim, len(shape))
		for i, d := range shape {
			t.Shape[i] = onnx.Dim{Size: d}
		}
		w.Type = &t
		g.Inputs = append(g.Inputs, &w)
	}
	if len(o.Shapes) > 0 {
		g.ValueInfo = nil // inner shapes no longer hold
	}
	if len(o.Outputs) > 0 {
		g.Outputs = nil
		for _, name := range o.Outputs {
			if !has(g.Outputs, name) {
				g.Outputs = append(g.Outputs, declaration(m.Graph, name))
			}
		}
		keepNeeded(&g)
	}
	return &c
}

// declaration returns what the graph says of a value.
func declaration(g *onnx.Graph, name string) *onnx.Value {
	for _, list := range [][]*onnx.Value{g.Outputs, g.Inputs} {
		for _, v := range list {
			if v.Name == name {
				return v
			}
		}
	}
	return &onnx.Value{Name: name}
}

// halfOutputs returns the types of those outputs of a session that are in half precision, by name, as far as the model
// says so or its operators tell.
func halfOutputs(m *onnx.Model, o backend.Options) map[string]onnx.DataType {
	if !usesHalf(m.Graph) {
		return nil
	}
	types := map[string]onnx.DataType{}
	if infos, err := graph.Infer(m, o.Shapes); err == nil { // of a model that it does not know, declarations alone count
		for name, info := range infos {
			if info.Type != onnx.Undefined {
				types[name] = info.Type
			}
		}
	}
	for _, list := range [][]*onnx.Value{m.Graph.ValueInfo, m.Graph.Outputs} {
		for _, v := range list {
			if v.Type != nil && v.Type.Elem != onnx.Undefined {
				types[v.Name] = v.Type.Elem
			}
		}
	}
	wanted := o.Outputs
	if len(wanted) == 0 {
		wanted = names(m.Graph.Outputs)
	}
	halves := map[string]onnx.DataType{}
	for _, name := range wanted {
		if types[name].IsHalf() {
			halves[name] = types[name]
		}
	}
	return halves
}

// usesHalf reports whether a graph has anything in half precision that its values could have that type from.
func usesHalf(g *onnx.Graph) bool {
	for _, v := range slices.Concat(g.Inputs, g.Outputs) {
		if v.Type != nil && v.Type.Elem.IsHalf() {
			return true
		}
	}
	if slices.ContainsFunc(g.Initializers, func(t *onnx.Tensor) bool { return t.Type.IsHalf() }) {
		return true
	}
	return slices.ContainsFunc(g.Nodes, func(n *onnx.Node) bool {
		to := n.Attr("to")
		return to != nil && onnx.DataType(to.I).IsHalf()
	})
}

// single makes a graph give outputs in half precision, which the binding cannot take over where their shapes are not
// known, as float32, which holds the same numbers. It returns the outputs as they were, with their types, and those that
// ONNX Runtime computes.
func single(g *onnx.Graph, halves map[string]onnx.DataType) (outputs, made []*onnx.Value) {
	outputs, made = slices.Clone(g.Outputs), slices.Clone(g.Outputs)
	taken := map[string]bool{}
	for _, n := range g.Nodes {
		for _, name := range n.Outputs {
			taken[name] = true
		}
	}
	g.Nodes = slices.Clone(g.Nodes)
	for i, v := range outputs {
		typ, ok := halves[v.Name]
		if !ok {
			continue
		}
		w := &onnx.Value{Name: v.Name + "/float32", Type: &onnx.Type{Elem: onnx.Float}}
		for taken[w.Name] {
			w.Name += "_"
		}
		taken[w.Name] = true
		g.Nodes = append(g.Nodes, &onnx.Node{OpType: "Cast", Inputs: []string{v.Name}, Outputs: []string{w.Name}, Attrs: []*onnx.Attribute{op.Attr("to", int(onnx.Float))}})
		t := onnx.Type{Elem: typ}
		if v.Type != nil {
			t = *v.Type
			w.Type.HasShape, w.Type.Shape = t.HasShape, t.Shape
		}
		outputs[i], made[i] = &onnx.Value{Name: v.Name, Type: &t, Doc: v.Doc}, w
	}
	g.Outputs = made
	return outputs, made
}

// keepNeeded leaves only the nodes, inputs and weights that the outputs depend on: ONNX Runtime computes every node.
func keepNeeded(g *onnx.Graph) {
	producer := map[string]*onnx.Node{}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			producer[out] = n
		}
	}
	needed := map[string]bool{}
	open := names(g.Outputs)
	for len(open) > 0 {
		name := open[len(open)-1]
		open = open[:len(open)-1]
		if name == "" || needed[name] {
			continue
		}
		needed[name] = true
		if n := producer[name]; n != nil {
			open = slices.AppendSeq(open, n.Uses())
		}
	}
	g.Nodes = slices.DeleteFunc(slices.Clone(g.Nodes), func(n *onnx.Node) bool {
		return !slices.ContainsFunc(n.Outputs, func(out string) bool { return needed[out] })
	})
	g.Inputs = slices.DeleteFunc(slices.Clone(g.Inputs), func(v *onnx.Value) bool { return !needed[v.Name] })
	g.Initializers = slices.DeleteFunc(slices.Clone(g.Initializers), func(t *onnx.Tensor) bool { return !needed[t.Name] })
}

func names(vs []*onnx.Value) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = v.Name
	}
	return out
}
