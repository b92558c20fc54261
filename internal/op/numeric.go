package op

import (
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// real lists the element types that are ordered numbers.
type real interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// float lists the element types that float operators compute in: halves are widened by the graph before.
type float interface{ float32 | float64 }

var floatTypes = []onnx.DataType{onnx.Float, onnx.Double}

// typeError says that input i may not be of that type.
func typeError(i int, t onnx.DataType) error {
	return fmt.Errorf("input %d: type %v is not supported", i, t)
}

// wantFloats returns an error unless the listed inputs, where present, are of a type that float operators compute in.
func wantFloats(in []Info, indices ...int) error {
	for _, i := range indices {
		if i < len(in) && !in[i].Absent() && !slices.Contains(floatTypes, in[i].Type) {
			return typeError(i, in[i].Type)
		}
	}
	return nil
}

// isReal reports whether elements of that type are ordered numbers.
func isReal(t onnx.DataType) bool {
	switch t {
	case onnx.Float, onnx.Double, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64:
		return true
	}
	return false
}
