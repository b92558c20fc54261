package graph

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Options say how a model is compiled.
type Options struct {
	Outputs []string         // values to compute instead of the graph's outputs
	Shapes  map[string][]int // declares inputs anew; -1 is a free dimension
	Pool    *par.Pool
	Warn    func(string) // told of what is accepted although the specification does not have it
	NoFuse  bool         // keep every node as it is in the file
}

// Program is a compiled graph. It is safe for concurrent use: what changes while it runs lies in frames of their own.
//
// Shapes are inferred and memory is laid out once for each combination of input shapes, and kept for the latest few.
type Program struct {
	inputs  []*onnx.Value
	outputs []*onnx.Value
	inIDs   []int
	outIDs  []int
	names   []string       // of values, by id
	consts  []*onnx.Tensor // by id, nil for values that are computed
	steps   []step
	pool    *par.Pool

	ownInputs int // of a sub-graph: inputs before the captured values

	mu    sync.Mutex
	specs []*spec // latest used first
}

// step is a node that is ready to run. Value ids are -1 where an input or output is absent.
type step struct {
	node    *onnx.Node
	def     *op.Def
	op      op.Op
	in, out []int
	inPlace []int
	alias   bool
	subs    []sub
}

// sub is a sub-graph of a step; captures are the values it takes from the graph around it.
type sub struct {
	attr     string
	prog     *Program
	captures []int
}

// Compile makes a program of a model. The model, and the file it is mapped from, must stay open while the program is
// used. It returns all problems at once.
func Compile(m *onnx.Model, o Options) (*Program, error) {
	if m.Graph == nil {
		return nil, errors.New("the model has no graph")
	}
	m, err := m.Inlined()
	if err != nil {
		return nil, err
	}
	if err := checkOpsets(m); err != nil {
		return nil, err
	}
	inputs, err := declared(m.Graph.RequiredInputs(), o.Shapes)
	if err != nil {
		return nil, err
	}
	outputs, err := wanted(m.Graph, o.Outputs)
	if err != nil {
		return nil, err
	}
	w, err := load(m.Graph, inputs, valueNames(outputs), m.OpsetVersion, o.Warn)
	if err != nil {
		return nil, err
	}
	return compile(w, outputs, o, 0)
}

// checkOpsets refuses versions that the engine does not know.
func checkOpsets(m *onnx.Model) error {
	seen := map[string]int64{}
	for _, s := range m.Opsets {
		d := s.Domain
		if d == "ai.onnx" {
			d = ""
		}
		if v, ok := seen[d]; ok {
			return fmt.Errorf("opset_import names domain %q twice (versions %d and %d)", s.Domain, v, s.Version)
		}
		seen[d] = s.Version
	}
	v, ok := seen[""]
	if !ok {
		for _, n := range m.Graph.Nodes {
			if isONNX(n.Domain) {
				return fmt.Errorf("opset_import has no version of ai.onnx, which %s needs", n)
			}
		}
		return nil
	}
	if v < 1 || v > op.MaxOpset {
		return fmt.Errorf("opset %d of ai.onnx is not supported (supported: 1 to %d)", v, op.MaxOpset)
	}
	return nil
}

// declared applies the caller's shapes to the graph's inputs.
func declared(inputs []*onnx.Value, shapes map[string][]int) ([]*onnx.Value, error) {
	out := make([]*onnx.Value, len(inputs))
	used := 0
	for i, v := range inputs {
		if v.Type != nil && v.Type.Kind != onnx.KindTensor {
			return nil, fmt.Errorf("input %q is not a tensor", v.Name)
		}
		out[i] = v
		s, ok := shapes[v.Name]
		if !ok {
			continue
		}
		used++
		c := *v
		t := onnx.Type{HasShape: true}
		if v.Type != nil {
			t = *v.Type
			t.HasShape = true
		}
		t.Shape = make([]onnx.Dim, len(s))
		for k, d := range s {
			t.Shape[k] = onnx.Dim{Size: d}
		}
		c.Type = &t
		out[i] = &c
	}
	if used < len(shapes) {
		for name := range shapes {
			if !has(valueNames(inputs), name) {
				return nil, fmt.Errorf("there is no input %q (inputs: %q)", name, valueNames(inputs))
			}
		}
	}
	return out, nil
}

// wanted lists the values to compute.
func wanted(g *onnx.Graph, names []string) ([]*onnx.Value, error) {
	if names == nil {
		return g.Outputs, nil
	}
	types := map[string]*onnx.Value{}
	for _, vs := range [][]*onnx.Value{g.ValueInfo, g.Inputs, g.Outputs} {
		for _, v := range vs {
			types[v.Name] = v
		}
	}
	there := map[string]bool{}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			there[o] = true
		}
	}
	for _, t := range g.Initializers {
		there[t.Name] = true
	}
	out := make([]*onnx.Value, len(names))
	for i, name := range names {
		out[i] = types[name]
		if out[i] == nil {
			out[i] = &onnx.Value{Name: name}
			if !there[name] || name == "" {
				return nil, fmt.Errorf("the graph has no value %q", name)
			}
		}
	}
	return out, nil
}

func valueNames(vs []*onnx.Value) []string {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = v.Name
	}
	return names
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// compile rewrites the graph and makes the program.
func compile(w *work, outputs []*onnx.Value, o Options, depth int) (*Program, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("sub-graphs are nested more than %d deep", maxDepth)
	}
	rt := &op.Runtime{Context: context.Background(), Pool: o.Pool}
	w.prune()
	if err := unsupported(w.nodes, w.opsets); err != nil {
		return nil, err
	}
	if err := w.simplify(rt); err != nil {
		return nil, err
	}
	w.prune()
	p, err := makeProgram(w, outputs, o, depth)
	if err != nil || o.NoFuse {
		return p, err
	}
	if w.fuse(p.hints()) {
		w.prune()
		return makeProgram(w, outputs, o, depth)
	}
	return p, nil
}

// makeProgram makes the operators of all nodes; it collects the errors of all.
func makeProgram(w *work, outputs []*onnx.Value, o Options, depth int) (*Program, error) {
	p := &Program{inputs: w.inputs, outputs: outputs, pool: o.Pool}
	ids := map[string]int{"": -1}
	id := func(name string) int {
		i, ok := ids[name]
		if !ok {
			i = len(p.names)
			ids[name] = i
			p.names = append(p.names, name)
			p.consts = append(p.consts, nil)
		}
		return i
	}
	for _, v := range w.inputs {
		p.inIDs = append(p.inIDs, id(v.Name))
	}
	for name, t := range w.consts {
		p.consts[id(name)] = t
	}
	var errs []error
	for _, n := range w.nodes {
		s, err := makeStep(w, n, o, depth)
		if err != nil {
			errs = append(errs, nodeError(n, err))
			continue
		}
		for _, in := range n.Inputs {
			s.in = append(s.in, id(in))
		}
		s.in = padIDs(s.in, s.def.MaxIn)
		for i := range s.subs {
			for _, c := range s.subs[i].prog.captureNames() {
				s.subs[i].captures = append(s.subs[i].captures, id(c))
			}
		}
		for _, out := range n.Outputs {
			s.out = append(s.out, id(out))
		}
		p.steps = append(p.steps, s)
	}
	for _, v := range outputs {
		p.outIDs = append(p.outIDs, id(v.Name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, p.checkDefined()
}

func padIDs(ids []int, n int) []int {
	if n >= op.Variadic {
		return ids
	}
	for len(ids) < n {
		ids = append(ids, -1)
	}
	return ids
}

// checkDefined makes sure that every value that is read is there when it is read.
func (p *Program) checkDefined() error {
	defined := make([]bool, len(p.names))
	for i, c := range p.consts {
		defined[i] = c != nil
	}
	for _, i := range p.inIDs {
		defined[i] = true
	}
	for _, s := range p.steps {
		for _, i := range s.reads() {
			if !defined[i] {
				return nodeError(s.node, fmt.Errorf("reads %q, which nothing produces", p.names[i]))
			}
		}
		for _, i := range s.out {
			if i >= 0 {
				defined[i] = true
			}
		}
	}
	for k, i := range p.outIDs {
		if !defined[i] {
			return fmt.Errorf("output %q is produced by nothing", p.outputs[k].Name)
		}
	}
	return nil
}

// reads lists the ids of the values that a step needs.
func (s *step) reads() []int {
	var all []int
	for _, i := range s.in {
		if i >= 0 {
			all = append(all, i)
		}
	}
	for _, sub := range s.subs {
		all = append(all, sub.captures...)
	}
	return all
}

func makeStep(w *work, n *onnx.Node, o Options, depth int) (step, error) {
	warn := func(msg string) {
		if w.warn != nil {
			w.warn(n.String() + ": " + msg)
		}
	}
	opr, d, err := op.Make(n, w.version(n), warn)
	if err != nil {
		return step{}, err
	}
	s := step{node: n, def: d}
	consts := make([]*onnx.Tensor, len(n.Inputs))
	for i, in := range n.Inputs {
		consts[i] = w.consts[in]
	}
	if p, ok := opr.(op.Preparer); ok {
		wide := make([]*onnx.Tensor, len(consts))
		for i, t := range consts {
			wide[i] = t
			if t != nil && isHalf(t.Type) && !d.Half {
				wide[i] = widen(t)
			}
		}
		prepared, err := p.Prepare(pad(wide, d.MaxIn))
		if err != nil {
			return step{}, err
		}
		if prepared != nil {
			opr = prepared
		}
	}
	if ip, ok := opr.(op.InPlacer); ok {
		s.inPlace = ip.InPlace()
	}
	if a, ok := opr.(op.Aliaser); ok {
		s.alias = a.Aliases()
	}
	s.op = withHalf(opr, d, consts)
	for _, a := range n.Attrs {
		if a.Graph == nil {
			continue
		}
		prog, err := compileSub(w, a.Graph, o, depth+1)
		if err != nil {
			return step{}, fmt.Errorf("%s: %w", a.Name, err)
		}
		s.subs = append(s.subs, sub{attr: a.Name, prog: prog})
	}
	return s, nil
}

// compileSub compiles a sub-graph. What it takes from outside becomes further inputs, after its own, except constants.
func compileSub(outer *work, g *onnx.Graph, o Options, depth int) (*Program, error) {
	inputs := append([]*onnx.Value(nil), g.Inputs...)
	taken := captures(g)
	for _, c := range taken {
		if outer.consts[c] == nil {
			inputs = append(inputs, &onnx.Value{Name: c})
		}
	}
	w, err := load(g, inputs, valueNames(g.Outputs), outer.opsets, outer.warn)
	if err != nil {
		return nil, err
	}
	for _, c := range taken {
		if t := outer.consts[c]; t != nil {
			w.consts[c] = t
			w.taken[c] = true
		}
	}
	p, err := compile(w, g.Outputs, o, depth)
	if err != nil {
		return nil, err
	}
	p.ownInputs = len(g.Inputs)
	return p, nil
}

// captureNames lists the values that a sub-graph takes from outside.
func (p *Program) captureNames() []string { return valueNames(p.inputs[p.ownInputs:]) }

// Inputs returns the declarations of the inputs that [Program.Run] wants.
func (p *Program) Inputs() []*onnx.Value { return p.inputs }

// Outputs returns the declarations of the values it gives, as far as the model has them.
func (p *Program) Outputs() []*onnx.Value { return p.outputs }
