package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Constant", Since: 1, MinIn: 0, MaxIn: 0, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		t, err := ConstantValue(s.Node)
		if err != nil {
			return nil, err
		}
		s.Ignore("value", "value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings", "sparse_value")
		return constant{t}, nil
	}})
}

// constant gives the tensor of its attribute.
type constant struct{ t *onnx.Tensor }

func (c constant) Infer([]Info) ([]Info, error) {
	return []Info{{Type: c.t.Type, Shape: c.t.Shape, Value: c.t}}, nil
}

func (c constant) Run(_ *Runtime, _, out []*onnx.Tensor) error {
	copy(out[0].Raw, c.t.Raw)
	copy(out[0].Strings, c.t.Strings)
	return nil
}

// ConstantValue returns the tensor of a Constant node, whichever of the value attributes has it.
func ConstantValue(n *onnx.Node) (*onnx.Tensor, error) {
	var found *onnx.Tensor
	var from string
	for _, a := range n.Attrs {
		var t *onnx.Tensor
		var ok bool
		switch a.Name {
		case "value", "sparse_value":
			t, ok = a.Tensor, a.Tensor != nil
		case "value_float":
			t, ok = onnx.Of([]int{}, []float32{a.F}), a.Type == onnx.AttrFloat
		case "value_floats":
			t, ok = onnx.Of([]int{len(a.Floats)}, a.Floats), a.Type == onnx.AttrFloats
		case "value_int":
			t, ok = onnx.Of([]int{}, []int64{a.I}), a.Type == onnx.AttrInt
		case "value_ints":
			t, ok = onnx.Of([]int{len(a.Ints)}, a.Ints), a.Type == onnx.AttrInts
		case "value_string":
			t, ok = &onnx.Tensor{Type: onnx.String, Shape: []int{}, Strings: []string{string(a.S)}}, a.Type == onnx.AttrString
		case "value_strings":
			t, ok = onnx.New(onnx.String, len(a.Strings)), a.Type == onnx.AttrStrings
			for i, s := range a.Strings {
				t.Strings[i] = string(s)
			}
		default:
			continue
		}
		if !ok {
			return nil, fmt.Errorf("attribute %q is of the wrong type", a.Name)
		}
		if found != nil {
			return nil, fmt.Errorf("has both %q and %q, wants one value", from, a.Name)
		}
		found, from = t, a.Name
	}
	if found == nil {
		return nil, fmt.Errorf("has no value attribute")
	}
	return found, nil
}
