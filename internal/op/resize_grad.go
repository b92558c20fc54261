package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "ResizeGrad", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: newResizeGrad})
	registerGrad("", "Resize", func(g *Grad) error { return gradOfResize(g, newResize) })
	registerGrad("", "Upsample", func(g *Grad) error { return gradOfResize(g, newUpsample) })
}

// gradOfResize adds a ResizeGrad that knows what the node does along each axis.
func gradOfResize(g *Grad, forward func(*Spec) (Op, error)) error {
	if !g.Wanted(0) {
		return nil
	}
	o, err := forward(g.Spec)
	if err != nil {
		return err
	}
	r := o.(resize)
	plan, known, err := r.plan(g.padded(4))
	if err != nil {
		return err
	}
	if !known {
		return errors.New("its sizes depend on values, which training does not support")
	}
	var in, out []int
	var places []float32
	for _, a := range plan {
		in, out = append(in, a.in), append(out, a.out)
		places = append(places, a.scale, a.length, a.start, a.end)
	}
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	g.Set(0, g.AddInternal("ResizeGrad", 1, []string{g.Up[0]},
		Attr("mode", r.mode), Attr("coords", r.coords), Attr("nearest", r.nearest), Attr("cubic", float32(r.cubicA)),
		Attr("exclude_outside", flag(r.excludeOutside)), Attr("antialias", flag(r.antialias)),
		Attr("in", in), Attr("out", out), Attr("places", places))[0])
	return nil
}

// resizeGrad is the gradient of Resize and Upsample, which are linear in the input: each element gets the sum of the
// gradients of the elements it went into, with the weights it had there.
type resizeGrad struct {
	sampling
	plan []resizeAxis
}

func newResizeGrad(s *Spec) (Op, error) {
	g := resizeGrad{sampling: sampling{mode: s.String("mode", "nearest"), coords: s.String("coords", "asymmetric"),
		nearest: s.String("nearest", "floor"), cubicA: float64(s.Float("cubic", -0.75)),
		excludeOutside: s.Bool("exclude_outside", false), antialias: s.Bool("antialias", false)}}
	in, out, places := s.Ints("in"), s.Ints("out"), s.Floats("places")
	if len(out) != len(in) || len(places) != 4*len(in) {
		return nil, errors.New("in, out and places differ in length")
	}
	if err := errors.Join(checkSize(in), checkSize(out)); err != nil {
		return nil, err
	}
	for i := range in {
		p := places[4*i:]
		a := resizeAxis{in: in[i], out: out[i], scale: p[0], length: p[1], start: p[2], end: p[3]}
		if a.out > 0 && (a.in == 0 || !(a.scale > 0)) {
			return nil, fmt.Errorf("axis %d: %d elements cannot become %d with scale %v", i, a.in, a.out, a.scale)
		}
		g.plan = append(g.plan, a)
	}
	return g, nil
}

func (g resizeGrad) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	from, to := make([]int, len(g.plan)), make([]int, len(g.plan))
	for i, a := range g.plan {
		from[i], to[i] = a.in, a.out
	}
	if !sameShape(in[0].Shape, to) {
		return nil, fmt.Errorf("the gradient has shape %v, want %v", in[0].Shape, to)
	}
	return []Info{{Type: in[0].Type, Shape: from}}, nil
}

func (g resizeGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Len() == 0 {
		clear(out[0].Raw)
		return nil
	}
	plan := make([]spreadAxis, len(g.plan))
	for i, a := range g.plan {
		plan[i] = spreadAxis{in: a.in, out: a.out}
		if !a.same() {
			plan[i].table = func() spread { return spreadOf(g.filterFor(a), a.in) }
		}
	}
	if in[0].Type == onnx.Double {
		spreadAll(rt, plan, onnx.Data[float64](in[0]), onnx.Data[float64](out[0]))
	} else {
		spreadAll(rt, plan, in[0].Float32s(), out[0].Float32s())
	}
	return nil
}
