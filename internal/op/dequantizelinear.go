package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "DequantizeLinear", Since: 10, MinIn: 2, MaxIn: 3, MaxOut: 1, Half: true, New: newDequantizeLinear})
}

// dequantizeLinear is y = (x - zero point)*scale, with scales as QuantizeLinear has them. The output's type is
// attribute output_dtype (opset 23), or the scale's.
type dequantizeLinear struct {
	granularity
	to onnx.DataType // Undefined: not given
}

func newDequantizeLinear(s *Spec) (Op, error) {
	o := dequantizeLinear{
		granularity: granularity{axis: s.Int("axis", 1), block: s.Int("block_size", 0)},
		to:          onnx.DataType(s.Int("output_dtype", 0)),
	}
	if o.block < 0 {
		return nil, fmt.Errorf(`attribute "block_size" is %d, want 0 or more`, o.block)
	}
	return o, nil
}

func (o dequantizeLinear) Infer(in []Info) ([]Info, error) {
	x, scale, zero := in[0], in[1], in[2]
	if _, _, ok := quantRange(x.Type); !ok && x.Type != onnx.Int32 && !isMini(x.Type) {
		return nil, typeError(0, x.Type)
	}
	to := o.to
	switch scale.Type {
	case onnx.Float, onnx.Float16, onnx.BFloat16:
		if to == onnx.Undefined {
			to = scale.Type
		}
	case onnx.Float8E8M0:
	default:
		return nil, typeError(1, scale.Type)
	}
	switch to {
	case onnx.Float, onnx.Float16, onnx.BFloat16:
	case onnx.Undefined:
		return nil, fmt.Errorf("scales of type %v need attribute output_dtype", scale.Type)
	default:
		return nil, fmt.Errorf("attribute output_dtype: type %v is not supported", to)
	}
	if !zero.Absent() {
		if zero.Type != x.Type {
			return nil, fmt.Errorf("zero point is of type %v, the input of type %v", zero.Type, x.Type)
		}
		if !sameShape(zero.Shape, scale.Shape) && (prod(zero.Shape) != 1 || prod(scale.Shape) != 1) {
			return nil, fmt.Errorf("zero point has shape %v, scale %v", zero.Shape, scale.Shape)
		}
	}
	if _, _, err := o.operand(x.Shape, scale.Shape); err != nil {
		return nil, err
	}
	return []Info{{Type: to, Shape: x.Shape}}, nil
}

func (o dequantizeLinear) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	x, y := in[0], out[0]
	shape, scale, zero, err := o.scales(rt, in)
	if err != nil {
		return err
	}
	whole := isWhole(x.Type)
	plan := newBroadcast(x.Shape, x.Shape, shape)
	plan.run(rt.Pool, costlyGrain, func(at, n int, from *[maxOperands]int) {
		s := operand(scale, plan.vary[1], from[1], n)
		z := operand(zero, plan.vary[1], from[1], n)
		if is8Bit(x.Type) && y.Type == onnx.Float {
			const piece = 1024 // stays in the first-level cache
			for lo := 0; lo < n; lo += piece {
				part := y.Float32s()[at+lo : at+min(lo+piece, n)]
				widen8(part, x, at+lo)
				if len(s) == 1 {
					sub32(part, part, z)
					mul32(part, part, s)
				} else {
					sub32(part, part, z[lo:][:len(part)])
					mul32(part, part, s[lo:][:len(part)])
				}
			}
			return
		}
		step := 0
		if len(s) == n {
			step = 1
		}
		var buf [256]float64
		var ints [256]int64
		for lo := 0; lo < n; lo += len(buf) {
			b := buf[:min(len(buf), n-lo)]
			if whole {
				readInts(x, at+lo, ints[:len(b)])
				for i, v := range ints[:len(b)] {
					b[i] = float64(v)
				}
			} else {
				readFloats(x, at+lo, b)
			}
			for i, v := range b {
				k := (lo + i) * step
				b[i] = float64(float32(v-float64(z[k])) * s[k])
			}
			writeFloats(y, at+lo, b, castOptions{})
		}
	})
	return nil
}
