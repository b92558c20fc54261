package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "PadGrad", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		g := padGrad{mode: s.String("mode", "constant")}
		size, cut, add := s.Ints("size"), s.Ints("cut"), s.Ints("add")
		if len(cut) != 2*len(size) || len(add) != 2*len(size) {
			return nil, errors.New("size, cut and add differ in length")
		}
		if err := checkSize(size); err != nil {
			return nil, err
		}
		for i, n := range size {
			a := padAxis{n, cut[2*i], cut[2*i+1], add[2*i], add[2*i+1]}
			if min(a.cut0, a.cut1, a.add0, a.add1) < 0 || max(a.cut0, a.cut1) > n || a.cut0+a.cut1 > n || max(a.add0, a.add1) > maxElements {
				return nil, fmt.Errorf("dimension %d: cut and add do not fit its %d elements", i, n)
			}
			if left := n - a.cut0 - a.cut1; g.mode == "reflect" && max(a.add0, a.add1) >= max(left, 1) || g.mode != "constant" && left == 0 && a.add0+a.add1 > 0 {
				return nil, fmt.Errorf("dimension %d: mode %s needs more than %d elements", i, g.mode, left)
			}
			g.plan = append(g.plan, a)
		}
		return g, oneOfNames("mode", g.mode, "constant", "reflect", "edge", "wrap")
	}})
	registerGrad("", "Pad", func(g *Grad) error {
		o, err := newPad(g.Spec)
		if err != nil {
			return err
		}
		p := o.(pad)
		plan, known, err := p.plan(g.padded(4))
		if err != nil {
			return err
		}
		if !known {
			return errors.New("its pads depend on values, which training does not support")
		}
		d := g.addPadGrad(p.mode, plan)
		g.setIfWanted(0, func() string { return d })
		if p.mode == "constant" {
			// Every element of the output came either from the input or from the constant.
			g.setIfWanted(2, func() string {
				all := g.Add("Sub", []string{g.Add("ReduceSum", []string{g.Up[0]}, Attr("keepdims", 0)),
					g.Add("ReduceSum", []string{d}, Attr("keepdims", 0))})
				return g.Reshape(all, g.In[2].Shape)
			})
		}
		return nil
	})
}

// addPadGrad adds the gradient of what a plan does.
func (g *Grad) addPadGrad(mode string, plan []padAxis) string {
	var size, cut, add []int
	for _, a := range plan {
		size = append(size, a.size)
		cut = append(cut, a.cut0, a.cut1)
		add = append(add, a.add0, a.add1)
	}
	return g.AddInternal("PadGrad", 1, []string{g.Up[0]}, Attr("mode", mode), Attr("size", size), Attr("cut", cut), Attr("add", add))[0]
}

// padGrad is the gradient of Pad: each element of the input gets the sum of what came to its copies.
type padGrad struct {
	mode string
	plan []padAxis
}

func (g padGrad) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	shape, padded := make([]int, len(g.plan)), make([]int, len(g.plan))
	for i, a := range g.plan {
		shape[i], padded[i] = a.size, a.out()
	}
	if !sameShape(in[0].Shape, padded) {
		return nil, fmt.Errorf("the gradient has shape %v, want %v", in[0].Shape, padded)
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

func (g padGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	plan := make([]spreadAxis, len(g.plan))
	for i, a := range g.plan {
		plan[i] = spreadAxis{in: a.size, out: a.out()}
		if a == (padAxis{size: a.size}) {
			continue
		}
		plan[i].table = func() spread {
			f := filter{taps: 1, index: a.sources(g.mode), weight: make([]float64, a.out())}
			for k, s := range f.index {
				if s >= 0 {
					f.weight[k] = 1
				}
			}
			return spreadOf(f, a.size)
		}
	}
	if in[0].Type == onnx.Double {
		spreadAll(rt, plan, onnx.Data[float64](in[0]), onnx.Data[float64](out[0]))
	} else {
		spreadAll(rt, plan, in[0].Float32s(), out[0].Float32s())
	}
	return nil
}
