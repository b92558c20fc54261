package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "QuantizeLinear", Since: 10, MinIn: 2, MaxIn: 3, MaxOut: 1, Half: true, New: newQuantizeLinear})
}

// quantizeLinear is y = saturate(round(x/scale) + zero point), rounding to nearest, ties to even; NaN becomes 0. The
// float8, float6 and float4 types round x/scale + zero point as Cast does. Scales are one for all, one for each index along an
// axis, or (opset 21) one for each block along it.
//
// The output's type is the zero point's, or attribute output_dtype, or uint8. The quotient is rounded to the scale's
// type, or that of attribute precision.
type quantizeLinear struct {
	granularity
	to        onnx.DataType // Undefined: not given
	precision onnx.DataType
	opt       castOptions
}

func newQuantizeLinear(s *Spec) (Op, error) {
	o := quantizeLinear{
		granularity: granularity{axis: s.Int("axis", 1), block: s.Int("block_size", 0)},
		to:          onnx.DataType(s.Int("output_dtype", 0)),
		precision:   onnx.DataType(s.Int("precision", 0)),
		opt:         castOptions{saturate: s.Bool("saturate", true)},
	}
	if o.block < 0 {
		return nil, fmt.Errorf(`attribute "block_size" is %d, want 0 or more`, o.block)
	}
	switch o.precision {
	case onnx.Undefined, onnx.Float, onnx.Float16, onnx.BFloat16:
	default:
		return nil, fmt.Errorf(`attribute "precision": type %v is not supported`, o.precision)
	}
	return o, nil
}

func (o quantizeLinear) Infer(in []Info) ([]Info, error) {
	switch in[0].Type {
	case onnx.Float, onnx.Float16, onnx.BFloat16, onnx.Int32:
	default:
		return nil, typeError(0, in[0].Type)
	}
	switch in[1].Type {
	case onnx.Float, onnx.Float16, onnx.BFloat16, onnx.Int32, onnx.Float8E8M0:
	default:
		return nil, typeError(1, in[1].Type)
	}
	to := o.to
	if zero := in[2]; !zero.Absent() {
		if to != onnx.Undefined && to != zero.Type {
			return nil, fmt.Errorf("zero point is of type %v, attribute output_dtype says %v", zero.Type, to)
		}
		if !sameShape(zero.Shape, in[1].Shape) && (prod(zero.Shape) != 1 || prod(in[1].Shape) != 1) {
			return nil, fmt.Errorf("zero point has shape %v, scale %v", zero.Shape, in[1].Shape)
		}
		to = zero.Type
	}
	if to == onnx.Undefined {
		to = onnx.Uint8
	}
	if _, _, ok := quantRange(to); !ok && !isMini(to) {
		return nil, fmt.Errorf("quantising to type %v is not supported", to)
	}
	if _, _, err := o.operand(in[0].Shape, in[1].Shape); err != nil {
		return nil, err
	}
	return []Info{{Type: to, Shape: in[0].Shape}}, nil
}

func (o quantizeLinear) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	x, y := in[0], out[0]
	shape, scale, zero, err := o.scales(rt, in)
	if err != nil {
		return err
	}
	xf, err := converted(rt, x, onnx.Float)
	if err != nil {
		return err
	}
	precision := o.precision
	if precision == onnx.Undefined {
		precision = in[1].Type
	}
	xs, opt := xf.Float32s(), o.opt
	lo, hi, whole := quantRange(y.Type)
	pool := rt.Pool
	if y.Type.Bits() < 8 {
		pool = nil // neighbours share bytes
	}
	plan := newBroadcast(x.Shape, x.Shape, shape)
	bytes := precision == onnx.Float && is8Bit(y.Type)
	plan.run(pool, costlyGrain, func(at, n int, from *[maxOperands]int) {
		s := operand(scale, plan.vary[1], from[1], n)
		z := operand(zero, plan.vary[1], from[1], n)
		if bytes && len(s) == 1 {
			t := kernel.Default()
			buf := make([]float32, min(n, 1024))
			for lo0 := at; lo0 < at+n; lo0 += len(buf) {
				b := buf[:min(len(buf), at+n-lo0)]
				t.DivBy(b, xs[lo0:], s[0])
				t.Round8(y.Raw[lo0:][:len(b)], b, z[0], lo, hi)
			}
			return
		}
		step := 0
		if len(s) == n {
			step = 1
		}
		var buf [256]float64
		for lo0 := 0; lo0 < n; lo0 += len(buf) {
			b := buf[:min(len(buf), n-lo0)]
			for i := range b {
				k := (lo0 + i) * step
				v := xs[at+lo0+i] / s[k]
				switch precision {
				case onnx.Float16:
					v = onnx.Float16FromFloat32(v).Float32()
				case onnx.BFloat16:
					v = onnx.BFloat16FromFloat32(v).Float32()
				}
				if whole {
					v = quantised(v, z[k], lo, hi)
				} else {
					v += z[k]
				}
				b[i] = float64(v)
			}
			writeFloats(y, at+lo0, b, opt)
		}
	})
	return nil
}
