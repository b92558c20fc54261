package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Slice", Since: 1, MinIn: 1, MaxIn: 5, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		starts, ends, axes := s.Ints("starts"), s.Ints("ends"), s.Ints("axes")
		if len(s.Node.Inputs) >= 3 {
			return slice{}, nil
		}
		if len(s.Node.Inputs) == 2 || starts == nil || ends == nil {
			return nil, errors.New("starts or ends are missing")
		}
		if s.Opset >= 10 {
			s.Warn("starts and ends are attributes, which opset %d does not have", s.Opset)
		}
		return slice{attrs: true, starts: starts, ends: ends, axes: axes}, nil
	}})
}

// slice takes elements start, start+step, ... before end along each of the given axes. Negative starts and ends count
// from the end of the dimension, and what lies outside is clamped; a negative step walks backwards. Up to opset 9
// starts, ends and axes are attributes, later inputs, steps too.
type slice struct {
	attrs              bool
	starts, ends, axes []int
}

// span is what a slice takes along one dimension: n elements from first on, step apart.
type sliceRange struct{ first, step, n int }

// ranges returns what is taken along each dimension; known is false where it depends on values that are not known.
func (s slice) ranges(in []Info) (r []sliceRange, known bool, err error) {
	starts, ends, axes, steps := s.starts, s.ends, s.axes, []int(nil)
	if !s.attrs {
		known = true
		read := func(what string, i int) []int {
			if err != nil || in[i].Absent() {
				return nil
			}
			v, k, e := intsInfo(what, in[i])
			known, err = known && k, e
			return v
		}
		starts, ends, axes, steps = read("starts", 1), read("ends", 2), read("axes", 3), read("steps", 4)
		if err == nil && (in[1].Absent() || in[2].Absent()) {
			err = errors.New("starts or ends are missing")
		}
		if err != nil || !known {
			return nil, false, err
		}
	}
	if len(starts) != len(ends) {
		return nil, false, fmt.Errorf("%d starts and %d ends", len(starts), len(ends))
	}
	shape := in[0].Shape
	if axes == nil {
		axes = make([]int, len(starts))
		for i := range axes {
			axes[i] = i
		}
	}
	if len(axes) != len(starts) {
		return nil, false, fmt.Errorf("%d starts and %d axes", len(starts), len(axes))
	}
	if steps != nil && len(steps) != len(starts) {
		return nil, false, fmt.Errorf("%d starts and %d steps", len(starts), len(steps))
	}
	if axes, err = normAxes(axes, len(shape)); err != nil {
		return nil, false, err
	}
	r = make([]sliceRange, len(shape))
	for i, d := range shape {
		r[i] = sliceRange{0, 1, d}
	}
	for i, a := range axes {
		step := 1
		if steps != nil {
			step = steps[i]
		}
		if step == 0 {
			return nil, false, fmt.Errorf("step along axis %d is 0", a)
		}
		r[a] = sliceAxis(shape[a], starts[i], ends[i], step)
	}
	return r, true, nil
}

// sliceAxis clamps a slice to a dimension of n elements.
func sliceAxis(n, start, end, step int) sliceRange {
	step = max(step, -math.MaxInt) // its negative exists
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	count := 0
	if step > 0 {
		start, end = min(max(start, 0), n), min(max(end, 0), n)
		if end > start {
			count = 1 + (end-start-1)/step
		}
	} else {
		start, end = min(max(start, 0), n-1), min(max(end, -1), n-1)
		if start > end {
			count = 1 + (start-end-1)/-step
		}
	}
	if count <= 1 {
		step = 1 // never taken; a huge one would overflow as a stride
	}
	return sliceRange{start, step, count}
}

func (s slice) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	r, known, err := s.ranges(in)
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: in[0].Type, Dynamic: true}}, nil
	}
	out := make([]int, len(r))
	for i := range r {
		out[i] = r[i].n
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (s slice) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	r, _, err := s.ranges(infoOf(in))
	if err != nil {
		return err
	}
	off := 0
	strides := rowMajor(in[0].Shape)
	for i := range r {
		off += r[i].first * strides[i]
		strides[i] *= r[i].step
	}
	copyStrided(rt, out[0].Shape, out[0], 0, rowMajor(out[0].Shape), in[0], off, strides)
	return nil
}
