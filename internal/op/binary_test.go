package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// two makes a row of two inputs and one output.
func two(name, opType string, opset int, a attrs, x, y, want *onnx.Tensor) opCase {
	return opCase{name: name, opset: opset, node: node(opType, 2, 1, a), in: ins(x, y), want: ins(want)}
}

func twoErr(name, opType string, opset int, a attrs, x, y *onnx.Tensor, err string) opCase {
	return opCase{name: name, opset: opset, node: node(opType, 2, 1, a), in: ins(x, y), wantErr: err}
}

func TestBinaryArithmetic(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	col, row := f32([]int{2, 1}, 8, 16), f32([]int{3}, 1, 2, 4)
	runCases(t, []opCase{
		two("add", "Add", 7, nil, col, row, f32([]int{2, 3}, 9, 10, 12, 17, 18, 20)),
		two("sub", "Sub", 7, nil, col, row, f32([]int{2, 3}, 7, 6, 4, 15, 14, 12)),
		two("sub reversed", "Sub", 7, nil, row, col, f32([]int{2, 3}, -7, -6, -4, -15, -14, -12)),
		two("mul", "Mul", 7, nil, row, col, f32([]int{2, 3}, 8, 16, 32, 16, 32, 64)),
		two("div", "Div", 7, nil, col, row, f32([]int{2, 3}, 8, 4, 2, 16, 8, 4)),
		two("div reversed", "Div", 7, nil, row, col, f32([]int{2, 3}, 1./8, 1./4, 1./2, 1./16, 1./8, 1./4)),
		two("same shape", "Sub", 14, nil, of[float64](1, 2), of[float64](3, 5), of[float64](-2, -3)),
		two("mul by a scalar, case 14", "Mul", 13, nil, of[float32](1, 2), f32(nil, 3), of[float32](3, 6)),
		two("rank grows", "Add", 14, nil, f32(nil, 1), f32([]int{1, 2}, 3, 4), f32([]int{1, 2}, 4, 5)),
		two("empty", "Add", 14, nil, f32([]int{0, 2}), of[float32](3, 4), f32([]int{0, 2})),
		two("wrap", "Add", 14, nil, of[uint8](250), of[uint8](10), of[uint8](4)),
		two("int8", "Mul", 14, nil, of[int8](-3), of[int8](4), of[int8](-12)),
		two("int16", "Sub", 14, nil, of[int16](-3), of[int16](4), of[int16](-7)),
		two("uint16", "Add", 14, nil, of[uint16](3), of[uint16](4), of[uint16](7)),
		two("int32 cuts to zero", "Div", 14, nil, of[int32](-7, 7, -7), of[int32](2, -2, -2), of[int32](-3, -3, 3)),
		two("int64 least by -1", "Div", 14, nil, of[int64](math.MinInt64), of[int64](-1), of[int64](math.MinInt64)),
		two("float by zero", "Div", 14, nil, of[float32](1, -1, 0), of[float32](0), of(inf, -inf, nan)),
		twoErr("int8 by zero", "Div", 14, nil, of[int8](1), of[int8](0), "by zero"),
		twoErr("int16 by zero", "Div", 14, nil, of[int16](1), of[int16](0), "by zero"),
		twoErr("int32 by zero", "Div", 14, nil, of[int32](1), of[int32](0), "by zero"),
		twoErr("int64 by zero", "Div", 14, nil, of[int64](1, 2), of[int64](2, 0), "by zero"),
		twoErr("uint8 by zero", "Mod", 14, nil, of[uint8](1), of[uint8](0), "by zero"),
		twoErr("uint16 by zero", "Mod", 14, nil, of[uint16](1), of[uint16](0), "by zero"),
		twoErr("uint32 by zero", "Mod", 14, attrs{"fmod": 1}, of[uint32](1), of[uint32](0), "by zero"),
		twoErr("uint64 by zero", "Mod", 14, nil, of[uint64](1), of[uint64](0), "by zero"),
		two("mod", "Mod", 10, nil, of[int32](-4, 7, 5, 4, -7, 8), of[int32](2, -3, 8, -2, 3, 5), of[int32](0, -2, 5, 0, 2, 3)),
		two("fmod", "Mod", 10, attrs{"fmod": 1}, of[int64](-4, 7, 5, 4, -7, 8), of[int64](2, -3, 8, -2, 3, 5), of[int64](0, 1, 5, 0, -1, 3)),
		two("fmod float", "Mod", 10, attrs{"fmod": 1}, of(-4.3, 7.2, 5, inf), of(2.1, -3.4, inf, 3), of(-0.1, 0.4, 5, nan)),
		two("mod float", "Mod", 10, nil, of[float64](-4.5, 7.5), of[float64](2, -3), of[float64](1.5, -1.5)),
		twoErr("types", "Add", 14, nil, of[int32](1), of[int64](1), "int32 and int64"),
		twoErr("bool", "Add", 14, nil, of(true), of(true), "bool"),
		twoErr("shapes", "Add", 14, nil, of[float32](1, 2), of[float32](1, 2, 3), "broadcast"),
	})
}

// The loops over float32 give the bits that the plain operators give, signs of zeros included, however operands meet.
func TestArithmeticBits(t *testing.T) {
	zero, inf, nan := float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.NaN())
	special := []float32{0, zero, 1, -1, 3, inf, -inf, nan, 1e-40, -1e-40, 1e-30, 3e38, 1.1, -7.7, math.SmallestNonzeroFloat32}
	var a, b []float32
	for _, x := range special {
		for _, y := range special {
			a, b = append(a, x), append(b, y)
		}
	}
	for name, f := range map[string]struct {
		run  loop2[float32, float32]
		want func(x, y float32) float32
	}{
		"Add": {add32, func(x, y float32) float32 { return x + y }},
		"Sub": {sub32, func(x, y float32) float32 { return x - y }},
		"Mul": {mul32, func(x, y float32) float32 { return x * y }},
		"Div": {div32, func(x, y float32) float32 { return x / y }},
	} {
		check := func(y, a, b []float32) {
			t.Helper()
			f.run(y, a, b)
			for i, got := range y {
				want := f.want(a[i%len(a)], b[i%len(b)])
				if math.Float32bits(got) != math.Float32bits(want) && (got == got || want == want) {
					t.Errorf("%s of %v and %v: %v, want %v", name, a[i%len(a)], b[i%len(b)], got, want)
				}
			}
		}
		y := make([]float32, len(a))
		check(y, a, b)
		for _, v := range special {
			check(y, a, []float32{v})
			check(y, []float32{v}, b)
		}
	}
}

func TestBinaryBeforeOpset7(t *testing.T) {
	x := f32([]int{1, 2, 1, 2}, 1, 2, 3, 4)
	big := seq([]int{2, 3, 2, 2}, 0, 23)
	b := attrs{"broadcast": 1}
	runCases(t, []opCase{
		two("channel bias, case 8", "Add", 3, attrs{"broadcast": 1, "axis": 1}, x, of[float32](10, 20), f32([]int{1, 2, 1, 2}, 11, 12, 23, 24)),
		two("negative axis", "Add", 6, attrs{"broadcast": 1, "axis": -3}, x, of[float32](10, 20), f32([]int{1, 2, 1, 2}, 11, 12, 23, 24)),
		two("suffix", "Mul", 6, b, x, of[float32](10, 20), f32([]int{1, 2, 1, 2}, 10, 40, 30, 80)),
		two("scalar", "Sub", 6, b, x, f32(nil, 1), f32([]int{1, 2, 1, 2}, 0, 1, 2, 3)),
		two("one element", "Sub", 6, b, x, f32([]int{1, 1}, 1), f32([]int{1, 2, 1, 2}, 0, 1, 2, 3)),
		two("one element and axis", "Sub", 6, attrs{"broadcast": 1, "axis": 0}, x, of[float32](1), f32([]int{1, 2, 1, 2}, 0, 1, 2, 3)),
		two("middle dimensions", "Sub", 6, attrs{"broadcast": 1, "axis": 1}, big, seq([]int{3, 2}, 0, 5),
			f32([]int{2, 3, 2, 2}, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 12, 13, 13, 14, 14, 15, 15, 16, 16, 17, 17, 18)),
		two("first dimension", "Greater", 1, attrs{"broadcast": 1, "axis": 0}, f32([]int{2, 2}, 1, 2, 3, 4), of[float32](1, 3),
			bools([]int{2, 2}, false, true, false, true)),
		two("equal shapes", "Add", 1, attrs{"consumed_inputs": []int{0, 0}}, of[float32](1), of[float32](2), of[float32](3)),
		two("pow", "Pow", 1, b, of[float32](2, 3), f32(nil, 2), of[float32](4, 9)),
		twoErr("no attribute", "Add", 6, nil, x, of[float32](10, 20), "broadcast=1"),
		twoErr("no fit", "Add", 6, b, x, of[float32](1, 2, 3), "does not fit"),
		twoErr("axis too large", "Add", 6, attrs{"broadcast": 1, "axis": 4}, x, of[float32](1, 2), "axis"),
		twoErr("beyond the end", "Add", 6, attrs{"broadcast": 1, "axis": 3}, x, f32([]int{2, 2}, 1, 2, 3, 4), "does not fit"),
		twoErr("first operand smaller", "Add", 6, b, of[float32](1, 2), x, "does not fit"),
	})
}

func TestPow(t *testing.T) {
	inf := float32(math.Inf(1))
	half := func(v ...float32) *onnx.Tensor {
		h := make([]onnx.Float16Bits, len(v))
		for i, x := range v {
			h[i] = onnx.Float16FromFloat32(x)
		}
		return of(h...)
	}
	runCases(t, []opCase{
		two("float", "Pow", 7, nil, of[float32](1, 2, 3), of[float32](4, 5, 6), of[float32](1, 32, 729)),
		two("square", "Pow", 12, nil, of[float32](-1, 2, 3), f32(nil, 2), of[float32](1, 4, 9)),
		two("cube", "Pow", 12, nil, of[float32](-1, 2, 3), f32(nil, 3), of[float32](-1, 8, 27)),
		two("one", "Pow", 12, nil, of[float32](-1, 2), f32(nil, 1), of[float32](-1, 2)),
		two("root", "Pow", 12, nil, of(4, 9, -inf), f32(nil, 0.5), of(2, 3, inf)),
		two("scalar base", "Pow", 12, nil, f32(nil, 2), of[float32](1, 2), of[float32](2, 4)),
		two("double", "Pow", 12, nil, of[float64](2), of[float64](-1), of[float64](0.5)),
		two("float to int", "Pow", 12, nil, of[float32](2, 3), of[int64](-1, 2), of[float32](0.5, 9)),
		two("float to uint8", "Pow", 12, nil, of[float32](2, 3), of[uint8](3, 2), of[float32](8, 9)),
		two("int to float", "Pow", 12, nil, of[int32](2, 3, 2), of[float32](0.5, 2, 40), of[int32](1, 9, math.MaxInt32)),
		two("int to int", "Pow", 12, nil, of[int64](2, 3, -2), of[int32](62, 4, 3), of[int64](1<<62, 81, -8)),
		two("int to negative", "Pow", 12, nil, of[int64](2, 1, -1, -1, 0, 7), of[int64](-1, -5, -3, -2, -1, 0), of[int64](0, 1, -1, 1, 0, 1)),
		two("half", "Pow", 15, nil, half(2, 3), half(3, 2), half(8, 9)),
		two("float to half", "Pow", 15, nil, of[float32](2, 3), half(3, 2), of[float32](8, 9)),
		twoErr("base", "Pow", 12, nil, of[int8](2), of[int8](2), "base"),
		twoErr("exponent", "Pow", 12, nil, of[float32](2), of(true), "exponent"),
		twoErr("shapes", "Pow", 12, nil, of[float32](2, 3), of[float32](1, 2, 3), "broadcast"),
	})
}

func TestCompareAndLogic(t *testing.T) {
	nan := float32(math.NaN())
	x, y := of(1, 2, 3, nan), of(2, 2, 2, nan)
	str := func(v ...string) *onnx.Tensor {
		return &onnx.Tensor{Type: onnx.String, Shape: []int{len(v)}, Strings: v}
	}
	tf, ft := bools([]int{2, 1}, true, false), bools([]int{2}, false, true)
	runCases(t, []opCase{
		two("equal", "Equal", 11, nil, x, y, of(false, true, false, false)),
		two("greater", "Greater", 9, nil, x, y, of(false, false, true, false)),
		two("greater or equal", "GreaterOrEqual", 12, nil, x, y, of(false, true, true, false)),
		two("less", "Less", 9, nil, x, y, of(true, false, false, false)),
		two("less or equal", "LessOrEqual", 16, nil, x, y, of(true, true, false, false)),
		two("scalar left", "Less", 9, nil, f32(nil, 2), of[float32](1, 3), of(false, true)),
		two("scalar right", "Less", 9, nil, of[float32](1, 3), f32(nil, 2), of(true, false)),
		two("large int64", "Greater", 9, nil, of[int64](1<<53+1), of[int64](1<<53), of(true)),
		two("large uint64", "Greater", 9, nil, of[uint64](1<<63), of[uint64](1), of(true)),
		two("equal int8", "Equal", 11, nil, of[int8](1, 2), of[int8](1, 3), of(true, false)),
		two("equal bool", "Equal", 7, nil, of(true, false), of(false), of(false, true)),
		two("equal strings", "Equal", 19, nil, str("a", "b"), str("b"), of(false, true)),
		two("and", "And", 7, nil, tf, ft, bools([]int{2, 2}, false, true, false, false)),
		two("or", "Or", 7, nil, tf, ft, bools([]int{2, 2}, true, true, false, true)),
		two("xor", "Xor", 7, nil, tf, ft, bools([]int{2, 2}, true, false, false, true)),
		twoErr("and of numbers", "And", 7, nil, x, y, "not supported"),
		two("bitwise and", "BitwiseAnd", 18, nil, of[int32](12, -1), of[int32](10), of[int32](8, 10)),
		two("bitwise or", "BitwiseOr", 18, nil, of[uint8](12), of[uint8](10), of[uint8](14)),
		two("bitwise xor", "BitwiseXor", 18, nil, of[int64](12), of[int64](10), of[int64](6)),
		two("shift left", "BitShift", 11, attrs{"direction": "LEFT"}, of[uint8](16, 1, 1), of[uint8](1, 7, 8), of[uint8](32, 128, 0)),
		two("shift right", "BitShift", 11, attrs{"direction": "RIGHT"}, of[uint64](16, 1<<63), of[uint64](1, 63), of[uint64](8, 1)),
		twoErr("shift nowhere", "BitShift", 11, attrs{"direction": "UP"}, of[uint8](16), of[uint8](1), "direction"),
		two("shift signed left", "BitShift", 28, attrs{"direction": "LEFT"}, of[int8](3, 64, -1, 1, 1), of[int8](1, 1, 7, 8, -1), of[int8](6, -128, -128, 0, 0)),
		two("shift signed right", "BitShift", 28, attrs{"direction": "RIGHT"}, of[int32](-8, 8, -8, 8, -8, 8), of[int32](1, 1, 32, 32, -1, -1), of[int32](-4, 4, -1, 0, -1, 0)),
	})
}
