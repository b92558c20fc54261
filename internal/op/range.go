package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Range", Since: 11, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		s.Ignore("stash_type") // halves are widened whatever it says
		return rangeOp{}, nil
	}})
}

// rangeOp counts: start, start+delta, ... as long as limit is not reached.
type rangeOp struct{}

func (rangeOp) Infer(in []Info) ([]Info, error) {
	typ := in[0].Type
	switch typ {
	case onnx.Float, onnx.Double, onnx.Int16, onnx.Int32, onnx.Int64:
	default:
		return nil, fmt.Errorf("input of type %v is not supported", typ)
	}
	for i, x := range in {
		if x.Type != typ || prod(x.Shape) != 1 {
			return nil, fmt.Errorf("input %d: want one %v, got %v%v", i, typ, x.Type, x.Shape)
		}
	}
	if in[0].Value == nil || in[1].Value == nil || in[2].Value == nil {
		return []Info{{Type: typ, Dynamic: true}}, nil
	}
	n, err := rangeLen(in[0].Value, in[1].Value, in[2].Value)
	if err != nil {
		return nil, err
	}
	return []Info{{Type: typ, Shape: []int{n}}}, nil
}

// rangeLen returns ceil((limit-start)/delta), at least 0.
func rangeLen(start, limit, delta *onnx.Tensor) (int, error) {
	if start.Type == onnx.Float || start.Type == onnx.Double {
		a, b, d := oneFloat(start), oneFloat(limit), oneFloat(delta)
		if d == 0 {
			return 0, errors.New("delta is 0")
		}
		n := math.Ceil((b - a) / d)
		if math.IsNaN(n) || n > maxElements {
			return 0, fmt.Errorf("from %v to %v by %v is no range of a possible size", a, b, d)
		}
		return int(max(n, 0)), nil
	}
	var v [3]int
	for i, t := range []*onnx.Tensor{start, limit, delta} {
		w, err := wholeNumbers(t)
		if err != nil {
			return 0, err
		}
		v[i] = w[0]
	}
	a, b, d := v[0], v[1], v[2]
	// The distance of two int64 fits a uint64.
	var n uint64
	switch {
	case d == 0:
		return 0, errors.New("delta is 0")
	case d > 0 && b > a:
		n = (uint64(b)-uint64(a)-1)/uint64(d) + 1
	case d < 0 && b < a:
		n = (uint64(a)-uint64(b)-1)/(-uint64(d)) + 1
	}
	if n > maxElements {
		return 0, fmt.Errorf("from %d to %d by %d is no range of a possible size", a, b, d)
	}
	return int(n), nil
}

func oneFloat(t *onnx.Tensor) float64 {
	if t.Type == onnx.Float {
		return float64(t.Float32s()[0])
	}
	return onnx.Data[float64](t)[0]
}

func (rangeOp) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	switch in[0].Type {
	case onnx.Float:
		count[float32](in, out[0])
	case onnx.Double:
		count[float64](in, out[0])
	case onnx.Int16:
		count[int16](in, out[0])
	case onnx.Int32:
		count[int32](in, out[0])
	case onnx.Int64:
		count[int64](in, out[0])
	}
	return nil
}

func count[T float32 | float64 | int16 | int32 | int64](in []*onnx.Tensor, out *onnx.Tensor) {
	start, delta := onnx.Data[T](in[0])[0], onnx.Data[T](in[2])[0]
	y := onnx.Data[T](out)
	for i := range y {
		y[i] = start + T(i)*delta
	}
}
