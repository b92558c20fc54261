package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "CenterCropPad", Since: 18, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return centerCropPad{s.Ints("axes")}, nil
	}})
	registerGrad("", "CenterCropPad", func(g *Grad) error {
		plan, known, err := centerCropPad{g.Spec.Ints("axes")}.plan(g.In)
		if err != nil {
			return err
		}
		if !known {
			return errors.New("its shape depends on values, which training does not support")
		}
		g.setIfWanted(0, func() string { return g.addPadGrad("constant", plan) })
		return nil
	})
}

// centerCropPad cuts its input to the size that its second input says, or fills it up with zeros, along the axes (all
// where the node names none), so that the middle stays in the middle. Of an odd number of elements the greater part is cut
// off or added behind.
type centerCropPad struct{ axes []int }

// plan returns what happens along each dimension; known is false where it depends on values that are not known.
func (c centerCropPad) plan(in []Info) (plan []padAxis, known bool, err error) {
	shape := in[0].Shape
	size, known, err := intsInfo("shape", in[1])
	if err != nil || !known {
		return nil, false, err
	}
	axes := c.axes
	if axes == nil {
		axes = make([]int, len(shape))
		for i := range axes {
			axes[i] = i
		}
	}
	if axes, err = normAxes(axes, len(shape)); err != nil {
		return nil, false, err
	}
	if len(size) != len(axes) {
		return nil, false, fmt.Errorf("shape %v for %d axes", size, len(axes))
	}
	if err := checkSize(size); err != nil {
		return nil, false, err
	}
	plan = make([]padAxis, len(shape))
	for i, d := range shape {
		plan[i].size = d
	}
	for i, axis := range axes {
		a := &plan[axis]
		if more := size[i] - a.size; more > 0 {
			a.add0, a.add1 = more/2, more-more/2
		} else {
			a.cut0, a.cut1 = -more/2, -more-(-more/2)
		}
	}
	return plan, true, nil
}

func (c centerCropPad) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	plan, known, err := c.plan(in)
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: in[0].Type, Dynamic: true}}, nil
	}
	out, err := outOf(plan)
	return []Info{{Type: in[0].Type, Shape: out}}, err
}

func (c centerCropPad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	plan, _, err := c.plan(infoOf(in))
	if err != nil {
		return err
	}
	padTensor(rt, "constant", plan, out[0], in[0], onnx.New(in[0].Type, 1))
	return nil
}
