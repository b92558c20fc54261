package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestUnique(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("Unique", 1, 4, a) }
	nan := float32(math.NaN())
	x := f32([]int{6}, 2, 1, 1, 3, 4, 3)
	rows := f32([]int{3, 2}, 1, 0, 1, 0, 0, 5)
	runCases(t, []opCase{
		{name: "sorted", node: n(nil), in: tensors{x}, want: tensors{f32([]int{4}, 1, 2, 3, 4), i64([]int{4}, 1, 0, 3, 4), i64([]int{6}, 1, 0, 0, 2, 3, 2), i64([]int{4}, 2, 1, 2, 1)}},
		{name: "as they come", node: n(attrs{"sorted": 0}), in: tensors{x}, want: tensors{f32([]int{4}, 2, 1, 3, 4), i64([]int{4}, 0, 1, 3, 4), i64([]int{6}, 0, 1, 1, 2, 3, 2), i64([]int{4}, 1, 2, 2, 1)}},
		{name: "rows", node: n(attrs{"axis": 0}), in: tensors{rows}, want: tensors{f32([]int{2, 2}, 0, 5, 1, 0), i64([]int{2}, 2, 0), i64([]int{3}, 1, 1, 0), i64([]int{2}, 1, 2)}},
		{name: "columns", node: n(attrs{"axis": -1}), in: tensors{f32([]int{2, 3}, 1, 0, 1, 2, 5, 2)}, want: tensors{f32([]int{2, 2}, 0, 1, 5, 2), i64([]int{2}, 1, 0), i64([]int{3}, 1, 0, 1), i64([]int{2}, 1, 2)}},
		{name: "strings", node: n(nil), in: tensors{{Type: onnx.String, Shape: []int{3}, Strings: []string{"b", "a", "b"}}}, want: tensors{{Type: onnx.String, Shape: []int{2}, Strings: []string{"a", "b"}}}},
		{name: "NaN", node: n(nil), in: tensors{f32([]int{3}, nan, 1, nan)}, want: tensors{f32([]int{2}, nan, 1), i64([]int{2}, 0, 1)}},
		{name: "nothing", node: n(nil), in: tensors{f32([]int{0})}, want: tensors{f32([]int{0}), i64([]int{0}), i64([]int{0}), i64([]int{0})}},
		{name: "axis", node: n(attrs{"axis": 1}), in: tensors{x}, wantErr: "axis 1 is outside"},
		{name: "complex", node: n(nil), in: tensors{onnx.New(onnx.Complex64, 1)}, wantErr: "complex64 is not supported"},
	})
	for _, typ := range []onnx.DataType{onnx.Double, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64, onnx.Bool} {
		x := onnx.New(typ, 3)
		copy(x.Raw, oneTensor(t, typ).Raw)
		y, err := runNode(n(nil), 0, tensors{x})
		if err != nil || diffTensor(y[1], i64([]int{2}, 1, 0), 0) != "" || y[0].Type != typ {
			t.Errorf("%v: %v, %v", typ, y, err)
		}
	}
	m := n(nil)
	m.Outputs[0], m.Outputs[2] = "", ""
	if y, err := runNode(m, 0, tensors{x}); err != nil || y[0] != nil || y[3] == nil {
		t.Error(y, err)
	}
}
