package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "SliceGrad", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		g := sliceGrad{shape: s.Ints("shape"), first: s.Ints("first"), step: s.Ints("step")}
		if len(g.first) != len(g.shape) || len(g.step) != len(g.shape) {
			return nil, errors.New("shape, first and step differ in length")
		}
		return g, checkSize(g.shape)
	}})
	registerGrad("", "Slice", func(g *Grad) error {
		if !g.Wanted(0) {
			return nil
		}
		o, err := Lookup("", "Slice").New(g.Spec)
		if err != nil {
			return err
		}
		ranges, known, err := o.(slice).ranges(g.padded(5))
		if err != nil {
			return err
		}
		if !known {
			return errors.New("what it takes depends on values, which training does not support")
		}
		first, step := make([]int, len(ranges)), make([]int, len(ranges))
		for i, r := range ranges {
			first[i], step[i] = r.first, r.step
		}
		g.Set(0, g.AddInternal("SliceGrad", 1, []string{g.Up[0]},
			Attr("shape", g.In[0].Shape), Attr("first", first), Attr("step", step))[0])
		return nil
	})
}

// sliceGrad is the gradient of Slice: zeros of the given shape, but along each dimension the elements first,
// first+step, ... are those of its input.
type sliceGrad struct{ shape, first, step []int }

func (o sliceGrad) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if len(in[0].Shape) != len(o.shape) {
		return nil, fmt.Errorf("an input of shape %v is no slice of %v", in[0].Shape, o.shape)
	}
	for i, n := range in[0].Shape {
		if n == 0 {
			continue
		}
		// Divides, since a product could overflow.
		d, first, step := o.shape[i], o.first[i], o.step[i]
		inside := first >= 0 && first < d
		if n > 1 && inside {
			inside = step > 0 && (d-1-first)/step >= n-1 || step < 0 && step >= -d && first/-step >= n-1
		}
		if !inside {
			return nil, fmt.Errorf("%d elements from %d on, %d apart, are not inside dimension %d of %v", n, first, step, i, o.shape)
		}
	}
	return []Info{{Type: in[0].Type, Shape: o.shape}}, nil
}

func (o sliceGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	clear(out[0].Raw)
	if in[0].Len() == 0 {
		return nil
	}
	to, from := rowMajor(o.shape), rowMajor(in[0].Shape)
	toOff, fromOff := 0, 0
	for i, n := range in[0].Shape {
		first, step := o.first[i], o.step[i]
		if step < 0 { // only the source of a strided copy may be walked backwards
			first += (n - 1) * step
			step = -step
			fromOff += (n - 1) * from[i]
			from[i] = -from[i]
		}
		toOff += first * to[i]
		to[i] *= step
	}
	copyStrided(rt, in[0].Shape, out[0], toOff, to, in[0], fromOff, from)
	return nil
}
