package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestVariadic(t *testing.T) {
	nan := float32(math.NaN())
	twice := node("Sum", 3, 1, nil)
	twice.Inputs = []string{"a", "b", "a"}
	a, col, row := f32([]int{2, 2}, 1, 2, 3, 4), f32([]int{2, 1}, 2, 3), f32([]int{2}, 0, 9)
	v := func(name, op string, opset int, want *onnx.Tensor, in ...*onnx.Tensor) opCase {
		return opCase{name: name, opset: opset, node: node(op, len(in), 1, nil), in: in, want: ins(want)}
	}
	runCases(t, []opCase{
		v("max", "Max", 8, f32([]int{2, 2}, 2, 9, 3, 9), a, col, row),
		v("min", "Min", 8, f32([]int{2, 2}, 0, 2, 0, 3), row, col, a),
		v("sum", "Sum", 8, f32([]int{2, 2}, 3, 13, 6, 16), col, a, row),
		v("mean", "Mean", 8, f32([]int{2, 2}, 1, 13./3, 2, 16./3), row, a, col),
		v("mean double", "Mean", 13, of[float64](2), of[float64](1), of[float64](3)),
		v("none of full shape", "Sum", 8, f32([]int{2, 2}, 2, 11, 3, 12), col, row),
		v("none of full shape, three", "Max", 8, f32([]int{2, 2}, 2, 9, 3, 9), col, row, row),
		v("one", "Mean", 8, a, a),
		v("NaN", "Max", 8, of(nan, nan, 2), of(nan, 1, 1), of(1, nan, 2)),
		v("NaN min", "Min", 12, of(nan, nan, 1), of(nan, 1, 1), of(1, nan, 2)),
		v("scalar", "Max", 12, of[int8](0, 3), of[int8](-4, 3), i8(nil, 0)),
		v("scalar first", "Min", 12, of[uint16](4, 3), onnx.Of(nil, []uint16{4}), of[uint16](9, 3)),
		v("before 8", "Sum", 1, of[float32](6), of[float32](1), of[float32](2), of[float32](3)),
		{name: "same input twice", node: twice, in: ins(a, row, a), want: ins(f32([]int{2, 2}, 2, 13, 6, 17))},
		{name: "before 8 shapes", opset: 6, node: node("Sum", 2, 1, nil), in: ins(a, row), wantErr: "opset 8"},
		{name: "shapes", node: node("Sum", 2, 1, nil), in: ins(a, f32([]int{3}, 1, 2, 3)), wantErr: "broadcast"},
		{name: "types", node: node("Max", 2, 1, nil), in: ins(a, i64(nil, 1)), wantErr: "int64"},
		{name: "sum of integers", node: node("Sum", 1, 1, nil), in: ins(i64(nil, 1)), wantErr: "not supported"},
		{name: "left out", node: node("Max", 2, 1, nil), in: ins(a, nil), wantErr: "left out"},
	})
}

func TestWhere(t *testing.T) {
	c := of(true, false)
	str := func(v ...string) *onnx.Tensor {
		return &onnx.Tensor{Type: onnx.String, Shape: []int{len(v)}, Strings: v}
	}
	w := func(name string, c, x, y, want *onnx.Tensor) opCase {
		return opCase{name: name, node: node("Where", 3, 1, nil), in: ins(c, x, y), want: ins(want)}
	}
	runCases(t, []opCase{
		w("vectors", c, of[float32](1, 2), of[float32](3, 4), of[float32](1, 4)),
		w("scalars", c, i64(nil, 1), i64(nil, 2), of[int64](1, 2)),
		w("scalar condition", bools(nil, false), of[float64](1, 2), of[float64](3, 4), of[float64](3, 4)),
		w("scalar condition and value", bools(nil, true), f32(nil, 7), of[float32](3, 4), of[float32](7, 7)),
		w("all different", bools([]int{2, 1}, true, false), i32([]int{3}, 1, 2, 3), i32([]int{2, 1}, 8, 9), i32([]int{2, 3}, 1, 2, 3, 9, 9, 9)),
		w("bool", c, of(true, true), of(false, false), of(true, false)),
		w("half", c, of[onnx.Float16Bits](1, 2), of[onnx.Float16Bits](3, 4), of[onnx.Float16Bits](1, 4)),
		w("complex", c, of[complex128](1, 2), of[complex128](3i, 4i), of[complex128](1, 4i)),
		w("strings", c, str("a", "b"), str("c"), str("a", "c")),
		{name: "condition", node: node("Where", 3, 1, nil), in: ins(of[uint8](1), c, c), wantErr: "condition"},
		{name: "types", node: node("Where", 3, 1, nil), in: ins(c, c, of[float32](1)), wantErr: "one type"},
		{name: "packed", node: node("Where", 3, 1, nil), in: ins(c, onnx.New(onnx.Int4, 2), onnx.New(onnx.Int4, 2)), wantErr: "int4"},
		{name: "shapes", node: node("Where", 3, 1, nil), in: ins(c, of[float32](1, 2, 3), of[float32](1)), wantErr: "broadcast"},
	})
}

func TestPRelu(t *testing.T) {
	x := f32([]int{1, 2, 1, 2}, -1, 2, -3, -4)
	runCases(t, []opCase{
		two("channels", "PRelu", 7, nil, x, f32([]int{2, 1, 1}, 0.5, 0.25), f32([]int{1, 2, 1, 2}, -0.5, 2, -0.75, -1)),
		two("scalar", "PRelu", 9, nil, x, of[float32](0.5), f32([]int{1, 2, 1, 2}, -0.5, 2, -1.5, -2)),
		two("elements", "PRelu", 16, nil, of[float64](-1, -2, 3), of[float64](2, 3, 4), of[float64](-2, -6, 3)),
		two("int", "PRelu", 9, nil, of[int32](-1, 2), i32(nil, 3), of[int32](-3, 2)),
		two("before 7 by channel", "PRelu", 6, nil, x, of[float32](0.5, 0.25), f32([]int{1, 2, 1, 2}, -0.5, 2, -0.75, -1)),
		two("before 7 shared", "PRelu", 1, nil, x, of[float32](0.5), f32([]int{1, 2, 1, 2}, -0.5, 2, -1.5, -2)),
		two("last dimension from 7 on", "PRelu", 7, nil, x, of[float32](0.5, 0.25), f32([]int{1, 2, 1, 2}, -0.5, 2, -1.5, -1)),
		twoErr("slope too large", "PRelu", 9, nil, of[float32](1), f32([]int{2}, 1, 2), "does not broadcast"),
		twoErr("slope does not fit", "PRelu", 9, nil, x, f32([]int{3}, 1, 2, 3), "does not broadcast"),
		twoErr("types", "PRelu", 9, nil, x, of[float64](1), "float64"),
		twoErr("int8", "PRelu", 9, nil, of[int8](1), of[int8](1), "not supported"),
	})
}

func TestClip(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	onlyMax := node("Clip", 3, 1, nil)
	onlyMax.Inputs[1] = ""
	runCases(t, []opCase{
		{name: "only max, case 10", node: onlyMax, in: ins(of[float32](-3, 0, 6, 9), nil, f32(nil, 6)), want: ins(of[float32](-3, 0, 6, 6))},
		{name: "only min", node: node("Clip", 2, 1, nil), in: ins(of(-3, 9, nan), f32(nil, 0)), want: ins(of(0, 9, nan))},
		{name: "no bound, case 10", node: node("Clip", 1, 1, nil), in: ins(of(-3, 9, inf)), want: ins(of(-3, 9, inf))},
		{name: "attributes, case 10", opset: 6, node: node("Clip", 1, 1, attrs{"min": 0.0, "max": 6.0}), in: ins(of[float32](-3, 0, 6, 9)), want: ins(of[float32](0, 0, 6, 6))},
		{name: "min above max, case 10", node: node("Clip", 3, 1, nil), in: ins(of[float32](-3, 3, 9), f32(nil, 5), f32(nil, 1)), want: ins(of[float32](1, 1, 1))},
		{name: "default attributes", opset: 6, node: node("Clip", 1, 1, nil), in: ins(of(-inf, 1, nan)), want: ins(of(-math.MaxFloat32, 1, nan))},
		{name: "opset 1", opset: 1, node: node("Clip", 1, 1, attrs{"max": 2.0}), in: ins(of(-inf, 1, 3)), want: ins(of(-inf, 1, 2))},
		{name: "double attributes", opset: 6, node: node("Clip", 1, 1, attrs{"min": -1.0}), in: ins(of[float64](-5, 1e300)), want: ins(of[float64](-1, 1e300))},
		{name: "int8", opset: 12, node: node("Clip", 3, 1, nil), in: ins(of[int8](-5, 0, 5), i8(nil, -1), i8([]int{1}, 1)), want: ins(of[int8](-1, 0, 1))},
		{name: "uint64", opset: 12, node: node("Clip", 2, 1, nil), in: ins(of[uint64](1, 1<<63), onnx.Of(nil, []uint64{7})), want: ins(of[uint64](7, 1<<63))},
		{name: "bounds' type", node: node("Clip", 2, 1, nil), in: ins(of[float32](1), f64(nil, 1)), wantErr: "min is of type float64"},
		{name: "bounds' shape", node: node("Clip", 2, 1, nil), in: ins(of[float32](1), of[float32](1, 2)), wantErr: "want a scalar"},
		{name: "bool", node: node("Clip", 1, 1, nil), in: ins(of(true)), wantErr: "not supported"},
		{name: "int before 12", opset: 6, node: node("Clip", 1, 1, nil), in: ins(of[int32](1)), wantErr: "opset 12"},
		{name: "inputs before 11", opset: 6, node: node("Clip", 2, 1, nil), in: ins(of[float32](1), f32(nil, 1)), wantErr: "attributes"},
	})
}
