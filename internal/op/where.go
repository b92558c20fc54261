package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Where", Since: 9, MinIn: 3, MaxIn: 3, MaxOut: 1, Half: true,
		New: func(*Spec) (Op, error) { return where{}, nil }})
}

// where takes its second input where the first is true and the third elsewhere; all three are broadcast.
type where struct{}

func (where) InPlace() []int { return []int{1, 2} }

func (where) Infer(in []Info) ([]Info, error) {
	if in[0].Type != onnx.Bool {
		return nil, fmt.Errorf("condition is of type %v, want bool", in[0].Type)
	}
	t := in[1].Type
	if in[2].Type != t {
		return nil, fmt.Errorf("inputs 1 and 2 are of types %v and %v, want one type", t, in[2].Type)
	}
	if t != onnx.String && (t.Bits() == 0 || t.Bits()%8 != 0) {
		return nil, fmt.Errorf("inputs of type %v are not supported", t)
	}
	shape, err := broadcastShape(in[0].Shape, in[1].Shape, in[2].Shape)
	return []Info{{Type: t, Shape: shape}}, err
}

func (where) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	cond, x, z, y := in[0], in[1], in[2], out[0]
	plan := newBroadcast(y.Shape, cond.Shape, x.Shape, z.Shape)
	c := onnx.Data[bool](cond)
	switch {
	case y.Type == onnx.String:
		choose(rt, &plan, c, x.Strings, z.Strings, y.Strings)
	case y.Type.Bits() == 8:
		choose(rt, &plan, c, rawAs[uint8](x), rawAs[uint8](z), rawAs[uint8](y))
	case y.Type.Bits() == 16:
		choose(rt, &plan, c, rawAs[uint16](x), rawAs[uint16](z), rawAs[uint16](y))
	case y.Type.Bits() == 32:
		choose(rt, &plan, c, rawAs[uint32](x), rawAs[uint32](z), rawAs[uint32](y))
	case y.Type.Bits() == 64:
		choose(rt, &plan, c, rawAs[uint64](x), rawAs[uint64](z), rawAs[uint64](y))
	default:
		choose(rt, &plan, c, rawAs[complex128](x), rawAs[complex128](z), rawAs[complex128](y))
	}
	return nil
}

// rawAs returns the elements as another type of the same size: enough to move them.
func rawAs[T onnx.Element](t *onnx.Tensor) []T {
	return onnx.Data[T](&onnx.Tensor{Type: onnx.TypeOf[T](), Raw: t.Raw})
}

func choose[T any](rt *Runtime, plan *broadcast, c []bool, x, z, y []T) {
	plan.run(rt.Pool, cheapGrain, func(o, n int, at *[maxOperands]int) {
		y := y[o : o+n]
		c := operand(c, plan.vary[0], at[0], n)
		x := operand(x, plan.vary[1], at[1], n)
		z := operand(z, plan.vary[2], at[2], n)
		if len(c) < n {
			if !c[0] {
				x = z
			}
			if len(x) == n {
				copy(y, x)
				return
			}
			v := x[0]
			for i := range y {
				y[i] = v
			}
			return
		}
		var sx, sz int
		if len(x) == n {
			sx = 1
		}
		if len(z) == n {
			sz = 1
		}
		for i, t := range c {
			v := z[i*sz]
			if t {
				v = x[i*sx]
			}
			y[i] = v
		}
	})
}
