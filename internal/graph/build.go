// Package graph turns an ONNX graph into a plan that runs: it checks and adapts the nodes, folds what is constant,
// fuses what belongs together, infers shapes, lays out memory, and executes.
package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// maxDepth bounds how deep sub-graphs may nest.
const maxDepth = 32

// work is a graph while it is rewritten: nodes in topological order over value names.
type work struct {
	nodes   []*onnx.Node
	consts  map[string]*onnx.Tensor // values that are known when the session is opened
	inputs  []*onnx.Value
	outputs []string
	opsets  func(domain string) int
	warn    func(string)
	pool    *par.Pool
	taken   map[string]bool     // all value names, so that new ones are unique
	newest  map[*onnx.Node]bool // nodes that are not of the model's opsets but of the newest
	limit   int                 // bytes that a value may take
	origin  map[string]string   // constants that folding made: the names of those that they stand for; nil where nobody asks

	depth    int  // of sub-graphs around it
	foldLeft *int // bytes that folding may still take, for the graph and its sub-graphs together
}

// version returns the opset version that a node is of.
func (w *work) version(n *onnx.Node) int {
	switch {
	case !w.newest[n]:
		return w.opsets(n.Domain)
	case isONNX(n.Domain):
		return op.MaxOpset
	}
	return 1
}

// nodeError says which node an error is about.
func nodeError(n *onnx.Node, err error) error { return fmt.Errorf("%v: %w", n, err) }

// load makes a work graph of g that computes outputs. outer is the graph around a sub-graph, nil for the model's own.
func load(g *onnx.Graph, inputs []*onnx.Value, outputs []string, outer *work, o Options, opsets func(string) int) (*work, error) {
	nodes, err := g.Sort()
	if err != nil {
		return nil, err
	}
	w := &work{consts: map[string]*onnx.Tensor{}, inputs: inputs, outputs: outputs, warn: o.Warn, pool: o.Pool, taken: map[string]bool{}, limit: o.limit()}
	if outer != nil {
		w.opsets, w.depth, w.foldLeft = outer.opsets, outer.depth+1, outer.foldLeft
	} else {
		w.foldLeft = new(int)
		*w.foldLeft = foldTotal
		w.opsets = func(domain string) int {
			if v := opsets(domain); v > 0 || domain != microsoft {
				return v
			}
			return 1 // what fusing makes, in models that do not import the domain
		}
	}
	for _, name := range append(valueNames(inputs), outputs...) {
		if name == "" {
			return nil, errors.New("an input or output of the graph has no name")
		}
	}
	for _, v := range inputs {
		if w.taken[v.Name] {
			return nil, fmt.Errorf("input %q is there twice", v.Name)
		}
		w.taken[v.Name] = true
	}
	for _, t := range g.Initializers {
		if t.Name == "" {
			return nil, errors.New("an initializer has no name")
		}
		if w.consts[t.Name] != nil {
			return nil, fmt.Errorf("initializer %q is there twice", t.Name)
		}
		if w.taken[t.Name] {
			continue // an input with a default value, in a sub-graph
		}
		if err := checkTensor(t, w.limit); err != nil {
			return nil, fmt.Errorf("initializer %q: %w", t.Name, err)
		}
		w.consts[t.Name] = t
		*w.foldLeft += foldRatio * heldBy(t)
	}
	for name := range w.consts {
		w.taken[name] = true
	}
	// Nodes are copied: passes rename their inputs and outputs.
	for _, n := range nodes {
		c := *n
		c.Inputs = slices.Clone(n.Inputs)
		c.Outputs = slices.Clone(n.Outputs)
		w.nodes = append(w.nodes, &c)
		for _, name := range n.Outputs {
			if name == "" {
				continue
			}
			if w.taken[name] {
				return nil, nodeError(n, fmt.Errorf("output %q is also an input or an initializer of the graph", name))
			}
		}
	}
	for _, n := range nodes {
		for _, name := range n.Outputs {
			w.taken[name] = true
		}
	}
	return w, nil
}

// fresh returns a value name that nothing has.
func (w *work) fresh(base string) string {
	name := base
	for i := 1; w.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	w.taken[name] = true
	return name
}

// uses counts the readers of each value; being an output counts as one, and so does being read inside a sub-graph.
func (w *work) uses() map[string]int {
	u := map[string]int{}
	for _, n := range w.nodes {
		for in := range n.Uses() {
			u[in]++
		}
	}
	for _, o := range w.outputs {
		u[o]++
	}
	return u
}

// captures lists the names that a sub-graph takes from outside, each once, in order of first use.
func captures(g *onnx.Graph) []string {
	var out []string
	seen := map[string]bool{}
	for name := range g.Captures() {
		if name != "" && !seen[name] { // an output without name is reported when the sub-graph is compiled
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// hasSubGraphs reports whether a node has graphs in its attributes.
func hasSubGraphs(n *onnx.Node) bool {
	for range n.Subgraphs() {
		return true
	}
	return false
}

// prune drops nodes whose results nobody needs and constants that nobody reads.
func (w *work) prune() {
	need := map[string]bool{}
	for _, o := range w.outputs {
		need[o] = true
	}
	kept := make([]*onnx.Node, 0, len(w.nodes))
	for i := len(w.nodes) - 1; i >= 0; i-- {
		n := w.nodes[i]
		wanted := false
		for _, o := range n.Outputs {
			wanted = wanted || o != "" && need[o]
		}
		if !wanted {
			continue
		}
		for in := range n.Uses() {
			need[in] = true
		}
		kept = append(kept, n)
	}
	slices.Reverse(kept)
	w.nodes = kept
	for name := range w.consts {
		if !need[name] {
			delete(w.consts, name)
		}
	}
}

func isONNX(domain string) bool { return domain == "" || domain == "ai.onnx" }

func infoOf(t *onnx.Tensor) op.Info {
	if t == nil {
		return op.Info{}
	}
	return op.Info{Type: t.Type, Shape: t.Shape, Value: t}
}

// pad appends absent entries up to n, unless n is variadic.
func pad[T any](s []T, n int) []T {
	if n >= op.Variadic || len(s) >= n {
		return s
	}
	return append(append(make([]T, 0, n), s...), make([]T, n-len(s))...)
}

// unsupported lists all nodes whose operator is not there, in one error.
func unsupported(nodes []*onnx.Node, opsets func(string) int) error {
	var lines []string
	for _, n := range nodes {
		if op.Lookup(n.Domain, n.OpType) == nil {
			domain := n.Domain
			if domain == "" {
				domain = "ai.onnx"
			}
			lines = append(lines, fmt.Sprintf("%s of %s opset %d (node %q)", n.OpType, domain, opsets(n.Domain), n.Name))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &UnsupportedError{Operators: lines}
}

// UnsupportedError lists every operator of a model that the native engine does not have.
type UnsupportedError struct{ Operators []string }

func (e *UnsupportedError) Error() string {
	return "operators that the native engine does not have: " + strings.Join(e.Operators, "; ")
}
