package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "NonZero", Since: 9, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(*Spec) (Op, error) {
		return nonZero{}, nil
	}})
}

// nonZero returns where its input is not zero: a column of coordinates for each such element, in row-major order, as an
// int64 matrix of as many rows as the input has dimensions.
type nonZero struct{}

func (nonZero) Infer(in []Info) ([]Info, error) {
	switch in[0].Type {
	case onnx.Bool, onnx.BFloat16:
	default:
		if !isNumber(in[0].Type) {
			return nil, fmt.Errorf("input of type %v is not supported", in[0].Type)
		}
	}
	if in[0].Value == nil {
		return []Info{{Type: onnx.Int64, Dynamic: true}}, nil
	}
	return []Info{{Type: onnx.Int64, Shape: []int{len(in[0].Shape), len(nonZeros(in[0].Value))}}}, nil
}

// nonZeros returns the places of the elements that are not zero.
func nonZeros(t *onnx.Tensor) []int {
	switch t.Type {
	case onnx.Float:
		return placesOf(t.Float32s(), 0)
	case onnx.Double:
		return placesOf(onnx.Data[float64](t), 0)
	case onnx.Float16, onnx.BFloat16:
		// All bits but the sign are zero in both zeros.
		v := words[uint16](t)
		abs := make([]uint16, len(v))
		for i, x := range v {
			abs[i] = x << 1
		}
		return placesOf(abs, 0)
	}
	switch elemSize(t.Type) {
	case 1:
		return placesOf(words[uint8](t), 0)
	case 2:
		return placesOf(words[uint16](t), 0)
	case 4:
		return placesOf(words[uint32](t), 0)
	}
	return placesOf(words[uint64](t), 0)
}

func placesOf[T comparable](v []T, zero T) []int {
	n := 0
	for _, x := range v {
		if x != zero {
			n++
		}
	}
	out := make([]int, 0, n)
	for i, x := range v {
		if x != zero {
			out = append(out, i)
		}
	}
	return out
}

func (nonZero) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	places := nonZeros(in[0])
	shape := in[0].Shape
	y := out[0].Int64s()
	for d := len(shape) - 1; d >= 0; d-- {
		row := y[d*len(places):]
		for i, p := range places {
			row[i] = int64(p % shape[d])
			places[i] = p / shape[d]
		}
	}
	return nil
}
