package op

import (
	"errors"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	for name, least := range map[string]bool{"ArgMax": false, "ArgMin": true} {
		register(Def{Type: name, Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
			return arg{least: least, axis: s.Int("axis", 0), keep: s.Bool("keepdims", true), last: s.Bool("select_last_index", false)}, nil
		}})
	}
}

// arg is ArgMax and ArgMin: the int64 index of the largest or smallest element along an axis; of equal ones that of the
// first, or of the last where select_last_index is set. A NaN counts as larger and smaller than everything.
type arg struct {
	least bool
	axis  int
	keep  bool
	last  bool
}

func (a arg) Infer(in []Info) ([]Info, error) {
	if !isReal(in[0].Type) {
		return nil, typeError(0, in[0].Type)
	}
	axis, err := normAxis(a.axis, len(in[0].Shape))
	if err != nil {
		return nil, err
	}
	flags := make([]bool, len(in[0].Shape))
	flags[axis] = true
	shape := reducedShape(in[0].Shape, flags, a.keep)
	if in[0].Shape[axis] == 0 && prod(shape) > 0 {
		return nil, errors.New("there is no element along the axis")
	}
	return []Info{{Type: onnx.Int64, Shape: shape}}, nil
}

func (a arg) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	argKernels[in[0].Type](rt, a, in[0], out[0])
	return nil
}

var argKernels = map[onnx.DataType]func(rt *Runtime, a arg, in, out *onnx.Tensor){
	onnx.Float: argOf[float32], onnx.Double: argOf[float64],
	onnx.Int8: argOf[int8], onnx.Int16: argOf[int16], onnx.Int32: argOf[int32], onnx.Int64: argOf[int64],
	onnx.Uint8: argOf[uint8], onnx.Uint16: argOf[uint16], onnx.Uint32: argOf[uint32], onnx.Uint64: argOf[uint64],
}

func argOf[T real](rt *Runtime, a arg, in, out *onnx.Tensor) {
	axis := a.axis
	if axis < 0 {
		axis += len(in.Shape)
	}
	_, n, inner := outerInner(in.Shape, axis)
	x, y := onnx.Data[T](in), onnx.Data[int64](out)
	rt.Pool.For(len(y), max(1, 1<<14/max(n, 1)), func(lo, hi int) {
		for o := lo; o < hi; o++ {
			y[o] = int64(argAlong(a, x[o/inner*inner*n+o%inner:], n, inner))
		}
	})
}

// argAlong looks at n elements that lie stride apart.
func argAlong[T real](a arg, x []T, n, stride int) int {
	best, at := x[0], 0
	if best != best && !a.last {
		return 0
	}
	for i := 1; i < n; i++ {
		v := x[i*stride]
		switch {
		case v != v:
			if !a.last {
				return i
			}
		case best != best:
			continue
		case v == best:
			if !a.last {
				continue
			}
		case v < best != a.least:
			continue
		}
		best, at = v, i
	}
	return at
}
