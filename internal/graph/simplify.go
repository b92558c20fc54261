package graph

import (
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// simplify takes out what need not run: constants, identities, branches whose condition is known, and everything that
// depends on constants only.
func (w *work) simplify(rt *op.Runtime) error {
	if err := w.constants(); err != nil {
		return err
	}
	for {
		w.dropIdentities()
		if err := w.fold(rt); err != nil {
			return err
		}
		if !w.chooseBranches() {
			return nil
		}
		if err := w.constants(); err != nil {
			return err
		}
	}
}

// chooseBranches replaces If nodes whose condition is constant by the nodes of the branch that is taken, and reports
// whether there were any.
func (w *work) chooseBranches() bool {
	changed := false
	var kept []*onnx.Node
	for _, n := range w.nodes {
		branch := w.branch(n)
		if branch == nil {
			kept = append(kept, n)
			continue
		}
		nodes, ok := w.inline(branch, n)
		if !ok {
			kept = append(kept, n)
			continue
		}
		kept = append(kept, nodes...)
		changed = true
	}
	w.nodes = kept
	return changed
}

// branch returns the sub-graph that an If with a constant condition runs, nil for any other node.
func (w *work) branch(n *onnx.Node) *onnx.Graph {
	if n.OpType != "If" || !isONNX(n.Domain) || len(n.Inputs) != 1 {
		return nil
	}
	c := w.consts[n.Inputs[0]]
	if c == nil || c.Type != onnx.Bool || c.Len() != 1 {
		return nil
	}
	name := "else_branch"
	if onnx.Data[bool](c)[0] {
		name = "then_branch"
	}
	a := n.Attr(name)
	if a == nil || a.Graph == nil || len(a.Graph.Outputs) != len(n.Outputs) {
		return nil
	}
	return a.Graph
}

// inline returns the nodes of a branch with names of their own. Branches with sub-graphs in them are left alone.
func (w *work) inline(g *onnx.Graph, n *onnx.Node) ([]*onnx.Node, bool) {
	nodes, err := g.Sort()
	if err != nil {
		return nil, false
	}
	for _, b := range nodes {
		if hasSubGraphs(b) {
			return nil, false
		}
	}
	names := map[string]string{}
	for _, t := range g.Initializers {
		names[t.Name] = w.fresh(t.Name)
		w.consts[names[t.Name]] = t
	}
	inner := func(s string) string {
		if r, ok := names[s]; ok {
			return r
		}
		return s
	}
	var out []*onnx.Node
	for _, b := range nodes {
		c := *b
		c.Inputs = make([]string, len(b.Inputs))
		for i, in := range b.Inputs {
			c.Inputs[i] = inner(in)
		}
		c.Outputs = make([]string, len(b.Outputs))
		for i, o := range b.Outputs {
			if o != "" {
				names[o] = w.fresh(o)
			}
			c.Outputs[i] = inner(o)
		}
		out = append(out, &c)
	}
	for i, o := range n.Outputs {
		if o != "" {
			out = append(out, &onnx.Node{Name: n.Name, OpType: "Identity", Inputs: []string{inner(g.Outputs[i].Name)}, Outputs: []string{o}})
		}
	}
	return out, true
}
