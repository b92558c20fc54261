package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// small makes a tensor of one dimension of a type that Go has no numbers for.
func small(t onnx.DataType, n int, raw ...byte) *onnx.Tensor {
	return &onnx.Tensor{Type: t, Shape: []int{n}, Raw: raw}
}

func texts(v ...string) *onnx.Tensor {
	return &onnx.Tensor{Type: onnx.String, Shape: []int{len(v)}, Strings: v}
}

func TestCast(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	c := func(name string, in, want *onnx.Tensor) opCase {
		return one(name, "Cast", 0, attrs{"to": int(want.Type)}, in, want)
	}
	with := func(c opCase, name string, v any) opCase {
		a := attrs{"to": int(c.want[0].Type), name: v}
		c.node = node("Cast", 1, 1, a)
		return c
	}
	// More than a thread takes at once: the numbers of the format in turn, four of them in three bytes.
	many, sixBits := onnx.New(onnx.Float, 9*1024+1), onnx.New(onnx.Float6E2M3, 9*1024+1)
	for i := range many.Len() {
		bits := uint32(i % 64)
		many.Float32s()[i] = float32(miniFloats[onnx.Float6E2M3].decode(uint16(bits)))
		bits <<= i % 4 * 6
		for k := 0; k < 3 && i/4*3+k < len(sixBits.Raw); k++ {
			sixBits.Raw[i/4*3+k] |= byte(bits >> (8 * k))
		}
	}
	runCases(t, []opCase{
		c("same", of[float32](1, 2), of[float32](1, 2)),
		c("scalar", f32(nil, 1.5), i64(nil, 1)),
		c("float to double", of[float32](1.5, inf), of[float64](1.5, math.Inf(1))),
		c("double to float", of[float64](0.1, 1e300), of[float32](0.1, inf)),
		c("float to half", of(1, 65504, 65520, 1e-8, -0.5, nan), of[onnx.Float16Bits](0x3c00, 0x7bff, 0x7c00, 0, 0xb800, 0x7e00)),
		// 1+2^-11+2^-40 is above the tie that float32 would see.
		c("double to half is rounded once", of(1+math.Pow(2, -11)+math.Pow(2, -40), 70000, math.Pow(2, -24)), of[onnx.Float16Bits](0x3c01, 0x7c00, 1)),
		c("half to float", of[onnx.Float16Bits](0x3c00, 0xb800, 0x7c00), of(1, -0.5, inf)),
		c("half to double", of[onnx.Float16Bits](0x3c00, 1), of[float64](1, math.Pow(2, -24))),
		c("float to bfloat16, case 34", of[float32](1.5, 3.3895314e38), of[onnx.BFloat16Bits](0x3fc0, 0x7f7f)),
		c("double to bfloat16", of(1.5, 1e300), of[onnx.BFloat16Bits](0x3fc0, 0x7f80)),
		c("bfloat16 to float", of[onnx.BFloat16Bits](0x3fc0), of[float32](1.5)),
		c("bfloat16 to int", of[onnx.BFloat16Bits](0x3fc0), of[int8](1)),
		c("float to int cuts", of(1.9, -1.9, 0.5), of[int32](1, -1, 0)),
		c("float to int8 is bounded", of(300, -300, inf, nan), of[int8](127, -128, 127, 0)),
		c("float to int16 is bounded", of(4e4, -inf), of[int16](math.MaxInt16, math.MinInt16)),
		c("float to int32 is bounded", of(3e9, -3e9), of[int32](math.MaxInt32, math.MinInt32)),
		c("float to int64 is bounded", of(1e19, -inf), of[int64](math.MaxInt64, math.MinInt64)),
		c("float to uint8 is bounded", of(256, -1, 255.9), of[uint8](255, 0, 255)),
		c("float to uint16 is bounded", of[float32](65536, -1), of[uint16](65535, 0)),
		c("float to uint32 is bounded", of(4.3e9, -1), of[uint32](math.MaxUint32, 0)),
		c("double to uint64", of(1e19, -1, 1e30), of[uint64](1e19, 0, math.MaxUint64)),
		c("float to bool", of(0, 0.5, nan), of(false, true, true)),
		c("int to bool", of[int64](0, 256, -1), of(false, true, true)),
		c("bool to float", of(true, false), of[float32](1, 0)),
		c("bool to int", of(true, false), of[int64](1, 0)),
		c("bool to half", of(true, false), of[onnx.Float16Bits](0x3c00, 0)),
		c("int16 wraps", of[int16](200), of[int8](-56)),
		c("int64 to int32", of[int64](1<<32+5, -1), of[int32](5, -1)),
		c("int8 to uint64", of[int8](-1), of[uint64](math.MaxUint64)),
		c("uint16 to int64", of[uint16](65535), of[int64](65535)),
		c("uint32 to uint16", of[uint32](65537), of[uint16](1)),
		c("int32 to int16", of[int32](65537), of[int16](1)),
		c("int64 to uint32", of[int64](-1), of[uint32](math.MaxUint32)),
		c("uint64 to float", of[uint64](1<<63), of[float32](1<<63)),
		c("uint64 to double", of[uint64](1<<63), of[float64](1<<63)),
		c("int64 to float is rounded once", of[int64](1<<53+1+1<<29), of[float32](1<<53+1<<30)),
		c("uint8 to float", of[uint8](255), of[float32](255)),
		c("uint8 to double", of[uint8](255), of[float64](255)),
		c("float to float8e4m3fn", of(1, 448, 500, float32(math.Copysign(0, -1)), 0.0018, inf, nan), small(onnx.Float8E4M3FN, 7, 0x38, 0x7e, 0x7e, 0x80, 1, 0x7e, 0x7f)),
		with(c("not saturated", of(448, 500, -inf, nan), small(onnx.Float8E4M3FN, 4, 0x7e, 0x7f, 0xff, 0x7f)), "saturate", 0),
		c("float to float8e4m3fnuz", of(1, 240, 500, -1e-9, nan), small(onnx.Float8E4M3FNUZ, 5, 0x40, 0x7f, 0x7f, 0, 0x80)),
		with(c("fnuz not saturated", of(240, 500, -inf), small(onnx.Float8E4M3FNUZ, 3, 0x7f, 0x80, 0x80)), "saturate", 0),
		c("float to float8e5m2", of(1, 57344, 1e9, -inf), small(onnx.Float8E5M2, 4, 0x3c, 0x7b, 0x7b, 0xfb)),
		with(c("e5m2 not saturated", of(57344, 1e9, -inf), small(onnx.Float8E5M2, 3, 0x7b, 0x7c, 0xfc)), "saturate", 0),
		c("float to float8e5m2fnuz", of[float32](1, 57344, 1e9), small(onnx.Float8E5M2FNUZ, 3, 0x40, 0x7f, 0x7f)),
		c("float8e4m3fn to float", small(onnx.Float8E4M3FN, 4, 0x38, 0x7e, 1, 0xff), of(1, 448, 0.001953125, nan)),
		c("float8e5m2 to float", small(onnx.Float8E5M2, 4, 0x3c, 0xfc, 0x7d, 1), of(1, -inf, nan, float32(math.Pow(2, -16)))),
		c("float8e4m3fnuz to half", small(onnx.Float8E4M3FNUZ, 2, 0x40, 0x80), of[onnx.Float16Bits](0x3c00, 0x7e00)),
		c("float to float8e8m0 up", of(1, 1.1, 0, nan, inf), small(onnx.Float8E8M0, 5, 127, 128, 0, 255, 254)),
		with(c("float8e8m0 down", of[float32](1.9), small(onnx.Float8E8M0, 1, 127)), "round_mode", "down"),
		with(c("float8e8m0 nearest", of[float32](1.4, 1.5), small(onnx.Float8E8M0, 2, 127, 128)), "round_mode", "nearest"),
		with(c("float8e8m0 not saturated", of(inf, 0), small(onnx.Float8E8M0, 2, 255, 255)), "saturate", 0),
		c("float8e8m0 beyond", of(1e200, 1e-200), small(onnx.Float8E8M0, 2, 254, 0)),
		with(c("float8e8m0 beyond, not saturated", of(1e200), small(onnx.Float8E8M0, 1, 255)), "saturate", 0),
		c("float8e8m0 to float", small(onnx.Float8E8M0, 2, 128, 255), of(2, nan)),
		c("float to int4", of[float32](-9, -1, 7.9), small(onnx.Int4, 3, 0xf7, 0x07)),
		c("float to uint4", of(-1, 3.9, 99, nan), small(onnx.Uint4, 4, 0x3f, 0x03)),
		c("int8 to int4", of[int8](-8, 7, -1), small(onnx.Int4, 3, 0x78, 0x0f)),
		c("int4 to float", small(onnx.Int4, 3, 0x78, 0x0f), of[float32](-8, 7, -1)),
		c("uint4 to int32", small(onnx.Uint4, 3, 0x78, 0x0f), of[int32](8, 7, 15)),
		c("int2 to int8", small(onnx.Int2, 4, 0b11_10_01_00), of[int8](0, 1, -2, -1)),
		c("int8 to uint2", of[int8](0, 1, 2, 3, 1), small(onnx.Uint2, 5, 0b11_10_01_00, 1)),
		c("float to int2", of[float32](-5, 5), small(onnx.Int2, 2, 0b0111)),
		c("float to float4", of[float32](0.25, 0.75, -6, 100, 2.5), small(onnx.Float4E2M1, 5, 0x20, 0x7f, 0x04)),
		c("NaN to float4", of(nan), small(onnx.Float4E2M1, 1, 8)),
		c("float4 to float", small(onnx.Float4E2M1, 4, 0x21, 0xf7), of[float32](0.5, 1, 6, -6)),
		// What NumPy's ml_dtypes has for these, packed as onnx.proto says.
		c("float to float6e2m3", of(0, 0.0625, 0.0626, 0.125, 0.1875, 0.3125, 1, -1.0625, 1.1, 2.25, 7.5, 7.7, 100, -inf, nan, float32(math.Copysign(0, -1))),
			small(onnx.Float6E2M3, 16, 0x00, 0x10, 0x04, 0x82, 0x80, 0xa0, 0x49, 0xf4, 0x7d, 0xdf, 0x0f, 0x82)),
		c("float to float6e3m2", of(0, 0.0625, 0.0626, 0.125, 0.1875, 0.3125, 1, -1.0625, 1.1, 2.25, 7.5, 7.7, 100, -inf, nan, float32(math.Copysign(0, -1))),
			small(onnx.Float6E3M2, 16, 0x40, 0x10, 0x08, 0x43, 0xc1, 0xb0, 0x0c, 0x84, 0x61, 0xdf, 0x0f, 0x82)),
		c("int to float6e2m3", of[int64](1, -2, 3, 99, 5), small(onnx.Float6E2M3, 5, 0x08, 0x4c, 0x7d, 0x1a)),
		c("float6e2m3 to float", small(onnx.Float6E2M3, 5, 129, 48, 16, 0x3f), of[float32](0.125, 0.25, 0.375, 0.5, -7.5)),
		c("float6e3m2 to half", small(onnx.Float6E3M2, 5, 129, 48, 16, 0x3f), of(onnx.Float16FromFloat32(0.0625), onnx.Float16FromFloat32(0.125),
			onnx.Float16FromFloat32(0.1875), onnx.Float16FromFloat32(0.25), onnx.Float16FromFloat32(-28))),
		c("float6e3m2 to float6e2m3", small(onnx.Float6E3M2, 2, 0x0c|0x1f<<6&0xff, 0x1f>>2), small(onnx.Float6E2M3, 2, 0x08|0x1f<<6&0xff, 0x1f>>2)),
		c("many", seq([]int{1000}, 0, 999), func() *onnx.Tensor {
			v := make([]int64, 1000)
			for i := range v {
				v[i] = int64(i)
			}
			return of(v...)
		}()),
		c("many in six bits", many, sixBits),
		c("many from six bits", sixBits, many),
		c("strings", texts("a", "b"), texts("a", "b")),
		c("strings to float", texts("3.14", " 1e-5", "1E8", "+INF", "-inf", "NaN", "1e50", "0.1"), of(3.14, 1e-5, 1e8, inf, -inf, nan, inf, 0.1)),
		c("strings to double", texts("3.14", "1e400"), of(3.14, math.Inf(1))),
		c("strings to half", texts("1.5"), of[onnx.Float16Bits](0x3e00)),
		c("strings to int", texts("100", "100.5", "-3", "9223372036854775807"), of[int64](100, 100, -3, math.MaxInt64)),
		c("strings to uint64", texts("18446744073709551615"), of[uint64](math.MaxUint64)),
		c("strings to bool", texts("0", "1", "0.5"), of(false, true, true)),
		c("float to strings", of(0.1, 1, -2.5e-9, 1e30, inf, -inf, nan, 314.15926, 0), texts("0.1", "1", "-2.5e-09", "1e+30", "INF", "-INF", "NaN", "314.15927", "0")),
		c("double to strings", of(0.1, 1.0/3), texts("0.1", "0.3333333333333333")),
		c("ints to strings", of[int64](-5, 7), texts("-5", "7")),
		c("uint64 to strings", of[uint64](math.MaxUint64), texts("18446744073709551615")),
		c("bool to strings", of(true, false), texts("1", "0")),
		c("empty", f32([]int{0, 3}), i64([]int{0, 3})),
		one("opset 1", "Cast", 1, attrs{"to": "INT32"}, of[float32](1.5), of[int32](1)),
		{name: "opset 1 type", opset: 1, node: node("Cast", 1, 1, attrs{"to": "FLOAT128"}), in: ins(of[float32](1)), wantErr: "FLOAT128"},
		{name: "no type", node: node("Cast", 1, 1, nil), in: ins(of[float32](1)), wantErr: "missing"},
		{name: "unknown type", node: node("Cast", 1, 1, attrs{"to": 99}), in: ins(of[float32](1)), wantErr: "datatype(99)"},
		{name: "complex", node: node("Cast", 1, 1, attrs{"to": 1}), in: ins(of[complex64](1)), wantErr: "complex64"},
		{name: "round mode", node: node("Cast", 1, 1, attrs{"to": 24, "round_mode": "odd"}), in: ins(of[float32](1)), wantErr: "round_mode"},
		{name: "no number", node: node("Cast", 1, 1, attrs{"to": 1}), in: ins(texts("1", "Hello World!")), wantErr: `element 1: "Hello World!" is not a number`},
		two("like", "CastLike", 15, nil, of[float32](1.5), i64([]int{3}, 1, 2, 3), of[int64](1)),
		two("like half", "CastLike", 19, nil, of[float64](1.5), of[onnx.Float16Bits](0), of[onnx.Float16Bits](0x3e00)),
		twoErr("like complex", "CastLike", 19, nil, of[float64](1.5), of[complex64](0), "complex64"),
	})
}

// Every number of the small formats must read back as itself, and lie in order.
func TestMiniFloatsRoundTrip(t *testing.T) {
	for typ, m := range miniFloats {
		last := math.Inf(-1)
		for b := range 1 << (m.bits - 1) {
			b := uint16(b)
			v := m.decode(b)
			if v != v || math.IsInf(v, 0) {
				continue
			}
			if v <= last {
				t.Errorf("%v: %#x is %v, not above %v", typ, b, v, last)
			}
			last = v
			for _, b := range []uint16{b, b | 1<<(m.bits-1)} {
				if m.fnuz && b == m.nan {
					continue
				}
				for _, saturate := range []bool{true, false} {
					if got := m.encode(m.decode(b), saturate); got != b {
						t.Fatalf("%v: %#x is %v, which is encoded as %#x", typ, b, m.decode(b), got)
					}
				}
			}
		}
		if got := m.decode(m.max); got != last {
			t.Errorf("%v: greatest number is %v, found %v", typ, got, last)
		}
	}
	// The half formats agree with package onnx.
	for b := range 1 << 16 {
		if v, w := miniFloats[onnx.Float16].decode(uint16(b)), onnx.Float16Bits(b).Float32(); float32(v) != w && w == w {
			t.Fatalf("half %#x: %v, want %v", b, v, w)
		}
		if v, w := miniFloats[onnx.BFloat16].decode(uint16(b)), onnx.BFloat16Bits(b).Float32(); float32(v) != w && w == w {
			t.Fatalf("bfloat16 %#x: %v, want %v", b, v, w)
		}
	}
}
