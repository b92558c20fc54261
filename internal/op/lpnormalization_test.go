package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestLpNormalization(t *testing.T) {
	x := []*onnx.Tensor{f32([]int{2, 2}, 3, -4, 0, 0)}
	runCases(t, []opCase{
		{name: "L2, zeros stay", node: node("LpNormalization", 1, 1, nil), in: x, want: []*onnx.Tensor{f32([]int{2, 2}, 0.6, -0.8, 0, 0)}},
		{name: "L1, first axis", node: node("LpNormalization", 1, 1, attrs{"axis": 0, "p": 1}), in: []*onnx.Tensor{f64([]int{2, 2}, 3, -4, 1, 0)}, want: []*onnx.Tensor{f64([]int{2, 2}, 0.75, -1, 0.25, 0)}},
		{name: "order", node: node("LpNormalization", 1, 1, attrs{"p": 3}), in: x, wantErr: `"p" is 3`},
		{name: "axis", node: node("LpNormalization", 1, 1, attrs{"axis": 2}), in: x, wantErr: "axis 2"},
		{name: "type", node: node("LpNormalization", 1, 1, nil), in: []*onnx.Tensor{i64([]int{2}, 1, 2)}, wantErr: "type int64"},
	})
}
