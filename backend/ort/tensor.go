//go:build cgo

package ort

import (
	"errors"
	"fmt"

	ortlib "github.com/yalue/onnxruntime_go"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func destroy(vs []ortlib.Value) {
	for _, v := range vs {
		if v != nil {
			_ = v.Destroy()
		}
	}
}

// toORT wraps a tensor without copying its numbers.
func toORT(t *onnx.Tensor) (ortlib.Value, error) {
	if t.Type == onnx.String {
		return nil, errors.New("strings cannot be given to ONNX Runtime here")
	}
	if len(t.Shape) == 0 {
		// The binding has no shape without dimensions for raw data; ONNX Runtime takes one element as a scalar.
		return scalar(t)
	}
	shape := make(ortlib.Shape, len(t.Shape))
	for i, d := range t.Shape {
		shape[i] = int64(d)
	}
	if t.Len() == 0 {
		return nil, fmt.Errorf("an empty tensor %v cannot be given to ONNX Runtime here", t.Shape)
	}
	return ortlib.NewCustomDataTensor(shape, t.Raw, ortlib.TensorElementDataType(t.Type))
}

func scalar(t *onnx.Tensor) (ortlib.Value, error) {
	if len(t.Raw) != t.Type.Bytes(1) {
		return nil, fmt.Errorf("a scalar of type %v has %d bytes", t.Type, len(t.Raw))
	}
	switch t.Type {
	case onnx.Float:
		return ortlib.NewScalar(onnx.Data[float32](t)[0])
	case onnx.Double:
		return ortlib.NewScalar(onnx.Data[float64](t)[0])
	case onnx.Int64:
		return ortlib.NewScalar(onnx.Data[int64](t)[0])
	case onnx.Int32:
		return ortlib.NewScalar(onnx.Data[int32](t)[0])
	case onnx.Int16:
		return ortlib.NewScalar(onnx.Data[int16](t)[0])
	case onnx.Int8:
		return ortlib.NewScalar(onnx.Data[int8](t)[0])
	case onnx.Uint64:
		return ortlib.NewScalar(onnx.Data[uint64](t)[0])
	case onnx.Uint32:
		return ortlib.NewScalar(onnx.Data[uint32](t)[0])
	case onnx.Uint16:
		return ortlib.NewScalar(onnx.Data[uint16](t)[0])
	case onnx.Uint8:
		return ortlib.NewScalar(onnx.Data[uint8](t)[0])
	case onnx.Bool:
		return ortlib.NewScalar(onnx.Data[bool](t)[0])
	}
	return nil, fmt.Errorf("a scalar of type %v cannot be given to ONNX Runtime here", t.Type)
}

// fromORT takes a tensor over. The binding has already copied what ONNX Runtime allocated into memory of Go's.
func fromORT(v ortlib.Value) (*onnx.Tensor, error) {
	shape := make([]int, 0, len(v.GetShape())) // for a Scalar not its own
	for _, d := range v.GetShape() {
		shape = append(shape, int(d))
	}
	switch v := v.(type) {
	case *ortlib.Tensor[float32]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[float64]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[int8]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[uint8]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[int16]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[uint16]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[int32]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[uint32]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[int64]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[uint64]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Tensor[bool]:
		return onnx.Of(shape, v.GetData()), nil
	case *ortlib.Scalar[float32]:
		return onnx.Of([]int{}, []float32{v.GetData()}), nil
	case *ortlib.Scalar[float64]:
		return onnx.Of([]int{}, []float64{v.GetData()}), nil
	case *ortlib.Scalar[int8]:
		return onnx.Of([]int{}, []int8{v.GetData()}), nil
	case *ortlib.Scalar[uint8]:
		return onnx.Of([]int{}, []uint8{v.GetData()}), nil
	case *ortlib.Scalar[int16]:
		return onnx.Of([]int{}, []int16{v.GetData()}), nil
	case *ortlib.Scalar[uint16]:
		return onnx.Of([]int{}, []uint16{v.GetData()}), nil
	case *ortlib.Scalar[int32]:
		return onnx.Of([]int{}, []int32{v.GetData()}), nil
	case *ortlib.Scalar[uint32]:
		return onnx.Of([]int{}, []uint32{v.GetData()}), nil
	case *ortlib.Scalar[int64]:
		return onnx.Of([]int{}, []int64{v.GetData()}), nil
	case *ortlib.Scalar[uint64]:
		return onnx.Of([]int{}, []uint64{v.GetData()}), nil
	case *ortlib.Scalar[bool]:
		return onnx.Of([]int{}, []bool{v.GetData()}), nil
	case *ortlib.CustomDataTensor:
		return &onnx.Tensor{Type: onnx.DataType(v.DataType()), Shape: shape, Raw: v.GetData()}, nil
	case *ortlib.StringTensor:
		s, err := v.GetContents()
		return &onnx.Tensor{Type: onnx.String, Shape: shape, Strings: s}, err
	}
	return nil, fmt.Errorf("a value of type %T cannot be taken from ONNX Runtime here", v)
}
