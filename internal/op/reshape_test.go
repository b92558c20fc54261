package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestReshape(t *testing.T) {
	x := seq([]int{2, 3, 4}, 1, 24)
	two := func(a attrs) *onnx.Node { return node("Reshape", 2, 1, a) }
	runCases(t, []opCase{
		{name: "case 9: copy and infer", node: two(nil), in: tensors{x, i64([]int{2}, 0, -1)}, want: tensors{seq([]int{2, 12}, 1, 24)}},
		{name: "case 9: allowzero", node: two(attrs{"allowzero": 1}), in: tensors{f32([]int{3, 0}), i64([]int{1}, 0)}, want: tensors{f32([]int{0})}},
		{name: "case 9: counts differ", node: two(nil), in: tensors{f32([]int{1, 0}), i64([]int{2}, 0, 1)}, wantErr: "(0 elements) does not fit shape [1 1] (1 elements)"},
		{name: "case 9: allowzero with -1", node: two(attrs{"allowzero": 1}), in: tensors{f32([]int{0, 3}), i64([]int{2}, 0, -1)}, wantErr: "both 0 and -1"},
		{name: "case 9: no multiple", node: two(nil), in: tensors{seq([]int{2, 3}, 1, 6), i64([]int{2}, 4, -1)}, wantErr: "shape [2 3] does not fit the target shape [4 -1]"},
		{name: "case 9: two -1", node: two(nil), in: tensors{seq([]int{2, 3}, 1, 6), i64([]int{2}, -1, -1)}, wantErr: "more than one -1"},
		{name: "case 9: copies what is not there", node: two(nil), in: tensors{seq([]int{2}, 1, 2), i64([]int{2}, 2, 0)}, wantErr: "copies dimension 1"},
		{name: "case 18: batch of none", node: two(nil), in: tensors{f32([]int{0, 3, 2}), i64([]int{2}, 0, -1)}, want: tensors{f32([]int{0, 6})}},
		{name: "to a scalar", node: two(nil), in: tensors{f32([]int{1, 1}, 5), i64([]int{0})}, want: tensors{f32([]int{}, 5)}},
		{name: "int32 target", node: two(nil), in: tensors{x, i32([]int{2}, 4, 6)}, want: tensors{seq([]int{4, 6}, 1, 24)}},
		{name: "strings", node: two(nil), in: tensors{fill(onnx.String, 2, 2), i64([]int{1}, 4)}, want: tensors{fill(onnx.String, 4)}},
		{name: "halves", node: two(nil), in: tensors{fill(onnx.Float16, 2, 2), i64([]int{1}, 4)}, want: tensors{fill(onnx.Float16, 4)}},
		{name: "attribute", opset: 1, node: node("Reshape", 1, 1, attrs{"shape": []int{0, -1}, "consumed_inputs": []int{0}}), in: tensors{x}, want: tensors{seq([]int{2, 12}, 1, 24)}},
		{name: "attribute in a late opset", node: node("Reshape", 1, 1, attrs{"shape": []int{24}}), in: tensors{x}, want: tensors{seq([]int{24}, 1, 24)}},
		{name: "no shape", node: node("Reshape", 1, 1, nil), in: tensors{x}, wantErr: "shape is missing"},
		{name: "negative", node: two(nil), in: tensors{x, i64([]int{2}, -2, 12)}, wantErr: "has dimension -2"},
		{name: "huge", node: two(nil), in: tensors{x, i64([]int{3}, 1<<62, 1<<62, -1)}, wantErr: "does not fit"},
		{name: "huge without -1", node: two(nil), in: tensors{x, i64([]int{3}, 1<<62, 1<<62, 16)}, wantErr: "too large"},
		{name: "target of a wrong type", node: two(nil), in: tensors{x, f32([]int{1}, 24)}, wantErr: "want int64 or int32, got float32"},
		{name: "target of a wrong rank", node: two(nil), in: tensors{x, i64([]int{1, 1}, 24)}, wantErr: "want a vector"},
	})
}
