package graph

import (
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// keepSpecs is how many combinations of input shapes a program keeps its plans for.
const keepSpecs = 4

// How the memory of a value comes about.
const (
	given     = iota // an input, a constant, or known since shapes were inferred
	inArena          // at an offset in the arena of a run
	fresh            // allocated in each run: outputs, which belong to the caller
	aliased          // the memory of another value
	atRunning        // shape known only when it is computed
	inStrip          // made and read in the strip alone
)

// spec is a program's plan for one combination of input shapes.
type spec struct {
	inputs  []op.Info // the combination
	info    []op.Info // by value
	kind    []uint8   // by value
	root    []int     // by value: whose arena block it lies in
	within  []int     // by value: where in that block, in bytes
	offset  []int     // by root, in bytes
	arena   int       // bytes
	fresh   int       // bytes of all fresh values
	skip    []bool    // by step: everything it computes is known
	dynamic []bool    // by step: some shape that it reads or makes is known only when it runs
	release [][]int   // by step: values made at running that nobody reads after it
	strip   *strip    // how the first steps are run; nil for one after the other

	mu   sync.Mutex
	free []*frame
}

// last step of values that live until the end of a run.
const forever = 1 << 62

// specFor finds or makes the plan for these inputs. Plans are made without holding the lock, so that runs with shapes
// that have one go on.
func (p *Program) specFor(in []*onnx.Tensor) (*spec, error) {
	for i, t := range in {
		if err := checkTensor(t, p.limit); err != nil {
			return nil, fmt.Errorf("input %q: %w", p.inputs[i].Name, err)
		}
	}
	if sp := p.known(in); sp != nil {
		return sp, nil
	}
	info := make([]op.Info, len(in))
	for i, t := range in {
		info[i] = op.Info{Type: t.Type, Shape: append([]int{}, t.Shape...)}
	}
	relaxed, err := p.checkInputs(info)
	if err != nil {
		return nil, err
	}
	r, err := p.infer(info, true)
	if err != nil {
		if relaxed >= 0 {
			err = fmt.Errorf("the model declares another batch size: %w", err)
		}
		return nil, err
	}
	if relaxed >= 0 {
		if err := p.checkBatch(r, info, relaxed); err != nil {
			return nil, err
		}
	}
	sp, err := p.plan(r)
	if err != nil {
		return nil, err
	}
	sp.inputs = info
	p.mu.Lock()
	defer p.mu.Unlock()
	p.specs = append([]*spec{sp}, p.specs[:min(len(p.specs), keepSpecs-1)]...)
	return sp, nil
}

// known returns the plan for these inputs, nil if there is none yet.
func (p *Program) known(in []*onnx.Tensor) *spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, sp := range p.specs {
		if sp.fits(in) {
			copy(p.specs[1:i+1], p.specs[:i])
			p.specs[0] = sp
			return sp
		}
	}
	return nil
}

func (sp *spec) fits(in []*onnx.Tensor) bool {
	for i, t := range in {
		if t.Type != sp.inputs[i].Type || !slices.Equal(t.Shape, sp.inputs[i].Shape) {
			return false
		}
	}
	return true
}

// lives says when a value is needed: from the step that makes it to the last that reads it.
type lives struct{ first, last []int }

// plan decides where each value lies.
func (p *Program) plan(r inference) (*spec, error) {
	st, err := p.planStrip(r)
	if err != nil {
		return nil, err
	}
	return p.planSteps(r, len(p.steps), p.outIDs, st)
}

// livesOf says when each value is needed if the first steps are run for the values outs.
func (p *Program) livesOf(steps int, outs []int) lives {
	l := lives{make([]int, len(p.names)), make([]int, len(p.names))}
	for i := range l.last {
		l.last[i] = -1
	}
	for k := range p.steps[:steps] {
		for _, i := range p.steps[k].reads() {
			l.last[i] = k
		}
		for _, o := range p.steps[k].out {
			if o >= 0 {
				l.first[o] = k
				l.last[o] = max(l.last[o], k)
			}
		}
	}
	for _, i := range outs {
		l.last[i] = forever
	}
	return l
}

// planSteps is plan for the first steps, which are run for the values outs; those of st are run by it.
func (p *Program) planSteps(r inference, steps int, outs []int, st *strip) (*spec, error) {
	n := len(p.names)
	sp := &spec{info: r.info, kind: make([]uint8, n), root: make([]int, n), within: make([]int, n), offset: make([]int, n), strip: st,
		skip: make([]bool, steps), dynamic: make([]bool, steps), release: make([][]int, steps)}
	isOut := make([]bool, n)
	for i := range sp.root {
		sp.root[i] = i
	}
	for _, i := range outs {
		isOut[i] = true
	}
	l := p.livesOf(steps, outs)
	for k := range p.steps[:steps] {
		s := &p.steps[k]
		for _, i := range s.in {
			sp.dynamic[k] = sp.dynamic[k] || i >= 0 && r.info[i].Dynamic
		}
		known := true
		for _, o := range s.out {
			if o >= 0 {
				sp.dynamic[k] = sp.dynamic[k] || r.info[o].Dynamic
				known = known && r.info[o].Value != nil
			}
		}
		stripped := st != nil && k < st.steps
		for _, o := range s.out {
			if o < 0 {
				continue
			}
			switch {
			case sp.dynamic[k]:
				sp.kind[o] = atRunning
			case r.info[o].Value != nil:
				sp.kind[o] = given
			case stripped && l.last[o] < st.steps:
				sp.kind[o] = inStrip
			case isOut[o] || r.info[o].Type == onnx.String:
				sp.kind[o] = fresh
			default:
				sp.kind[o] = inArena
			}
			if stripped {
				l.first[o] = 0 // some of it is there from the first images on
			}
		}
		sp.skip[k] = known || stripped
	}
	fixed := p.adjoin(sp, steps, l)
	for k := range p.steps[:steps] {
		if !sp.skip[k] && !sp.dynamic[k] {
			sp.share(&p.steps[k], k, l, fixed)
		}
	}
	for i, kind := range sp.kind {
		switch {
		case kind == fresh:
			size, err := sizeOf(r.info[i].Type, r.info[i].Shape, p.limit)
			if err == nil && sp.fresh > p.limit-size {
				err = tooLarge(r.info[i].Type, r.info[i].Shape, p.limit)
			}
			if err != nil {
				return nil, fmt.Errorf("value %q: %w", p.names[i], err)
			}
			sp.fresh += size
		case kind == atRunning && l.last[i] < forever:
			sp.release[l.last[i]] = append(sp.release[l.last[i]], i)
		}
	}
	if at := sp.layOut(l, p.limit-sp.fresh); at >= 0 {
		return nil, nodeError(p.steps[l.first[at]].node, fmt.Errorf("with %q %v%v a run takes more than the limit of %d bytes",
			p.names[at], sp.info[at].Type, sp.info[at].Shape, p.limit))
	}
	return sp, nil
}

// share lets the first output of a step lie in the memory of one of its inputs, where that is allowed and its place is
// not fixed.
func (sp *spec) share(s *step, k int, l lives, fixed []bool) {
	if len(s.out) == 0 || s.out[0] < 0 || len(s.in) == 0 {
		return
	}
	o := s.out[0]
	if i := s.in[0]; s.alias && i >= 0 && sp.kind[o] != given && sp.info[i].Type != onnx.String {
		r := sp.root[i]
		sp.kind[o], sp.root[o], sp.within[o] = aliased, r, sp.within[i]
		l.last[r] = max(l.last[r], l.last[o])
		return
	}
	if sp.kind[o] != inArena || fixed[o] {
		return
	}
	size := bytesOf(&sp.info[o])
	places := s.inPlace
	if s.shaped != nil {
		in := make([]op.Info, len(s.in))
		for k, i := range s.in {
			if i >= 0 {
				in[k] = sp.info[i]
			}
		}
		places = s.shaped.InPlaceFor(in)
	}
	for _, x := range places {
		if x >= len(s.in) || s.in[x] < 0 {
			continue
		}
		i := s.in[x]
		r := sp.root[i]
		if sp.kind[r] != inArena || l.last[r] != k || bytesOf(&sp.info[i]) != size || size > bytesOf(&sp.info[r]) {
			continue
		}
		// Nothing else that the step reads may lie there.
		inR := func(v int) bool { return v >= 0 && sp.root[v] == r }
		clash := false
		for y, v := range s.in {
			// What an operator reads twice it may still need as its other input, unless it works element by element.
			clash = clash || inR(v) && (v != i || y != x && s.shaped != nil)
		}
		for _, sub := range s.subs {
			clash = clash || slices.ContainsFunc(sub.captures, inR)
		}
		if clash {
			continue
		}
		sp.root[o], sp.within[o] = r, sp.within[i]
		l.last[r] = max(l.last[o], k)
		return
	}
}

// block is a piece of the arena: that of value id (-1: the strip's arena), needed from step from to step to.
type block struct{ id, size, from, to, at int }

// layOut gives each arena block an offset: large ones first, each at the lowest place that is free during its life. It
// returns the value with which the arena comes to more than limit bytes, -1 if there is none.
func (sp *spec) layOut(l lives, limit int) int {
	var blocks []block
	for i, k := range sp.kind {
		if k == inArena && sp.root[i] == i {
			// Blocks begin at cache lines. Sizes are below the limit: rounding up does not overflow.
			blocks = append(blocks, block{i, (bytesOf(&sp.info[i]) + 63) &^ 63, l.first[i], l.last[i], 0})
		}
	}
	if st := sp.strip; st != nil && st.spec.arena > 0 {
		blocks = append(blocks, block{-1, (st.spec.arena + 63) &^ 63, 0, st.steps - 1, 0})
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
		if at > limit-b.size {
			if b.id < 0 {
				return sp.strip.out[0]
			}
			return b.id
		}
		b.at = at
		pos := sort.Search(len(placed), func(i int) bool { return placed[i].at > at })
		placed = slices.Insert(placed, pos, b)
		if b.id < 0 {
			sp.strip.at = at
		} else {
			sp.offset[b.id] = at
		}
		sp.arena = max(sp.arena, at+b.size)
	}
	return -1
}
