package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "GatherND", Since: 11, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return gatherND{batch: s.Int("batch_dims", 0)}, nil
	}})
}

// gatherND picks slices by index vectors, which the last dimension of indices holds: a vector of k numbers selects
// along the k dimensions after the batch dimensions, which both inputs have in common.
type gatherND struct{ batch int }

func (g gatherND) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	data, idx := in[0].Shape, in[1].Shape
	if in[1].Type != onnx.Int64 {
		return nil, fmt.Errorf("indices: want int64, got %v", in[1].Type)
	}
	if len(idx) == 0 || len(data) == 0 {
		return nil, fmt.Errorf("data of shape %v and indices of shape %v: want rank 1 or more", data, idx)
	}
	if g.batch < 0 || g.batch >= len(idx) || g.batch > len(data) {
		return nil, fmt.Errorf("batch_dims %d does not fit data of shape %v and indices of shape %v", g.batch, data, idx)
	}
	if !sameShape(data[:g.batch], idx[:g.batch]) {
		return nil, fmt.Errorf("data of shape %v and indices of shape %v differ in their %d batch dimensions", data, idx, g.batch)
	}
	k := idx[len(idx)-1]
	if k < 1 || k > len(data)-g.batch {
		return nil, fmt.Errorf("index vectors of %d numbers for data of shape %v after %d batch dimensions", k, data, g.batch)
	}
	out := append([]int{}, idx[:len(idx)-1]...)
	out = append(out, data[g.batch+k:]...)
	if err := checkSize(out); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (g gatherND) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	outer, row, n, starts, err := g.blocks(in[0].Shape, in[1])
	if err != nil {
		return err
	}
	gatherBlocks(rt, out[0], in[0], outer, row, starts, n)
	return nil
}

func (g gatherND) blocks(shape []int, indices *onnx.Tensor) (outer, row, n int, starts []int, err error) {
	k := indices.Shape[len(indices.Shape)-1]
	starts, err = vectorPlaces(indices.Int64s(), shape[g.batch:], k)
	if err != nil || len(starts) == 0 {
		return 0, 0, 0, nil, err
	}
	// The batch's own part of the data comes before the place inside it.
	batches, size := prod(shape[:g.batch]), prod(shape[g.batch:])
	each := len(starts) / batches
	for i := range starts {
		starts[i] += i / each * size
	}
	return 1, prod(shape), prod(shape[g.batch+k:]), starts, nil
}

// vectorPlaces turns index vectors of k numbers each into places in an array of that shape.
func vectorPlaces(index []int64, shape []int, k int) ([]int, error) {
	if k == 0 {
		return nil, errors.New("index vectors are empty")
	}
	strides := rowMajor(shape)
	places := make([]int, len(index)/k)
	for i := range places {
		for j, x := range index[i*k : (i+1)*k] {
			n := int64(shape[j])
			if x < -n || x >= n {
				return nil, fmt.Errorf("index %d is outside [%d,%d] (dimension %d of the indexed part %v)", x, -n, n-1, j, shape)
			}
			if x < 0 {
				x += n
			}
			places[i] += int(x) * strides[j]
		}
	}
	return places, nil
}
