package op

import (
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Expand", Since: 8, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(*Spec) (Op, error) {
		return expand{}, nil
	}})
}

// expand repeats its input so that it has the shape that numpy's broadcasting gives it together with the second input.
type expand struct{}

func (expand) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	target, known, err := intsInfo("shape", in[1])
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: in[0].Type, Dynamic: true}}, nil
	}
	if err := checkSize(target); err != nil {
		return nil, err
	}
	shape, err := broadcastShape(in[0].Shape, target)
	if err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

func (expand) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	shape := out[0].Shape
	copyStrided(rt, shape, out[0], 0, rowMajor(shape), in[0], 0, expandStrides(in[0].Shape, shape))
	return nil
}

// expandStrides returns the strides that walk a row-major array of that shape as if it had the shape it is broadcast to.
func expandStrides(shape, to []int) []int {
	strides := make([]int, len(to))
	off := len(to) - len(shape)
	for i, s := range rowMajor(shape) {
		if shape[i] != 1 {
			strides[off+i] = s
		}
	}
	return strides
}
