package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestConstant(t *testing.T) {
	runCases(t, []opCase{
		{name: "tensor", node: node("Constant", 0, 1, attrs{"value": f32([]int{2}, 1, 2)}), want: []*onnx.Tensor{f32([]int{2}, 1, 2)}},
		{name: "value_float, case 14", node: node("Constant", 0, 1, attrs{"value_float": 0.5}), want: []*onnx.Tensor{f32(nil, 0.5)}},
		{name: "value_floats", node: node("Constant", 0, 1, attrs{"value_floats": []float32{1, 2}}), want: []*onnx.Tensor{f32([]int{2}, 1, 2)}},
		{name: "value_int", node: node("Constant", 0, 1, attrs{"value_int": 7}), want: []*onnx.Tensor{i64(nil, 7)}},
		{name: "value_ints, case 14", node: node("Constant", 0, 1, attrs{"value_ints": []int{2, 2}}), want: []*onnx.Tensor{i64([]int{2}, 2, 2)}},
		{name: "value_string", node: node("Constant", 0, 1, attrs{"value_string": "a"}), want: []*onnx.Tensor{{Type: onnx.String, Shape: []int{}, Strings: []string{"a"}}}},
		{name: "value_strings", node: node("Constant", 0, 1, attrs{"value_strings": []string{"a", "b"}}), want: []*onnx.Tensor{{Type: onnx.String, Shape: []int{2}, Strings: []string{"a", "b"}}}},
		{name: "none", node: node("Constant", 0, 1, nil), wantErr: "no value attribute"},
		{name: "two", node: node("Constant", 0, 1, attrs{"value_int": 1, "value_float": 1.0}), wantErr: "has both"},
		{name: "wrong type", node: node("Constant", 0, 1, attrs{"value_int": "x"}), wantErr: "wrong type"},
	})
}

func TestIdentityShapeSize(t *testing.T) {
	x := seq([]int{2, 3, 1}, 1, 6)
	runCases(t, []opCase{
		{name: "Identity", node: node("Identity", 1, 1, nil), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{x}},
		{name: "Shape", node: node("Shape", 1, 1, nil), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{i64([]int{3}, 2, 3, 1)}},
		{name: "Shape of a slice", node: node("Shape", 1, 1, attrs{"start": -2, "end": 9}), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{i64([]int{2}, 3, 1)}},
		{name: "Shape of nothing", node: node("Shape", 1, 1, attrs{"start": 2, "end": 1}), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{i64([]int{0})}},
		{name: "Size", node: node("Size", 1, 1, nil), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{i64(nil, 6)}},
		{name: "Size of a scalar", node: node("Size", 1, 1, nil), in: []*onnx.Tensor{f32(nil, 1)}, want: []*onnx.Tensor{i64(nil, 1)}},
	})
}
