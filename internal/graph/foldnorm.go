package graph

import (
	"maps"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// FoldBatchNorm returns the model with each batch normalisation folded into the Conv, ConvTranspose or Gemm before it,
// as far as nothing else reads what is between, and the number of those that were: with s = scale/sqrt(var+epsilon)
//
//	W' = W*s;  b' = (b-mean)*s + bias
//
// computed in double precision. A changed weight keeps its name unless another node reads the old one, and so does a
// bias; a new one is named after the weight. Sub-graphs are left as they are. The given model is not changed.
func FoldBatchNorm(m *onnx.Model) (*onnx.Model, int, error) {
	m, err := m.Inlined()
	if err != nil {
		return nil, 0, err
	}
	var outputs []string
	for _, v := range m.Graph.Outputs {
		outputs = append(outputs, v.Name)
	}
	w, err := load(m.Graph, m.Graph.RequiredInputs(), outputs, nil, Options{Pool: par.Shared(0)}, m.OpsetVersion)
	if err != nil {
		return nil, 0, err
	}
	before := len(w.nodes)
	w.origin = map[string]string{}
	w.rewriteNodes(nil, (*fuser).foldNorm)
	folded := before - len(w.nodes)
	w.prune()
	w.keepNames()

	c := *m
	g := *m.Graph
	c.Graph = &g
	g.Nodes = w.nodes
	g.Initializers = nil
	gone := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		v := w.consts[t.Name]
		if v == nil {
			gone[t.Name] = true
			continue
		}
		g.Initializers = append(g.Initializers, named(v, t.Name))
		delete(w.consts, t.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(w.consts)) {
		g.Initializers = append(g.Initializers, named(w.consts[name], name))
	}
	g.Inputs = slices.DeleteFunc(slices.Clone(g.Inputs), func(v *onnx.Value) bool { return gone[v.Name] })
	made := map[string]bool{}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			made[o] = true
		}
	}
	g.ValueInfo = slices.DeleteFunc(slices.Clone(g.ValueInfo), func(v *onnx.Value) bool { return !made[v.Name] })
	return &c, folded, nil
}

// named returns a tensor under a name.
func named(t *onnx.Tensor, name string) *onnx.Tensor {
	c := *t
	c.Name = name
	return &c
}

// keepNames gives constants that were made of others the names of these, where they are free.
func (w *work) keepNames() {
	rename := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(w.origin)) {
		old := w.origin[name]
		for old != "" && w.origin[old] != "" { // folded into more than once
			old = w.origin[old]
		}
		if old == "" || w.consts[old] != nil || w.consts[name] == nil {
			continue
		}
		w.consts[old] = w.consts[name]
		delete(w.consts, name)
		rename[name] = old
	}
	for _, n := range w.nodes {
		for i, in := range n.Inputs {
			if old, ok := rename[in]; ok {
				n.Inputs[i] = old
			}
		}
	}
}
