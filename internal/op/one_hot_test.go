package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

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
