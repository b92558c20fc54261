package onnx

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// Halves by IEEE 754: value and bits.
func TestFloat16(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		f    float32
		bits Float16Bits
	}{
		{0, 0}, {1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff}, {inf, 0x7c00}, {-inf, 0xfc00},
		{0x1p-14, 0x0400}, {0x1p-24, 0x0001}, {-0x1p-24, 0x8001}, {0x1p-14 - 0x1p-24, 0x03ff}, {1.0 / 3, 0x3555},
	} {
		if got := Float16FromFloat32(c.f); got != c.bits {
			t.Errorf("%g: bits %#04x, want %#04x", c.f, got, c.bits)
		}
	}
	// Rounding is to the nearest, ties to even.
	for _, c := range []struct {
		f    float32
		bits Float16Bits
	}{
		{1 + 0x1p-11, 0x3c00}, {1 + 3*0x1p-11, 0x3c02}, {1 + 0x1p-11 + 0x1p-20, 0x3c01}, {65519, 0x7bff}, {65520, 0x7c00},
		{0x1p-25, 0}, {0x1p-25 + 0x1p-40, 1}, {3 * 0x1p-25, 2}, {-0x1p-30, 0x8000}, {1e30, 0x7c00},
	} {
		if got := Float16FromFloat32(c.f); got != c.bits {
			t.Errorf("%g: bits %#04x, want %#04x", c.f, got, c.bits)
		}
	}
	// Every half comes back from float32 as it was, NaNs as NaNs.
	for i := range 1 << 16 {
		h := Float16Bits(i)
		f := h.Float32()
		if exp, frac := i>>10&0x1f, i&0x3ff; exp == 0x1f && frac != 0 {
			if f == f || Float16FromFloat32(f).Float32() == Float16FromFloat32(f).Float32() {
				t.Errorf("%#04x is not NaN", i)
			}
			continue
		} else if exp < 0x1f {
			m, e := float64(frac), -24
			if exp > 0 {
				m, e = m+1024, exp-25
			}
			if want := math.Copysign(math.Ldexp(m, e), float64(1-i>>15*2)); float64(f) != want {
				t.Errorf("%#04x is %g, want %g", i, f, want)
			}
		}
		if got := Float16FromFloat32(f); got != h {
			t.Errorf("%#04x comes back as %#04x", i, got)
		}
	}
}

func TestBFloat16(t *testing.T) {
	for _, c := range []struct {
		f    float32
		bits BFloat16Bits
	}{
		{0, 0}, {1.5, 0x3fc0}, {-2, 0xc000}, {1 + 0x1p-8, 0x3f80}, {1 + 3*0x1p-8, 0x3f82}, {1 + 0x1p-8 + 0x1p-20, 0x3f81},
		{math.MaxFloat32, 0x7f80}, {float32(math.Inf(-1)), 0xff80},
	} {
		if got := BFloat16FromFloat32(c.f); got != c.bits {
			t.Errorf("%g: bits %#04x, want %#04x", c.f, got, c.bits)
		}
	}
	if f := BFloat16Bits(0x3fc0).Float32(); f != 1.5 {
		t.Errorf("0x3fc0 is %g, want 1.5", f)
	}
	nan := math.Float32frombits(0x7f800001) // its upper half alone would be an infinity
	if f := BFloat16FromFloat32(nan).Float32(); f == f {
		t.Errorf("NaN became %g", f)
	}
}

func TestNewAndOf(t *testing.T) {
	for typ := Float; typ.Known(); typ++ {
		x := New(typ, 3, 5)
		n := typ.Bytes(15)
		if typ == String {
			n = 0
		}
		if x.Len() != 15 || len(x.Raw) != n || typ == String && len(x.Strings) != 15 {
			t.Errorf("%v[3 5]: %d elements in %d bytes and %d strings, want 15 in %d", typ, x.Len(), len(x.Raw), len(x.Strings), n)
		}
		if err := x.validate(); err != nil {
			t.Error(err)
		}
		if strings.Contains(typ.String(), "(") {
			t.Errorf("%d has no name", typ)
		}
	}
	// Under 8 bits, elements are packed.
	if a, b, c := Int4.Bytes(3), Uint2.Bytes(5), Float.Bytes(2); a != 2 || b != 2 || c != 8 {
		t.Errorf("3 int4, 5 uint2, 2 float32 take %d, %d, %d bytes, want 2, 2, 8", a, b, c)
	}
	if typ := DataType(99); typ.Known() || typ.Bits() != 0 || typ.String() != "datatype(99)" {
		t.Errorf("%v is known, of %d bits", typ, typ.Bits())
	}
	x := Of([]int{2, 1}, []Float16Bits{1, 2})
	if x.Type != Float16 || !reflect.DeepEqual(Data[Float16Bits](x), []Float16Bits{1, 2}) {
		t.Errorf("got %v %v", x.Type, x.Raw)
	}
	for name, f := range map[string]func(){
		"a shape that does not fit": func() { Of([]int{3}, []float32{1}) },
		"another type":              func() { Data[int64](x) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestTensorClone(t *testing.T) {
	odd := &Tensor{Type: 99, Shape: []int{2}, Raw: []byte{1}, unknown: []byte{2}}
	if c := odd.Clone(); !reflect.DeepEqual(c.Raw, odd.Raw) || !reflect.DeepEqual(c.unknown, odd.unknown) {
		t.Errorf("the clone is %+v, want %+v", c, odd)
	}
	for _, x := range []*Tensor{Of([]int{2}, []int32{1, 2}), {Type: String, Shape: []int{2}, Strings: []string{"a", "b"}}} {
		x.Name, x.Doc, x.Metadata = "n", "d", []Entry{{Key: "k", Value: "v"}}
		c := x.Clone()
		if c.Name != x.Name || c.Doc != x.Doc || !reflect.DeepEqual(c.Metadata, x.Metadata) || !reflect.DeepEqual(elementsOf(c), elementsOf(x)) {
			t.Errorf("the clone is %+v, want %+v", c, x)
		}
		x.Shape[0], x.Metadata[0].Key = 9, "other"
		if x.Type == String {
			x.Strings[0] = "z"
		} else {
			Data[int32](x)[0] = 7
		}
		if c.Shape[0] != 2 || c.Metadata[0].Key != "k" || c.Type == Int32 && Data[int32](c)[0] != 1 || c.Type == String && c.Strings[0] != "a" {
			t.Errorf("changing the tensor changed its clone: %+v", c)
		}
	}
}

func TestMarshal(t *testing.T) {
	x := Of([]int{2}, []float32{1, -2})
	x.Name = "x"
	b, err := x.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if want := (pb{}.int(1, 2).int(2, 1).str(8, "x").str(9, raw32(1, -2))); string(b) != string(want) {
		t.Errorf("got % x, want % x", b, want)
	}
	y, err := ParseTensor(b)
	if err != nil || !reflect.DeepEqual(y.Float32s(), x.Float32s()) {
		t.Errorf("read again: %v, %v", y, err)
	}
	_, err = (&Tensor{Name: "w", Type: Float, Shape: []int{1}}).Marshal()
	wantError(t, err, `tensor "w"`)
}
