package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/onnxcnn/onnxcnn/internal/bigmem"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// keepFrames is how many frames a plan, and how many workspaces a program, keeps for the next runs.
const keepFrames = 2

// workspace is the memory of one run. It serves plans of all shapes in turn.
type workspace struct {
	arena []byte
	rt    op.Runtime // with the operators' scratch memory
}

// frame is what one run changes.
type frame struct {
	vals   []*onnx.Tensor // by value
	header []onnx.Tensor  // by value, of those with a planned shape
	arena  []byte         // the one that header points into
	ws     *workspace
	sub    func(attr string, inputs []*onnx.Tensor) ([]*onnx.Tensor, error)
	step   *step
	in     []*onnx.Tensor
	out    []*onnx.Tensor
	infos  []op.Info
	into   []*onnx.Tensor // by value: memory that the caller gives for an output
	held   int            // bytes of values whose shapes were not known before
	strip  *frame         // that of the plan's strip
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
			if !slices.Contains(valueNames(p.inputs), name) {
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
	for i, t := range in {
		if t == nil {
			return nil, fmt.Errorf("input %q is missing", p.inputs[i].Name)
		}
	}
	return p.run(ctx, in, into)
}

// run is RunInto without the check.
func (p *Program) run(ctx context.Context, in, into []*onnx.Tensor) ([]*onnx.Tensor, error) {
	sp, err := p.specFor(in)
	if err != nil {
		return nil, err
	}
	f := p.take(sp)
	defer p.give(sp, f)
	return p.execute(ctx, sp, f, in, into)
}

// take returns a frame that nobody uses, with a workspace.
func (p *Program) take(sp *spec) *frame {
	ws := p.workspace(sp.arena)
	var f *frame
	sp.mu.Lock()
	if n := len(sp.free); n > 0 {
		f, sp.free = sp.free[n-1], sp.free[:n-1]
	}
	sp.mu.Unlock()
	if f == nil {
		f = p.newFrame(sp)
	}
	f.ws = ws
	f.place(sp, ws.arena)
	if st := sp.strip; st != nil {
		f.strip.ws = ws
		f.strip.place(st.spec, ws.arena[st.at:])
	}
	ws.rt.Sub = f.sub
	return f
}

// workspace returns one that nobody uses, with an arena of at least size bytes.
func (p *Program) workspace(size int) *workspace {
	var ws *workspace
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		best := n - 1
		for i, w := range p.idle {
			if len(w.arena) >= size && (len(p.idle[best].arena) < size || len(w.arena) < len(p.idle[best].arena)) {
				best = i
			}
		}
		ws = p.idle[best]
		p.idle = slices.Delete(p.idle, best, best+1)
	}
	p.mu.Unlock()
	if ws == nil {
		ws = &workspace{rt: op.Runtime{Pool: p.pool, Limit: p.limit}}
	}
	if len(ws.arena) < size {
		words := bigmem.Make[uint64]((size + 7) / 8)
		ws.arena = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size)
	}
	return ws
}

func (p *Program) newFrame(sp *spec) *frame {
	f := &frame{vals: make([]*onnx.Tensor, len(p.names)), header: make([]onnx.Tensor, len(p.names))}
	f.sub = f.runSub
	if sp.strip != nil {
		f.strip = p.stripFrame(sp.strip)
	}
	for i := range f.vals {
		switch sp.kind[i] {
		case given:
			f.vals[i] = sp.info[i].Value
		case inArena, aliased:
			f.header[i] = onnx.Tensor{Type: sp.info[i].Type, Shape: sp.info[i].Shape}
			f.vals[i] = &f.header[i]
		}
	}
	return f
}

// place lets the planned values lie in an arena.
func (f *frame) place(sp *spec, arena []byte) {
	if len(arena) == 0 || len(f.arena) > 0 && &f.arena[0] == &arena[0] {
		return
	}
	f.arena = arena
	for i, k := range sp.kind {
		if k == inArena {
			at, size := sp.offset[sp.root[i]]+sp.within[i], bytesOf(&sp.info[i])
			f.header[i].Raw = arena[at : at+size : at+size]
		}
	}
}

// give takes a frame and its workspace back, without what belongs to the caller.
func (p *Program) give(sp *spec, f *frame) {
	ws := f.ws
	ws.rt.Context, ws.rt.Sub = nil, nil
	ws.rt.Reset()
	f.forget(sp)
	clear(f.into)
	if st := sp.strip; st != nil {
		f.strip.forget(st.spec)
		for _, o := range st.out {
			f.strip.into[o].Raw = nil
		}
		f.strip.header[p.inIDs[0]] = onnx.Tensor{}
	}
	sp.mu.Lock()
	if len(sp.free) < keepFrames {
		sp.free = append(sp.free, f)
	}
	sp.mu.Unlock()
	p.mu.Lock()
	if len(p.idle) < keepFrames {
		p.idle = append(p.idle, ws)
	}
	p.mu.Unlock()
}

// forget lets go of what belongs to others.
func (f *frame) forget(sp *spec) {
	f.ws, f.step, f.held = nil, nil, 0
	clear(f.in)
	clear(f.out)
	clear(f.infos)
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
}

func (f *frame) runSub(attr string, inputs []*onnx.Tensor) ([]*onnx.Tensor, error) {
	for _, s := range f.step.subs {
		if s.attr.Name != attr {
			continue
		}
		if len(inputs) != s.prog.ownInputs {
			return nil, fmt.Errorf("%s wants %d inputs, got %d", attr, s.prog.ownInputs, len(inputs))
		}
		in := slices.Clone(inputs)
		for _, c := range s.captures {
			in = append(in, f.vals[c])
		}
		return s.prog.run(f.ws.rt.Context, in, nil)
	}
	return nil, fmt.Errorf("there is no sub-graph %q", attr)
}

func (p *Program) execute(ctx context.Context, sp *spec, f *frame, in, into []*onnx.Tensor) ([]*onnx.Tensor, error) {
	f.ws.rt.Context = ctx
	for k, t := range into {
		if t == nil {
			continue
		}
		i := p.outIDs[k]
		if !sp.info[i].Dynamic {
			if err := p.takes(k, t, sp.info[i].Type, sp.info[i].Shape); err != nil {
				return nil, err
			}
		}
		if sp.kind[i] == fresh {
			if f.into == nil {
				f.into = make([]*onnx.Tensor, len(f.vals))
			}
			f.into[i] = t
		}
	}
	for k, i := range p.inIDs {
		f.vals[i] = in[k]
	}
	if sp.strip != nil {
		if err := p.runStrip(ctx, sp, f); err != nil {
			return nil, err
		}
	}
	for k := range p.steps {
		if sp.skip[k] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		step := p.runStep
		if p.profile != nil {
			step = p.timeStep
		}
		if err := step(sp, f, k); err != nil {
			return nil, p.stepError(k, err)
		}
	}
	out := make([]*onnx.Tensor, len(p.outIDs))
	for k, i := range p.outIDs {
		t := f.vals[i]
		if k < len(into) && into[k] != nil {
			if out[k] = into[k]; out[k] != t {
				if err := p.takes(k, out[k], t.Type, t.Shape); err != nil {
					return nil, err
				}
				copy(out[k].Raw, t.Raw)
				copy(out[k].Strings, t.Strings)
			}
			continue
		}
		if sp.kind[i] == given || sp.kind[i] == aliased || slices.Contains(p.outIDs[:k], i) {
			t = t.Clone() // the memory is somebody else's: the caller's, a constant's, the arena's
		}
		out[k] = &onnx.Tensor{Name: p.names[i], Type: t.Type, Shape: append([]int{}, t.Shape...), Raw: t.Raw, Strings: t.Strings}
	}
	return out, nil
}

// stepError names the step in its error; that the run was called off is nobody's.
func (p *Program) stepError(k int, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nodeError(p.steps[k].node, err)
}

// takes makes sure that t is memory for output k, which is of this type and shape.
func (p *Program) takes(k int, t *onnx.Tensor, typ onnx.DataType, shape []int) error {
	err := checkTensor(t, p.limit)
	if err == nil && (t.Type != typ || !slices.Equal(t.Shape, shape)) {
		err = fmt.Errorf("it is %v%v, got memory for %v%v", typ, shape, t.Type, t.Shape)
	}
	if err != nil {
		return fmt.Errorf("output %q: %w", p.outputs[k].Name, err)
	}
	return nil
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
		if err := p.runDynamic(sp, f, s); err != nil {
			return err
		}
	} else if err := p.runPlanned(sp, f, s); err != nil {
		return err
	}
	for _, i := range sp.release[k] {
		f.held -= heldBy(f.vals[i])
		f.vals[i] = nil
	}
	return nil
}

// runPlanned runs a step all of whose shapes are known.
func (p *Program) runPlanned(sp *spec, f *frame, s *step) error {
	for j, o := range s.out {
		if o < 0 {
			f.out = append(f.out, nil)
			continue
		}
		t := f.vals[o]
		switch sp.kind[o] {
		case fresh:
			if t = nil; f.into != nil {
				t = f.into[o]
			}
			if t == nil {
				t = onnx.New(sp.info[o].Type, sp.info[o].Shape...)
			}
			f.vals[o] = t
		case given:
			// Known before, but the step has other outputs that are not: it gets memory that is then thrown away.
			t = onnx.New(sp.info[o].Type, sp.info[o].Shape...)
		case aliased:
			if t.Raw = f.in[j].Raw; len(s.out) == 1 {
				return nil
			}
		}
		f.out = append(f.out, t)
	}
	return f.call(s)
}

// call runs the operator of a step on f.in and f.out, to which it adds absent outputs up to the number the operator
// can have.
func (f *frame) call(s *step) error {
	if s.def.MaxOut < op.Variadic {
		for len(f.out) < s.def.MaxOut {
			f.out = append(f.out, nil)
		}
	}
	err := s.op.Run(&f.ws.rt, f.in, f.out)
	f.ws.rt.Reset()
	return err
}

// runDynamic infers the shapes of a step's outputs from the values themselves, and then runs it.
func (p *Program) runDynamic(sp *spec, f *frame, s *step) error {
	f.infos = f.infos[:0]
	for _, t := range f.in {
		f.infos = append(f.infos, infoOf(t))
	}
	out, err := s.op.Infer(f.infos)
	if err != nil {
		return err
	}
	if err := checkInfos(s.node, out, p.limit); err != nil {
		return err
	}
	alias := s.alias && len(s.out) > 0 && s.out[0] >= 0
	for i, o := range s.out {
		if o < 0 {
			f.out = append(f.out, nil)
			continue
		}
		t := &onnx.Tensor{}
		switch info := out[i]; {
		case alias && i == 0:
			if err := p.hold(sp, f, f.in[0]); err != nil {
				return err
			}
			t = f.in[0].Clone()
			t.Shape = info.Shape
		case !info.Dynamic:
			size, err := sizeOf(info.Type, info.Shape, p.limit-min(p.limit, sp.arena+sp.fresh+f.held))
			if err != nil {
				return err
			}
			f.held += size
			t = onnx.New(info.Type, info.Shape...)
		}
		f.vals[o] = t
		f.out = append(f.out, t)
	}
	if alias && len(s.out) == 1 {
		return nil
	}
	if err := f.call(s); err != nil {
		return err
	}
	for i, o := range s.out {
		if o >= 0 && out[i].Dynamic {
			if err := checkTensor(f.vals[o], p.limit); err != nil {
				return fmt.Errorf("output %q: internal error of the operator: %w", p.names[o], err)
			}
			if err := p.hold(sp, f, f.vals[o]); err != nil {
				return err
			}
		}
	}
	return nil
}

// hold counts a value whose shape was not known before among the memory of the run.
func (p *Program) hold(sp *spec, f *frame, t *onnx.Tensor) error {
	f.held += heldBy(t)
	if sp.arena+sp.fresh+f.held > p.limit {
		return tooLarge(t.Type, t.Shape, p.limit)
	}
	return nil
}

// Memory returns how many bytes the program holds for values between its steps, from the runs that it has made.
func (p *Program) Memory() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, ws := range p.idle {
		n += len(ws.arena)
	}
	return n
}
