package onnx

import (
	"fmt"
	"math"
	"unsafe"
)

// Tensor is an n-dimensional array in row-major order: a weight in a file, or a value while a network runs.
//
// Numbers lie in Raw in little-endian order, one after the other. Raw may point into a memory-mapped file: whoever
// wants to change a tensor that came from a model copies it first. Strings lie in Strings.
type Tensor struct {
	Name    string
	Type    DataType
	Shape   []int // empty for a scalar
	Raw     []byte
	Strings []string
	Doc     string

	Metadata []Entry // metadata_props

	unknown []byte // fields of TensorProto that this package does not know, kept for writing
}

// Entry is one key and its value of metadata_props.
type Entry struct {
	Key, Value string

	unknown string
}

// Float16Bits is the type of an IEEE 754 half-precision element of a Float16 tensor.
type Float16Bits uint16

// BFloat16Bits is the type of an element of a BFloat16 tensor: the upper half of a float32.
type BFloat16Bits uint16

// Element lists the Go types that hold the elements of tensors whose elements fill whole bytes.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool |
		Float16Bits | BFloat16Bits | complex64 | complex128
}

// TypeOf returns the data type whose elements are of Go type T.
func TypeOf[T Element]() DataType {
	var z T
	switch any(z).(type) {
	case float32:
		return Float
	case float64:
		return Double
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	case Float16Bits:
		return Float16
	case BFloat16Bits:
		return BFloat16
	case complex64:
		return Complex64
	case complex128:
		return Complex128
	}
	return Undefined
}

// NumElements returns the product of the dimensions, 1 for a scalar.
func NumElements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Len returns the number of elements.
func (t *Tensor) Len() int { return NumElements(t.Shape) }

// Of returns a tensor of the given shape that holds data (not a copy). It panics if the shape does not fit the data,
// which is a mistake of the caller's.
func Of[T Element](shape []int, data []T) *Tensor {
	if NumElements(shape) != len(data) {
		panic(fmt.Sprintf("onnx.Of: shape %v does not hold %d elements", shape, len(data)))
	}
	return &Tensor{Type: TypeOf[T](), Shape: shape, Raw: bytesOf(data)}
}

// New returns a tensor of zeros (of empty strings where typ is String).
func New(typ DataType, shape ...int) *Tensor {
	t := &Tensor{Type: typ, Shape: shape}
	n := NumElements(shape)
	if typ == String {
		t.Strings = make([]string, n)
		return t
	}
	// Words of 8 bytes, so that every element type is aligned.
	size := typ.Bytes(n)
	words := make([]uint64, (size+7)/8)
	t.Raw = bytesOf(words)[:size:size]
	return t
}

// Data returns the elements of t without copying. It panics if T is not the Go type of t's elements
// (see [TypeOf]): callers branch on Type first.
func Data[T Element](t *Tensor) []T {
	if TypeOf[T]() != t.Type {
		var z T
		panic(fmt.Sprintf("onnx.Data: tensor %q holds %v, not %T", t.Name, t.Type, z))
	}
	return view[T](t.Raw)
}

// Float32s returns the elements of a Float tensor without copying.
func (t *Tensor) Float32s() []float32 { return Data[float32](t) }

// Int64s returns the elements of an Int64 tensor without copying.
func (t *Tensor) Int64s() []int64 { return Data[int64](t) }

// Clone returns a copy that shares nothing with t.
func (t *Tensor) Clone() *Tensor {
	c := New(t.Type, append([]int{}, t.Shape...)...)
	c.Name, c.Doc = t.Name, t.Doc
	c.Metadata = append([]Entry(nil), t.Metadata...)
	c.unknown = append([]byte(nil), t.unknown...)
	if len(c.Raw) != len(t.Raw) { // of a type that this package does not know
		c.Raw = make([]byte, len(t.Raw))
	}
	copy(c.Raw, t.Raw)
	c.Strings = append([]string(nil), t.Strings...)
	return c
}

// view reinterprets bytes as elements. Raw data of a protobuf file is not aligned; the processors that Go's ports run
// little-endian on load unaligned words, and Go asks for alignment only of types that hold pointers.
func view[T Element](b []byte) []T {
	var z T
	n := len(b) / int(unsafe.Sizeof(z))
	if n == 0 {
		return []T{}
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

func bytesOf[T Element](s []T) []byte {
	var z T
	if len(s) == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(z)))
}

// Float32 converts a half-precision number; every half is exact in float32.
func (h Float16Bits) Float32() float32 {
	sign := uint32(h>>15) << 31
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h) & 0x3ff
	switch exp {
	case 0:
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// Float16FromFloat32 rounds to the nearest half, ties to even; what is too large becomes an infinity.
func Float16FromFloat32(f float32) Float16Bits {
	b := math.Float32bits(f)
	sign := Float16Bits(b >> 16 & 0x8000)
	abs := b & 0x7fffffff
	switch {
	case abs > 0x7f800000: // NaN, kept quiet
		return sign | 0x7e00 | Float16Bits(abs>>13&0x3ff)
	case abs >= 0x477ff000: // rounds to 65536 or more
		return sign | 0x7c00
	case abs < 0x38800000: // subnormal half or zero: add so that the last bit kept is 2^-24
		r := math.Float32frombits(abs) + 0.5
		return sign | Float16Bits(math.Float32bits(r)-math.Float32bits(0.5))
	}
	abs += 0xfff + abs>>13&1
	return sign | Float16Bits((abs-(112<<23))>>13)
}

// Float32 converts a bfloat16 number; every one is exact in float32.
func (h BFloat16Bits) Float32() float32 { return math.Float32frombits(uint32(h) << 16) }

// BFloat16FromFloat32 rounds to the nearest bfloat16, ties to even.
func BFloat16FromFloat32(f float32) BFloat16Bits {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return BFloat16Bits(b>>16 | 0x40)
	}
	return BFloat16Bits((b + 0x7fff + b>>16&1) >> 16)
}
