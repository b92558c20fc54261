package graph

import (
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// adjoiner lets the inputs of an operator that puts them one behind the other lie in its output from the start, and the
// outputs of one that cuts its input in pieces lie in that, so that nothing is copied. It runs before values are shared
// in place: what lies in a part of a block is then shared only when nobody needs the block.
type adjoiner struct {
	sp      *spec
	l       lives
	makes   []int         // by value: the step that makes it and may write it anywhere, -1 if there is none
	members map[int][]int // by root: the values in its block, where there are several
	fixed   []bool        // by value: it lies in such a block
}

// adjoin does that for the first steps of p. It returns, by value, which have their place now.
func (p *Program) adjoin(sp *spec, steps int, l lives) []bool {
	a := &adjoiner{sp: sp, l: l, makes: make([]int, len(p.names)), members: map[int][]int{}, fixed: make([]bool, len(p.names))}
	for i := range a.makes {
		a.makes[i] = -1
	}
	for k := range p.steps[:steps] {
		s := &p.steps[k]
		if sp.skip[k] {
			continue
		}
		if _, ok := s.raw.(op.Joiner); ok && a.whole(s, s.out[0]) {
			a.join(s)
		} else if _, ok := s.raw.(op.Cutter); ok && a.whole(s, s.in[0]) && a.makes[s.in[0]] >= 0 {
			a.cut(s)
		}
		for _, o := range s.out {
			if o >= 0 && !s.alias {
				a.makes[o] = k
			}
		}
	}
	return a.fixed
}

// whole reports whether the parts of value i follow each other in memory where it lies in a block of the arena.
func (a *adjoiner) whole(s *step, i int) bool {
	if i < 0 || a.sp.kind[i] != inArena || a.sp.info[i].Type != onnx.Float {
		return false
	}
	rank := len(a.sp.info[i].Shape)
	switch o := s.raw.(type) {
	case op.Joiner:
		return onnx.NumElements(a.sp.info[i].Shape[:o.Joins(rank)]) == 1
	case op.Cutter:
		return onnx.NumElements(a.sp.info[i].Shape[:o.Cuts(rank)]) == 1
	}
	return false
}

// join puts the inputs of a step into its output.
func (a *adjoiner) join(s *step) {
	sp, o := a.sp, s.out[0]
	at := 0
	for x, v := range s.in {
		if v < 0 {
			continue
		}
		size := bytesOf(&sp.info[v])
		r := sp.root[v]
		switch {
		case size == 0 || r == o || sp.kind[v] != inArena || a.makes[v] < 0:
		case a.members[r] == nil:
			a.move(v, o, at)
		case sp.within[v] == 0 && a.tiled(s.in[x:], r):
			for _, u := range a.members[r] {
				a.move(u, o, at+sp.within[u])
			}
			delete(a.members, r)
		}
		at += size
	}
}

// tiled reports whether the first of values are just those that the block of r consists of, in their order.
func (a *adjoiner) tiled(values []int, r int) bool {
	at := 0
	for _, v := range values {
		if v < 0 || a.sp.root[v] != r || a.sp.within[v] != at {
			break
		}
		at += bytesOf(&a.sp.info[v])
	}
	return at == bytesOf(&a.sp.info[r])
}

// cut puts the outputs of a step into its input.
func (a *adjoiner) cut(s *step) {
	i := s.in[0]
	at := a.sp.within[i]
	for _, o := range s.out {
		if o < 0 {
			return // how long the piece is that nobody reads is not known here
		}
		size := bytesOf(&a.sp.info[o])
		if a.sp.kind[o] == inArena && size > 0 {
			a.move(o, a.sp.root[i], at)
		}
		at += size
	}
}

// move lets value v lie in the block of r, at an offset.
func (a *adjoiner) move(v, r, at int) {
	sp := a.sp
	if a.members[r] == nil {
		a.members[r] = []int{r}
	}
	a.members[r] = append(a.members[r], v)
	sp.root[v], sp.within[v] = r, at
	a.fixed[r], a.fixed[v] = true, true
	a.l.first[r] = min(a.l.first[r], a.l.first[v])
	a.l.last[r] = max(a.l.last[r], a.l.last[v])
}
