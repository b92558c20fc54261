package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestConstantOfShape(t *testing.T) {
	n := func(v *onnx.Tensor) *onnx.Node {
		if v == nil {
			return node("ConstantOfShape", 1, 1, nil)
		}
		return node("ConstantOfShape", 1, 1, attrs{"value": v})
	}
	runCases(t, []opCase{
		{name: "default", node: n(nil), in: tensors{i64([]int{2}, 2, 1)}, want: tensors{f32([]int{2, 1}, 0, 0)}},
		{name: "int64", node: n(i64([]int{1}, 7)), in: tensors{i64([]int{1}, 3)}, want: tensors{i64([]int{3}, 7, 7, 7)}},
		{name: "scalar", node: n(i64([]int{1}, 7)), in: tensors{i64([]int{0})}, want: tensors{i64(nil, 7)}},
		{name: "nothing", node: n(nil), in: tensors{i64([]int{2}, 0, 5)}, want: tensors{f32([]int{0, 5})}},
		{name: "negative", node: n(nil), in: tensors{i64([]int{1}, -1)}, wantErr: "negative dimension in shape [-1]"},
		{name: "huge", node: n(nil), in: tensors{i64([]int{2}, 1<<40, 1<<40)}, wantErr: "too large"},
		{name: "two values", node: n(i64([]int{2}, 7, 8)), in: tensors{i64([]int{1}, 1)}, wantErr: "want one element"},
		{name: "float shape", node: n(nil), in: tensors{f32([]int{1}, 1)}, wantErr: "shape: want int64"},
		{name: "packed", node: n(onnx.New(onnx.Int4, 1)), in: tensors{i64([]int{1}, 1)}, wantErr: "int4 is not supported"},
	})
}

func TestRange(t *testing.T) {
	n := node("Range", 3, 1, nil)
	three := func(a, b, c int64) tensors { return tensors{i64(nil, a), i64(nil, b), i64(nil, c)} }
	i16 := func(v ...int16) *onnx.Tensor { return onnx.Of([]int{len(v)}, v) }
	runCases(t, []opCase{
		{name: "up", node: n, in: three(1, 8, 3), want: tensors{i64([]int{3}, 1, 4, 7)}},
		{name: "down", node: n, in: three(5, 0, -2), want: tensors{i64([]int{3}, 5, 3, 1)}},
		{name: "away", node: n, in: three(5, 0, 2), want: tensors{i64([]int{0})}},
		{name: "float", node: n, in: tensors{f32(nil, 0), f32(nil, 1), f32([]int{1}, 0.25)}, want: tensors{f32([]int{4}, 0, 0.25, 0.5, 0.75)}},
		{name: "double", node: n, in: tensors{f64(nil, 3), f64(nil, 1), f64(nil, -1.5)}, want: tensors{f64([]int{2}, 3, 1.5)}},
		{name: "int32", node: n, in: tensors{i32(nil, 0), i32(nil, 2), i32(nil, 1)}, want: tensors{i32([]int{2}, 0, 1)}},
		{name: "int16", node: n, in: tensors{i16(0), i16(2), i16(1)}, want: tensors{i16(0, 1)}},
		{name: "whole width", node: n, in: three(-1<<63, 1<<63-1, 1<<62), want: tensors{i64([]int{4}, -1<<63, -1<<62, 0, 1<<62)}},
		{name: "whole width down", node: n, in: three(1<<63-1, -1<<63, -1<<63), want: tensors{i64([]int{2}, 1<<63-1, -1)}},
		{name: "delta 0", node: n, in: three(1, 2, 0), wantErr: "delta is 0"},
		{name: "float delta 0", node: n, in: tensors{f32(nil, 0), f32(nil, 1), f32(nil, 0)}, wantErr: "delta is 0"},
		{name: "huge", node: n, in: three(-1<<63, 1<<63-1, 1), wantErr: "no range of a possible size"},
		{name: "infinite", node: n, in: tensors{f32(nil, 0), f32(nil, float32(math.Inf(1))), f32(nil, 1)}, wantErr: "no range of a possible size"},
		{name: "types", node: n, in: tensors{f32(nil, 0), i64(nil, 1), f32(nil, 1)}, wantErr: "input 1: want one float32"},
		{name: "type", node: n, in: tensors{u8(nil, 0), u8(nil, 1), u8(nil, 1)}, wantErr: "uint8 is not supported"},
	})
}

func TestOneHot(t *testing.T) {
	n := func(axis int) *onnx.Node { return node("OneHot", 3, 1, attrs{"axis": axis}) }
	v := f32([]int{2}, 2, 5)
	runCases(t, []opCase{
		{name: "last", node: node("OneHot", 3, 1, nil), in: tensors{i64([]int{3}, 0, -1, 7), i64(nil, 3), v}, want: tensors{f32([]int{3, 3}, 5, 2, 2, 2, 2, 5, 2, 2, 2)}},
		{name: "first", node: n(0), in: tensors{f32([]int{2}, 1, 0), f32([]int{1}, 2), v}, want: tensors{f32([]int{2, 2}, 2, 5, 5, 2)}},
		{name: "middle", node: n(1), in: tensors{u8([]int{1, 2}, 1, 0), i32(nil, 2), i64([]int{2}, 0, 1)}, want: tensors{i64([]int{1, 2, 2}, 0, 1, 1, 0)}},
		{name: "scalar", node: n(0), in: tensors{i64(nil, 1), i64(nil, 2), v}, want: tensors{f32([]int{2}, 2, 5)}},
		{name: "nothing", node: n(0), in: tensors{i64([]int{0}), i64(nil, 2), v}, want: tensors{f32([]int{2, 0})}},
		{name: "depth 0", node: n(0), in: tensors{i64([]int{1}, 1), i64(nil, 0), v}, wantErr: "depth is 0"},
		{name: "huge", node: n(0), in: tensors{i64([]int{1}, 1), i64(nil, 1<<60), v}, wantErr: "too large"},
		{name: "depths", node: n(0), in: tensors{i64([]int{1}, 1), i64([]int{2}, 2, 2), v}, wantErr: "depth: want one number"},
		{name: "values", node: n(0), in: tensors{i64([]int{1}, 1), i64(nil, 2), f32([]int{1}, 1)}, wantErr: "values: want 2 elements"},
		{name: "axis", node: n(2), in: tensors{i64([]int{1}, 1), i64(nil, 2), v}, wantErr: "axis 2 is outside"},
		{name: "string indices", node: n(0), in: tensors{fill(onnx.String, 1), i64(nil, 2), v}, wantErr: "want numbers"},
		{name: "packed", node: n(0), in: tensors{i64([]int{1}, 1), i64(nil, 2), onnx.New(onnx.Int4, 2)}, wantErr: "int4 is not supported"},
	})
	// Indices of every type that can be one.
	for _, typ := range []onnx.DataType{onnx.Float, onnx.Double, onnx.Float16, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64} {
		y, err := runNode(n(-1), 0, tensors{oneTensor(t, typ), i64(nil, 2), v})
		if err != nil || diffTensor(y[0], f32([]int{1, 2}, 2, 5), 0) != "" {
			t.Errorf("%v: %v, %v", typ, y, err)
		}
	}
}

func TestTrilu(t *testing.T) {
	n := func(in, upper int) *onnx.Node { return node("Trilu", in, 1, attrs{"upper": upper}) }
	x := seq([]int{2, 3}, 1, 6)
	runCases(t, []opCase{
		{name: "upper", node: node("Trilu", 1, 1, nil), in: tensors{x}, want: tensors{f32([]int{2, 3}, 1, 2, 3, 0, 5, 6)}},
		{name: "lower", node: n(1, 0), in: tensors{x}, want: tensors{f32([]int{2, 3}, 1, 0, 0, 4, 5, 0)}},
		{name: "shifted", node: n(2, 1), in: tensors{x, i64(nil, 1)}, want: tensors{f32([]int{2, 3}, 0, 2, 3, 0, 0, 6)}},
		{name: "batch", node: n(2, 0), in: tensors{seq([]int{2, 2, 1}, 1, 4), i64([]int{1}, -1)}, want: tensors{f32([]int{2, 2, 1}, 0, 2, 0, 4)}},
		{name: "far", node: n(2, 1), in: tensors{x, i64(nil, 1<<63-1)}, want: tensors{f32([]int{2, 3}, 0, 0, 0, 0, 0, 0)}},
		{name: "far the other way", node: n(2, 1), in: tensors{x, i64(nil, -1<<63)}, want: tensors{x}},
		{name: "far below", node: n(2, 0), in: tensors{x, i64(nil, -1<<63)}, want: tensors{f32([]int{2, 3}, 0, 0, 0, 0, 0, 0)}},
		{name: "nothing", node: n(1, 1), in: tensors{f32([]int{3, 0, 2})}, want: tensors{f32([]int{3, 0, 2})}},
		{name: "vector", node: n(1, 1), in: tensors{seq([]int{2}, 1, 2)}, wantErr: "want rank 2 or more, got shape [2]"},
		{name: "k", node: n(2, 1), in: tensors{x, f32(nil, 1)}, wantErr: "k: want one int64, got float32"},
		{name: "packed", node: n(1, 1), in: tensors{onnx.New(onnx.Int4, 2, 2)}, wantErr: "int4 is not supported"},
	})
}

func TestEyeLike(t *testing.T) {
	n := func(dtype onnx.DataType, k int) *onnx.Node {
		return node("EyeLike", 1, 1, attrs{"dtype": int(dtype), "k": k})
	}
	x := f32([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	runCases(t, []opCase{
		{name: "as the input", node: node("EyeLike", 1, 1, nil), in: tensors{x}, want: tensors{f32([]int{2, 3}, 1, 0, 0, 0, 1, 0)}},
		{name: "right", node: n(onnx.Int64, 2), in: tensors{x}, want: tensors{i64([]int{2, 3}, 0, 0, 1, 0, 0, 0)}},
		{name: "below", node: n(onnx.Bool, -1), in: tensors{x}, want: tensors{bools([]int{2, 3}, false, false, false, true, false, false)}},
		{name: "far below", node: n(onnx.Double, -9), in: tensors{x}, want: tensors{f64([]int{2, 3}, 0, 0, 0, 0, 0, 0)}},
		{name: "far right", node: n(onnx.Uint8, 9), in: tensors{x}, want: tensors{u8([]int{2, 3}, 0, 0, 0, 0, 0, 0)}},
		{name: "half", node: n(onnx.Float16, 0), in: tensors{f32([]int{1, 1}, 0)}, want: tensors{onnx.Of([]int{1, 1}, []onnx.Float16Bits{0x3C00})}},
		{name: "bfloat16", node: n(onnx.BFloat16, 0), in: tensors{f32([]int{1, 1}, 0)}, want: tensors{onnx.Of([]int{1, 1}, []onnx.BFloat16Bits{0x3F80})}},
		{name: "nothing", node: n(onnx.Float, 0), in: tensors{f32([]int{0, 3})}, want: tensors{f32([]int{0, 3})}},
		{name: "strings", node: n(onnx.String, 0), in: tensors{x}, wantErr: "string is not supported"},
		{name: "vector", node: n(onnx.Float, 0), in: tensors{seq([]int{2}, 1, 2)}, wantErr: "want a matrix"},
	})
}

func TestDepthToSpace(t *testing.T) {
	n := func(b int, mode string) *onnx.Node {
		return node("DepthToSpace", 1, 1, attrs{"blocksize": b, "mode": mode})
	}
	x := seq([]int{1, 8, 1, 1}, 0, 7)
	runCases(t, []opCase{
		{name: "default", opset: 1, node: node("DepthToSpace", 1, 1, attrs{"blocksize": 2}), in: tensors{x}, want: tensors{f32([]int{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7)}},
		{name: "DCR", node: n(2, "DCR"), in: tensors{x}, want: tensors{f32([]int{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7)}},
		{name: "CRD", node: n(2, "CRD"), in: tensors{x}, want: tensors{f32([]int{1, 2, 2, 2}, 0, 1, 2, 3, 4, 5, 6, 7)}},
		{name: "nothing", node: n(2, "CRD"), in: tensors{f32([]int{1, 0, 1, 1})}, want: tensors{f32([]int{1, 0, 2, 2})}},
		{name: "mode", node: n(2, "RCD"), in: tensors{x}, wantErr: "mode \"RCD\" is not known"},
		{name: "block", node: n(0, "DCR"), in: tensors{x}, wantErr: "blocksize is 0"},
		{name: "channels", node: n(3, "DCR"), in: tensors{x}, wantErr: "8 channels are not a multiple of the 9 pixels"},
		{name: "rank", node: n(1, "DCR"), in: tensors{f32([]int{1}, 1)}, wantErr: "want rank 4"},
		{name: "packed", node: n(1, "DCR"), in: tensors{onnx.New(onnx.Int4, 1, 1, 1, 1)}, wantErr: "int4 is not supported"},
	})
}

func TestSpaceToDepth(t *testing.T) {
	n := func(b int) *onnx.Node { return node("SpaceToDepth", 1, 1, attrs{"blocksize": b}) }
	x := seq([]int{1, 1, 2, 4}, 0, 7)
	runCases(t, []opCase{
		{name: "blocks", node: n(2), in: tensors{x}, want: tensors{f32([]int{1, 4, 1, 2}, 0, 2, 1, 3, 4, 6, 5, 7)}},
		{name: "block", node: node("SpaceToDepth", 1, 1, nil), in: tensors{x}, wantErr: "blocksize is 0"},
		{name: "no multiple", node: n(4), in: tensors{x}, wantErr: "height 2 and width 4 are not both multiples of the block size 4"},
		{name: "rank", node: n(1), in: tensors{f32([]int{1}, 1)}, wantErr: "want rank 4"},
		{name: "packed", node: n(1), in: tensors{onnx.New(onnx.Int4, 1, 1, 1, 1)}, wantErr: "int4 is not supported"},
	})
}

func TestNonZero(t *testing.T) {
	n := node("NonZero", 1, 1, nil)
	minus := float32(math.Copysign(0, -1))
	runCases(t, []opCase{
		{name: "matrix", node: n, in: tensors{f32([]int{2, 2}, 1, minus, 3, 4)}, want: tensors{i64([]int{2, 3}, 0, 1, 1, 0, 0, 1)}},
		{name: "bool", node: n, in: tensors{bools([]int{3}, false, true, true)}, want: tensors{i64([]int{1, 2}, 1, 2)}},
		{name: "double", node: n, in: tensors{f64([]int{2}, 0, 2)}, want: tensors{i64([]int{1, 1}, 1)}},
		{name: "halves", node: n, in: tensors{onnx.Of([]int{3}, []onnx.Float16Bits{0x8000, 0, 0x8001})}, want: tensors{i64([]int{1, 1}, 2)}},
		{name: "scalar has no coordinates", node: n, in: tensors{f32(nil, 1)}, want: tensors{i64([]int{0, 1})}},
		{name: "nothing", node: n, in: tensors{f32([]int{0, 2})}, want: tensors{i64([]int{2, 0})}},
		{name: "strings", node: n, in: tensors{fill(onnx.String, 1)}, wantErr: "string is not supported"},
	})
	for _, typ := range []onnx.DataType{onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.BFloat16} {
		y, err := runNode(n, 0, tensors{oneTensor(t, typ)})
		if err != nil || diffTensor(y[0], i64([]int{1, 1}, 0), 0) != "" {
			t.Errorf("%v: %v, %v", typ, y, err)
		}
	}
}

func TestCompress(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("Compress", 2, 1, a) }
	x := seq([]int{3, 2}, 1, 6)
	c := func(v ...bool) *onnx.Tensor { return bools([]int{len(v)}, v...) }
	runCases(t, []opCase{
		{name: "flat", node: n(nil), in: tensors{x, c(false, true, false, false, true)}, want: tensors{f32([]int{2}, 2, 5)}},
		{name: "rows", node: n(attrs{"axis": 0}), in: tensors{x, c(false, true, true)}, want: tensors{f32([]int{2, 2}, 3, 4, 5, 6)}},
		{name: "columns, one condition", node: n(attrs{"axis": -1}), in: tensors{x, c(true)}, want: tensors{f32([]int{3, 1}, 1, 3, 5)}},
		{name: "nothing", node: n(attrs{"axis": 0}), in: tensors{x, c(false)}, want: tensors{f32([]int{0, 2})}},
		{name: "too many, false", node: n(attrs{"axis": 1}), in: tensors{x, c(true, false, false)}, want: tensors{f32([]int{3, 1}, 1, 3, 5)}},
		{name: "too many", node: n(attrs{"axis": 1}), in: tensors{x, c(true, false, true)}, wantErr: "condition 2 is true, but there are 2 elements"},
		{name: "axis", node: n(attrs{"axis": 2}), in: tensors{x, c(true)}, wantErr: "axis 2 is outside"},
		{name: "condition", node: n(nil), in: tensors{x, i64([]int{1}, 1)}, wantErr: "condition: want a vector of bool"},
		{name: "packed", node: n(nil), in: tensors{onnx.New(onnx.Int4, 2), c(true)}, wantErr: "int4 is not supported"},
	})
}
