package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "ScatterND", Since: 11, MinIn: 3, MaxIn: 3, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		reduce, err := reductionAttr(s)
		return scatterND{reduce: reduce}, err
	}})
}

// scatterND copies data and then puts slices of updates into it, in their order, at the places that the index vectors
// in the last dimension of indices name. With a reduction they are combined with what is there.
type scatterND struct{ reduce string }

func (c scatterND) Infer(in []Info) ([]Info, error) {
	if err := checkScatterTypes(in, c.reduce); err != nil {
		return nil, err
	}
	data, idx := in[0].Shape, in[1].Shape
	if in[1].Type != onnx.Int64 {
		return nil, fmt.Errorf("indices: want int64, got %v", in[1].Type)
	}
	if len(idx) == 0 || len(data) == 0 {
		return nil, fmt.Errorf("data of shape %v and indices of shape %v: want rank 1 or more", data, idx)
	}
	k := idx[len(idx)-1]
	if k < 1 || k > len(data) {
		return nil, fmt.Errorf("index vectors of %d numbers for data of shape %v", k, data)
	}
	want := append(append([]int{}, idx[:len(idx)-1]...), data[k:]...)
	if !sameShape(want, in[2].Shape) {
		return nil, fmt.Errorf("updates have shape %v, data %v and indices %v want %v", in[2].Shape, data, idx, want)
	}
	return []Info{{Type: in[0].Type, Shape: data}}, nil
}

func (c scatterND) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	k := in[1].Shape[len(in[1].Shape)-1]
	places, err := vectorPlaces(in[1].Int64s(), in[0].Shape, k)
	if err != nil {
		return err
	}
	copyAll(out[0], in[0])
	scatterBlocks(out[0], in[2], places, prod(in[0].Shape[k:]), c.reduce)
	return nil
}
