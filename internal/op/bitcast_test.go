package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestBitCast(t *testing.T) {
	n := func(to onnx.DataType) *onnx.Node { return node("BitCast", 1, 1, attrs{"to": int(to)}) }
	x := f32([]int{2}, 1, -0.5)
	runCases(t, []opCase{
		{name: "float to int", node: n(onnx.Int32), in: tensors{x}, want: tensors{i32([]int{2}, 0x3f800000, math.MinInt32+0x3f000000)}},
		{name: "and back", node: n(onnx.Float), in: tensors{i32([]int{2}, 0x3f800000, math.MinInt32+0x3f000000)}, want: tensors{x}},
		{name: "double to int", node: n(onnx.Int64), in: tensors{f64(nil, 2)}, want: tensors{i64(nil, 1<<62)}},
		{name: "signs", node: n(onnx.Uint8), in: tensors{i8([]int{2}, -1, 1)}, want: tensors{u8([]int{2}, 255, 1)}},
		{name: "truth", node: n(onnx.Bool), in: tensors{u8([]int{3}, 0, 1, 130)}, want: tensors{bools([]int{3}, false, true, true)}},
		{name: "truth to bits", node: n(onnx.Uint8), in: tensors{bools([]int{2}, false, true)}, want: tensors{u8([]int{2}, 0, 1)}},
		{name: "halves", node: n(onnx.Uint16), in: tensors{onnx.Of([]int{1}, []onnx.Float16Bits{0x3c00})}, want: tensors{onnx.Of([]int{1}, []uint16{0x3c00})}},
		{name: "packed", node: n(onnx.Uint4), in: tensors{onnx.New(onnx.Int4, 3)}, want: tensors{onnx.New(onnx.Uint4, 3)}},
		{name: "width", node: n(onnx.Int64), in: tensors{x}, wantErr: "elements of float32 cannot be taken for int64"},
		{name: "strings", node: n(onnx.Int64), in: tensors{fill(onnx.String, 1)}, wantErr: "not of one width"},
		{name: "to strings", node: n(onnx.String), in: tensors{x}, wantErr: "type string is not supported"},
		{name: "to nothing", node: node("BitCast", 1, 1, nil), in: tensors{x}, wantErr: `attribute "to"`},
	})
}
