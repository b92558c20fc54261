package op

import (
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestMaxPoolNodeCases(t *testing.T) { runNodeCases(t, "MaxPool", nil) }

func TestMaxPool(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	k3 := attrs{"kernel_shape": []int{3, 3}, "strides": []int{3, 3}, "pads": []int{1, 1, 1, 1}, "ceil_mode": 1}
	sixByFive := []*onnx.Tensor{seq([]int{1, 1, 6, 5}, 1, 30)}
	fourByFour := []*onnx.Tensor{seq([]int{1, 1, 4, 4}, 1, 16)}
	runCases(t, []opCase{
		{name: "case 3 a, opset 12", opset: 12, node: node("MaxPool", 1, 1, k3), in: sixByFive, want: []*onnx.Tensor{f32([]int{1, 1, 3, 2}, 7, 10, 22, 25, 27, 30)}},
		{name: "case 3 a, opset 22", opset: 22, node: node("MaxPool", 1, 1, k3), in: sixByFive, want: []*onnx.Tensor{f32([]int{1, 1, 3, 2}, 7, 10, 22, 25, 27, 30)}},
		{name: "case 3 b", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{1, 1}, "strides": []int{2, 2}, "ceil_mode": 1}), in: fourByFour,
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 1, 3, 9, 11)}},
		{name: "case 3 c", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2, 2}, "dilations": []int{2, 2}}), in: fourByFour,
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 11, 12, 15, 16)}},
		{name: "case 2: pads are begins, then ends", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{3, 3}, "pads": []int{0, 0, 2, 1}}), in: fourByFour,
			want: []*onnx.Tensor{f32([]int{1, 1, 4, 3}, 11, 12, 12, 15, 16, 16, 15, 16, 16, 15, 16, 16)}},
		{name: "indices in row-major order", node: node("MaxPool", 1, 2, attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}), in: []*onnx.Tensor{seq([]int{1, 2, 2, 4}, 1, 16)},
			want: []*onnx.Tensor{f32([]int{1, 2, 1, 2}, 6, 8, 14, 16), i64([]int{1, 2, 1, 2}, 5, 7, 13, 15)}},
		{name: "indices in column-major order", node: node("MaxPool", 1, 2, attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}, "storage_order": 1}), in: []*onnx.Tensor{seq([]int{1, 2, 2, 4}, 1, 16)},
			want: []*onnx.Tensor{f32([]int{1, 2, 1, 2}, 6, 8, 14, 16), i64([]int{1, 2, 1, 2}, 3, 7, 11, 15)}},
		{name: "indices of the lowest float", node: node("MaxPool", 1, 2, attrs{"kernel_shape": []int{2}}), in: []*onnx.Tensor{f32([]int{1, 1, 3}, -inf, -inf, nan)},
			want: []*onnx.Tensor{f32([]int{1, 1, 2}, -inf, nan), i64([]int{1, 1, 2}, 0, 2)}},
		{name: "NaN stays", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2}}), in: []*onnx.Tensor{f32([]int{1, 1, 4}, nan, 1, 2, -3)},
			want: []*onnx.Tensor{f32([]int{1, 1, 3}, nan, 2, 2)}},
		{name: "a window of padding", node: node("MaxPool", 1, 2, attrs{"kernel_shape": []int{2}, "dilations": []int{2}, "pads": []int{1, 1}}), in: []*onnx.Tensor{f32([]int{1, 1, 1}, 5)},
			want: []*onnx.Tensor{f32([]int{1, 1, 1}, -inf), i64([]int{1, 1, 1}, -1)}},
		{name: "a row of padding", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2, 1}, "dilations": []int{2, 1}, "pads": []int{1, 0, 1, 0}}), in: []*onnx.Tensor{f32([]int{1, 1, 1, 2}, 5, 6)},
			want: []*onnx.Tensor{f32([]int{1, 1, 1, 2}, -inf, -inf)}},
		{name: "same upper", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{3, 3}, "strides": []int{2, 2}, "auto_pad": "SAME_UPPER"}), in: fourByFour,
			want: []*onnx.Tensor{f32([]int{1, 1, 2, 2}, 11, 12, 15, 16)}},
		{name: "uint8", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2}, "strides": []int{3}, "pads": []int{0, 1}}), in: []*onnx.Tensor{u8([]int{1, 1, 4}, 9, 200, 3, 0)},
			want: []*onnx.Tensor{u8([]int{1, 1, 2}, 200, 0)}},
		{name: "int8", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{1}, "strides": []int{2}}), in: []*onnx.Tensor{i8([]int{1, 1, 4}, -9, -100, -3, 0)},
			want: []*onnx.Tensor{i8([]int{1, 1, 2}, -9, -3)}},
		{name: "kernel 1", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{1}}), in: []*onnx.Tensor{f32([]int{1, 1, 2}, 3, 1)}, want: []*onnx.Tensor{f32([]int{1, 1, 2}, 3, 1)}},
		{name: "no batch", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2}}), in: []*onnx.Tensor{f32([]int{0, 3, 4})}, want: []*onnx.Tensor{f32([]int{0, 3, 3})}},
		{name: "type", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2}}), in: []*onnx.Tensor{i64([]int{1, 1, 2}, 1, 2)}, wantErr: "type int64"},
		{name: "rank", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2}}), in: []*onnx.Tensor{f32([]int{1, 2}, 1, 2)}, wantErr: "one to three spatial"},
		{name: "no kernel", node: node("MaxPool", 1, 1, nil), in: fourByFour, wantErr: "kernel_shape"},
		{name: "kernel of another rank", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2}}), in: fourByFour, wantErr: "kernel"},
		{name: "padding as large as the window", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2, 2}, "pads": []int{2, 0, 0, 0}}), in: fourByFour, wantErr: "must be smaller"},
		{name: "storage order", node: node("MaxPool", 1, 1, attrs{"kernel_shape": []int{2, 2}, "storage_order": 2}), in: fourByFour, wantErr: "storage_order"},
	})
}

// Only the places of the maxima may be wanted.
func TestMaxPoolIndicesAlone(t *testing.T) {
	n := node("MaxPool", 1, 2, attrs{"kernel_shape": []int{2}})
	n.Outputs[0] = ""
	got, err := runNode(n, 0, []*onnx.Tensor{f32([]int{1, 1, 3}, 1, 3, 2)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffTensor(got[1], i64([]int{1, 1, 2}, 1, 1), 0); diff != "" {
		t.Fatal(diff)
	}
}
