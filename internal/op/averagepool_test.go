package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestAveragePoolNodeCases(t *testing.T) { runNodeCases(t, "AveragePool", nil) }

func TestAveragePool(t *testing.T) {
	fourByFour := []*onnx.Tensor{seq([]int{1, 1, 4, 4}, 1, 16)}
	k3 := func(more attrs) attrs {
		a := attrs{"kernel_shape": []int{3, 3}}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	runCases(t, []opCase{
		{name: "case 2, pads counted", opset: 11, node: node("AveragePool", 1, 1, k3(attrs{"strides": []int{1, 1}, "pads": []int{0, 0, 2, 1}, "count_include_pad": 1})), in: fourByFour,
			want: []*onnx.Tensor{f32([]int{1, 1, 4, 3}, 6, 7, 5, 10, 11, 7.666667, 8, 8.666667, 6, 4.666667, 5, 3.444444)}},
		{name: "case 2, pads not counted", opset: 11, node: node("AveragePool", 1, 1, k3(attrs{"strides": []int{1, 1}, "pads": []int{0, 0, 2, 1}, "count_include_pad": 0})), in: fourByFour,
			want: []*onnx.Tensor{f32([]int{1, 1, 4, 3}, 6, 7, 7.5, 10, 11, 11.5, 12, 13, 13.5, 14, 15, 15.5)}},
		{name: "case 2, second", opset: 11, node: node("AveragePool", 1, 1, attrs{"kernel_shape": []int{2, 2}, "pads": []int{0, 0, 1, 1}, "count_include_pad": 1}), in: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 1, 1, 1, 1)},
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 1, 0.5, 0.5, 0.25)}},
		{name: "case 2, third", opset: 11, node: node("AveragePool", 1, 1, k3(attrs{"strides": []int{2, 2}, "auto_pad": "SAME_UPPER"})), in: fourByFour,
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 6, 7.5, 12, 13.5)}},
		{name: "ceil_mode: what sticks out does not count", node: node("AveragePool", 1, 1, attrs{"kernel_shape": []int{2}, "strides": []int{2}, "ceil_mode": 1, "count_include_pad": 1}), in: []*onnx.Tensor{seq([]int{1, 1, 5}, 1, 5)},
			want: []*onnx.Tensor{f32([]int{1, 1, 3}, 1.5, 3.5, 5)}},
		{name: "ceil_mode: no window of nothing", node: node("AveragePool", 1, 1, attrs{"kernel_shape": []int{3, 3}, "strides": []int{3, 3}, "pads": []int{1, 1, 1, 1}, "ceil_mode": 1}), in: []*onnx.Tensor{seq([]int{1, 1, 6, 5}, 1, 30)},
			want: []*onnx.Tensor{f32([]int{1, 1, 3, 2}, 4, 6.5, 16.5, 19, 26.5, 29)}},
		{name: "dilations", opset: 19, node: node("AveragePool", 1, 1, attrs{"kernel_shape": []int{2, 2}, "dilations": []int{2, 2}}), in: fourByFour,
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 6, 7, 10, 11)}},
		{name: "dilations and counted pads", opset: 19, node: node("AveragePool", 1, 1, attrs{"kernel_shape": []int{2}, "dilations": []int{2}, "pads": []int{1, 1}, "count_include_pad": 1}), in: []*onnx.Tensor{seq([]int{1, 1, 3}, 1, 3)},
			want: []*onnx.Tensor{f32([]int{1, 1, 3}, 1, 2, 1)}},
		{name: "a window of nothing", opset: 19, node: node("AveragePool", 1, 1, attrs{"kernel_shape": []int{2}, "dilations": []int{2}, "pads": []int{1, 1}}), in: []*onnx.Tensor{f32([]int{1, 1, 1}, 5)},
			want: []*onnx.Tensor{f32([]int{1, 1, 1}, 0)}},
		{name: "double, stride 3", node: node("AveragePool", 1, 1, attrs{"kernel_shape": []int{2}, "strides": []int{3}}), in: []*onnx.Tensor{f64([]int{1, 1, 5}, 1, 2, 3, 4, 6)},
			want: []*onnx.Tensor{f64([]int{1, 1, 2}, 1.5, 5)}},
		{name: "type", node: node("AveragePool", 1, 1, attrs{"kernel_shape": []int{2}}), in: []*onnx.Tensor{u8([]int{1, 1, 2}, 1, 2)}, wantErr: "type uint8"},
		{name: "rank", node: node("AveragePool", 1, 1, attrs{"kernel_shape": []int{2}}), in: []*onnx.Tensor{f32([]int{2}, 1, 2)}, wantErr: "one to three spatial"},
	})
}
