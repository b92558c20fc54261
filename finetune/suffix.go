package finetune

import (
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// suffix is the trained part of a network as a graph of its own.
type suffix struct {
	nodes []*onnx.Node
	cut   []string // the values of the frozen part that it reads
}

// suffixOf divides a network's graph. What only computes with constants and shapes is in both parts, so that shapes do
// not depend on values that are handed over.
func suffixOf(g *onnx.Graph, first int) suffix {
	w := newWalker(g)
	position := map[*onnx.Node]int{}
	for i, n := range g.Nodes {
		position[n] = i
	}
	inSuffix := make([]bool, len(g.Nodes))
	var s suffix
	var need func(value string)
	need = func(value string) {
		n := w.Node[value]
		if w.Weights[value] != nil || value == "" {
			return
		}
		if n != nil {
			i := position[n]
			if inSuffix[i] {
				return
			}
			if i >= first || w.Constant(value) || n.OpType == "Identity" || n.OpType == "Cast" || w.OfShapes(value) {
				inSuffix[i] = true
				for in := range n.Uses() {
					need(in)
				}
				return
			}
		}
		if !slices.Contains(s.cut, value) {
			s.cut = append(s.cut, value)
		}
	}
	for _, v := range g.Outputs {
		need(v.Name)
	}
	for i, n := range g.Nodes {
		if inSuffix[i] {
			s.nodes = append(s.nodes, n)
		}
	}
	slices.Sort(s.cut)
	return s
}

// suffixModel makes a model of the suffix's nodes, with weights in place of the network's own. Its inputs are the cut and
// more.
func (n *Network) suffixModel(s suffix, nodes []*onnx.Node, weights map[string]*onnx.Tensor, more []*onnx.Value, outputs []string) (*onnx.Model, error) {
	g := &onnx.Graph{Name: "suffix", Nodes: nodes}
	used := map[string]bool{}
	for _, node := range nodes {
		for in := range node.Uses() {
			used[in] = true
		}
	}
	for _, v := range s.cut {
		shape, ok := n.shapes[v]
		if !ok || shape == nil {
			return nil, fmt.Errorf("the shape of %q, where the trained part begins, is not known", v)
		}
		g.Inputs = append(g.Inputs, declare(v, shape))
	}
	g.Inputs = append(g.Inputs, more...)
	for _, t := range n.Model.Graph.Initializers {
		if w := weights[t.Name]; w != nil {
			t = w
		}
		if used[t.Name] {
			g.Initializers = append(g.Initializers, t)
		}
	}
	for _, o := range outputs {
		g.Outputs = append(g.Outputs, &onnx.Value{Name: o})
	}
	return &onnx.Model{IRVersion: n.Model.IRVersion, Opsets: n.Model.Opsets, Graph: g}, nil
}

// declare declares a float value with a free batch dimension.
func declare(name string, shape []int) *onnx.Value {
	t := &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: -1, Param: "batch"}}}
	for _, d := range shape[min(1, len(shape)):] {
		t.Shape = append(t.Shape, onnx.Dim{Size: d})
	}
	return &onnx.Value{Name: name, Type: t}
}
