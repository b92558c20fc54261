package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestLRNNodeCases(t *testing.T) { runNodeCases(t, "LRN", nil) }

func TestLRN(t *testing.T) {
	x := []*onnx.Tensor{seq([]int{1, 4, 1, 1}, 1, 4)}
	runCases(t, []opCase{
		{name: "case 13 a", node: node("LRN", 1, 1, attrs{"size": 3, "alpha": 3.0, "beta": 0.5, "bias": 2.0}), in: x, want: []*onnx.Tensor{f32([]int{1, 4, 1, 1}, 0.37796447, 0.5, 0.53881592, 0.76980031)}},
		{name: "case 13 b: even size", node: node("LRN", 1, 1, attrs{"size": 2, "alpha": 1.0, "beta": 1.0, "bias": 1.0}), in: x, want: []*onnx.Tensor{f32([]int{1, 4, 1, 1}, 0.2857143, 0.2666667, 0.2222222, 0.4444444)}},
		{name: "case 13 c: defaults", node: node("LRN", 1, 1, attrs{"size": 5}), in: []*onnx.Tensor{f32([]int{1, 3, 1, 1}, 100, 200, 300)}, want: []*onnx.Tensor{f32([]int{1, 3, 1, 1}, 36.741959, 73.483917, 110.22588)}},
		{name: "double", node: node("LRN", 1, 1, attrs{"size": 1, "alpha": 1.0, "beta": 1.0}), in: []*onnx.Tensor{f64([]int{1, 2}, 1, 2)}, want: []*onnx.Tensor{f64([]int{1, 2}, 0.5, 0.4)}},
		{name: "larger than there are channels", node: node("LRN", 1, 1, attrs{"size": 1 << 40, "alpha": 0.0, "beta": 1.0, "bias": 2.0}), in: []*onnx.Tensor{f64([]int{1, 2}, 1, 2)}, want: []*onnx.Tensor{f64([]int{1, 2}, 0.5, 1)}},
		{name: "no size", node: node("LRN", 1, 1, nil), in: x, wantErr: `"size"`},
		{name: "rank", node: node("LRN", 1, 1, attrs{"size": 1}), in: []*onnx.Tensor{f32([]int{1}, 1)}, wantErr: "rank 2"},
		{name: "type", node: node("LRN", 1, 1, attrs{"size": 1}), in: []*onnx.Tensor{i64([]int{1, 1}, 1)}, wantErr: "type int64"},
	})
}
