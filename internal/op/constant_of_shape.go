package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "ConstantOfShape", Since: 9, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		v := s.Tensor("value")
		if v == nil {
			v = onnx.New(onnx.Float, 1)
		}
		if v.Len() != 1 {
			return nil, fmt.Errorf("attribute \"value\": want one element, got shape %v", v.Shape)
		}
		return constantOfShape{v}, movable(v.Type)
	}})
}

// constantOfShape makes a tensor of the shape that its input holds, filled with the attribute value (float32 0 where it
// is left out).
type constantOfShape struct{ value *onnx.Tensor }

func (c constantOfShape) Infer(in []Info) ([]Info, error) {
	shape, known, err := intsInfo("shape", in[0])
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: c.value.Type, Dynamic: true}}, nil
	}
	if err := checkSize(shape); err != nil {
		return nil, err
	}
	return []Info{{Type: c.value.Type, Shape: shape}}, nil
}

func (c constantOfShape) Run(rt *Runtime, _, out []*onnx.Tensor) error {
	copyStrided(rt, []int{out[0].Len()}, out[0], 0, []int{1}, c.value, 0, []int{0})
	return nil
}
