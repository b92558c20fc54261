package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "TensorScatter", Since: 24, MinIn: 2, MaxIn: 3, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		c := tensorScatter{axis: s.Int("axis", -2)}
		mode := s.String("mode", "linear")
		c.circular = mode == "circular"
		return c, oneOfNames("mode", mode, "linear", "circular")
	}})
}

// tensorScatter writes an update into a cache of keys or values: both are [batch, ..., steps, ...] with steps along the
// axis, of which the update has no more. The third input says for each element of the batch from which step on it is
// written, 0 where it is absent; in a circular cache the first step follows the last.
type tensorScatter struct {
	axis     int
	circular bool
}

func (tensorScatter) InPlace() []int { return []int{0} }

func (c tensorScatter) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	cache, update := in[0].Shape, in[1].Shape
	axis, err := normAxis(c.axis, len(cache))
	if err != nil {
		return nil, err
	}
	if axis == 0 {
		return nil, errors.New("axis 0 is the batch")
	}
	if in[1].Type != in[0].Type || len(update) != len(cache) || update[axis] > cache[axis] {
		return nil, fmt.Errorf("update %v%v does not fit a cache of %v%v", in[1].Type, update, in[0].Type, cache)
	}
	for i, d := range update {
		if i != axis && d != cache[i] {
			return nil, fmt.Errorf("update of shape %v does not fit a cache of shape %v", update, cache)
		}
	}
	if !in[2].Absent() && (in[2].Type != onnx.Int64 || !sameShape(in[2].Shape, cache[:1])) {
		return nil, fmt.Errorf("write_indices: want int64[%d], got %v%v", cache[0], in[2].Type, in[2].Shape)
	}
	return []Info{{Type: in[0].Type, Shape: cache}}, nil
}

func (c tensorScatter) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	cache := in[0].Shape
	axis, err := normAxis(c.axis, len(cache))
	if err != nil {
		return err
	}
	limit, steps := int64(cache[axis]), in[1].Shape[axis]
	lines, inner := prod(cache[:axis]), prod(cache[axis+1:])
	places := make([]int, 0, lines*steps)
	for line := range lines {
		first, b := int64(0), line/(lines/cache[0])
		if in[2] != nil {
			first = in[2].Int64s()[b]
		}
		if !c.circular && (first < 0 || first > limit-int64(steps)) {
			return fmt.Errorf("write_indices: element %d is %d, but %d steps go into a cache of %d", b, first, steps, limit)
		}
		for k := range steps {
			at := first + int64(k)
			if c.circular {
				at = ((first%limit+int64(k))%limit + limit) % limit
			}
			places = append(places, (line*cache[axis]+int(at))*inner)
		}
	}
	copyAll(out[0], in[0])
	scatterBlocks(out[0], in[1], places, inner, "none")
	return nil
}
