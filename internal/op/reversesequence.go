package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "ReverseSequence", Since: 10, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		r := reverseSequence{batch: s.Int("batch_axis", 1), time: s.Int("time_axis", 0)}
		if r.batch+r.time != 1 || r.batch*r.time != 0 {
			return nil, fmt.Errorf("batch_axis is %d and time_axis %d: want 0 and 1 or 1 and 0", r.batch, r.time)
		}
		return r, nil
	}})
	registerGrad("", "ReverseSequence", func(g *Grad) error {
		g.setIfWanted(0, func() string {
			return g.Add("ReverseSequence", []string{g.Up[0], g.Input(1)}, Attr("batch_axis", g.Int("batch_axis", 1)), Attr("time_axis", g.Int("time_axis", 0)))
		})
		return nil
	})
}

// reverseSequence turns round, for each element along the batch axis, as many of the first steps along the time axis as
// its length says; the steps after them stay.
type reverseSequence struct{ batch, time int }

func (r reverseSequence) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	if len(in[0].Shape) < 2 {
		return nil, fmt.Errorf("input of shape %v: want two dimensions or more", in[0].Shape)
	}
	if n := in[0].Shape[r.batch]; in[1].Type != onnx.Int64 || !sameShape(in[1].Shape, []int{n}) {
		return nil, fmt.Errorf("sequence_lens: want int64[%d], a length for each element of the batch, got %v%v", n, in[1].Type, in[1].Shape)
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (r reverseSequence) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	shape, steps := in[0].Shape, in[0].Shape[r.time]
	strides := rowMajor(shape)
	step, inner := strides[r.time], []int{steps, prod(shape[2:])}
	for b, v := range in[1].Int64s() {
		if v < 0 || v > int64(steps) {
			return fmt.Errorf("sequence_lens: element %d is %d, want 0 to %d (dimension %d)", b, v, steps, r.time)
		}
		n, at := int(v), b*strides[r.batch]
		if n > 0 {
			inner[0] = n
			copyStrided(rt, inner, out[0], at, []int{step, 1}, in[0], at+(n-1)*step, []int{-step, 1})
		}
		inner[0] = steps - n
		copyStrided(rt, inner, out[0], at+n*step, []int{step, 1}, in[0], at+n*step, []int{step, 1})
	}
	return nil
}
