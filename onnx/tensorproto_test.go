package onnx

import (
	"math"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// The same elements in every form that a file may give them in.
func TestTensorData(t *testing.T) {
	unpacked := func(m pb, num protowire.Number, v ...int64) pb {
		for _, i := range v {
			m = m.int(num, i)
		}
		return m
	}
	for _, c := range []struct {
		name string
		pb   pb
		want any // elements, or raw bytes
	}{
		{"case 14 a: scalar", tensorPB("", Float).str(4, raw32(3)), []float32{3}},
		{"case 14 b: empty", tensorPB("", Float, 0), []float32{}},
		{"empty in one dimension", tensorPB("", Int64, 3, 0), []int64{}},
		{"float raw", tensorPB("", Float, 2).str(9, raw32(1, -2)), []float32{1, -2}},
		{"float packed", tensorPB("", Float, 2).str(4, raw32(1, -2)), []float32{1, -2}},
		{"float unpacked", tensorPB("", Float, 2).f32(4, 1).f32(4, -2), []float32{1, -2}},
		{"float in pieces", tensorPB("", Float, 3).str(4, raw32(1)).f32(4, -2).str(4, raw32(3)), []float32{1, -2, 3}},
		{"type last", pb{}.str(4, raw32(7)).int(1, 1).int(2, int64(Float)), []float32{7}},
		{"dims packed", pb{}.str(1, ints(1, 2)).int(2, int64(Float)).str(4, raw32(7, 8)), []float32{7, 8}},
		{"double packed", tensorPB("", Double, 2).str(10, raw64(1, -2)), []float64{1, -2}},
		{"double unpacked", tensorPB("", Double, 2).f64(10, 1).f64(10, -2), []float64{1, -2}},
		{"complex64", tensorPB("", Complex64, 1).str(4, raw32(1, -2)), []complex64{1 - 2i}},
		{"complex128", tensorPB("", Complex128, 1).str(10, raw64(1, -2)), []complex128{1 - 2i}},
		{"int8", tensorPB("", Int8, 3).str(5, ints(-128, -1, 127)), []int8{-128, -1, 127}},
		{"uint8", tensorPB("", Uint8, 2).str(5, ints(0, 255)), []uint8{0, 255}},
		{"int16", tensorPB("", Int16, 2).str(5, ints(-32768, 32767)), []int16{-32768, 32767}},
		{"uint16", tensorPB("", Uint16, 2).str(5, ints(0, 65535)), []uint16{0, 65535}},
		{"int32", tensorPB("", Int32, 2).str(5, ints(math.MinInt32, math.MaxInt32)), []int32{math.MinInt32, math.MaxInt32}},
		{"int32 unpacked", unpacked(tensorPB("", Int32, 2), 5, -1, 2), []int32{-1, 2}},
		{"int32 of 32 bits", tensorPB("", Int32, 1).str(5, ints(0xffffffff)), []int32{-1}},
		{"int64", tensorPB("", Int64, 2).str(7, ints(math.MinInt64, math.MaxInt64)), []int64{math.MinInt64, math.MaxInt64}},
		{"uint32", tensorPB("", Uint32, 1).str(11, ints(math.MaxUint32)), []uint32{math.MaxUint32}},
		{"uint64", tensorPB("", Uint64, 1).str(11, ints(-1)), []uint64{math.MaxUint64}},
		{"bool", tensorPB("", Bool, 3).str(5, ints(0, 1, 256)), []bool{false, true, true}},
		{"bool raw", tensorPB("", Bool, 4).str(9, "\x00\x01\x02\x00"), []bool{false, true, true, false}},
		{"float16", tensorPB("", Float16, 2).str(5, ints(0x3c00, 0xc000)), []Float16Bits{0x3c00, 0xc000}},
		{"bfloat16", tensorPB("", BFloat16, 2).str(5, ints(0x3fc0, -1)), []BFloat16Bits{0x3fc0, 0xffff}},
		{"float8", tensorPB("", Float8E5M2, 2).str(5, ints(0x3c, 0xff)), []byte{0x3c, 0xff}},
		{"float8e8m0", tensorPB("", Float8E8M0, 1).str(5, ints(127)), []byte{127}},
		{"int4", tensorPB("", Int4, 3).str(5, ints(0x21, 0x0f)), []byte{0x21, 0x0f}},
		{"uint4 raw", tensorPB("", Uint4, 3).str(9, "\x21\x0f"), []byte{0x21, 0x0f}},
		{"float4", tensorPB("", Float4E2M1, 2).str(5, ints(0x73)), []byte{0x73}},
		// 1, 2, 3, 4 and 5 in six bits each.
		{"float6", tensorPB("", Float6E2M3, 5).str(5, ints(1, 2, 3, 4, 5)), []byte{129, 48, 16, 5}},
		{"float6 raw", tensorPB("", Float6E3M2, 5).str(9, "\x81\x30\x10\x05"), []byte{129, 48, 16, 5}},
		{"int2", tensorPB("", Int2, 5).str(5, ints(0xe4, 1)), []byte{0xe4, 1}},
		{"string", tensorPB("", String, 2).str(6, "a").str(6, ""), []string{"a", ""}},
		{"strings in no place", tensorPB("", String, 0), []string(nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := ParseTensor(c.pb)
			if err != nil {
				t.Fatal(err)
			}
			if got := elementsOf(x); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			// Written, it is the same.
			m := parse(t, rewrite(t, &Model{IRVersion: 8, Graph: &Graph{Initializers: []*Tensor{x}}}))
			if y := m.Graph.Initializers[0]; !reflect.DeepEqual(elementsOf(y), c.want) || !reflect.DeepEqual(x.Shape, y.Shape) {
				t.Errorf("written: got %v of shape %v, want %v of %v", elementsOf(y), y.Shape, c.want, x.Shape)
			}
		})
	}
}

// elementsOf returns the elements as a slice of their Go type, bytes where there is none.
func elementsOf(t *Tensor) any {
	switch t.Type {
	case Float:
		return t.Float32s()
	case Double:
		return Data[float64](t)
	case Complex64:
		return Data[complex64](t)
	case Complex128:
		return Data[complex128](t)
	case Int8:
		return Data[int8](t)
	case Uint8:
		return Data[uint8](t)
	case Int16:
		return Data[int16](t)
	case Uint16:
		return Data[uint16](t)
	case Int32:
		return Data[int32](t)
	case Int64:
		return t.Int64s()
	case Uint32:
		return Data[uint32](t)
	case Uint64:
		return Data[uint64](t)
	case Bool:
		return Data[bool](t)
	case Float16:
		return Data[Float16Bits](t)
	case BFloat16:
		return Data[BFloat16Bits](t)
	case String:
		return t.Strings
	}
	return t.Raw
}

func TestRawIsNotCopied(t *testing.T) {
	data := modelPB(pb{}.sub(5, tensorPB("a", Float, 1).str(9, raw32(1))).sub(5, tensorPB("b", Float, 1).str(4, raw32(2))))
	m := parse(t, data)
	for i := range data {
		data[i] = 0
	}
	for _, w := range m.Graph.Initializers {
		if v := w.Float32s()[0]; v != 0 {
			t.Errorf("%s is %v: a copy of the data", w.Name, v)
		}
	}
}

// Types of later versions of ONNX are kept as they are, and reported.
func TestUnknownType(t *testing.T) {
	for _, w := range []pb{
		tensorPB("w", 99, 3).str(9, "abc"),
		tensorPB("w", 99, 3).str(5, ints(1, 2, 3)),
		tensorPB("w", 0, 3).str(6, "s"),
	} {
		m := parse(t, modelPB(pb{}.sub(5, w)))
		again := parse(t, rewrite(t, m))
		if !equal(m, again) {
			t.Errorf("% x changes when it is written", w)
		}
		errs := m.Check()
		if len(errs) != 1 {
			t.Fatalf("%d faults, want 1: %v", len(errs), errs)
		}
		wantError(t, errs[0], `tensor "w" is of `, "no type of this version")
	}
}

func TestParseTensorNamesIt(t *testing.T) {
	_, err := ParseTensor(tensorPB("w", Float, 2).str(9, "1234"))
	wantError(t, err, `tensor "w": float32[2] takes 8 bytes, has 4`)
	_, err = ParseTensor([]byte{0x0a})
	wantError(t, err, "truncated")
	_, err = ParseTensor(tensorPB("w", Float, 1).int(14, 1).sub(13, pb{}.str(1, "location").str(2, "w")))
	wantError(t, err, "read from memory")
}

func TestWriteRefusesWrongData(t *testing.T) {
	for _, w := range []*Tensor{
		{Name: "w", Type: Float, Shape: []int{2}, Raw: []byte{1}},
		{Name: "w", Type: String, Shape: []int{2}, Strings: []string{"a"}},
		{Name: "w", Type: Float, Shape: []int{-2}},
	} {
		m := &Model{IRVersion: 8, Graph: &Graph{Initializers: []*Tensor{w}}}
		wantError(t, m.Write(&discard{}), `tensor "w"`)
		m.Graph = &Graph{Nodes: []*Node{{OpType: "Constant", Attrs: []*Attribute{{Name: "sparse_value", Type: AttrSparseTensor, Tensor: w}}}}}
		wantError(t, m.Write(&discard{}), `tensor "w"`)
	}
}

type discard struct{}

func (*discard) Write(b []byte) (int, error) { return len(b), nil }
