// Package graph turns an ONNX graph into a plan that runs: it checks and adapts the nodes, folds what is constant,
// fuses what belongs together, infers shapes, lays out memory, and executes.
package graph

import (
	"errors"
	"fmt"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/op"
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
	taken   map[string]bool     // all value names, so that new ones are unique
	newest  map[*onnx.Node]bool // nodes that are not of the model's opsets but of the newest
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

// load makes a work graph of g that computes outputs.
func load(g *onnx.Graph, inputs []*onnx.Value, outputs []string, opsets func(string) int, warn func(string)) (*work, error) {
	nodes, err := g.Sort()
	if err != nil {
		return nil, err
	}
	versions := func(domain string) int {
		if v := opsets(domain); v > 0 || domain != microsoft {
			return v
		}
		return 1 // what fusing makes, in models that do not import the domain
	}
	w := &work{consts: map[string]*onnx.Tensor{}, inputs: inputs, outputs: outputs, opsets: versions, warn: warn, taken: map[string]bool{}}
	for _, t := range g.Initializers {
		w.consts[t.Name] = t
		w.taken[t.Name] = true
	}
	for _, v := range inputs {
		delete(w.consts, v.Name)
		w.taken[v.Name] = true
	}
	// Nodes are copied: passes rename their inputs and outputs.
	for _, n := range nodes {
		c := *n
		c.Inputs = append([]string(nil), n.Inputs...)
		c.Outputs = append([]string(nil), n.Outputs...)
		w.nodes = append(w.nodes, &c)
		for _, o := range n.Outputs {
			w.taken[o] = true
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
		if !seen[name] {
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
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	w.nodes = kept
	for name := range w.consts {
		if !need[name] {
			delete(w.consts, name)
		}
	}
}

// constants turns Constant nodes into constants.
func (w *work) constants() error {
	var errs []error
	kept := w.nodes[:0]
	for _, n := range w.nodes {
		if n.OpType != "Constant" || !isONNX(n.Domain) || len(n.Outputs) != 1 {
			kept = append(kept, n)
			continue
		}
		t, err := op.ConstantValue(n)
		if err != nil {
			errs = append(errs, nodeError(n, err))
			continue
		}
		w.consts[n.Outputs[0]] = t
	}
	w.nodes = kept
	return errors.Join(errs...)
}

func isONNX(domain string) bool { return domain == "" || domain == "ai.onnx" }

// dropIdentities takes out Identity nodes, and the Dropout of opset 12 and newer whose training_mode is off, by
// letting their readers read their input. Those that make a graph output or are read by a sub-graph stay.
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
	// One walk in topological order, with the new names looked up as inputs are met, keeps this linear.
	to := map[string]string{}
	kept := w.nodes[:0]
	for _, n := range w.nodes {
		for i, in := range n.Inputs {
			if t, ok := to[in]; ok {
				n.Inputs[i] = t
			}
		}
		if n.OpType == "Identity" && isONNX(n.Domain) && len(n.Inputs) == 1 && len(n.Outputs) == 1 && n.Inputs[0] != "" && !keep[n.Outputs[0]] {
			to[n.Outputs[0]] = n.Inputs[0]
			continue
		}
		kept = append(kept, n)
	}
	w.nodes = kept
}

// foldLimit bounds the size in bytes of a result that is computed when a session is opened, unless it is no larger
// than what it is computed from.
const foldLimit = 1 << 24

// fold computes nodes all of whose inputs are constants.
func (w *work) fold(rt *op.Runtime) error {
	var errs []error
	kept := w.nodes[:0]
	for _, n := range w.nodes {
		if hasSubGraphs(n) || !w.allConstant(n) {
			kept = append(kept, n)
			continue
		}
		o, d, err := op.Make(n, w.version(n), nil)
		if err != nil {
			kept = append(kept, n) // reported with all others when the steps are made
			continue
		}
		in := make([]*onnx.Tensor, len(n.Inputs))
		size := 0
		for i, name := range n.Inputs {
			if name != "" {
				in[i] = w.consts[name]
				size += len(in[i].Raw)
			}
		}
		out, err := evaluate(rt, withHalf(o, d, nil), d, n, in, max(size, foldLimit))
		if err != nil {
			errs = append(errs, nodeError(n, err))
			continue
		}
		if out == nil {
			kept = append(kept, n)
			continue
		}
		for i, name := range n.Outputs {
			if name != "" {
				w.consts[name] = out[i]
			}
		}
	}
	w.nodes = kept
	return errors.Join(errs...)
}

func (w *work) allConstant(n *onnx.Node) bool {
	for _, in := range n.Inputs {
		if in != "" && w.consts[in] == nil {
			return false
		}
	}
	return true
}

// evaluate runs one operator on known inputs. It returns nil where the outputs would take more than limit bytes.
func evaluate(rt *op.Runtime, o op.Op, d *op.Def, n *onnx.Node, in []*onnx.Tensor, limit int) ([]*onnx.Tensor, error) {
	in = pad(in, d.MaxIn)
	info := make([]op.Info, len(in))
	for i, t := range in {
		info[i] = infoOf(t)
	}
	outInfo, err := o.Infer(info)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, oi := range outInfo {
		if !oi.Dynamic {
			size += oi.Type.Bytes(onnx.NumElements(oi.Shape))
		}
	}
	if size > limit {
		return nil, nil
	}
	out := make([]*onnx.Tensor, max(len(outInfo), len(n.Outputs)))
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if i >= len(outInfo) || outInfo[i].Absent() {
			return nil, fmt.Errorf("has no output %d (%q)", i, name)
		}
		if outInfo[i].Value != nil {
			out[i] = outInfo[i].Value
			continue
		}
		if a, ok := o.(op.Aliaser); ok && i == 0 && a.Aliases() && in[0].Type != onnx.String {
			out[i] = &onnx.Tensor{Type: in[0].Type, Shape: outInfo[0].Shape, Raw: in[0].Raw}
			continue
		}
		if outInfo[i].Dynamic {
			out[i] = &onnx.Tensor{}
			continue
		}
		out[i] = onnx.New(outInfo[i].Type, outInfo[i].Shape...)
	}
	if err := o.Run(rt, in, out); err != nil {
		return nil, err
	}
	rt.Reset()
	return out, nil
}

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
