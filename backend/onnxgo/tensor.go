package onnxgo

import (
	"fmt"
	"reflect"

	"gorgonia.org/tensor"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// dtypes pairs the element types that both libraries have.
var dtypes = []struct {
	onnx  onnx.DataType
	dtype tensor.Dtype
}{
	{onnx.Float, tensor.Float32}, {onnx.Double, tensor.Float64},
	{onnx.Int8, tensor.Int8}, {onnx.Int16, tensor.Int16}, {onnx.Int32, tensor.Int32}, {onnx.Int64, tensor.Int64},
	{onnx.Uint8, tensor.Uint8}, {onnx.Uint16, tensor.Uint16}, {onnx.Uint32, tensor.Uint32}, {onnx.Uint64, tensor.Uint64},
	{onnx.Bool, tensor.Bool}, {onnx.String, tensor.String},
	{onnx.Complex64, tensor.Complex64}, {onnx.Complex128, tensor.Complex128},
}

// typeOf returns the ONNX type of a tensor's elements.
func typeOf(d tensor.Dtype) (onnx.DataType, error) {
	for _, p := range dtypes {
		if p.dtype == d {
			return p.onnx, nil
		}
	}
	return onnx.Undefined, fmt.Errorf("ONNX has no tensors of Go type %v", d)
}

// fromTensor returns t as this project has tensors. The memory is shared where t lies in row-major order without gaps.
func fromTensor(t tensor.Tensor) (*onnx.Tensor, error) {
	if t == nil {
		return nil, fmt.Errorf("no tensor is set")
	}
	typ, err := typeOf(t.Dtype())
	if err != nil {
		return nil, err
	}
	d, ok := t.(*tensor.Dense)
	if !ok {
		return nil, fmt.Errorf("tensor of Go type %T: only dense ones are taken", t)
	}
	if d.RequiresIterator() {
		if d, ok = d.Materialize().(*tensor.Dense); !ok {
			return nil, fmt.Errorf("a view that cannot be made dense")
		}
	}
	shape := append([]int{}, d.Shape()...)
	n := onnx.NumElements(shape)
	if d.DataOrder().IsColMajor() && len(shape) > 1 {
		return fromColumns(typ, shape, d.Data())
	}
	data := reflect.ValueOf(d.Data())
	if data.Kind() != reflect.Slice { // a scalar
		s := reflect.MakeSlice(reflect.SliceOf(data.Type()), 1, 1)
		s.Index(0).Set(data)
		data = s
	}
	if data.Len() != n {
		return nil, fmt.Errorf("shape %v holds %d elements, the tensor %d", shape, n, data.Len())
	}
	return wrap(typ, shape, data.Interface())
}

// fromColumns copies a tensor of column-major order.
func fromColumns(typ onnx.DataType, shape []int, data any) (*onnx.Tensor, error) {
	src := reflect.ValueOf(data)
	n := onnx.NumElements(shape)
	if src.Kind() != reflect.Slice || src.Len() != n {
		return nil, fmt.Errorf("shape %v does not fit the tensor's %d elements", shape, src.Len())
	}
	dst := reflect.MakeSlice(src.Type(), n, n)
	index := make([]int, len(shape))
	for i := range n { // i counts in row-major order
		at, stride := 0, 1
		for d, x := range index {
			at += x * stride
			stride *= shape[d]
		}
		dst.Index(i).Set(src.Index(at))
		for d := len(index) - 1; d >= 0; d-- {
			if index[d]++; index[d] < shape[d] {
				break
			}
			index[d] = 0
		}
	}
	return wrap(typ, shape, dst.Interface())
}

// wrap makes a tensor around a slice.
func wrap(typ onnx.DataType, shape []int, data any) (*onnx.Tensor, error) {
	switch v := data.(type) {
	case []float32:
		return onnx.Of(shape, v), nil
	case []float64:
		return onnx.Of(shape, v), nil
	case []int8:
		return onnx.Of(shape, v), nil
	case []int16:
		return onnx.Of(shape, v), nil
	case []int32:
		return onnx.Of(shape, v), nil
	case []int64:
		return onnx.Of(shape, v), nil
	case []uint8:
		return onnx.Of(shape, v), nil
	case []uint16:
		return onnx.Of(shape, v), nil
	case []uint32:
		return onnx.Of(shape, v), nil
	case []uint64:
		return onnx.Of(shape, v), nil
	case []bool:
		return onnx.Of(shape, v), nil
	case []complex64:
		return onnx.Of(shape, v), nil
	case []complex128:
		return onnx.Of(shape, v), nil
	case []string:
		return &onnx.Tensor{Type: onnx.String, Shape: shape, Strings: v}, nil
	}
	return nil, fmt.Errorf("a tensor of %v whose data is %T", typ, data)
}

// toTensor returns t as onnx-go's programs have tensors, sharing its memory.
func toTensor(t *onnx.Tensor) (tensor.Tensor, error) {
	var data any
	switch t.Type {
	case onnx.Float:
		data = onnx.Data[float32](t)
	case onnx.Double:
		data = onnx.Data[float64](t)
	case onnx.Int8:
		data = onnx.Data[int8](t)
	case onnx.Int16:
		data = onnx.Data[int16](t)
	case onnx.Int32:
		data = onnx.Data[int32](t)
	case onnx.Int64:
		data = onnx.Data[int64](t)
	case onnx.Uint8:
		data = onnx.Data[uint8](t)
	case onnx.Uint16:
		data = onnx.Data[uint16](t)
	case onnx.Uint32:
		data = onnx.Data[uint32](t)
	case onnx.Uint64:
		data = onnx.Data[uint64](t)
	case onnx.Bool:
		data = onnx.Data[bool](t)
	case onnx.Complex64:
		data = onnx.Data[complex64](t)
	case onnx.Complex128:
		data = onnx.Data[complex128](t)
	case onnx.String:
		data = t.Strings
	default:
		return nil, fmt.Errorf("gorgonia.org/tensor has no elements of type %v", t.Type)
	}
	for _, d := range t.Shape {
		if d == 0 {
			return nil, fmt.Errorf("gorgonia.org/tensor has no tensor of shape %v", t.Shape)
		}
	}
	if len(t.Shape) == 0 {
		return tensor.New(tensor.FromScalar(reflect.ValueOf(data).Index(0).Interface())), nil
	}
	return tensor.New(tensor.WithShape(t.Shape...), tensor.WithBacking(data)), nil
}
