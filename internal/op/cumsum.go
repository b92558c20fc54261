package op

import (
	"errors"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "CumSum", Since: 11, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return newCumulative(s, false), nil
	}})
}

// cumulative is y[i] = x[0] + ... + x[i] along the axis that input 1 names, or the product of these elements; without
// x[i] itself where exclusive is set, and from the other end where reverse is set. Sums and products of floats are kept
// in float64, those of integers wrap around.
type cumulative struct{ exclusive, reverse, product bool }

func newCumulative(s *Spec, product bool) cumulative {
	return cumulative{exclusive: s.Bool("exclusive", false), reverse: s.Bool("reverse", false), product: product}
}

func (c cumulative) axis(t *onnx.Tensor, rank int) (int, error) {
	list, err := intsOf(t)
	if err != nil {
		return 0, err
	}
	if len(list) != 1 {
		return 0, errors.New("axis: want one number")
	}
	return normAxis(list[0], rank)
}

func (c cumulative) Infer(in []Info) ([]Info, error) {
	switch in[0].Type {
	case onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64:
	default:
		return nil, typeError(0, in[0].Type)
	}
	if in[1].Value != nil {
		if _, err := c.axis(in[1].Value, len(in[0].Shape)); err != nil {
			return nil, err
		}
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (c cumulative) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	axis, err := c.axis(in[1], len(in[0].Shape))
	if err != nil {
		return err
	}
	switch in[0].Type {
	case onnx.Float:
		cumulate[float32, float64](rt, c, axis, in[0], out[0])
	case onnx.Double:
		cumulate[float64, float64](rt, c, axis, in[0], out[0])
	case onnx.Int32:
		cumulate[int32, int32](rt, c, axis, in[0], out[0])
	case onnx.Int64:
		cumulate[int64, int64](rt, c, axis, in[0], out[0])
	case onnx.Uint32:
		cumulate[uint32, uint32](rt, c, axis, in[0], out[0])
	case onnx.Uint64:
		cumulate[uint64, uint64](rt, c, axis, in[0], out[0])
	}
	return nil
}

func cumulate[T, A real](rt *Runtime, c cumulative, axis int, in, out *onnx.Tensor) {
	outer, n, inner := outerInner(in.Shape, axis)
	x, y := onnx.Data[T](in), onnx.Data[T](out)
	step := inner
	if c.reverse {
		step = -inner
	}
	rt.Pool.For(outer*inner, max(1, 1<<14/max(n, 1)), func(lo, hi int) {
		for o := lo; o < hi; o++ {
			at := o/inner*inner*n + o%inner
			if c.reverse {
				at += (n - 1) * inner
			}
			var total A
			if c.product {
				total = 1
			}
			for range n {
				before, v := total, A(x[at])
				if c.product {
					total *= v
				} else {
					total += v
				}
				if c.exclusive {
					y[at] = T(before)
				} else {
					y[at] = T(total)
				}
				at += step
			}
		}
	})
}
