package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "LayerNormalization", Since: 17, MinIn: 2, MaxIn: 3, MaxOut: 3, Half: true, New: func(s *Spec) (Op, error) {
		l := layerNormalization{axis: s.Int("axis", -1), epsilon: float64(s.Float("epsilon", 1e-5)), stash: onnx.Float}
		switch t := onnx.DataType(s.Int("stash_type", int(onnx.Float))); t {
		case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16:
			l.stash = t
		default:
			return nil, fmt.Errorf(`attribute "stash_type" is %d (%v), want a float type`, int(t), t)
		}
		return l, nil
	}})
	register(Def{Type: "RMSNormalization", Since: 23, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		s.Ignore("stash_type") // sums are kept in float64 whatever it says
		return layerNormalization{axis: s.Int("axis", -1), epsilon: float64(s.Float("epsilon", 1e-5)), rms: true}, nil
	}})
}

// layerNormalization is LayerNormalization, Y = (X - mean) / sqrt(variance + epsilon) * Scale + B, and
// RMSNormalization, Y = X / sqrt(mean(X^2) + epsilon) * scale, over the elements of the dimensions from the axis on;
// Scale and B stretch to these dimensions. The outputs Mean and InvStdDev of LayerNormalization have the type that
// stash_type names; the computation itself keeps its sums in float64.
type layerNormalization struct {
	axis    int
	epsilon float64
	stash   onnx.DataType
	rms     bool
}

func (l layerNormalization) Infer(in []Info) ([]Info, error) {
	x := in[0].Shape
	for i, f := range in {
		switch f.Type {
		case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16:
		case onnx.Undefined:
			continue
		default:
			return nil, typeError(i, f.Type)
		}
	}
	axis, err := normAxis(l.axis, len(x))
	if err != nil {
		return nil, err
	}
	for i, name := range []string{"Scale", "B"} {
		if i+1 >= len(in) || in[i+1].Absent() {
			continue
		}
		if got := in[i+1].Shape; !stretches(got, x[axis:]) {
			return nil, fmt.Errorf("%s: shape %v does not stretch to %v", name, got, x[axis:])
		}
	}
	out := []Info{{Type: in[0].Type, Shape: x}}
	if !l.rms {
		stats := append([]int{}, x...)
		for i := axis; i < len(stats); i++ {
			stats[i] = 1
		}
		out = append(out, Info{Type: l.stash, Shape: stats}, Info{Type: l.stash, Shape: stats})
	}
	return out, nil
}

// stretches reports whether broadcasting makes shape out of s: leading ones of s may be left over.
func stretches(s, shape []int) bool {
	for len(s) > len(shape) && s[0] == 1 {
		s = s[1:]
	}
	both, err := broadcastShape(s, shape)
	return err == nil && sameShape(both, shape)
}

func (l layerNormalization) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		layerNormalize[float64](rt, l, in, out)
	} else {
		layerNormalize[float32](rt, l, in, out)
	}
	return nil
}

func layerNormalize[T float](rt *Runtime, l layerNormalization, in, out []*onnx.Tensor) {
	shape := in[0].Shape
	axis := l.axis
	if axis < 0 {
		axis += len(shape)
	}
	rows, size := prod(shape[:axis]), prod(shape[axis:])
	x := floatsAs[T](in[0])
	scale := stretch(floatsAs[T](in[1]), in[1].Shape, shape[axis:])
	bias := make([]T, size)
	if len(in) > 2 && in[2] != nil {
		bias = stretch(floatsAs[T](in[2]), in[2].Shape, shape[axis:])
	}
	var y, mean, inv []T
	if out[0] != nil {
		if y = make([]T, 0); out[0].Type == onnx.TypeOf[T]() {
			y = onnx.Data[T](out[0])
		} else {
			y = make([]T, len(x))
		}
	}
	stats := func(i int) []T {
		if i < len(out) && out[i] != nil {
			return make([]T, rows)
		}
		return nil
	}
	mean, inv = stats(1), stats(2)
	rt.Pool.For(rows, max(1, 1<<13/max(size, 1)), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := x[r*size:][:size]
			var m, f float64
			if l.rms {
				f = 1 / math.Sqrt(squareRun(0, row)/float64(size)+l.epsilon)
			} else {
				m, f = meanAndScale(row, l.epsilon)
			}
			if mean != nil {
				mean[r] = T(m)
			}
			if inv != nil {
				inv[r] = T(f)
			}
			if y == nil {
				continue
			}
			to, g, b := y[r*size:][:size], scale[:size], bias[:size]
			for i, v := range row {
				to[i] = T((float64(v)-m)*f)*g[i] + b[i]
			}
		}
	})
	for i, v := range [][]T{y, mean, inv} {
		if v != nil {
			storeFloats(out[i], v)
		}
	}
}

// stretch broadcasts x to the shape.
func stretch[T float](x []T, from, shape []int) []T {
	if len(x) == prod(shape) {
		return x
	}
	for len(from) > len(shape) {
		from = from[1:]
	}
	off := len(shape) - len(from)
	stride := make([]int, len(shape))
	for i, s := range rowMajor(from) {
		if from[i] > 1 {
			stride[off+i] = s
		}
	}
	out := make([]T, prod(shape))
	o := odometerAt(shape, stride, 0)
	for i := range out {
		out[i] = x[o.offset]
		o.next()
	}
	return out
}

// floatsAs returns the elements of a tensor of any float type as T, without copying where they are T.
func floatsAs[T float](t *onnx.Tensor) []T {
	if t.Type == onnx.TypeOf[T]() {
		return onnx.Data[T](t)
	}
	out := make([]T, t.Len())
	switch t.Type {
	case onnx.Float:
		for i, v := range onnx.Data[float32](t) {
			out[i] = T(v)
		}
	case onnx.Double:
		for i, v := range onnx.Data[float64](t) {
			out[i] = T(v)
		}
	case onnx.Float16:
		for i, v := range onnx.Data[onnx.Float16Bits](t) {
			out[i] = T(v.Float32())
		}
	case onnx.BFloat16:
		for i, v := range onnx.Data[onnx.BFloat16Bits](t) {
			out[i] = T(v.Float32())
		}
	}
	return out
}

// storeFloats rounds v to the type of the tensor; where v is the tensor's own memory there is nothing to do.
func storeFloats[T float](t *onnx.Tensor, v []T) {
	switch t.Type {
	case onnx.TypeOf[T]():
		copy(onnx.Data[T](t), v)
	case onnx.Float:
		y := onnx.Data[float32](t)
		for i := range y {
			y[i] = float32(v[i])
		}
	case onnx.Double:
		y := onnx.Data[float64](t)
		for i := range y {
			y[i] = float64(v[i])
		}
	case onnx.Float16:
		y := onnx.Data[onnx.Float16Bits](t)
		for i := range y {
			y[i] = onnx.Float16FromFloat32(float32(v[i]))
		}
	case onnx.BFloat16:
		y := onnx.Data[onnx.BFloat16Bits](t)
		for i := range y {
			y[i] = onnx.BFloat16FromFloat32(float32(v[i]))
		}
	}
}
