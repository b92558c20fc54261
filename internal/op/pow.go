package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Pow", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return pow{rule: s.broadcastRule()}, nil
	}})
}

// pow is a^b, of the base's type; from opset 12 on the exponent may be of another type. Integers to integer powers are
// exact and wrap around; to negative powers they are cut towards zero, and zero to a negative power is 0. Integers to
// floating-point powers are computed in float64, cut, and bounded by their type as Cast does it.
type pow struct{ rule broadcastRule }

func (pow) InPlace() []int { return []int{0} }

func (o pow) Infer(in []Info) ([]Info, error) {
	switch in[0].Type {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16, onnx.Int32, onnx.Int64:
	default:
		return nil, fmt.Errorf("base of type %v is not supported", in[0].Type)
	}
	switch in[1].Type {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64,
		onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64:
	default:
		return nil, fmt.Errorf("exponent of type %v is not supported", in[1].Type)
	}
	_, shape, err := o.rule.shapes(in[0].Shape, in[1].Shape)
	return []Info{{Type: in[0].Type, Shape: shape}}, err
}

func (o pow) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	a, b, y := in[0], in[1], out[0]
	second, shape, err := o.rule.shapes(a.Shape, b.Shape)
	if err != nil {
		return err
	}
	plan := newBroadcast(shape, a.Shape, second)
	compute := a.Type // type to compute in
	switch {
	case a.Type.IsHalf():
		compute = onnx.Float
	case a.Type == onnx.Int32 || a.Type == onnx.Int64:
		compute = onnx.Int64
		switch b.Type {
		case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16:
			compute = onnx.Double
		}
	}
	as, err := converted(rt, a, compute)
	if err != nil {
		return err
	}
	bs, err := converted(rt, b, compute)
	if err != nil {
		return err
	}
	ys := y
	if y.Type != compute {
		ys = onnx.New(compute, y.Shape...)
	}
	switch compute {
	case onnx.Float:
		runs(costlyGrain, pow32)(rt, &plan, ys, as, bs)
	case onnx.Double:
		runs(costlyGrain, each2(math.Pow))(rt, &plan, ys, as, bs)
	case onnx.Int64:
		runs(costlyGrain, each2(powInt))(rt, &plan, ys, as, bs)
	}
	if ys != y {
		return castTensor(rt, ys, y, castOptions{saturate: true})
	}
	return nil
}

// converted is t in another type; t itself where it has it.
func converted(rt *Runtime, t *onnx.Tensor, typ onnx.DataType) (*onnx.Tensor, error) {
	if t.Type == typ {
		return t, nil
	}
	c := onnx.New(typ, t.Shape...)
	return c, castTensor(rt, t, c, castOptions{saturate: true})
}

func pow32(y, a, b []float32) {
	if len(b) < len(y) && len(a) == len(y) {
		switch b[0] {
		case 1:
			copy(y, a)
			return
		case 2:
			for i, v := range a {
				y[i] = v * v
			}
			return
		case 3:
			for i, v := range a {
				y[i] = v * v * v
			}
			return
		}
	}
	each2(func(a, b float32) float32 {
		if b == 0.5 && a > 0 {
			return float32(math.Sqrt(float64(a)))
		}
		return float32(math.Pow(float64(a), float64(b)))
	})(y, a, b)
}

func powInt(a, b int64) int64 {
	if b < 0 {
		switch a {
		case 1:
			return 1
		case -1:
			return 1 - 2*(b&1)
		}
		return 0
	}
	r := int64(1)
	for ; b > 0; b >>= 1 {
		if b&1 != 0 {
			r *= a
		}
		a *= a
	}
	return r
}
