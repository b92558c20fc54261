package graph

import (
	"context"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// The first layers of a convolutional network have large values and few weights. Where a batch has several images,
// a strip of layers from the first one on is run for a few images at a time: their values stay in the caches, and take
// a part of the memory. The layers after it, small values and many weights, are run for the whole batch.

const (
	stripBytes = 16 << 20 // what the values of a strip that are needed at once should take, about
	stripPlane = 256      // elements of a channel from which on layers belong to a strip
)

// strip is how the first steps are run.
type strip struct {
	spec   *spec // for these images alone
	steps  int
	images int   // at a time
	rounds int   // so many times
	at     int   // where the arena of its spec lies in that of the run
	out    []int // values that later steps read, or that are outputs
}

// planStrip returns the strip for which the run takes the least memory; nil where there is none.
func (p *Program) planStrip(r inference) (*strip, error) {
	if len(p.inIDs) != 1 || len(r.info[p.inIDs[0]].Shape) != 4 {
		return nil, nil
	}
	n := r.info[p.inIDs[0]].Shape[0]
	most := p.stripSteps(r, n)
	if n < 2 || most == 0 {
		return nil, nil
	}
	l := p.livesOf(len(p.steps), p.outIDs)
	live := p.liveBytes(r, l)
	widest := slices.Max(live[:most])
	images := min(max(n/4, 1), max(1, stripBytes/max(widest/n, 1)))
	for n%images > 0 {
		images--
	}
	steps, least := 0, slices.Max(live)
	for k := 1; k <= most; k++ {
		after := 0
		if k < len(live) {
			after = slices.Max(live[k:])
		}
		if need := max(after, slices.Max(live[:k])*images/n+p.crossing(r, l, k)); need <= least && need < widest {
			steps, least = k, need
		}
	}
	if steps == 0 {
		return nil, nil
	}
	st := &strip{steps: steps, images: images, rounds: n / images}
	for k := range p.steps[:steps] {
		if o := p.steps[k].out[0]; l.last[o] >= steps {
			st.out = append(st.out, o)
		}
	}
	part, ok := p.inferPart(r, steps, images)
	if !ok {
		return nil, nil
	}
	var err error
	st.spec, err = p.planSteps(part, steps, st.out, nil)
	return st, err
}

// stripSteps returns how many steps from the first on are made for each of n images on its own.
func (p *Program) stripSteps(r inference, n int) int {
	image := make([]bool, len(p.names))
	image[p.inIDs[0]] = true
	for k := range p.steps {
		s := &p.steps[k]
		per, ok := s.raw.(op.PerImager)
		if !ok || !per.PerImage() || len(s.subs) > 0 || len(s.out) != 1 || s.out[0] < 0 {
			return k
		}
		some := false
		for _, i := range s.in {
			if i >= 0 && !image[i] && r.info[i].Value == nil {
				return k
			}
			some = some || i >= 0 && image[i]
		}
		y := &r.info[s.out[0]]
		if !some || y.Dynamic || y.Value != nil || len(y.Shape) != 4 || y.Shape[0] != n || y.Shape[2]*y.Shape[3] < stripPlane {
			return k
		}
		image[s.out[0]] = true
	}
	return len(p.steps)
}

// liveBytes returns how many bytes the values take that are needed while each step runs.
func (p *Program) liveBytes(r inference, l lives) []int {
	live := make([]int, len(p.steps))
	for k := range p.steps {
		for _, o := range p.steps[k].out {
			if o < 0 || r.info[o].Dynamic || r.info[o].Value != nil {
				continue
			}
			size := bytesOf(&r.info[o])
			for at := k; at <= min(l.last[o], len(live)-1); at++ {
				live[at] += size
			}
		}
	}
	return live
}

// crossing returns how many bytes the values take that the first steps make and others need.
func (p *Program) crossing(r inference, l lives, steps int) int {
	sum := 0
	for k := range p.steps[:steps] {
		if o := p.steps[k].out[0]; l.last[o] >= steps {
			sum += bytesOf(&r.info[o])
		}
	}
	return sum
}

// inferPart infers the shapes of the first steps for some of the images, and reports whether they are those of all
// images but for their number.
func (p *Program) inferPart(r inference, steps, images int) (inference, bool) {
	some := func(shape []int) []int { return append([]int{images}, shape[1:]...) }
	in := r.info[p.inIDs[0]]
	in.Shape = some(in.Shape)
	part, err := p.infer([]op.Info{in}, false)
	for k := range p.steps[:steps] {
		o := p.steps[k].out[0]
		if err != nil || part.errs[k] != nil || part.info[o].Dynamic || part.info[o].Value != nil ||
			!slices.Equal(part.info[o].Shape, some(r.info[o].Shape)) {
			return part, false
		}
	}
	return part, true
}

// stripFrame is the frame of a strip: memory for its outputs is given.
func (p *Program) stripFrame(st *strip) *frame {
	f := p.newFrame(st.spec)
	f.into = make([]*onnx.Tensor, len(f.vals))
	for _, o := range st.out {
		f.into[o] = &onnx.Tensor{Type: st.spec.info[o].Type, Shape: st.spec.info[o].Shape}
	}
	return f
}

// runStrip runs the strip for all images.
func (p *Program) runStrip(ctx context.Context, sp *spec, f *frame) error {
	st, g := sp.strip, f.strip
	for _, o := range st.out {
		if sp.kind[o] == fresh {
			t := (*onnx.Tensor)(nil)
			if f.into != nil {
				t = f.into[o]
			}
			if t == nil {
				t = onnx.New(sp.info[o].Type, sp.info[o].Shape...)
			}
			f.vals[o] = t
		}
	}
	part := func(of *onnx.Tensor, round int) []byte {
		size := len(of.Raw) / st.rounds
		return of.Raw[round*size : (round+1)*size : (round+1)*size]
	}
	x := p.inIDs[0]
	g.header[x] = onnx.Tensor{Type: f.vals[x].Type, Shape: append([]int{st.images}, f.vals[x].Shape[1:]...)}
	g.vals[x] = &g.header[x]
	var times []Timing
	for round := range st.rounds {
		g.header[x].Raw = part(f.vals[x], round)
		for _, o := range st.out {
			g.into[o].Raw = part(f.vals[o], round)
		}
		for k := range st.steps {
			err := ctx.Err()
			switch {
			case err != nil:
			case p.profile == nil:
				err = p.runStep(st.spec, g, k)
			default:
				var t Timing
				if t, err = p.timed(st.spec, g, k); round == 0 {
					times = append(times, t)
				} else {
					times[k].Time += t.Time
				}
			}
			if err != nil {
				return p.stepError(k, err)
			}
		}
	}
	for k := range times {
		t := &times[k]
		t.Shape = sp.info[p.steps[k].out[0]].Shape
		t.MultAdds *= st.rounds
		p.profile(*t)
	}
	return nil
}
