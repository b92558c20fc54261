package graph

import (
	"slices"

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
		if checkTensor(t, w.limit) != nil {
			return nil, false
		}
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

// dropIdentities takes out nodes that pass their input on, by letting their readers read that input; where one makes a
// graph output, the node before it makes that output, if nobody else reads what it gives. Those that are read by a
// sub-graph stay.
func (w *work) dropIdentities() {
	keep := map[string]bool{}
	for _, o := range w.outputs {
		keep[o] = true
	}
	for _, n := range w.nodes {
		for g := range n.Subgraphs() {
			for c := range g.Captures() {
				keep[c] = true
			}
		}
	}
	used := w.uses()
	maker := map[string]*onnx.Node{}
	// One walk in topological order, with the new names looked up as inputs are met, keeps this linear.
	to := map[string]string{}
	kept := w.nodes[:0]
	for _, n := range w.nodes {
		for i, in := range n.Inputs {
			if t, ok := to[in]; ok {
				n.Inputs[i] = t
			}
		}
		if w.passesOn(n, used) {
			in, out := n.Inputs[0], n.Outputs[0]
			if !keep[out] {
				to[out] = in
				used[in] += used[out] - 1
				continue
			}
			if m := maker[in]; m != nil && used[in] == 1 {
				m.Outputs[slices.Index(m.Outputs, in)] = out
				maker[out], used[in] = m, 0
				continue
			}
		}
		for _, o := range n.Outputs {
			maker[o] = n
		}
		kept = append(kept, n)
	}
	w.nodes = kept
}

// passesOn reports whether a node's only output is its first input: Identity, and Dropout outside of training (from
// opset 12 on it is an input that asks for training; between 7 and 11 there is none).
func (w *work) passesOn(n *onnx.Node, used map[string]int) bool {
	if !isONNX(n.Domain) || len(n.Inputs) == 0 || n.Inputs[0] == "" || len(n.Outputs) == 0 || n.Outputs[0] == "" {
		return false
	}
	switch n.OpType {
	case "Identity":
		return len(n.Inputs) == 1 && len(n.Outputs) == 1
	case "Dropout":
		if w.opsets("") < 7 || len(n.Outputs) > 1 && used[n.Outputs[1]] > 0 {
			return false
		}
		training := input(n, 2)
		if training == "" {
			return true
		}
		c := w.consts[training]
		return c != nil && c.Type == onnx.Bool && c.Len() == 1 && !onnx.Data[bool](c)[0]
	}
	return false
}
