package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

var reduceOps = []string{
	"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
	"ReduceLogSumExp", "ReduceSumSquare",
}

func TestReduceNodeCases(t *testing.T) {
	for _, name := range reduceOps {
		t.Run(name, func(t *testing.T) { runNodeCases(t, name, nil) })
	}
}

// Each operator on [[1,2],[3,4]] along the first axis, in every type it takes.
func TestReduceTypes(t *testing.T) {
	e := func(x, y float64) float64 { return math.Log(math.Exp(x) + math.Exp(y)) }
	want := map[string][2]float64{
		"ReduceSum": {4, 6}, "ReduceMean": {2, 3}, "ReduceMax": {3, 4}, "ReduceMin": {1, 2}, "ReduceProd": {3, 8},
		"ReduceL1": {4, 6}, "ReduceL2": {math.Sqrt(10), math.Sqrt(20)}, "ReduceLogSum": {math.Log(4), math.Log(6)},
		"ReduceLogSumExp": {e(1, 3), e(2, 4)}, "ReduceSumSquare": {10, 20},
	}
	for name, w := range want {
		var cases []opCase
		for _, typ := range []onnx.DataType{onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64} {
			// Integers cut the fraction off.
			cases = append(cases, opCase{name: name + " of " + typ.String(), node: node(name, 2, 1, attrs{"keepdims": 0}),
				in:   []*onnx.Tensor{tensorOf(typ, []int{2, 2}, 1, 2, 3, 4), i64([]int{1}, 0)},
				want: []*onnx.Tensor{tensorOf(typ, []int{2}, w[0], w[1])}})
			// A run of neighbours goes another way than rows.
			cases = append(cases, opCase{name: name + " of " + typ.String() + " along the last axis", node: node(name, 2, 1, nil),
				in:   []*onnx.Tensor{tensorOf(typ, []int{2, 2}, 1, 3, 2, 4), i64([]int{1}, -1)},
				want: []*onnx.Tensor{tensorOf(typ, []int{2, 1}, w[0], w[1])}})
		}
		runCases(t, cases)
	}
}

// tensorOf makes a tensor of any numeric type of ours.
func tensorOf(typ onnx.DataType, shape []int, v ...float64) *onnx.Tensor {
	switch typ {
	case onnx.Double:
		return onnx.Of(shape, v)
	case onnx.Float:
		return onnx.Of(shape, convertAll[float32](v))
	case onnx.Int32:
		return onnx.Of(shape, convertAll[int32](v))
	case onnx.Int64:
		return onnx.Of(shape, convertAll[int64](v))
	case onnx.Uint32:
		return onnx.Of(shape, convertAll[uint32](v))
	case onnx.Uint64:
		return onnx.Of(shape, convertAll[uint64](v))
	case onnx.Int8:
		return onnx.Of(shape, convertAll[int8](v))
	case onnx.Int16:
		return onnx.Of(shape, convertAll[int16](v))
	case onnx.Uint8:
		return onnx.Of(shape, convertAll[uint8](v))
	case onnx.Uint16:
		return onnx.Of(shape, convertAll[uint16](v))
	}
	panic("type " + typ.String())
}

func convertAll[T real](v []float64) []T {
	out := make([]T, len(v))
	convert(v, out)
	return out
}

func TestReduce(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x := f32([]int{2, 2}, -1, 2, 3, -4)
	axes := func(v ...int64) *onnx.Tensor { return i64([]int{len(v)}, v...) }
	empty := f32([]int{2, 0})
	noop := attrs{"noop_with_empty_axes": 1}
	cases := []opCase{
		{name: "no axes reduce all", node: node("ReduceSum", 1, 1, nil), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{f32([]int{1, 1}, 0)}},
		{name: "empty axes reduce all", node: node("ReduceSum", 2, 1, attrs{"keepdims": 0}), in: []*onnx.Tensor{x, axes()}, want: []*onnx.Tensor{f32([]int{}, 0)}},
		{name: "noop", node: node("ReduceSum", 2, 1, noop), in: []*onnx.Tensor{x, axes()}, want: []*onnx.Tensor{x}},
		{name: "noop squares each element", opset: 18, node: node("ReduceSumSquare", 1, 1, noop), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{f32([]int{2, 2}, 1, 4, 9, 16)}},
		{name: "noop takes each magnitude", opset: 18, node: node("ReduceL2", 2, 1, noop), in: []*onnx.Tensor{x, axes()}, want: []*onnx.Tensor{f32([]int{2, 2}, 1, 2, 3, 4)}},
		{name: "noop does not matter with axes", node: node("ReduceMax", 2, 1, noop), in: []*onnx.Tensor{x, axes(1)}, want: []*onnx.Tensor{f32([]int{2, 1}, 2, 3)}},
		{name: "ReduceSum: attribute at 12", opset: 12, node: node("ReduceSum", 1, 1, attrs{"axes": []int{-1}}), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{f32([]int{2, 1}, 1, -1)}},
		{name: "ReduceSum: input at 13", opset: 13, node: node("ReduceSum", 2, 1, nil), in: []*onnx.Tensor{x, axes(0)}, want: []*onnx.Tensor{f32([]int{1, 2}, 2, -2)}},
		{name: "ReduceMean: attribute at 17", opset: 17, node: node("ReduceMean", 1, 1, attrs{"axes": []int{0, 1}, "keepdims": 0}), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{f32([]int{}, 0)}},
		{name: "ReduceMean: input at 17", opset: 17, node: node("ReduceMean", 2, 1, nil), in: []*onnx.Tensor{x, axes(0)}, wantErr: "an attribute in this opset"},
		{name: "scalar", node: node("ReduceMax", 1, 1, nil), in: []*onnx.Tensor{f32(nil, 5)}, want: []*onnx.Tensor{f32(nil, 5)}},
		{name: "int32 axes", node: node("ReduceMin", 2, 1, nil), in: []*onnx.Tensor{x, i32([]int{1}, 1)}, want: []*onnx.Tensor{f32([]int{2, 1}, -1, -4)}},
		{name: "NaN is a maximum", node: node("ReduceMax", 2, 1, nil), in: []*onnx.Tensor{f32([]int{2, 2}, nan, 2, 3, 4), axes(0)}, want: []*onnx.Tensor{f32([]int{1, 2}, nan, 4)}},
		{name: "NaN is a minimum", node: node("ReduceMin", 2, 1, nil), in: []*onnx.Tensor{f32([]int{2, 2}, 1, 2, 3, nan), axes(1)}, want: []*onnx.Tensor{f32([]int{2, 1}, 1, nan)}},
		{name: "max of int8", node: node("ReduceMax", 2, 1, nil), in: []*onnx.Tensor{i8([]int{2, 2}, -1, -2, -128, 4), axes(1)}, want: []*onnx.Tensor{i8([]int{2, 1}, -1, 4)}},
		{name: "min of uint8", node: node("ReduceMin", 2, 1, nil), in: []*onnx.Tensor{u8([]int{2, 2}, 255, 200, 3, 4), axes(1)}, want: []*onnx.Tensor{u8([]int{2, 1}, 200, 3)}},
		{name: "max of bool", opset: 20, node: node("ReduceMax", 2, 1, nil), in: []*onnx.Tensor{bools([]int{2, 2}, true, false, false, false), axes(1)}, want: []*onnx.Tensor{bools([]int{2, 1}, true, false)}},
		{name: "min of bool", opset: 20, node: node("ReduceMin", 2, 1, nil), in: []*onnx.Tensor{bools([]int{2, 2}, true, true, true, false), axes(1)}, want: []*onnx.Tensor{bools([]int{2, 1}, true, false)}},
		{name: "min of no bool", opset: 20, node: node("ReduceMin", 2, 1, nil), in: []*onnx.Tensor{bools([]int{1, 0}), axes(1)}, want: []*onnx.Tensor{bools([]int{1, 1}, true)}},
		{name: "sums wrap around", node: node("ReduceSum", 1, 1, attrs{"keepdims": 0}), in: []*onnx.Tensor{i32([]int{2}, math.MaxInt32, 1)}, want: []*onnx.Tensor{i32([]int{}, math.MinInt32)}},
		{name: "negative mean", node: node("ReduceMean", 1, 1, attrs{"keepdims": 0}), in: []*onnx.Tensor{i64([]int{2}, -4, -3)}, want: []*onnx.Tensor{i64([]int{}, -3)}},
		{name: "magnitudes of integers", node: node("ReduceL1", 1, 1, attrs{"keepdims": 0}), in: []*onnx.Tensor{i64([]int{2}, -4, 3)}, want: []*onnx.Tensor{i64([]int{}, 7)}},
		{name: "logarithm of no integer", node: node("ReduceLogSum", 2, 1, nil), in: []*onnx.Tensor{i64([]int{1, 0}), axes(1)}, want: []*onnx.Tensor{i64([]int{1, 1}, math.MinInt64)}},
		{name: "mean of no integer", node: node("ReduceMean", 2, 1, nil), in: []*onnx.Tensor{i64([]int{1, 0}), axes(1)}, want: []*onnx.Tensor{i64([]int{1, 1}, 0)}},
		{name: "case 28: LogSumExp does not overflow", node: node("ReduceLogSumExp", 1, 1, attrs{"keepdims": 0}), in: []*onnx.Tensor{f32([]int{2}, 1000, 0)}, want: []*onnx.Tensor{f32([]int{}, 1000)}},
		{name: "LogSumExp of infinities", node: node("ReduceLogSumExp", 2, 1, nil), in: []*onnx.Tensor{f32([]int{3, 2}, -inf, -inf, inf, 0, nan, 1), axes(1)}, want: []*onnx.Tensor{f32([]int{3, 1}, -inf, inf, nan)}},
		{name: "no result", node: node("ReduceSum", 2, 1, nil), in: []*onnx.Tensor{f32([]int{0, 2}), axes(1)}, want: []*onnx.Tensor{f32([]int{0, 1})}},
		{name: "type", node: node("ReduceSum", 1, 1, nil), in: []*onnx.Tensor{onnx.New(onnx.String, 1)}, wantErr: "type string"},
		{name: "sum of uint8", node: node("ReduceSum", 1, 1, nil), in: []*onnx.Tensor{u8([]int{1}, 1)}, wantErr: "type uint8"},
		{name: "axis", node: node("ReduceSum", 2, 1, nil), in: []*onnx.Tensor{x, axes(2)}, wantErr: "axis 2"},
		{name: "axis twice", node: node("ReduceSum", 2, 1, nil), in: []*onnx.Tensor{x, axes(1, -1)}, wantErr: "twice"},
		{name: "axes of another rank", node: node("ReduceSum", 2, 1, nil), in: []*onnx.Tensor{x, i64(nil, 1)}, wantErr: "want a list"},
		{name: "axes of another type", node: node("ReduceSum", 2, 1, nil), in: []*onnx.Tensor{x, f32([]int{1}, 1)}, wantErr: "int64"},
	}
	neutral := map[string]float32{
		"ReduceSum": 0, "ReduceMean": nan, "ReduceMax": -inf, "ReduceMin": inf, "ReduceProd": 1, "ReduceL1": 0,
		"ReduceL2": 0, "ReduceLogSum": -inf, "ReduceLogSumExp": -inf, "ReduceSumSquare": 0,
	}
	for _, name := range reduceOps {
		cases = append(cases, opCase{name: name + " of nothing", node: node(name, 2, 1, nil), in: []*onnx.Tensor{empty, axes(1)},
			want: []*onnx.Tensor{f32([]int{2, 1}, neutral[name], neutral[name])}})
	}
	runCases(t, cases)
}

// A million equal numbers add up without the drift that a single float32 sum has.
func TestReduceSumIsAccurate(t *testing.T) {
	x := onnx.New(onnx.Float, 1<<20)
	for i := range x.Float32s() {
		x.Float32s()[i] = 0.1
	}
	runCases(t, []opCase{{name: "mean", node: node("ReduceMean", 1, 1, attrs{"keepdims": 0}), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{f32([]int{}, 0.1)}, tol: 1e-8}})
}

// The bits of a result do not depend on the number of threads.
func TestThreadsGiveTheSameBits(t *testing.T) {
	x := onnx.New(onnx.Float, 3, 8, 40, 50)
	state := uint32(1)
	for i := range x.Float32s() {
		state = state*1664525 + 1013904223
		x.Float32s()[i] = float32(int32(state)) / (1 << 30)
	}
	c := onnx.New(onnx.Float, 8)
	copy(c.Float32s(), x.Float32s())
	w := onnx.New(onnx.Float, 8, 3, 3, 3)
	copy(w.Float32s(), x.Float32s())
	square := attrs{"kernel_shape": []int{3, 3}, "strides": []int{2, 2}, "pads": []int{1, 1, 1, 1}}
	for _, k := range []struct {
		node *onnx.Node
		in   []*onnx.Tensor
	}{
		{node("ReduceSum", 2, 1, nil), []*onnx.Tensor{x, i64([]int{2}, 0, 2)}},
		{node("ReduceLogSumExp", 2, 1, nil), []*onnx.Tensor{x, i64([]int{2}, 1, 3)}},
		{node("Softmax", 1, 1, attrs{"axis": 1}), []*onnx.Tensor{x}},
		{node("MaxPool", 1, 2, square), []*onnx.Tensor{x}},
		{node("AveragePool", 1, 1, square), []*onnx.Tensor{x}},
		{node("BatchNormalization", 5, 3, attrs{"training_mode": 1}), []*onnx.Tensor{x, c, c, c, c}},
		{node("GroupNormalization", 3, 1, attrs{"num_groups": 2}), []*onnx.Tensor{x, c, c}},
		{node("MeanVarianceNormalization", 1, 1, nil), []*onnx.Tensor{x}},
		{node("LRN", 1, 1, attrs{"size": 5}), []*onnx.Tensor{x}},
		{node("ConvTranspose", 2, 1, attrs{"strides": []int{2, 2}}), []*onnx.Tensor{x, w}},
	} {
		o, d, err := Make(k.node, MaxOpset, nil)
		if err != nil {
			t.Fatal(err)
		}
		in := append([]*onnx.Tensor{}, k.in...)
		for len(in) < d.MaxIn {
			in = append(in, nil)
		}
		var first []*onnx.Tensor
		for _, threads := range []int{1, 2, 5} {
			pool := par.New(threads)
			got, err := runOp(o, k.node, in, pool)
			pool.Close()
			if err != nil {
				t.Fatal(k.node.OpType, err)
			}
			if first == nil {
				first = got
			}
			for i := range got {
				if got[i] != nil && string(got[i].Raw) != string(first[i].Raw) {
					t.Errorf("%s: output %d differs with %d threads", k.node.OpType, i, threads)
				}
			}
		}
	}
}
