package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	Profile func(Timing) // told of each step that a run computes, by the goroutine that runs it; nil: nothing is timed
	Limit   int          // bytes that a value, and a run, may take; 0: three quarters of the memory that there is, 64 GiB at most
}

func (o Options) limit() int {
	if o.Limit > 0 {
		return o.Limit
	}
	return machineLimit()
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
	limit   int // bytes that a value, and a run, may take
	profile func(Timing)

	ownInputs int // of a sub-graph: inputs before the captured values

	mu    sync.Mutex
	specs []*spec      // latest used first
	idle  []*workspace // memory that no run uses
}

// step is a node that is ready to run. Value ids are -1 where an input or output is absent.
type step struct {
	node    *onnx.Node
	def     *op.Def
	raw     op.Op // as the node has it
	op      op.Op // ready to run
	in, out []int
	inPlace []int
	shaped  op.ShapedInPlacer // says more than inPlace; nil for most
	alias   bool
	subs    []sub
}

// sub is a sub-graph of a step; captures are the values it takes from the graph around it.
type sub struct {
	attr     *onnx.Attribute
	prog     *Program // nil in a draft
	captures []int
}

// Compile makes a program of a model. The model, and the file it is mapped from, must stay open while the program is
// used. It returns all problems at once.
func Compile(m *onnx.Model, o Options) (*Program, error) {
	m, inputs, err := prepared(m, o.Shapes)
	if err != nil {
		return nil, err
	}
	outputs, err := wanted(m.Graph, o.Outputs)
	if err != nil {
		return nil, err
	}
	w, err := load(m.Graph, inputs, valueNames(outputs), nil, o, m.OpsetVersion)
	if err != nil {
		return nil, err
	}
	return compile(w, outputs, o)
}

// prepared returns a model without functions, of versions that the engine knows, and its inputs with the given shapes.
func prepared(m *onnx.Model, shapes map[string][]int) (*onnx.Model, []*onnx.Value, error) {
	if m.Graph == nil {
		return nil, nil, errors.New("the model has no graph")
	}
	m, err := m.Inlined()
	if err != nil {
		return nil, nil, err
	}
	if err := checkOpsets(m); err != nil {
		return nil, nil, err
	}
	inputs, err := declared(m.Graph.RequiredInputs(), shapes)
	return m, inputs, err
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

// compile rewrites the graph and makes the program.
func compile(w *work, outputs []*onnx.Value, o Options) (*Program, error) {
	p, err := w.rewrite(outputs, o)
	if err != nil {
		return nil, err
	}
	return p, p.finish(w, o)
}

// rewrite simplifies and fuses the graph, and makes a draft of the program.
func (w *work) rewrite(outputs []*onnx.Value, o Options) (*Program, error) {
	if w.depth > maxDepth {
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
	p, err := w.draft(outputs, o)
	if err != nil {
		return nil, err
	}
	if o.NoFuse {
		return p, nil
	}
	warn := w.warn
	w.warn = nil // what there is to say about these nodes has been said
	defer func() { w.warn = warn }()
	hints := p.hints()
	if w.widenHalves(hints) {
		if p, err = w.draft(outputs, o); err != nil {
			return nil, err
		}
		hints = p.hints()
	}
	if !w.fuse(hints) {
		return p, nil
	}
	w.prune()
	return w.draft(outputs, o)
}

// draft makes the operators of all nodes, without preparing them and without sub-graphs: shapes can be inferred, but
// nothing can run. It collects the errors of all.
func (w *work) draft(outputs []*onnx.Value, o Options) (*Program, error) {
	p := &Program{inputs: w.inputs, outputs: outputs, pool: o.Pool, limit: o.limit(), profile: o.Profile}
	ids := map[string]int{"": -1}
	id := func(name string) int {
		i, ok := ids[name]
		if !ok {
			i = len(p.names)
			ids[name] = i
			p.names = append(p.names, name)
			p.consts = append(p.consts, w.consts[name])
		}
		return i
	}
	for _, v := range w.inputs {
		p.inIDs = append(p.inIDs, id(v.Name))
	}
	var errs []error
	for _, n := range w.nodes {
		opr, d, err := op.Make(n, w.version(n), func(msg string) {
			if w.warn != nil {
				w.warn(n.String() + ": " + msg)
			}
		})
		if err != nil {
			errs = append(errs, nodeError(n, err))
			continue
		}
		s := step{node: n, def: d, raw: opr, op: withHalf(opr, d, nil)}
		for _, in := range n.Inputs {
			s.in = append(s.in, id(in))
		}
		s.in = padIDs(s.in, d.MaxIn)
		for _, a := range n.Attrs {
			if a.Graph == nil {
				continue
			}
			sub := sub{attr: a}
			for _, c := range captures(a.Graph) {
				if w.consts[c] == nil {
					sub.captures = append(sub.captures, id(c))
				}
			}
			s.subs = append(s.subs, sub)
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

// finish lets the operators of a draft prepare their constants, and compiles the sub-graphs.
func (p *Program) finish(w *work, o Options) error {
	errs := make([]error, len(p.steps))
	p.pool.For(len(p.steps), 1, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			errs[k] = p.prepare(&p.steps[k])
		}
	})
	for k := range p.steps {
		s := &p.steps[k]
		for i := range s.subs {
			inner := o
			if s.node.OpType == "Loop" || s.node.OpType == "Scan" {
				inner.Limit = max(o.limit()/loopShare, 1)
			}
			prog, err := compileSub(w, s.subs[i].attr.Graph, inner)
			if err != nil {
				errs[k] = errors.Join(errs[k], fmt.Errorf("%s: %w", s.subs[i].attr.Name, err))
				continue
			}
			s.subs[i].prog = prog
		}
		if errs[k] != nil {
			errs[k] = nodeError(s.node, errs[k])
		}
	}
	return errors.Join(errs...)
}

// prepare makes the operator of a step ready to run, knowing its constant inputs.
func (p *Program) prepare(s *step) error {
	consts := make([]*onnx.Tensor, len(s.in))
	wide := map[*onnx.Tensor]*onnx.Tensor{} // those of half precision, where the operator wants float32
	for i, id := range s.in {
		if id < 0 || p.consts[id] == nil {
			continue
		}
		t := p.consts[id]
		if t.Type.IsHalf() && !s.def.Half {
			if wide[t] == nil {
				wide[t] = widen(t)
			}
			t = wide[t]
		}
		consts[i] = t
	}
	opr := s.raw
	if preparer, ok := opr.(op.Preparer); ok {
		prepared, err := preparer.Prepare(consts)
		if err != nil {
			return err
		}
		if prepared != nil {
			opr = prepared
		}
	}
	if ip, ok := opr.(op.InPlacer); ok {
		s.inPlace = ip.InPlace()
	}
	s.shaped, _ = opr.(op.ShapedInPlacer)
	s.alias = isAlias(opr)
	s.op = withHalf(opr, s.def, wide)
	return nil
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

// compileSub compiles a sub-graph. What it takes from outside becomes further inputs, after its own, except constants.
func compileSub(outer *work, g *onnx.Graph, o Options) (*Program, error) {
	inputs := slices.Clone(g.Inputs)
	taken := captures(g)
	for _, c := range taken {
		if outer.consts[c] == nil {
			inputs = append(inputs, &onnx.Value{Name: c})
		}
	}
	o.Warn = outer.warn
	w, err := load(g, inputs, valueNames(g.Outputs), outer, o, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range taken {
		if t := outer.consts[c]; t != nil {
			w.consts[c] = t
			w.taken[c] = true
		}
	}
	p, err := compile(w, g.Outputs, o)
	if err != nil {
		return nil, err
	}
	p.ownInputs = len(g.Inputs)
	return p, nil
}

// Inputs returns the declarations of the inputs that [Program.Run] wants.
func (p *Program) Inputs() []*onnx.Value { return p.inputs }

// Outputs returns the declarations of the values it gives, as far as the model has them.
func (p *Program) Outputs() []*onnx.Value { return p.outputs }
