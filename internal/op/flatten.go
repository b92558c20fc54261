package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Flatten", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return flatten{axis: s.Int("axis", 1)}, nil
	}})
}

// flatten makes a matrix of its input: the dimensions before axis are the rows, those from axis on the columns.
// A negative axis counts from the end.
type flatten struct{ axis int }

func (flatten) Aliases() bool { return true }

func (f flatten) Infer(in []Info) ([]Info, error) {
	shape, axis := in[0].Shape, f.axis
	rank := len(shape)
	if axis < -rank || axis > rank {
		return nil, fmt.Errorf("axis %d is outside [%d,%d] (rank %d)", axis, -rank, rank, rank)
	}
	if axis < 0 {
		axis += rank
	}
	for _, part := range [][]int{shape[:axis], shape[axis:]} {
		if err := checkSize(part); err != nil {
			return nil, err // possible where a dimension of the other part is 0
		}
	}
	return []Info{{Type: in[0].Type, Shape: []int{prod(shape[:axis]), prod(shape[axis:])}}}, nil
}

func (flatten) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	copyAll(out[0], in[0])
	return nil
}
