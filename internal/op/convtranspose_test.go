package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestConvTransposeNodeCases(t *testing.T) { runNodeCases(t, "ConvTranspose", nil) }

// One pixel spreads the kernel; the others show where padding, stride and output_shape put it.
func TestConvTranspose(t *testing.T) {
	x := f32([]int{1, 1, 2}, 1, 10)
	w := f32([]int{1, 1, 3}, 1, 2, 3)
	in := []*onnx.Tensor{x, w}
	row := func(v ...float32) []*onnx.Tensor { return []*onnx.Tensor{f32([]int{1, 1, len(v)}, v...)} }
	runCases(t, []opCase{
		{name: "default", node: node("ConvTranspose", 2, 1, nil), in: in, want: row(1, 12, 23, 30)},
		{name: "bias", node: node("ConvTranspose", 3, 1, attrs{"kernel_shape": []int{3}}), in: []*onnx.Tensor{x, w, f32([]int{1}, 100)}, want: row(101, 112, 123, 130)},
		{name: "stride", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{2}}), in: in, want: row(1, 2, 13, 20, 30)},
		{name: "stride 4 leaves a gap", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{4}}), in: in, want: row(1, 2, 3, 0, 10, 20, 30)},
		{name: "dilation", node: node("ConvTranspose", 2, 1, attrs{"dilations": []int{2}}), in: in, want: row(1, 10, 2, 20, 3, 30)},
		{name: "pads", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{2}, "pads": []int{1, 2}}), in: in, want: row(2, 13)},
		{name: "output_padding", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{2}, "output_padding": []int{1}}), in: in, want: row(1, 2, 13, 20, 30, 0)},
		{name: "valid", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{2}, "auto_pad": "VALID"}), in: in, want: row(1, 2, 13, 20, 30)},
		{name: "same upper cuts the end", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{2}, "auto_pad": "SAME_UPPER"}), in: in, want: row(1, 2, 13, 20)},
		{name: "same lower cuts the start", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{2}, "auto_pad": "SAME_LOWER"}), in: in, want: row(2, 13, 20, 30)},
		{name: "output_shape cuts the start", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{2}, "output_shape": []int{4}}), in: in, want: row(2, 13, 20, 30)},
		{name: "output_shape with batch and channels", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{2}, "output_shape": []int{1, 1, 4}, "auto_pad": "SAME_UPPER"}), in: in, want: row(1, 2, 13, 20)},
		{name: "output_shape larger than needed", node: node("ConvTranspose", 2, 1, attrs{"output_shape": []int{6}}), in: in, want: row(1, 12, 23, 30, 0, 0)},
		{name: "nothing of a tap is left", node: node("ConvTranspose", 2, 1, attrs{"dilations": []int{4}, "pads": []int{4, 4}}), in: in, want: row(2, 20)},
		{name: "groups", node: node("ConvTranspose", 2, 1, attrs{"group": 2}), in: []*onnx.Tensor{f32([]int{1, 2, 1}, 1, 10), f32([]int{2, 2, 1}, 1, 2, 3, 4)}, want: []*onnx.Tensor{f32([]int{1, 4, 1}, 1, 2, 30, 40)}},
		{name: "five channels, double", node: node("ConvTranspose", 2, 1, nil), in: []*onnx.Tensor{f64([]int{1, 5, 1}, 1, 2, 3, 4, 5), f64([]int{5, 1, 1}, 1, 10, 100, 1000, 10000)}, want: []*onnx.Tensor{f64([]int{1, 1, 1}, 54321)}},
		{name: "no batch", node: node("ConvTranspose", 2, 1, nil), in: []*onnx.Tensor{f32([]int{0, 1, 2}), w}, want: []*onnx.Tensor{f32([]int{0, 1, 4})}},
		{name: "channels", node: node("ConvTranspose", 2, 1, nil), in: []*onnx.Tensor{f32([]int{1, 2, 1}, 1, 2), w}, wantErr: "does not fit an input of 2 channels"},
		{name: "channels and groups", node: node("ConvTranspose", 2, 1, attrs{"group": 2}), in: in, wantErr: "in 2 groups"},
		{name: "kernel_shape", node: node("ConvTranspose", 2, 1, attrs{"kernel_shape": []int{2}}), in: in, wantErr: "kernel_shape [2]"},
		{name: "rank", node: node("ConvTranspose", 2, 1, nil), in: []*onnx.Tensor{f32([]int{1}, 1), w}, wantErr: "one to three spatial"},
		{name: "rank of the weight", node: node("ConvTranspose", 2, 1, nil), in: []*onnx.Tensor{x, f32([]int{1}, 1)}, wantErr: "weight: want rank 3"},
		{name: "strides", node: node("ConvTranspose", 2, 1, attrs{"strides": []int{0}}), in: in, wantErr: "strides"},
		{name: "output_shape", node: node("ConvTranspose", 2, 1, attrs{"output_shape": []int{1, 2}}), in: in, wantErr: "output_shape [1 2]"},
		{name: "output_padding", node: node("ConvTranspose", 2, 1, attrs{"output_padding": []int{1, 2}}), in: in, wantErr: "output_padding [1 2]"},
		{name: "negative output_padding", node: node("ConvTranspose", 2, 1, attrs{"output_padding": []int{-1}}), in: in, wantErr: "out of range"},
		{name: "an output too large to exist", node: node("ConvTranspose", 2, 1, attrs{"output_shape": []int{1 << 60}}), in: in, wantErr: "too large"},
		{name: "nothing is left", node: node("ConvTranspose", 2, 1, attrs{"pads": []int{2, 2}}), in: in, wantErr: "output of 0"},
		{name: "no input", node: node("ConvTranspose", 2, 1, nil), in: []*onnx.Tensor{f32([]int{1, 1, 0}), w}, wantErr: "input of 0"},
		{name: "bias that does not fit", node: node("ConvTranspose", 3, 1, nil), in: []*onnx.Tensor{x, w, f32([]int{2}, 1, 2)}, wantErr: "bias: want shape [1]"},
		{name: "two types", node: node("ConvTranspose", 2, 1, nil), in: []*onnx.Tensor{x, f64([]int{1, 1, 1}, 1)}, wantErr: "input 1 is of type float64"},
		{name: "type", node: node("ConvTranspose", 2, 1, nil), in: []*onnx.Tensor{i64([]int{1, 1, 1}, 1), i64([]int{1, 1, 1}, 1)}, wantErr: "type int64"},
		{name: "group", node: node("ConvTranspose", 2, 1, attrs{"group": 0}), in: in, wantErr: `"group" is 0`},
		{name: "no weight", node: node("ConvTranspose", 2, 1, nil), in: []*onnx.Tensor{x, nil}, wantErr: "weight is missing"},
	})
}
