package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestFlatten(t *testing.T) {
	x := seq([]int{2, 3, 4}, 1, 24)
	axis := func(a int) *onnx.Node { return node("Flatten", 1, 1, attrs{"axis": a}) }
	runCases(t, []opCase{
		{name: "case 9: -1", node: axis(-1), in: tensors{x}, want: tensors{seq([]int{6, 4}, 1, 24)}},
		{name: "case 9: 0", node: axis(0), in: tensors{x}, want: tensors{seq([]int{1, 24}, 1, 24)}},
		{name: "case 9: 3", node: axis(3), in: tensors{x}, want: tensors{seq([]int{24, 1}, 1, 24)}},
		{name: "case 9: default", opset: 1, node: node("Flatten", 1, 1, nil), in: tensors{x}, want: tensors{seq([]int{2, 12}, 1, 24)}},
		{name: "case 9: default of a vector", node: node("Flatten", 1, 1, nil), in: tensors{seq([]int{4}, 1, 4)}, want: tensors{seq([]int{4, 1}, 1, 4)}},
		{name: "scalar", node: axis(0), in: tensors{f32(nil, 3)}, want: tensors{f32([]int{1, 1}, 3)}},
		{name: "no batch", node: axis(1), in: tensors{f32([]int{0, 3, 2})}, want: tensors{f32([]int{0, 6})}},
		{name: "outside", node: axis(4), in: tensors{x}, wantErr: "axis 4 is outside [-3,3]"},
		{name: "overflow beside nothing", node: axis(2), in: tensors{f32([]int{1 << 62, 4, 0})}, wantErr: "too large"},
	})
}
