package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "ScatterElements", Since: 11, MinIn: 3, MaxIn: 3, MaxOut: 1, Half: true, New: newScatterElements})
	register(Def{Type: "Scatter", Since: 9, MinIn: 3, MaxIn: 3, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		if s.Opset >= 11 {
			s.Warn("opset %d has ScatterElements in the place of Scatter", s.Opset)
		}
		return scatterElements{axis: s.Int("axis", 0)}, nil
	}})
}

// scatterElements copies data and then puts updates into it one by one, in their order: updates[.., i, ..] goes to
// [.., indices[.., i, ..], ..] with the index in the place of axis. With a reduction it is combined with what is there.
// Scatter is its name before opset 11.
type scatterElements struct {
	axis   int
	reduce string
}

func newScatterElements(s *Spec) (Op, error) {
	reduce, err := reductionAttr(s)
	return scatterElements{axis: s.Int("axis", 0), reduce: reduce}, err
}

// reductionAttr reads how ScatterElements and ScatterND combine values: opset 16 brought add and mul, 18 max and min.
func reductionAttr(s *Spec) (string, error) {
	switch r := s.String("reduction", "none"); r {
	case "none", "add", "mul", "max", "min":
		return r, nil
	default:
		return "", fmt.Errorf("reduction %q is not known", r)
	}
}

func (c scatterElements) Infer(in []Info) ([]Info, error) {
	if err := checkScatterTypes(in, c.reduce); err != nil {
		return nil, err
	}
	if err := checkElementIndices(in[0].Shape, in[1], c.axis); err != nil {
		return nil, err
	}
	if !sameShape(in[1].Shape, in[2].Shape) {
		return nil, fmt.Errorf("indices of shape %v and updates of shape %v", in[1].Shape, in[2].Shape)
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func checkScatterTypes(in []Info, reduce string) error {
	if err := movable(in[0].Type); err != nil {
		return err
	}
	if in[2].Type != in[0].Type {
		return fmt.Errorf("updates are %v, data is %v", in[2].Type, in[0].Type)
	}
	if reduce == "" || reduce == "none" {
		return nil
	}
	if t := in[0].Type; !isReal(t) && t != onnx.Float16 && t != onnx.BFloat16 {
		return fmt.Errorf("reduction %s of %v is not supported", reduce, in[0].Type)
	}
	return nil
}

func (c scatterElements) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	places, err := elementPlaces(in[1], in[0].Shape, c.axis)
	if err != nil {
		return err
	}
	copyAll(out[0], in[0])
	scatterBlocks(out[0], in[2], places, 1, c.reduce)
	return nil
}
