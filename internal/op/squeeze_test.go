package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestSqueeze(t *testing.T) {
	two := node("Squeeze", 2, 1, nil)
	runCases(t, []opCase{
		{name: "case 10: axes input", node: two, in: tensors{f32([]int{1, 3, 1, 1}, 1, 2, 3), i64([]int{2}, -1, 2)}, want: tensors{f32([]int{1, 3}, 1, 2, 3)}},
		{name: "case 10: not 1", node: two, in: tensors{seq([]int{2, 3}, 1, 6), i64([]int{1}, 1)}, wantErr: "dimension 1 of shape [2 3] is 3, not 1"},
		{name: "case 10: all", node: node("Squeeze", 1, 1, nil), in: tensors{f32([]int{1, 3, 1}, 1, 2, 3)}, want: tensors{f32([]int{3}, 1, 2, 3)}},
		{name: "attribute", opset: 1, node: node("Squeeze", 1, 1, attrs{"axes": []int{0}}), in: tensors{f32([]int{1, 3, 1}, 1, 2, 3)}, want: tensors{f32([]int{3, 1}, 1, 2, 3)}},
		{name: "attribute in a late opset", node: node("Squeeze", 1, 1, attrs{"axes": []int{0}}), in: tensors{f32([]int{1, 1}, 1)}, want: tensors{f32([]int{1}, 1)}},
		{name: "axes of a wrong type", node: two, in: tensors{f32([]int{1}, 1), f32([]int{1}, 0)}, wantErr: "want int64"},
		{name: "twice", node: two, in: tensors{f32([]int{1, 1}, 1), i64([]int{2}, 0, -2)}, wantErr: "named twice"},
		{name: "strings", node: node("Squeeze", 1, 1, nil), in: tensors{fill(onnx.String, 1, 2)}, want: tensors{fill(onnx.String, 2)}},
	})
}

func TestUnsqueeze(t *testing.T) {
	two := node("Unsqueeze", 2, 1, nil)
	x := f32([]int{2}, 5, 6)
	runCases(t, []opCase{
		{name: "case 10: axes input", node: two, in: tensors{x, i64([]int{2}, -1, 0)}, want: tensors{f32([]int{1, 2, 1}, 5, 6)}},
		{name: "case 10: attribute", opset: 11, node: node("Unsqueeze", 1, 1, attrs{"axes": []int{-1, 0}}), in: tensors{x}, want: tensors{f32([]int{1, 2, 1}, 5, 6)}},
		{name: "scalar axis", node: two, in: tensors{x, i64(nil, 1)}, want: tensors{f32([]int{2, 1}, 5, 6)}},
		{name: "outside", node: two, in: tensors{x, i64([]int{1}, 2)}, wantErr: "axis 2 is outside [-2,1]"},
		{name: "twice", node: two, in: tensors{x, i64([]int{2}, 0, 0)}, wantErr: "named twice"},
		{name: "no axes", node: node("Unsqueeze", 1, 1, nil), in: tensors{x}, wantErr: "axes are missing"},
		{name: "axes of a wrong type", node: two, in: tensors{x, f32([]int{1}, 0)}, wantErr: "want int64"},
	})
}
