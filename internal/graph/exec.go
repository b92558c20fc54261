package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// keepSpecs is how many combinations of input shapes a program keeps its plans for, and keepFrames how many frames
// (that is: arenas) each of them keeps for the next run.
const (
	keepSpecs  = 4
	keepFrames = 2
)

// How the memory of a value comes about.
const (
	given     = iota // an input, a constant, or known since shapes were inferred
	inArena          // at an offset in the frame's arena
	fresh            // allocated in each run: outputs, which belong to the caller
	aliased          // the memory of another value
	atRunning        // shape known only when it is computed
)

// spec is a program's plan for one combination of input shapes.
type spec struct {
	key     string
	info    []op.Info
	kind    []uint8
	root    []int // by value: whose arena block it lies in
	offset  []int // by root, in bytes
	arena   int   // bytes
	skip    []bool
	dynamic []bool // by step: some input's shape is known only when it runs

	mu   sync.Mutex
	free []*frame
}

// frame is what one run changes.
type frame struct {
	vals   []*onnx.Tensor
	arena  []byte
	rt     op.Runtime
	step   *step
	in     []*onnx.Tensor
	out    []*onnx.Tensor
	infos  []op.Info
	header []onnx.Tensor        // of values with a planned shape
	into   map[int]*onnx.Tensor // memory that the caller gives for outputs
}

// Run computes the outputs. The inputs are only read, and what it returns belongs to the caller.
func (p *Program) Run(ctx context.Context, inputs map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	in := make([]*onnx.Tensor, len(p.inputs))
	for i, v := range p.inputs {
		t := inputs[v.Name]
		if t == nil {
			return nil, fmt.Errorf("input %q is missing (inputs: %q)", v.Name, valueNames(p.inputs))
		}
		in[i] = t
	}
	if len(inputs) > len(in) {
		for name := range inputs {
			if !has(valueNames(p.inputs), name) {
				return nil, fmt.Errorf("there is no input %q (inputs: %q)", name, valueNames(p.inputs))
			}
		}
	}
	out, err := p.run(ctx, in, nil)
	if err != nil {
		return nil, err
	}
	res := make(map[string]*onnx.Tensor, len(out))
	for i, t := range out {
		t.Name = p.outputs[i].Name
		res[t.Name] = t
	}
	return res, nil
}

// RunInto is Run with inputs and outputs by position, in the order of [Program.Inputs] and [Program.Outputs]. An output
// for which into holds a tensor (of its type and shape) is written there; the others, and those beyond the length of
// into, are allocated. It returns all outputs.
func (p *Program) RunInto(ctx context.Context, in, into []*onnx.Tensor) ([]*onnx.Tensor, error) {
	if len(in) != len(p.inputs) || len(into) > len(p.outputs) {
		return nil, fmt.Errorf("%d inputs and %d outputs given, the program has %d and %d", len(in), len(into), len(p.inputs), len(p.outputs))
	}
	return p.run(ctx, in, into)
}

// run is RunInto without the check.
func (p *Program) run(ctx context.Context, in, into []*onnx.Tensor) ([]*onnx.Tensor, error) {
	sp, err := p.specFor(in)
	if err != nil {
		return nil, err
	}
	f := sp.take(p)
	defer sp.give(f)
	return p.execute(ctx, sp, f, in, into)
}

// specFor finds or makes the plan for these inputs.
func (p *Program) specFor(in []*onnx.Tensor) (*spec, error) {
	var b strings.Builder
	for _, t := range in {
		fmt.Fprintf(&b, "%d%v", t.Type, t.Shape)
	}
	key := b.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, sp := range p.specs {
		if sp.key == key {
			copy(p.specs[1:i+1], p.specs[:i])
			p.specs[0] = sp
			return sp, nil
		}
	}
	info := make([]op.Info, len(in))
	for i, t := range in {
		if t.Type != onnx.String && len(t.Raw) != t.Type.Bytes(t.Len()) {
			return nil, fmt.Errorf("input %q: %v%v takes %d bytes, got %d", p.inputs[i].Name, t.Type, t.Shape, t.Type.Bytes(t.Len()), len(t.Raw))
		}
		info[i] = op.Info{Type: t.Type, Shape: append([]int{}, t.Shape...)}
	}
	relaxed, err := p.checkInputs(info)
	if err != nil {
		return nil, err
	}
	r, err := p.infer(info, true)
	if err != nil {
		if relaxed {
			err = fmt.Errorf("the model declares another batch size: %w", err)
		}
		return nil, err
	}
	if relaxed {
		if err := p.checkBatch(r, info); err != nil {
			return nil, err
		}
	}
	sp := p.plan(r)
	sp.key = key
	p.specs = append([]*spec{sp}, p.specs[:min(len(p.specs), keepSpecs-1)]...)
	return sp, nil
}

// checkInputs compares types and shapes with what the model declares. relaxed says that only a fixed batch size
// differs, which is right if the whole graph goes along with it.
func (p *Program) checkInputs(in []op.Info) (relaxed bool, err error) {
	for i, v := range p.inputs {
		if v.Type == nil {
			continue
		}
		if v.Type.Elem != onnx.Undefined && v.Type.Elem != in[i].Type {
			return false, fmt.Errorf("input %q: want %v, got %v", v.Name, v.Type.Elem, in[i].Type)
		}
		if !v.Type.HasShape {
			continue
		}
		bad := len(v.Type.Shape) != len(in[i].Shape)
		for k := 0; !bad && k < len(v.Type.Shape); k++ {
			d := v.Type.Shape[k]
			if d.Size < 0 || d.Param != "" || d.Size == in[i].Shape[k] {
				continue
			}
			if k == 0 && len(v.Type.Shape) > 1 {
				relaxed = true
				continue
			}
			bad = true
		}
		if bad {
			return false, fmt.Errorf("input %q: want shape %s, got %v", v.Name, shapeText(v.Type), in[i].Shape)
		}
	}
	return relaxed, nil
}

// shapeText writes a declared shape: [batch 3 224 224].
func shapeText(t *onnx.Type) string {
	parts := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		switch {
		case d.Param != "":
			parts[i] = d.Param
		case d.Size < 0:
			parts[i] = "?"
		default:
			parts[i] = fmt.Sprint(d.Size)
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// checkBatch makes sure that a batch of another size than the declared one goes through every node as a batch: values
// that have the declared size as first dimension must have the new one instead.
func (p *Program) checkBatch(got inference, in []op.Info) error {
	declared, err := p.declaredInfo(in[0].Shape[0], hintSize)
	if err != nil {
		return err
	}
	for i := range declared {
		for k := 1; k < len(declared[i].Shape); k++ {
			declared[i].Shape[k] = in[i].Shape[k]
		}
	}
	want, err := p.infer(declared, true)
	if err != nil {
		return err
	}
	was, is := declared[0].Shape[0], in[0].Shape[0]
	fed := make([]bool, len(p.names)) // computed from the inputs
	for _, i := range p.inIDs {
		fed[i] = true
	}
	for k := range p.steps {
		s := &p.steps[k]
		depends := false
		for _, i := range s.reads() {
			depends = depends || fed[i]
		}
		for _, o := range s.out {
			if o < 0 || !depends {
				continue
			}
			fed[o] = true
			a, b := want.info[o], got.info[o]
			if a.Dynamic || b.Dynamic || a.Value != nil && b.Value != nil || len(a.Shape) == 0 || len(b.Shape) == 0 {
				continue
			}
			if a.Shape[0] == was && b.Shape[0] != is {
				return nodeError(s.node, fmt.Errorf("the model declares a batch of %d, and this node gives shape %v for a batch of %d: run the images in batches of %d", was, b.Shape, is, was))
			}
		}
	}
	return nil
}

// plan decides where each value lies.
func (p *Program) plan(r inference) *spec {
	n := len(p.names)
	sp := &spec{info: r.info, kind: make([]uint8, n), root: make([]int, n), offset: make([]int, n),
		skip: make([]bool, len(p.steps)), dynamic: make([]bool, len(p.steps))}
	isOut := make([]bool, n)
	last := make([]int, n)  // by root: last step that reads it
	first := make([]int, n) // by root: step that writes it
	for i := range sp.root {
		sp.root[i] = i
	}
	for k := range p.steps {
		for _, i := range p.steps[k].reads() {
			last[i] = k
		}
	}
	for _, i := range p.outIDs {
		isOut[i] = true
		last[i] = len(p.steps)
	}
	for k := range p.steps {
		s := &p.steps[k]
		known := true
		for _, i := range s.in {
			sp.dynamic[k] = sp.dynamic[k] || i >= 0 && r.info[i].Dynamic
		}
		for _, o := range s.out {
			if o < 0 {
				continue
			}
			known = known && r.info[o].Value != nil
			first[o] = k
			switch {
			case r.info[o].Dynamic:
				sp.kind[o] = atRunning
			case r.info[o].Value != nil:
				sp.kind[o] = given
			case isOut[o] || r.info[o].Type == onnx.String:
				sp.kind[o] = fresh
			default:
				sp.kind[o] = inArena
			}
		}
		sp.skip[k] = known
		if !known && !sp.dynamic[k] {
			sp.share(s, k, first, last)
		}
	}
	sp.layOut(first, last)
	return sp
}

// share lets the first output of a step lie in the memory of one of its inputs, where that is allowed.
func (sp *spec) share(s *step, k int, first, last []int) {
	if len(s.out) == 0 || s.out[0] < 0 || len(s.in) == 0 {
		return
	}
	o := s.out[0]
	if s.alias && s.in[0] >= 0 && sp.kind[o] != atRunning && sp.kind[o] != given && sp.info[s.in[0]].Type != onnx.String {
		i := s.in[0]
		if sp.kind[i] == atRunning {
			return
		}
		isOut := sp.kind[o] == fresh
		sp.kind[o] = aliased
		sp.root[o] = sp.root[i]
		r := sp.root[o]
		last[r] = max(last[r], last[o])
		if isOut {
			last[r] = 1 << 62
		}
		return
	}
	if sp.kind[o] != inArena {
		return
	}
	size := sp.info[o].Type.Bytes(onnx.NumElements(sp.info[o].Shape))
	for _, x := range s.inPlace {
		if x >= len(s.in) || s.in[x] < 0 {
			continue
		}
		i := s.in[x]
		r := sp.root[i]
		if sp.kind[r] != inArena || last[r] != k || sp.info[i].Type.Bytes(onnx.NumElements(sp.info[i].Shape)) != size {
			continue
		}
		clash := false
		for _, other := range s.in {
			clash = clash || other >= 0 && other != i && sp.root[other] == r
		}
		for _, sub := range s.subs {
			for _, c := range sub.captures {
				clash = clash || sp.root[c] == r
			}
		}
		if clash {
			continue
		}
		sp.root[o] = r
		last[r] = max(last[o], k)
		return
	}
}

// layOut gives each arena block an offset: large ones first, each at the lowest place that is free during its life.
func (sp *spec) layOut(first, last []int) {
	type block struct{ id, size, from, to, at int }
	var blocks []block
	for i, k := range sp.kind {
		if k == inArena && sp.root[i] == i {
			size := (sp.info[i].Type.Bytes(onnx.NumElements(sp.info[i].Shape)) + 63) &^ 63
			blocks = append(blocks, block{i, size, first[i], max(last[i], first[i]), 0})
		}
	}
	sort.SliceStable(blocks, func(a, b int) bool { return blocks[a].size > blocks[b].size })
	var placed []block // sorted by at
	for _, b := range blocks {
		at := 0
		for _, q := range placed {
			if q.to < b.from || b.to < q.from {
				continue
			}
			if q.at >= at+b.size {
				break
			}
			at = max(at, q.at+q.size)
		}
		b.at = at
		pos := sort.Search(len(placed), func(i int) bool { return placed[i].at > at })
		placed = append(placed, block{})
		copy(placed[pos+1:], placed[pos:])
		placed[pos] = b
		sp.offset[b.id] = at
		sp.arena = max(sp.arena, at+b.size)
	}
}

// take returns a frame that nobody uses.
func (sp *spec) take(p *Program) *frame {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if n := len(sp.free); n > 0 {
		f := sp.free[n-1]
		sp.free = sp.free[:n-1]
		return f
	}
	f := &frame{vals: make([]*onnx.Tensor, len(p.names)), header: make([]onnx.Tensor, len(p.names)), into: map[int]*onnx.Tensor{}}
	f.arena = onnx.New(onnx.Uint8, sp.arena).Raw
	f.rt.Pool = p.pool
	f.rt.Sub = func(attr string, inputs []*onnx.Tensor) ([]*onnx.Tensor, error) { return f.runSub(attr, inputs) }
	for i := range f.vals {
		info := &sp.info[i]
		switch sp.kind[i] {
		case given:
			f.vals[i] = info.Value
		case inArena, aliased, fresh:
			h := &f.header[i]
			h.Type, h.Shape = info.Type, info.Shape
			if sp.kind[i] == inArena {
				at, size := sp.offset[sp.root[i]], info.Type.Bytes(onnx.NumElements(info.Shape))
				h.Raw = f.arena[at : at+size : at+size]
			}
			f.vals[i] = h
		}
	}
	return f
}

// give takes a frame back, without what belongs to the caller.
func (sp *spec) give(f *frame) {
	f.step = nil
	f.rt.Context = nil
	clear(f.in)
	clear(f.out)
	for i := range f.vals {
		switch sp.kind[i] {
		case given:
			f.vals[i] = sp.info[i].Value
		case aliased:
			f.header[i].Raw, f.header[i].Strings = nil, nil
		case fresh, atRunning:
			f.vals[i] = nil
		}
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if len(sp.free) < keepFrames {
		sp.free = append(sp.free, f)
	}
}

func (f *frame) runSub(attr string, inputs []*onnx.Tensor) ([]*onnx.Tensor, error) {
	for _, s := range f.step.subs {
		if s.attr != attr {
			continue
		}
		in := append([]*onnx.Tensor(nil), inputs...)
		if len(in) != s.prog.ownInputs {
			return nil, fmt.Errorf("%s wants %d inputs, got %d", attr, s.prog.ownInputs, len(in))
		}
		for _, c := range s.captures {
			in = append(in, f.vals[c])
		}
		return s.prog.run(f.rt.Context, in, nil)
	}
	return nil, fmt.Errorf("there is no sub-graph %q", attr)
}

func (p *Program) execute(ctx context.Context, sp *spec, f *frame, in, into []*onnx.Tensor) ([]*onnx.Tensor, error) {
	f.rt.Context = ctx
	clear(f.into)
	for k, t := range into {
		i := p.outIDs[k]
		if t == nil {
			continue
		}
		if info := sp.info[i]; !info.Dynamic && (t.Type != info.Type || !slices.Equal(t.Shape, info.Shape)) {
			return nil, fmt.Errorf("output %q is %v%v, got memory for %v%v", p.names[i], info.Type, info.Shape, t.Type, t.Shape)
		}
		if sp.kind[i] == fresh {
			f.into[i] = t
		}
	}
	for k, i := range p.inIDs {
		f.vals[i] = in[k]
	}
	for k := range p.steps {
		if sp.skip[k] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.runStep(sp, f, k); err != nil {
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return nil, err
			}
			return nil, nodeError(p.steps[k].node, err)
		}
	}
	out := make([]*onnx.Tensor, len(p.outIDs))
	for k, i := range p.outIDs {
		t := f.vals[i]
		if k < len(into) && into[k] != nil {
			if sp.kind[i] != fresh || t != into[k] {
				if t.Type != into[k].Type || !slices.Equal(t.Shape, into[k].Shape) {
					return nil, fmt.Errorf("output %q is %v%v, got memory for %v%v", p.names[i], t.Type, t.Shape, into[k].Type, into[k].Shape)
				}
				copy(into[k].Raw, t.Raw)
				copy(into[k].Strings, t.Strings)
			}
			out[k] = into[k]
			continue
		}
		if sp.kind[i] == given || sp.kind[i] == aliased || has2(p.outIDs[:k], i) {
			t = t.Clone() // the memory is somebody else's: the caller's, a constant's, the arena's
		}
		out[k] = &onnx.Tensor{Name: p.names[i], Type: t.Type, Shape: append([]int{}, t.Shape...), Raw: t.Raw, Strings: t.Strings}
	}
	return out, nil
}

func has2(list []int, x int) bool {
	for _, v := range list {
		if v == x {
			return true
		}
	}
	return false
}

func (p *Program) runStep(sp *spec, f *frame, k int) error {
	s := &p.steps[k]
	f.step = s
	f.in, f.out = f.in[:0], f.out[:0]
	for _, i := range s.in {
		if i < 0 {
			f.in = append(f.in, nil)
		} else {
			f.in = append(f.in, f.vals[i])
		}
	}
	if sp.dynamic[k] {
		return p.runDynamic(f, s)
	}
	for j, o := range s.out {
		if o < 0 {
			f.out = append(f.out, nil)
			continue
		}
		switch sp.kind[o] {
		case fresh:
			if f.vals[o] = f.into[o]; f.vals[o] == nil {
				f.vals[o] = onnx.New(sp.info[o].Type, sp.info[o].Shape...)
			}
		case atRunning:
			return p.runDynamic(f, s)
		case given:
			// Known before, but the step has other outputs that are not: it gets memory that is then thrown away.
			f.out = append(f.out, onnx.New(sp.info[o].Type, sp.info[o].Shape...))
			continue
		case aliased:
			if j == 0 {
				f.vals[o].Raw, f.vals[o].Strings = f.in[0].Raw, f.in[0].Strings
			}
		}
		f.out = append(f.out, f.vals[o])
	}
	if len(s.out) > 0 && s.out[0] >= 0 && sp.kind[s.out[0]] == aliased && len(s.out) == 1 {
		return nil
	}
	f.padOut(s)
	err := s.op.Run(&f.rt, f.in, f.out)
	f.rt.Reset()
	return err
}

// padOut appends absent outputs up to the number the operator can have.
func (f *frame) padOut(s *step) { f.out = pad(f.out, s.def.MaxOut) }

// runDynamic infers the shapes of a step's outputs from the values themselves, and then runs it.
func (p *Program) runDynamic(f *frame, s *step) error {
	f.infos = f.infos[:0]
	for _, t := range f.in {
		f.infos = append(f.infos, infoOf(t))
	}
	out, err := s.op.Infer(f.infos)
	if err != nil {
		return err
	}
	f.out = f.out[:0]
	for i, o := range s.out {
		if o < 0 {
			f.out = append(f.out, nil)
			continue
		}
		if i >= len(out) || out[i].Absent() {
			return fmt.Errorf("has no output %d (%q)", i, p.names[o])
		}
		t := &onnx.Tensor{}
		switch {
		case s.alias && i == 0:
			t = f.in[0].Clone()
			t.Shape = out[0].Shape
		case !out[i].Dynamic:
			t = onnx.New(out[i].Type, out[i].Shape...)
		}
		f.vals[o] = t
		f.out = append(f.out, t)
	}
	if s.alias && len(s.out) == 1 {
		return nil
	}
	f.padOut(s)
	err = s.op.Run(&f.rt, f.in, f.out)
	f.rt.Reset()
	return err
}
