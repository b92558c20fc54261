package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Squeeze", Since: 1, MinIn: 1, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		axes, _ := axesAttr(s)
		return squeeze{axes: axes}, nil
	}})
	register(Def{Type: "Unsqueeze", Since: 1, MinIn: 1, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		axes, isInput := axesAttr(s)
		if axes == nil && !isInput {
			return nil, errors.New("axes are missing")
		}
		return unsqueeze{axes: axes}, nil
	}})
}

// axesAttr returns the axes attribute of Squeeze and Unsqueeze, which opset 13 turned into an input.
func axesAttr(s *Spec) (axes []int, isInput bool) {
	axes = s.Ints("axes")
	if len(s.Node.Inputs) > 1 && s.Node.Inputs[1] != "" {
		return nil, true
	}
	if axes != nil && s.Opset >= 13 {
		s.Warn("the axes are an attribute, which opset %d does not have", s.Opset)
	}
	return axes, false
}

// squeeze removes dimensions of size 1: those in axes, or all where no axes are given. Up to opset 12 axes is an
// attribute, later an input.
type squeeze struct{ axes []int }

func (squeeze) Aliases() bool { return true }

func (q squeeze) Infer(in []Info) ([]Info, error) {
	axes := q.axes
	if !in[1].Absent() {
		v, known, err := intsInfo("axes", in[1])
		if err != nil {
			return nil, err
		}
		if !known {
			return []Info{{Type: in[0].Type, Dynamic: true}}, nil
		}
		axes = v
	}
	shape := in[0].Shape
	axes, err := normAxes(axes, len(shape))
	if err != nil {
		return nil, err
	}
	drop := make([]bool, len(shape))
	for _, a := range axes {
		if shape[a] != 1 {
			return nil, fmt.Errorf("dimension %d of shape %v is %d, not 1", a, shape, shape[a])
		}
		drop[a] = true
	}
	out := make([]int, 0, len(shape))
	for i, d := range shape {
		if !drop[i] && (len(axes) > 0 || d != 1) {
			out = append(out, d)
		}
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (squeeze) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	copyAll(out[0], in[0])
	return nil
}

// unsqueeze inserts dimensions of size 1: axes are their places in the output. Up to opset 12 axes is an attribute,
// later an input.
type unsqueeze struct{ axes []int }

func (unsqueeze) Aliases() bool { return true }

func (u unsqueeze) Infer(in []Info) ([]Info, error) {
	axes := u.axes
	if axes == nil {
		v, known, err := intsInfo("axes", in[1])
		if err != nil {
			return nil, err
		}
		if !known {
			return []Info{{Type: in[0].Type, Dynamic: true}}, nil
		}
		axes = v
	}
	rank := len(in[0].Shape) + len(axes)
	axes, err := normAxes(axes, rank)
	if err != nil {
		return nil, err
	}
	out := make([]int, rank)
	for _, a := range axes {
		out[a] = -1
	}
	next := 0
	for i := range out {
		if out[i] == -1 {
			out[i] = 1
			continue
		}
		out[i] = in[0].Shape[next]
		next++
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (unsqueeze) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	copyAll(out[0], in[0])
	return nil
}
