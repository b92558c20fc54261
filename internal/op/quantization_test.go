package op

import (
	"bytes"
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestQuantizeLinear(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	q := func(name string, opset int, a attrs, want *onnx.Tensor, in ...*onnx.Tensor) opCase {
		return opCase{name: name, opset: opset, node: node("QuantizeLinear", len(in), 1, a), in: in, want: ins(want)}
	}
	bad := func(name, err string, a attrs, in ...*onnx.Tensor) opCase {
		return opCase{name: name, node: node("QuantizeLinear", len(in), 1, a), in: in, wantErr: err}
	}
	x := f32([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	runCases(t, []opCase{
		q("halves go to even", 10, nil, of[uint8](0, 2, 2, 4, 0, 255, 0), of[float32](0.5, 1.5, 2.5, 3.5, -0.5, 1000, -1000), f32(nil, 1)),
		q("zero point", 13, nil, of[uint8](128, 131, 255, 0, 130), of(0, 6, inf, -inf, 3), f32(nil, 2), u8(nil, 128)),
		q("NaN", 13, nil, of[int8](0, 127, -128), of(nan, 1e30, -1e30), f32(nil, 2), i8(nil, 3)),
		q("int8", 13, nil, of[int8](-3, 127, -128), of[float32](-6, 500, -500), of[float32](2), i8(nil, 0)),
		q("int16", 21, nil, of[int16](-3, 32767), of[float32](-6, 1e6), f32(nil, 2), onnx.Of(nil, []int16{0})),
		q("uint16 by output_dtype", 21, attrs{"output_dtype": int(onnx.Uint16)}, of[uint16](3, 65535), of[float32](6, 1e6), f32(nil, 2)),
		q("int32", 10, nil, of[uint8](3), of[int32](6), f32(nil, 2)),
		q("axis", 13, nil, u8([]int{2, 3}, 1, 3, 7, 4, 4, 10), x, of[float32](1, 2, 1), of[uint8](0, 2, 4)),
		q("axis 0", 13, attrs{"axis": -2}, u8([]int{2, 3}, 1, 2, 3, 2, 2, 3), x, of[float32](1, 2), of[uint8](0, 0)),
		q("blocks", 21, attrs{"axis": 1, "block_size": 2}, u8([]int{2, 3}, 1, 2, 3, 2, 2, 4), x, f32([]int{2, 2}, 1, 1, 2, 1.5)),
		q("blocks of rows", 21, attrs{"axis": 0, "block_size": 2}, u8([]int{3, 2}, 2, 2, 4, 3, 7, 11),
			f32([]int{3, 2}, 1, 2, 3, 4, 5, 6), f32([]int{2, 2}, 1, 2, 1, 1), u8([]int{2, 2}, 1, 1, 2, 5)),
		q("int4", 21, nil, small(onnx.Int4, 3, 0x78, 0x0f), of[float32](-99, 99, -2), f32(nil, 2), &onnx.Tensor{Type: onnx.Int4, Raw: []byte{0}}),
		q("uint4", 21, attrs{"output_dtype": int(onnx.Uint4)}, small(onnx.Uint4, 3, 0xf0, 0x03), of[float32](-99, 99, 6), f32(nil, 2)),
		q("uint2", 25, attrs{"output_dtype": int(onnx.Uint2)}, small(onnx.Uint2, 3, 0b10_11_00), of[float32](-99, 99, 4), f32(nil, 2)),
		q("int2", 25, attrs{"output_dtype": int(onnx.Int2)}, small(onnx.Int2, 3, 0b01_10), of[float32](-99, 99, 0), f32(nil, 2)),
		q("float8", 19, nil, small(onnx.Float8E4M3FN, 3, 0x38, 0x7e, 0xb8), of[float32](2, 1e9, -2), f32(nil, 2), &onnx.Tensor{Type: onnx.Float8E4M3FN, Raw: []byte{0}}),
		q("float8 not saturated", 19, attrs{"saturate": 0}, small(onnx.Float8E4M3FN, 1, 0x7f), of[float32](1e9), f32(nil, 2), &onnx.Tensor{Type: onnx.Float8E4M3FN, Raw: []byte{0}}),
		q("float4", 23, attrs{"output_dtype": int(onnx.Float4E2M1)}, small(onnx.Float4E2M1, 2, 0x72), of[float32](2, 99), f32(nil, 2)),
		q("float6e2m3", 28, attrs{"output_dtype": int(onnx.Float6E2M3)}, small(onnx.Float6E2M3, 3, 0x08|0x1f<<6&0xff, 0x1f>>2|0x28<<4&0xff, 0x28>>4), of[float32](2, 99, -2), f32(nil, 2)),
		q("float6e3m2 with zero point", 28, nil, small(onnx.Float6E3M2, 3, 0x10|0x1f<<6&0xff, 0x1f>>2, 0), of[float32](2, 99, -2), f32(nil, 2), &onnx.Tensor{Type: onnx.Float6E3M2, Raw: []byte{0x0c}}),
		q("half", 19, nil, of[uint8](3), of(onnx.Float16FromFloat32(6)), onnx.Of(nil, []onnx.Float16Bits{onnx.Float16FromFloat32(2)})),
		// bfloat16 has no number between 1024 and 1032.
		q("precision", 23, attrs{"precision": int(onnx.BFloat16), "output_dtype": int(onnx.Uint16)}, of[uint16](1024), of[float32](1026), f32(nil, 1)),
		q("empty", 13, nil, u8([]int{0}), f32([]int{0}), f32(nil, 1)),
		bad("double", "float64", nil, of[float64](1), f32(nil, 1)),
		bad("scale's type", "float64", nil, of[float32](1), f64(nil, 1)),
		bad("zero point's shape", "zero point has shape", nil, x, of[float32](1, 2, 3), u8(nil, 1)),
		bad("zero point's type", "float32", nil, x, f32(nil, 1), f32(nil, 1)),
		bad("output_dtype", "says", attrs{"output_dtype": int(onnx.Int8)}, x, f32(nil, 1), u8(nil, 1)),
		bad("scale's shape", "want a scalar or", nil, x, of[float32](1, 2)),
		bad("axis out of range", "axis 1", nil, of[float32](1, 2), of[float32](1, 2)),
		bad("blocks' shape", "blocks of 2", attrs{"block_size": 2}, x, of[float32](1, 2)),
		bad("block_size", "block_size", attrs{"block_size": -2}, x, of[float32](1, 2)),
		bad("precision's type", "precision", attrs{"precision": 6}, x, of[float32](1, 2)),
	})
}

// Long tensors, of one scale and of one for each element, give the same numbers (and int8 comes back as it was).
func TestQuantizeLong(t *testing.T) {
	const n = 3*cheapGrain + 700
	x, scales, zeros := onnx.New(onnx.Float, n), onnx.New(onnx.Float, n), onnx.New(onnx.Int8, n)
	for i := range n {
		x.Float32s()[i] = float32(i%1009-500) * 0.37
		scales.Float32s()[i], zeros.Raw[i] = 0.9, 7
	}
	x.Float32s()[n-3] = float32(math.NaN())
	run := func(n *onnx.Node, in ...*onnx.Tensor) *onnx.Tensor {
		t.Helper()
		out, err := runNode(n, 13, in)
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	one := run(node("QuantizeLinear", 3, 1, nil), x, f32(nil, 0.9), i8(nil, 7))
	each := run(node("QuantizeLinear", 3, 1, attrs{"axis": 0}), x, scales, zeros)
	if !bytes.Equal(one.Raw, each.Raw) {
		t.Fatal("one scale for all and one for each element give different numbers")
	}
	for i, v := range run(node("DequantizeLinear", 3, 1, nil), one, f32(nil, 0.9), i8(nil, 7)).Float32s() {
		if want := (float32(int8(one.Raw[i])) - 7) * 0.9; v != want {
			t.Fatalf("element %d: %g, want %g", i, v, want)
		}
	}
}

func TestDequantizeLinear(t *testing.T) {
	nan := float32(math.NaN())
	d := func(name string, opset int, a attrs, want *onnx.Tensor, in ...*onnx.Tensor) opCase {
		return opCase{name: name, opset: opset, node: node("DequantizeLinear", len(in), 1, a), in: in, want: ins(want)}
	}
	bad := func(name, err string, a attrs, in ...*onnx.Tensor) opCase {
		return opCase{name: name, node: node("DequantizeLinear", len(in), 1, a), in: in, wantErr: err}
	}
	x := u8([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	half := onnx.Of(nil, []onnx.Float16Bits{onnx.Float16FromFloat32(0.5)})
	runCases(t, []opCase{
		d("uint8", 10, nil, of[float32](-256, 0, 254), of[uint8](0, 128, 255), f32(nil, 2), u8(nil, 128)),
		d("no zero point", 10, nil, of[float32](-2, 4), of[int8](-1, 2), f32(nil, 2)),
		d("int32", 10, nil, of[float32](-2e9, 4), of[int32](-1e9, 2), f32(nil, 2)),
		d("int16", 21, nil, of[float32](-200, 4), of[int16](-100, 2), f32(nil, 2), onnx.Of(nil, []int16{0})),
		d("axis", 13, nil, f32([]int{2, 3}, 1, 0, -1, 4, 6, 2), x, of[float32](1, 2, 1), of[uint8](0, 2, 4)),
		d("axis 0", 13, attrs{"axis": 0}, f32([]int{2, 3}, 1, 2, 3, 8, 10, 12), x, of[float32](1, 2)),
		d("blocks", 21, attrs{"axis": 1, "block_size": 2}, f32([]int{2, 3}, 1, 2, 6, 12, 15, 24), x, f32([]int{2, 2}, 1, 2, 3, 4)),
		d("int4", 21, nil, of[float32](-16, 14, -2), small(onnx.Int4, 3, 0x78, 0x0f), f32(nil, 2)),
		d("uint4 with zero point", 21, nil, of[float32](14, 12, 28), small(onnx.Uint4, 3, 0x78, 0x0f), f32(nil, 2), &onnx.Tensor{Type: onnx.Uint4, Raw: []byte{1}}),
		d("float8", 19, nil, of(2, 896, nan), small(onnx.Float8E4M3FN, 3, 0x38, 0x7e, 0x7f), f32(nil, 2)),
		d("float6e2m3", 28, nil, of[float32](0.25, 0.5, 0.75, 1, -15), small(onnx.Float6E2M3, 5, 129, 48, 16, 0x3f), f32(nil, 2)),
		d("float6e3m2 with zero point", 28, nil, of[float32](-1.875, -1.75), small(onnx.Float6E3M2, 2, 129, 0), f32(nil, 2), &onnx.Tensor{Type: onnx.Float6E3M2, Raw: []byte{0x0c}}),
		d("half", 19, nil, of(onnx.Float16FromFloat32(1.5)), of[uint8](3), half),
		d("half to float", 23, attrs{"output_dtype": int(onnx.Float)}, of[float32](1.5), of[uint8](3), half),
		d("float8e8m0 scale", 24, attrs{"output_dtype": int(onnx.Float)}, of[float32](6), of[uint8](3), &onnx.Tensor{Type: onnx.Float8E8M0, Raw: []byte{128}}),
		bad("float", "float32", nil, of[float32](1), f32(nil, 1)),
		bad("scale's type", "float64", nil, x, f64(nil, 1)),
		bad("no output type", "output_dtype", nil, x, &onnx.Tensor{Type: onnx.Float8E8M0, Raw: []byte{128}}),
		bad("output type", "output_dtype", attrs{"output_dtype": 3}, x, f32(nil, 1)),
		bad("zero point's type", "zero point is of type", nil, x, f32(nil, 1), i8(nil, 1)),
		bad("zero point's shape", "zero point has shape", nil, x, f32(nil, 1), of[uint8](1, 2, 3)),
		bad("scale's shape", "want a scalar or", nil, x, of[float32](1, 2)),
		bad("block_size", "block_size", attrs{"block_size": -2}, x, of[float32](1, 2)),
	})
}

func TestDynamicQuantizeLinear(t *testing.T) {
	long := make([]float32, 100_000)
	long[70_000], long[1] = 51, -204 // scale 1
	q := make([]uint8, len(long))
	for i := range q {
		q[i] = 204
	}
	q[70_000], q[1] = 255, 0
	n := node("DynamicQuantizeLinear", 1, 3, nil)
	onlyScale := node("DynamicQuantizeLinear", 1, 3, nil)
	onlyScale.Outputs[0], onlyScale.Outputs[2] = "", ""
	runCases(t, []opCase{
		{name: "mixed signs", node: n, in: ins(of[float32](0, 2, -3, -2.5, 1.34, 0.5)), want: ins(of[uint8](153, 255, 0, 26, 221, 179), f32(nil, 0.0196078438), u8(nil, 153))},
		{name: "positive", node: n, in: ins(of[float32](51, 255)), want: ins(of[uint8](51, 255), f32(nil, 1), u8(nil, 0))},
		{name: "zeros", node: n, in: ins(of[float32](0, 0)), want: ins(of[uint8](0, 0), f32(nil, 1), u8(nil, 0))},
		{name: "empty", node: n, in: ins(f32([]int{0})), want: ins(u8([]int{0}), f32(nil, 1), u8(nil, 0))},
		{name: "long", node: n, in: ins(of(long...)), want: ins(of(q...), f32(nil, 1), u8(nil, 204))},
		{name: "scale only", node: onlyScale, in: ins(of[float32](255)), want: ins(nil, f32(nil, 1), nil)},
		{name: "type", node: n, in: ins(of[float64](255)), wantErr: "float64"},
	})
}
