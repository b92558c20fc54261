// Package walk answers what every walk through a graph asks: which node computes a value, and whether the value depends on
// the network's input.
package walk

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Graph is a graph with what is known of its values. It is not safe for concurrent use.
type Graph struct {
	Node    map[string]*onnx.Node   // by what it computes
	Weights map[string]*onnx.Tensor // initializers by name

	constants, shapes map[string]bool // what has been found out of values
}

// New prepares a graph, which must not change afterwards.
func New(g *onnx.Graph) *Graph {
	w := &Graph{Node: map[string]*onnx.Node{}, Weights: map[string]*onnx.Tensor{}, constants: map[string]bool{}, shapes: map[string]bool{}}
	for _, t := range g.Initializers {
		w.Weights[t.Name] = t
	}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			if o != "" {
				w.Node[o] = n
			}
		}
	}
	return w
}

// Constant reports whether a value depends on no input of the network: an initializer, or computed from such. CastLike takes
// only the type of its second input.
func (w *Graph) Constant(value string) bool {
	if w.Weights[value] != nil {
		return true
	}
	n := w.Node[value]
	if n == nil {
		return false
	}
	known, seen := w.constants[value]
	if seen {
		return known
	}
	w.constants[value] = false // of a value that is computed from itself
	known = true
	for in := range n.Uses() {
		if known = w.Constant(in) || n.OpType == "CastLike" && in != n.Inputs[0]; !known {
			break
		}
	}
	w.constants[value] = known
	return known
}

// OfShapes reports whether a value is computed from the shapes of others, and constants, only.
func (w *Graph) OfShapes(value string) bool {
	n := w.Node[value]
	if n == nil {
		return false
	}
	if n.OpType == "Shape" || n.OpType == "Size" {
		return true
	}
	known, seen := w.shapes[value]
	if seen {
		return known
	}
	w.shapes[value] = false
	for in := range n.Uses() {
		if w.Constant(in) {
			continue
		}
		if known = w.OfShapes(in); !known {
			break
		}
	}
	w.shapes[value] = known
	return known
}

// Ancestors returns the nodes that values depend on, in their order, and the names of all values that these use, with the
// values themselves. Nodes come in an order in which they can be run.
func Ancestors(nodes []*onnx.Node, values ...string) (kept []*onnx.Node, needed map[string]bool) {
	needed = map[string]bool{}
	for _, v := range values {
		needed[v] = true
	}
	for _, n := range slices.Backward(nodes) {
		if !slices.ContainsFunc(n.Outputs, func(o string) bool { return o != "" && needed[o] }) {
			continue
		}
		for in := range n.Uses() {
			needed[in] = true
		}
		kept = append(kept, n)
	}
	slices.Reverse(kept)
	return kept, needed
}
