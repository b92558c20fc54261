package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Clip", Since: 1, MinIn: 1, MaxIn: 3, MaxOut: 1, New: newClip})
}

// clip is min(max(x, lo), hi): where lo > hi all is hi. NaN stays NaN. Bounds are attributes before opset 11, and
// inputs (scalars, or tensors of one element) after that; either may be left out.
type clip struct {
	attrs  bool
	lo, hi float32
}

func newClip(s *Spec) (Op, error) {
	if s.Opset >= 11 {
		return clip{}, nil
	}
	s.Ignore("consumed_inputs")
	if len(s.Node.Inputs) > 1 {
		return nil, fmt.Errorf("has %d inputs; before opset 11 the bounds are attributes", len(s.Node.Inputs))
	}
	lo, hi := s.clipAttrs()
	return clip{attrs: true, lo: lo, hi: hi}, nil
}

// clipAttrs reads the bounds that are attributes before opset 11. An infinity bounds nothing; the least and greatest
// numbers, the defaults of opset 6, would cut infinities.
func (s *Spec) clipAttrs() (lo, hi float32) {
	lo, hi = float32(math.Inf(-1)), float32(math.Inf(1))
	if s.Opset >= 6 {
		lo, hi = -math.MaxFloat32, math.MaxFloat32
	}
	return s.Float("min", lo), s.Float("max", hi)
}

func (clip) InPlace() []int { return []int{0} }

func (o clip) Infer(in []Info) ([]Info, error) {
	x := in[0]
	if clipKernels[x.Type] == nil {
		return nil, fmt.Errorf("input of type %v is not supported", x.Type)
	}
	if o.attrs && x.Type != onnx.Float && x.Type != onnx.Double {
		return nil, fmt.Errorf("input of type %v needs opset 12", x.Type)
	}
	for i, name := range []string{"min", "max"} {
		b := in[1+i]
		if b.Absent() {
			continue
		}
		if b.Type != x.Type {
			return nil, fmt.Errorf("%s is of type %v, the input of type %v", name, b.Type, x.Type)
		}
		if prod(b.Shape) != 1 {
			return nil, fmt.Errorf("%s has shape %v, want a scalar", name, b.Shape)
		}
	}
	return []Info{{Type: x.Type, Shape: x.Shape}}, nil
}

func (o clip) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	lo, hi := in[1], in[2]
	if o.attrs {
		switch in[0].Type {
		case onnx.Float:
			lo, hi = onnx.Of(nil, []float32{o.lo}), onnx.Of(nil, []float32{o.hi})
		case onnx.Double:
			lo, hi = onnx.Of(nil, []float64{o.double(o.lo)}), onnx.Of(nil, []float64{o.double(o.hi)})
		}
	}
	clipKernels[in[0].Type](rt, in[0], lo, hi, out[0])
	return nil
}

// double is a bound for float64: the greatest float32 stands for no bound.
func (clip) double(bound float32) float64 {
	if bound == math.MaxFloat32 || bound == -math.MaxFloat32 {
		return math.Copysign(math.MaxFloat64, float64(bound))
	}
	return float64(bound)
}

var clipKernels = map[onnx.DataType]func(rt *Runtime, x, lo, hi, y *onnx.Tensor){
	onnx.Float: clip32, onnx.Double: clipOf[float64],
	onnx.Int8: clipOf[int8], onnx.Int16: clipOf[int16], onnx.Int32: clipOf[int32], onnx.Int64: clipOf[int64],
	onnx.Uint8: clipOf[uint8], onnx.Uint16: clipOf[uint16], onnx.Uint32: clipOf[uint32], onnx.Uint64: clipOf[uint64],
}

func clip32(rt *Runtime, x, lo, hi, y *onnx.Tensor) {
	l, h := float32(math.Inf(-1)), float32(math.Inf(1))
	if lo != nil {
		l = lo.Float32s()[0]
	}
	if hi != nil {
		h = hi.Float32s()[0]
	}
	t, xs, ys := kernel.Default(), x.Float32s(), y.Float32s()
	rt.Pool.For(len(xs), cheapGrain, func(from, to int) { t.Clamp(ys[from:to], xs[from:to], l, h) })
}

func clipOf[T real](rt *Runtime, x, lo, hi, y *onnx.Tensor) {
	xs, ys := onnx.Data[T](x), onnx.Data[T](y)
	rt.Pool.For(len(xs), cheapGrain, func(from, to int) {
		xs, ys := xs[from:to], ys[from:to]
		switch {
		case lo != nil && hi != nil:
			l, h := onnx.Data[T](lo)[0], onnx.Data[T](hi)[0]
			for i, v := range xs {
				ys[i] = min(max(v, l), h)
			}
		case lo != nil:
			l := onnx.Data[T](lo)[0]
			for i, v := range xs {
				ys[i] = max(v, l)
			}
		case hi != nil:
			h := onnx.Data[T](hi)[0]
			for i, v := range xs {
				ys[i] = min(v, h)
			}
		default:
			copy(ys, xs)
		}
	})
}
