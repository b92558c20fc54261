package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// intsInfo returns the elements of an integer input that holds a list (axes, a shape, pads): a vector, or a scalar for
// a list of one. known is false where the value is not known yet.
func intsInfo(what string, in Info) (v []int, known bool, err error) {
	if len(in.Shape) > 1 {
		return nil, false, fmt.Errorf("%s: want a vector, got shape %v", what, in.Shape)
	}
	if in.Type != onnx.Int64 && in.Type != onnx.Int32 {
		return nil, false, fmt.Errorf("%s: want int64 or int32, got %v", what, in.Type)
	}
	if in.Value == nil {
		return nil, false, nil
	}
	v, err = intsOf(in.Value)
	return v, err == nil, err
}

// infoOf describes tensors whose values are known, as Infer takes them.
func infoOf(in []*onnx.Tensor) []Info {
	info := make([]Info, len(in))
	for i, t := range in {
		if t != nil {
			info[i] = Info{Type: t.Type, Shape: t.Shape, Value: t}
		}
	}
	return info
}

// indicesOf returns the elements of an int32 or int64 tensor of indices into a dimension of n elements, negative ones
// counted from its end.
func indicesOf(t *onnx.Tensor, n int) ([]int, error) {
	if t.Type == onnx.Int32 {
		return normIndices(onnx.Data[int32](t), n)
	}
	return normIndices(onnx.Data[int64](t), n)
}

func normIndices[T int32 | int64](v []T, n int) ([]int, error) {
	out := make([]int, len(v))
	for i, x := range v {
		k := int(x)
		if k < -n || k >= n {
			return nil, fmt.Errorf("index %d is outside [%d,%d] (dimension %d)", k, -n, n-1, n)
		}
		if k < 0 {
			k += n
		}
		out[i] = k
	}
	return out, nil
}

// isIndex reports whether a type can hold indices.
func isIndex(t onnx.DataType) bool { return t == onnx.Int64 || t == onnx.Int32 }

// mulSat multiplies without overflow: what is too large for any shape becomes the largest int.
func mulSat(a, b int) int {
	if a > 0 && b > math.MaxInt/a {
		return math.MaxInt
	}
	return a * b
}
