package op

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/sizes"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// maxElements bounds the number of elements of a value: more than any machine holds, and small enough that products
// with element sizes do not overflow.
const maxElements = math.MaxInt64 >> 8

// checkSize returns an error for negative dimensions and for element counts that overflow.
func checkSize(shape []int) error {
	n, fits := sizes.Product(shape...)
	if slices.ContainsFunc(shape, func(d int) bool { return d < 0 }) {
		return fmt.Errorf("negative dimension in shape %v", shape)
	}
	if n != 0 && (!fits || n > maxElements) {
		return fmt.Errorf("shape %v is too large", shape)
	}
	return nil
}

// normAxis turns an axis in [-rank,rank) into one in [0,rank).
func normAxis(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d is outside [%d,%d] (rank %d)", axis, -rank, rank-1, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// normAxes is normAxis for several; an axis that is named twice is an error.
func normAxes(axes []int, rank int) ([]int, error) {
	out := make([]int, len(axes))
	seen := make([]bool, rank)
	for i, a := range axes {
		n, err := normAxis(a, rank)
		if err != nil {
			return nil, err
		}
		if seen[n] {
			return nil, fmt.Errorf("axis %d is named twice", a)
		}
		seen[n] = true
		out[i] = n
	}
	return out, nil
}

// broadcastShape applies numpy's rule: shapes are aligned at their last dimension, and dimensions of 1 stretch.
func broadcastShape(shapes ...[]int) ([]int, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make([]int, rank)
	for i := range out {
		out[i] = 1
	}
	for _, s := range shapes {
		off := rank - len(s)
		for i, d := range s {
			switch o := out[off+i]; {
			case o == d || d == 1:
			case o == 1:
				out[off+i] = d
			default:
				return nil, fmt.Errorf("shapes %v cannot be broadcast together", shapes)
			}
		}
	}
	return out, checkSize(out)
}

// rowMajor returns the distance in elements between neighbours along each dimension.
func rowMajor(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

func sameShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// prod returns the product of the dimensions.
func prod(shape []int) int { return onnx.NumElements(shape) }

// intsOf returns the elements of an integer tensor, as axes, shapes and the like are given.
func intsOf(t *onnx.Tensor) ([]int, error) {
	switch t.Type {
	case onnx.Int64:
		v := onnx.Data[int64](t)
		out := make([]int, len(v))
		for i, x := range v {
			out[i] = int(x)
		}
		return out, nil
	case onnx.Int32:
		v := onnx.Data[int32](t)
		out := make([]int, len(v))
		for i, x := range v {
			out[i] = int(x)
		}
		return out, nil
	}
	return nil, fmt.Errorf("want a tensor of int64 or int32, got %v", t.Type)
}
