package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Concat", Since: 1, MinIn: 1, MaxIn: Variadic, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		if s.Opset >= 4 && !s.Has("axis") {
			return nil, errors.New("attribute \"axis\" is missing")
		}
		return concat{axis: s.Int("axis", 1)}, nil
	}})
}

// concat puts its inputs behind each other along axis; their other dimensions are equal. Up to opset 3 axis is 1 where
// it is left out.
type concat struct{ axis int }

func (c concat) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	axis, err := normAxis(c.axis, len(in[0].Shape))
	if err != nil {
		return nil, err
	}
	out := append([]int{}, in[0].Shape...)
	for i, x := range in[1:] {
		if x.Type != in[0].Type {
			return nil, fmt.Errorf("input %d is %v, input 0 is %v", i+1, x.Type, in[0].Type)
		}
		fits := len(x.Shape) == len(out)
		for j := 0; fits && j < len(out); j++ {
			fits = j == axis || x.Shape[j] == out[j]
		}
		if !fits {
			return nil, fmt.Errorf("input %d has shape %v, input 0 has %v: they may differ in dimension %d only", i+1, x.Shape, in[0].Shape, axis)
		}
		out[axis] += x.Shape[axis]
	}
	if err := checkSize(out); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (c concat) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	axis, err := normAxis(c.axis, len(in[0].Shape))
	if err != nil {
		return err
	}
	outer, row := prod(out[0].Shape[:axis]), prod(out[0].Shape[axis:])
	at := 0
	for _, x := range in {
		n := prod(x.Shape[axis:])
		if outer == 1 && liesIn(x, out[0], at) {
			at += n
			continue
		}
		copyStrided(rt, []int{outer, n}, out[0], at, []int{row, 1}, x, 0, []int{n, 1})
		at += n
	}
	return nil
}

// PerImage implements [PerImager].
func (c concat) PerImage() bool { return c.axis > 0 }

// Joins implements [Joiner].
func (c concat) Joins(rank int) int {
	axis, _ := normAxis(c.axis, rank) // Infer has seen it
	return axis
}

// liesIn reports whether part lies in the memory of whole already, at an element of it.
func liesIn(part, whole *onnx.Tensor, at int) bool {
	off := whole.Type.Bytes(at)
	return len(part.Raw) > 0 && off < len(whole.Raw) && &part.Raw[0] == &whole.Raw[off]
}
