package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "EyeLike", Since: 9, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return eyeLike{typ: onnx.DataType(s.Int("dtype", 0)), k: s.Int("k", 0)}, nil
	}})
}

// eyeLike makes a matrix of its input's shape with ones on a diagonal, k places right of the main one, and zeros
// elsewhere; of the type that dtype names, or else the input's.
type eyeLike struct {
	typ onnx.DataType
	k   int
}

func (e eyeLike) Infer(in []Info) ([]Info, error) {
	if len(in[0].Shape) != 2 {
		return nil, fmt.Errorf("want a matrix, got shape %v", in[0].Shape)
	}
	typ := e.typ
	if typ == onnx.Undefined {
		typ = in[0].Type
	}
	if oneOf(typ) == nil {
		return nil, fmt.Errorf("output of type %v is not supported", typ)
	}
	return []Info{{Type: typ, Shape: in[0].Shape}}, nil
}

// oneOf returns a tensor that holds the number 1 (or true) in that type, nil where it has none.
func oneOf(typ onnx.DataType) *onnx.Tensor {
	switch typ {
	case onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64, onnx.Bool:
		t := onnx.New(typ, 1)
		t.Raw[0] = 1
		return t
	}
	t, err := constantOf(typ, 1)
	if err != nil {
		return nil
	}
	return t
}

func (e eyeLike) Run(rt *Runtime, _, out []*onnx.Tensor) error {
	y := out[0]
	clear(y.Raw)
	rows, cols := y.Shape[0], y.Shape[1]
	k := min(max(e.k, -rows), cols)
	first, n := k, min(rows, cols-k)
	if k < 0 {
		first, n = -k*cols, min(rows+k, cols)
	}
	copyStrided(rt, []int{n}, y, first, []int{cols + 1}, oneOf(y.Type), 0, []int{0})
	return nil
}
