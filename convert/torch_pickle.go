package convert

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/pickle"
	"github.com/onnxcnn/onnxcnn/internal/sizes"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// torchType is an element type of PyTorch.
type torchType struct {
	name  string
	typ   onnx.DataType // Undefined where the storage knows no type
	width int           // bytes of an element
}

// bytes returns the size of so many elements.
func (t torchType) bytes(count int64) (int64, bool) {
	return sizes.Product(count, int64(t.width))
}

// torchTypes are PyTorch's types, by the names of dtypes.
var torchTypes = map[string]onnx.DataType{
	"float32": onnx.Float, "float64": onnx.Double, "float16": onnx.Float16, "bfloat16": onnx.BFloat16,
	"int8": onnx.Int8, "int16": onnx.Int16, "int32": onnx.Int32, "int64": onnx.Int64, "uint8": onnx.Uint8, "bool": onnx.Bool,
	"uint16": onnx.Uint16, "uint32": onnx.Uint32, "uint64": onnx.Uint64,
	"complex64": onnx.Complex64, "complex128": onnx.Complex128,
}

// torchStorages are the classes of storages.
var torchStorages = map[string]string{
	"FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
	"CharStorage": "int8", "ShortStorage": "int16", "IntStorage": "int32", "LongStorage": "int64", "ByteStorage": "uint8",
	"BoolStorage": "bool", "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
}

func dtype(name string) torchType {
	t := torchTypes[name]
	return torchType{name: name, typ: t, width: t.Bits() / 8}
}

// The callables that a state dict needs.
type torchCall int

const (
	callOrderedDict torchCall = iota
	callRebuild               // _rebuild_tensor, _rebuild_tensor_v2
	callRebuildV3
	callParameter
	callSize
)

// storageClass is a storage's type as the pickle names it.
type storageClass struct{ elem torchType }

// dtypeName is torch.float32 and the like.
type dtypeName struct{ elem torchType }

// storage is a block of elements that tensors look at.
type storage struct {
	elem  torchType
	count int64 // elements
	bytes func() ([]byte, error)
}

// torchTensor is a view of a storage.
type torchTensor struct {
	store  *storage
	offset int64 // elements
	shape  []int
	stride []int64
}

// torchHandler understands what torch.save writes for state dicts, and refuses everything else.
type torchHandler struct {
	// storage returns the storage of that key. View is what the older format has of a part of one.
	storage func(key string, elem torchType, count int64, view any) (*storage, error)
}

// Global implements the allow-list.
func (h *torchHandler) Global(module, name string) (any, error) {
	switch module {
	case "collections":
		if name == "OrderedDict" {
			return callOrderedDict, nil
		}
	case "torch._utils":
		switch name {
		case "_rebuild_tensor", "_rebuild_tensor_v2":
			return callRebuild, nil
		case "_rebuild_tensor_v3":
			return callRebuildV3, nil
		case "_rebuild_parameter":
			return callParameter, nil
		}
	case "torch", "torch.storage":
		if t, ok := torchStorages[name]; ok {
			return storageClass{dtype(t)}, nil
		}
		if name == "UntypedStorage" {
			return storageClass{torchType{name: "bytes", width: 1}}, nil
		}
		if _, ok := torchTypes[name]; ok && module == "torch" {
			return dtypeName{dtype(name)}, nil
		}
		if name == "Size" && module == "torch" {
			return callSize, nil
		}
	}
	return nil, fmt.Errorf("the file asks for %.200q of module %.200q, which is not among what weights need (ordered dictionaries, tensors, parameters): "+
		"nothing was executed; save the model's state_dict alone, with torch.save(model.state_dict(), FILE)", name, module)
}

// Call makes the objects of the allow-list.
func (h *torchHandler) Call(fn any, args pickle.Tuple) (any, error) {
	switch fn {
	case callOrderedDict:
		return orderedDict(args)
	case callRebuild:
		if len(args) < 4 || len(args) > 7 {
			return nil, fmt.Errorf("%d arguments", len(args))
		}
		return rebuild(args[0], args[1], args[2], args[3], nil)
	case callRebuildV3:
		if len(args) < 7 || len(args) > 8 {
			return nil, fmt.Errorf("%d arguments", len(args))
		}
		t, ok := args[6].(dtypeName)
		if !ok {
			return nil, errors.New("the type is missing")
		}
		return rebuild(args[0], args[1], args[2], args[3], &t.elem)
	case callParameter:
		if len(args) == 0 {
			return nil, errors.New("no arguments")
		}
		t, ok := args[0].(*torchTensor)
		if !ok {
			return nil, errors.New("a parameter that is no tensor")
		}
		return t, nil
	case callSize:
		if len(args) != 1 {
			return nil, fmt.Errorf("%d arguments", len(args))
		}
		return args[0], nil
	}
	return nil, errors.New("this is not called")
}

// orderedDict makes a dictionary of nothing, or of a list of pairs.
func orderedDict(args pickle.Tuple) (any, error) {
	d := &pickle.Dict{}
	if len(args) == 0 {
		return d, nil
	}
	l, ok := args[0].(*pickle.List)
	if !ok || len(args) > 1 {
		return nil, errors.New("want a list of pairs")
	}
	for _, item := range l.Items {
		var pair []any
		switch p := item.(type) {
		case pickle.Tuple:
			pair = p
		case *pickle.List:
			pair = p.Items
		}
		if len(pair) != 2 {
			return nil, errors.New("want a list of pairs")
		}
		if err := d.Set(pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Build accepts the state that ordered dictionaries have (the versions of modules), and drops it.
func (h *torchHandler) Build(obj, state any) error {
	_, isDict := obj.(*pickle.Dict)
	if _, ok := state.(*pickle.Dict); !ok || !isDict {
		return errors.New("only dictionaries have a state")
	}
	return nil
}

// Persistent returns the storage of an id ("storage", class, key, place, number of elements), with a view behind in the
// older format.
func (h *torchHandler) Persistent(id any) (any, error) {
	t, ok := id.(pickle.Tuple)
	if !ok || len(t) < 5 || len(t) > 6 {
		return nil, errors.New("an outside reference that is not of five or six values")
	}
	if t[0] != "storage" {
		return nil, fmt.Errorf("an outside reference to a %.50q: only storages are read; save the model's state_dict alone", fmt.Sprint(t[0]))
	}
	class, ok1 := t[1].(storageClass)
	key, ok2 := t[2].(string)
	count, ok3 := t[4].(int64)
	if !ok1 || !ok2 || !ok3 {
		return nil, errors.New("a storage without type, key or size")
	}
	var view any
	if len(t) == 6 {
		view = t[5]
	}
	return h.storage(key, class.elem, count, view)
}

// rebuild makes a tensor and checks that it stays within its storage. elem is its type where the storage has none.
func rebuild(store, offset, size, stride any, elem *torchType) (any, error) {
	s, ok := store.(*storage)
	if !ok {
		return nil, errors.New("a tensor without storage")
	}
	if elem != nil {
		typed := *s
		typed.elem = *elem
		typed.count = s.count * int64(s.elem.width) / int64(elem.width)
		s = &typed
	}
	if s.elem.typ == onnx.Undefined {
		return nil, errors.New("a tensor without type")
	}
	t := &torchTensor{store: s}
	if t.offset, ok = offset.(int64); !ok || t.offset < 0 {
		return nil, fmt.Errorf("offset %v", offset)
	}
	dims, ok1 := ints(size)
	strides, ok2 := ints(stride)
	if !ok1 || !ok2 || len(dims) != len(strides) || len(dims) > maxRank {
		return nil, fmt.Errorf("shape %v with strides %v", size, stride)
	}
	t.stride = strides
	last, empty := uint64(t.offset), false
	for i, d := range dims {
		t.shape = append(t.shape, int(d))
		if d == 0 {
			empty = true
			continue
		}
		hi, lo := bits.Mul64(uint64(d-1), uint64(strides[i]))
		sum, carry := bits.Add64(last, lo, 0)
		if hi != 0 || carry != 0 {
			return nil, fmt.Errorf("shape %v with strides %v is not possible", dims, strides)
		}
		last = sum
	}
	if !empty && last >= uint64(s.count) || uint64(t.offset) > uint64(s.count) {
		return nil, fmt.Errorf("shape %v with strides %v at %d does not fit a storage of %d elements", dims, strides, t.offset, s.count)
	}
	return t, nil
}

// ints returns a tuple of numbers of at least 0.
func ints(v any) ([]int64, bool) {
	t, ok := v.(pickle.Tuple)
	if !ok {
		return nil, false
	}
	out := make([]int64, len(t))
	for i, v := range t {
		if out[i], ok = v.(int64); !ok || out[i] < 0 {
			return nil, false
		}
	}
	return out, true
}

// bytes returns the tensor's elements in row-major order: a part of the storage where they lie in it like that.
func (t *torchTensor) bytes() ([]byte, error) {
	data, err := t.store.bytes()
	if err != nil {
		return nil, err
	}
	width := t.store.elem.width
	n := onnx.NumElements(t.shape)
	if n == 0 {
		return []byte{}, nil
	}
	data = data[int(t.offset)*width:]
	want := int64(1)
	contiguous := true
	for i := len(t.shape) - 1; i >= 0; i-- {
		contiguous = contiguous && (t.shape[i] == 1 || t.stride[i] == want)
		want *= int64(t.shape[i])
	}
	if contiguous {
		return data[: n*width : n*width], nil
	}
	out := make([]byte, 0, n*width)
	index := make([]int, len(t.shape))
	at := int64(0)
	for range n {
		out = append(out, data[int(at)*width:int(at+1)*width]...)
		for axis := len(index) - 1; axis >= 0; axis-- {
			index[axis]++
			at += t.stride[axis]
			if index[axis] < t.shape[axis] {
				break
			}
			at -= t.stride[axis] * int64(t.shape[axis])
			index[axis] = 0
		}
	}
	return slices.Clip(out), nil
}
