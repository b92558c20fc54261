package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestMeanVarianceNormalizationNodeCases(t *testing.T) {
	runNodeCases(t, "MeanVarianceNormalization", nil)
}

func TestMeanVarianceNormalization(t *testing.T) {
	runCases(t, []opCase{
		{name: "default axes: each channel over the batch", node: node("MeanVarianceNormalization", 1, 1, nil), in: []*onnx.Tensor{f32([]int{2, 2, 1, 1}, 1, 5, 3, 9)}, want: []*onnx.Tensor{f32([]int{2, 2, 1, 1}, -1, -1, 1, 1)}},
		{name: "last axis", node: node("MeanVarianceNormalization", 1, 1, attrs{"axes": []int{-1}}), in: []*onnx.Tensor{f64([]int{2, 2}, 1, 3, 0, 4)}, want: []*onnx.Tensor{f64([]int{2, 2}, -1, 1, -1, 1)}},
		{name: "nothing", node: node("MeanVarianceNormalization", 1, 1, attrs{"axes": []int{0}}), in: []*onnx.Tensor{f32([]int{0, 2})}, want: []*onnx.Tensor{f32([]int{0, 2})}},
		{name: "rank", node: node("MeanVarianceNormalization", 1, 1, nil), in: []*onnx.Tensor{f32([]int{2}, 1, 2)}, wantErr: "axis 2"},
		{name: "type", node: node("MeanVarianceNormalization", 1, 1, nil), in: []*onnx.Tensor{i64([]int{2}, 1, 2)}, wantErr: "type int64"},
	})
}
