package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestGather(t *testing.T) {
	axis := func(a int) *onnx.Node { return node("Gather", 2, 1, attrs{"axis": a}) }
	x := seq([]int{3, 2}, 1, 6)
	runCases(t, []opCase{
		{name: "rows", opset: 1, node: node("Gather", 2, 1, nil), in: tensors{x, i64([]int{1, 2}, 2, 0)}, want: tensors{f32([]int{1, 2, 2}, 5, 6, 1, 2)}},
		{name: "columns, negative, int32", node: axis(-1), in: tensors{x, i32([]int{1}, -1)}, want: tensors{f32([]int{3, 1}, 2, 4, 6)}},
		{name: "scalar index of a shape", node: axis(0), in: tensors{i64([]int{4}, 1, 3, 224, 225), i64(nil, 2)}, want: tensors{i64(nil, 224)}},
		{name: "no indices", node: axis(0), in: tensors{x, i64([]int{0})}, want: tensors{f32([]int{0, 2})}},
		{name: "strings", node: axis(0), in: tensors{fill(onnx.String, 3), i64([]int{2}, 2, 2)}, want: tensors{{Type: onnx.String, Shape: []int{2}, Strings: []string{"s2", "s2"}}}},
		{name: "outside", node: axis(0), in: tensors{x, i64([]int{1}, 3)}, wantErr: "index 3 is outside [-3,2] (dimension 3)"},
		{name: "far outside", node: axis(0), in: tensors{x, i64([]int{1}, -1<<63)}, wantErr: "is outside [-3,2]"},
		{name: "of nothing", node: axis(0), in: tensors{f32([]int{0}), i64([]int{1}, 0)}, wantErr: "index 0 is outside"},
		{name: "axis", node: axis(2), in: tensors{x, i64([]int{1}, 0)}, wantErr: "axis 2 is outside"},
		{name: "float indices", node: axis(0), in: tensors{x, f32([]int{1}, 0)}, wantErr: "indices: want int64 or int32, got float32"},
		{name: "packed", node: axis(0), in: tensors{onnx.New(onnx.Int4, 2), i64([]int{1}, 0)}, wantErr: "int4 is not supported"},
		{name: "huge", node: axis(0), in: tensors{f32([]int{1 << 40, 0}), i64([]int{1 << 40, 0})}, want: tensors{f32([]int{1 << 40, 0, 0})}},
	})
	for _, typ := range moverTypes {
		x := fill(typ, 3, 5, 4)
		y, err := runNode(axis(1), 0, tensors{x, i64([]int{3}, 4, -5, 2)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range y[0].Len() {
			from := i/12*20 + []int{4, 0, 2}[i/4%3]*4 + i%4
			if element(y[0], i) != element(x, from) {
				t.Fatalf("%v: element %d", typ, i)
			}
		}
	}
}
