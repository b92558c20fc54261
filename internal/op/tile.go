package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Tile", Since: 1, MinIn: 2, MaxIn: 3, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		if s.Opset < 6 {
			if len(s.Node.Inputs) != 3 {
				return nil, fmt.Errorf("has %d inputs, wants 3 in opset %d", len(s.Node.Inputs), s.Opset)
			}
			return tile{oneAxis: true}, nil
		}
		if len(s.Node.Inputs) != 2 {
			return nil, fmt.Errorf("has %d inputs, wants 2 in opset %d", len(s.Node.Inputs), s.Opset)
		}
		return tile{}, nil
	}})
}

// tile repeats its input: repeats[i] times along dimension i. Up to opset 5 it takes a number of tiles and one axis
// instead, both as inputs of the data's type.
type tile struct{ oneAxis bool }

// repeats returns the number of copies along each dimension; known is false where inputs are not known.
func (t tile) repeats(in []Info) (rep []int, known bool, err error) {
	rank := len(in[0].Shape)
	if !t.oneAxis {
		rep, known, err = intsInfo("repeats", in[1])
		if err == nil && known && len(rep) != rank {
			err = fmt.Errorf("%d repeats for an input of rank %d", len(rep), rank)
		}
	} else {
		var tiles, axis int
		var k1, k2 bool
		if tiles, k1, err = intScalar("tiles", in[1]); err == nil {
			axis, k2, err = intScalar("axis", in[2])
		}
		if known = err == nil && k1 && k2; known {
			rep = make([]int, rank)
			for i := range rep {
				rep[i] = 1
			}
			if axis, err = normAxis(axis, rank); err == nil {
				rep[axis] = tiles
			}
		}
	}
	if err != nil {
		return nil, false, err
	}
	for _, r := range rep {
		if r < 0 {
			return nil, false, fmt.Errorf("negative number of repeats %d", r)
		}
	}
	return rep, known, nil
}

// intScalar returns a whole number that an input of one element holds, whatever its numeric type.
func intScalar(what string, in Info) (v int, known bool, err error) {
	if prod(in.Shape) != 1 {
		return 0, false, fmt.Errorf("%s: want one number, got shape %v", what, in.Shape)
	}
	if in.Value == nil {
		return 0, false, nil
	}
	all, err := wholeNumbers(in.Value)
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", what, err)
	}
	return all[0], true, nil
}

// wholeNumbers returns the elements of a numeric tensor with their fractions cut off.
func wholeNumbers(t *onnx.Tensor) ([]int, error) {
	if t.Type == onnx.Float16 {
		v := onnx.Data[onnx.Float16Bits](t)
		out := make([]int, len(v))
		for i, x := range v {
			out[i] = int(x.Float32())
		}
		return out, nil
	}
	cut := cutters[t.Type]
	if cut == nil {
		return nil, fmt.Errorf("type %v is not supported", t.Type)
	}
	return cut(t), nil
}

var cutters = map[onnx.DataType]func(t *onnx.Tensor) []int{
	onnx.Float: cutOff[float32], onnx.Double: cutOff[float64],
	onnx.Int8: cutOff[int8], onnx.Int16: cutOff[int16], onnx.Int32: cutOff[int32], onnx.Int64: cutOff[int64],
	onnx.Uint8: cutOff[uint8], onnx.Uint16: cutOff[uint16], onnx.Uint32: cutOff[uint32], onnx.Uint64: cutOff[uint64],
}

func cutOff[T real](t *onnx.Tensor) []int {
	v := onnx.Data[T](t)
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

func (t tile) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	rep, known, err := t.repeats(in)
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: in[0].Type, Dynamic: true}}, nil
	}
	out := make([]int, len(rep))
	for i, r := range rep {
		out[i] = mulSat(in[0].Shape[i], r)
	}
	if err := checkSize(out); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (t tile) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	rep, _, err := t.repeats(infoOf(in))
	if err != nil {
		return err
	}
	// Each dimension becomes two: which copy, and where in it.
	shape := make([]int, 0, 2*len(rep))
	strides := make([]int, 0, 2*len(rep))
	for i, s := range rowMajor(in[0].Shape) {
		shape = append(shape, rep[i], in[0].Shape[i])
		strides = append(strides, 0, s)
	}
	copyStrided(rt, shape, out[0], 0, rowMajor(shape), in[0], 0, strides)
	return nil
}
