package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestInstanceNormalizationNodeCases(t *testing.T) {
	runNodeCases(t, "InstanceNormalization", nil)
}

// The channels are [1,3] and [0,4]: mean 2, deviation 1 and 2; together mean 2, variance 2.5.
func TestInstanceAndGroupNormalization(t *testing.T) {
	x := f32([]int{1, 2, 2}, 1, 3, 0, 4)
	c := []int{2}
	two := []*onnx.Tensor{x, f32(c, 10, 1), f32(c, 0, 5)}
	one := []*onnx.Tensor{x, f32([]int{1}, 10), f32([]int{1}, 1)}
	runCases(t, []opCase{
		{name: "instance", node: node("InstanceNormalization", 3, 1, attrs{"epsilon": 0.0}), in: two, want: []*onnx.Tensor{f32([]int{1, 2, 2}, -10, 10, 4, 6)}},
		{name: "instance, opset 1", opset: 1, node: node("InstanceNormalization", 3, 1, attrs{"epsilon": 0.0, "consumed_inputs": []int{0}}), in: two, want: []*onnx.Tensor{f32([]int{1, 2, 2}, -10, 10, 4, 6)}},
		{name: "instance, rank 2", node: node("InstanceNormalization", 3, 1, nil), in: []*onnx.Tensor{f64([]int{1, 2}, 1, 3), f64(c, 10, 1), f64(c, 0, 5)}, want: []*onnx.Tensor{f64([]int{1, 2}, 0, 5)}},
		{name: "instance, nothing", node: node("InstanceNormalization", 3, 1, nil), in: []*onnx.Tensor{f32([]int{1, 2, 0}), f32(c, 10, 1), f32(c, 0, 5)}, want: []*onnx.Tensor{f32([]int{1, 2, 0})}},
		{name: "instance, rank 1", node: node("InstanceNormalization", 3, 1, nil), in: []*onnx.Tensor{f32(c, 1, 3), f32(c, 10, 1), f32(c, 0, 5)}, wantErr: "rank 2"},
		{name: "instance, scale", node: node("InstanceNormalization", 3, 1, nil), in: one, wantErr: "scale: want float32 of shape [2]"},
		{name: "one group, scale of a channel", opset: 21, node: node("GroupNormalization", 3, 1, attrs{"epsilon": 0.0, "num_groups": 1}), in: two,
			want: []*onnx.Tensor{f32([]int{1, 2, 2}, -6.324555, 6.324555, 3.735089, 6.264911)}},
		{name: "one group, scale of the group", opset: 18, node: node("GroupNormalization", 3, 1, attrs{"epsilon": 0.0, "num_groups": 1}), in: one,
			want: []*onnx.Tensor{f32([]int{1, 2, 2}, -5.324555, 7.324555, -11.649111, 13.649111)}},
		{name: "two groups", opset: 21, node: node("GroupNormalization", 3, 1, attrs{"epsilon": 0.0, "num_groups": 2, "stash_type": 1}), in: two, want: []*onnx.Tensor{f32([]int{1, 2, 2}, -10, 10, 4, 6)}},
		{name: "scale of the group in opset 21", opset: 21, node: node("GroupNormalization", 3, 1, attrs{"num_groups": 1}), in: one, wantErr: "shape [2]"},
		{name: "groups that do not fit", node: node("GroupNormalization", 3, 1, attrs{"num_groups": 3}), in: two, wantErr: "2 channels do not make 3 groups"},
		{name: "no groups", node: node("GroupNormalization", 3, 1, nil), in: two, wantErr: "num_groups"},
		{name: "group, rank 1", node: node("GroupNormalization", 3, 1, attrs{"num_groups": 1}), in: []*onnx.Tensor{f32(c, 1, 3), f32(c, 10, 1), f32(c, 0, 5)}, wantErr: "rank 2"},
		{name: "type", node: node("InstanceNormalization", 3, 1, nil), in: []*onnx.Tensor{i64([]int{1, 2}, 1, 3), f32(c, 10, 1), f32(c, 0, 5)}, wantErr: "type int64"},
	})
}
