package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "GatherElements", Since: 11, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return gatherElements{axis: s.Int("axis", 0)}, nil
	}})
}

// gatherElements picks single elements: out has the shape of indices, and out[.., i, ..] = data[.., indices[.., i, ..], ..]
// with the index in the place of axis.
type gatherElements struct{ axis int }

func (g gatherElements) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	if err := checkElementIndices(in[0].Shape, in[1], g.axis); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: in[1].Shape}}, nil
}

// checkElementIndices checks the indices of GatherElements and ScatterElements: integers of the data's rank, and along
// other dimensions than axis not more than there are.
func checkElementIndices(shape []int, indices Info, axis int) error {
	if !isIndex(indices.Type) {
		return fmt.Errorf("indices: want int64 or int32, got %v", indices.Type)
	}
	if len(indices.Shape) != len(shape) {
		return fmt.Errorf("indices of shape %v for data of shape %v: want the same rank", indices.Shape, shape)
	}
	axis, err := normAxis(axis, len(shape))
	if err != nil {
		return err
	}
	for i, d := range indices.Shape {
		if i != axis && d > shape[i] {
			return fmt.Errorf("indices of shape %v reach outside data of shape %v in dimension %d", indices.Shape, shape, i)
		}
	}
	return nil
}

// elementPlaces turns the indices of GatherElements and ScatterElements into places in data of that shape.
func elementPlaces(indices *onnx.Tensor, shape []int, axis int) ([]int, error) {
	axis, err := normAxis(axis, len(shape))
	if err != nil {
		return nil, err
	}
	places, err := indicesOf(indices, shape[axis])
	if err != nil || len(places) == 0 {
		return nil, err
	}
	strides := rowMajor(shape)
	step := strides[axis]
	dims := make([]strideDim, len(shape))
	for i, n := range indices.Shape {
		dims[i] = strideDim{n: n, src: strides[i]}
	}
	dims[axis].src = 0
	last := dims[len(dims)-1]
	at := startAt(dims[:len(dims)-1], 0, 0, 0)
	for i := 0; i < len(places); i += last.n {
		for j := range last.n {
			places[i+j] = places[i+j]*step + at.src + j*last.src
		}
		at.next()
	}
	return places, nil
}

func (g gatherElements) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	outer, row, n, starts, err := g.blocks(in[0].Shape, in[1])
	if err != nil {
		return err
	}
	gatherBlocks(rt, out[0], in[0], outer, row, starts, n)
	return nil
}

func (g gatherElements) blocks(shape []int, indices *onnx.Tensor) (outer, row, n int, starts []int, err error) {
	starts, err = elementPlaces(indices, shape, g.axis)
	return 1, prod(shape), 1, starts, err
}
