package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Compress", Since: 9, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return compress{flat: !s.Has("axis"), axis: s.Int("axis", 0)}, nil
	}})
}

// compress keeps the slices along axis whose condition is true; without an axis, elements of the flattened input.
// Conditions that are not given are false.
type compress struct {
	flat bool
	axis int
}

// along returns the sizes before, of and after the dimension that is compressed.
func (c compress) along(shape []int) (outer, n, inner, axis int, err error) {
	if c.flat {
		return 1, prod(shape), 1, 0, nil
	}
	if axis, err = normAxis(c.axis, len(shape)); err != nil {
		return 0, 0, 0, 0, err
	}
	return prod(shape[:axis]), shape[axis], prod(shape[axis+1:]), axis, nil
}

func (c compress) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	if in[1].Type != onnx.Bool || len(in[1].Shape) != 1 {
		return nil, fmt.Errorf("condition: want a vector of bool, got %v%v", in[1].Type, in[1].Shape)
	}
	_, n, _, axis, err := c.along(in[0].Shape)
	if err != nil {
		return nil, err
	}
	if in[1].Value == nil {
		return []Info{{Type: in[0].Type, Dynamic: true}}, nil
	}
	kept := nonZeros(in[1].Value)
	if k := len(kept); k > 0 && kept[k-1] >= n {
		return nil, fmt.Errorf("condition %d is true, but there are %d elements", kept[k-1], n)
	}
	shape := []int{len(kept)}
	if !c.flat {
		shape = append([]int{}, in[0].Shape...)
		shape[axis] = len(kept)
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

func (c compress) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	outer, n, inner, _, err := c.along(in[0].Shape)
	if err != nil {
		return err
	}
	starts := nonZeros(in[1])
	for i := range starts {
		starts[i] *= inner
	}
	gatherBlocks(rt, out[0], in[0], outer, n*inner, starts, inner)
	return nil
}
