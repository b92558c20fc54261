package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "OneHot", Since: 9, MinIn: 3, MaxIn: 3, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return oneHot{axis: s.Int("axis", -1)}, nil
	}})
}

// oneHot writes, along a new dimension of depth elements, values[1] at the place that an index names and values[0]
// elsewhere. Indices in [-depth,depth) name a place, others none.
type oneHot struct{ axis int }

func (o oneHot) Infer(in []Info) ([]Info, error) {
	typ := in[2].Type
	if err := movable(typ); err != nil {
		return nil, err
	}
	if prod(in[2].Shape) != 2 {
		return nil, fmt.Errorf("values: want 2 elements, got shape %v", in[2].Shape)
	}
	if !isNumber(in[0].Type) || !isNumber(in[1].Type) {
		return nil, fmt.Errorf("indices of type %v and depth of type %v: want numbers", in[0].Type, in[1].Type)
	}
	axis, err := normAxis(o.axis, len(in[0].Shape)+1)
	if err != nil {
		return nil, err
	}
	depth, known, err := intScalar("depth", in[1])
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: typ, Dynamic: true}}, nil
	}
	if depth < 1 {
		return nil, fmt.Errorf("depth is %d, want 1 or more", depth)
	}
	shape := append([]int{}, in[0].Shape[:axis]...)
	shape = append(shape, depth)
	shape = append(shape, in[0].Shape[axis:]...)
	if err := checkSize(shape); err != nil {
		return nil, err
	}
	return []Info{{Type: typ, Shape: shape}}, nil
}

// isNumber reports whether wholeNumbers reads that type.
func isNumber(t onnx.DataType) bool {
	switch t {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64,
		onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64:
		return true
	}
	return false
}

func (o oneHot) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	axis, err := normAxis(o.axis, len(in[0].Shape)+1)
	if err != nil {
		return err
	}
	index, err := wholeNumbers(in[0])
	if err != nil {
		return err
	}
	copyStrided(rt, []int{out[0].Len()}, out[0], 0, []int{1}, in[2], 0, []int{0})
	depth := out[0].Shape[axis]
	inner := prod(out[0].Shape[axis+1:])
	places := make([]int, 0, len(index))
	for i, k := range index {
		if k < 0 {
			k += depth
		}
		if k >= 0 && k < depth {
			places = append(places, (i/inner*depth+k)*inner+i%inner)
		}
	}
	on := onnx.New(in[2].Type, len(places))
	copyStrided(rt, []int{len(places)}, on, 0, []int{1}, in[2], 1, []int{0})
	scatterBlocks(out[0], on, places, 1, "none")
	return nil
}
