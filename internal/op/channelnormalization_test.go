package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestChannelNormalization(t *testing.T) {
	n := node("ChannelNormalization", 3, 1, attrs{"epsilon": 1e-5})
	n.Domain = Internal
	// Two channels: their mean lies in the middle, and both are one standard deviation away.
	runCases(t, []opCase{
		{name: "two channels", node: n, in: []*onnx.Tensor{f32([]int{2, 2, 3}, 1, 2, 3, 3, 6, 9, -1, 5, 0, 1, 7, 8), f32([]int{2}, 2, 3), f32([]int{2}, 1, -1)},
			want: []*onnx.Tensor{f32([]int{2, 2, 3}, -1, -1, -1, 2, 2, 2, -1, -1, -1, 2, 2, 2)}},
		{name: "equal values", node: n, in: []*onnx.Tensor{f32([]int{1, 2, 1, 1}, 4, 4), f32([]int{2}, 2, 3), f32([]int{2}, 1, -1)},
			want: []*onnx.Tensor{f32([]int{1, 2, 1, 1}, 1, -1)}},
		{name: "no images", node: n, in: []*onnx.Tensor{f32([]int{0, 2, 3}), f32([]int{2}, 2, 3), f32([]int{2}, 1, -1)},
			want: []*onnx.Tensor{f32([]int{0, 2, 3})}},
		{name: "rank", node: n, in: []*onnx.Tensor{f32([]int{2}, 4, 4), f32([]int{2}, 2, 3), f32([]int{2}, 1, -1)}, wantErr: "rank 2"},
		{name: "channels", node: n, in: []*onnx.Tensor{f32([]int{1, 3}, 4, 4, 4), f32([]int{2}, 2, 3), f32([]int{2}, 1, -1)}, wantErr: "scale"},
		{name: "type", node: n, in: []*onnx.Tensor{f64([]int{1, 2}, 4, 4), f32([]int{2}, 2, 3), f32([]int{2}, 1, -1)}, wantErr: "type"},
	})
}
