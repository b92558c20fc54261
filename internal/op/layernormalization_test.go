package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestLayerNormalizationNodeCases(t *testing.T) { runNodeCases(t, "LayerNormalization", nil) }

// The rows [1,3] and [0,4] have mean 2 and deviation 1 and 2, and mean squares 5 and 8.
func TestLayerNormalization(t *testing.T) {
	x, c := f32([]int{2, 2}, 1, 3, 0, 4), []int{2}
	none := attrs{"epsilon": 0.0}
	half := func(shape []int, v ...float32) *onnx.Tensor {
		h := make([]onnx.Float16Bits, len(v))
		for i, f := range v {
			h[i] = onnx.Float16FromFloat32(f)
		}
		return onnx.Of(shape, h)
	}
	brain := func(shape []int, v ...float32) *onnx.Tensor {
		h := make([]onnx.BFloat16Bits, len(v))
		for i, f := range v {
			h[i] = onnx.BFloat16FromFloat32(f)
		}
		return onnx.Of(shape, h)
	}
	runCases(t, []opCase{
		{name: "all outputs", node: node("LayerNormalization", 3, 3, none), in: []*onnx.Tensor{x, f32(c, 2, 3), f32(c, 1, 0)},
			want: []*onnx.Tensor{f32([]int{2, 2}, -1, 3, -1, 3), f32([]int{2, 1}, 2, 2), f32([]int{2, 1}, 1, 0.5)}},
		{name: "no bias", node: node("LayerNormalization", 2, 1, none), in: []*onnx.Tensor{x, f32(c, 2, 3)}, want: []*onnx.Tensor{f32([]int{2, 2}, -2, 3, -2, 3)}},
		{name: "scale stretches", node: node("LayerNormalization", 2, 1, attrs{"axis": 1, "epsilon": 0.0}), in: []*onnx.Tensor{f32([]int{1, 1, 2}, 1, 3), f32([]int{1, 1, 1}, 2)}, want: []*onnx.Tensor{f32([]int{1, 1, 2}, -2, 2)}},
		{name: "scale stretches along one of two", node: node("LayerNormalization", 2, 1, attrs{"axis": 0, "epsilon": 0.0}), in: []*onnx.Tensor{f32([]int{2, 2}, -1, 1, 1, -1), f32([]int{1, 2, 1}, 2, 3)}, want: []*onnx.Tensor{f32([]int{2, 2}, -2, 2, 3, -3)}},
		{name: "scalar scale", node: node("LayerNormalization", 2, 1, none), in: []*onnx.Tensor{x, f32(nil, 2)}, want: []*onnx.Tensor{f32([]int{2, 2}, -2, 2, -2, 2)}},
		{name: "double, statistics are floats", node: node("LayerNormalization", 2, 3, none), in: []*onnx.Tensor{f64([]int{1, 2}, 0, 4), f64(c, 1, 1)}, want: []*onnx.Tensor{f64([]int{1, 2}, -1, 1), f32([]int{1, 1}, 2), f32([]int{1, 1}, 0.5)}},
		{name: "float, statistics are doubles", node: node("LayerNormalization", 2, 2, attrs{"stash_type": int(onnx.Double)}), in: []*onnx.Tensor{f32([]int{1, 2}, 0, 4), f32(c, 1, 1)}, want: []*onnx.Tensor{nil, f64([]int{1, 1}, 2)}},
		{name: "half, statistics are floats", node: node("LayerNormalization", 3, 2, none), in: []*onnx.Tensor{half([]int{1, 2}, 0, 4), half(c, 1, 1), half(c, 0, 1)}, want: []*onnx.Tensor{half([]int{1, 2}, -1, 2), f32([]int{1, 1}, 2)}},
		{name: "bfloat16, statistics too", node: node("LayerNormalization", 2, 2, attrs{"epsilon": 0.0, "stash_type": int(onnx.BFloat16)}), in: []*onnx.Tensor{brain([]int{1, 2}, 0, 4), brain(c, 1, 1)}, want: []*onnx.Tensor{brain([]int{1, 2}, -1, 1), brain([]int{1, 1}, 2)}},
		{name: "RMS", node: node("RMSNormalization", 2, 1, none), in: []*onnx.Tensor{x, f32(c, 1, 2)}, want: []*onnx.Tensor{f32([]int{2, 2}, 0.4472136, 2.6832816, 0, 2.8284271)}},
		{name: "RMS, half", node: node("RMSNormalization", 2, 1, none), in: []*onnx.Tensor{half([]int{1, 2}, 4, 4), f64(c, 1, 2)}, want: []*onnx.Tensor{half([]int{1, 2}, 1, 2)}},
		{name: "RMS came with opset 23", opset: 22, node: node("RMSNormalization", 2, 1, none), in: []*onnx.Tensor{x, f32(c, 1, 2)}, wantErr: "opset 22"},
		{name: "axis", node: node("LayerNormalization", 2, 1, attrs{"axis": 2}), in: []*onnx.Tensor{x, f32(c, 1, 1)}, wantErr: "axis 2"},
		{name: "scale that does not fit", node: node("LayerNormalization", 2, 1, nil), in: []*onnx.Tensor{x, f32([]int{3}, 1, 1, 1)}, wantErr: "Scale: shape [3]"},
		{name: "bias that does not fit", node: node("LayerNormalization", 3, 1, nil), in: []*onnx.Tensor{x, f32(c, 1, 1), f32([]int{2, 2}, 1, 1, 1, 1)}, wantErr: "B: shape [2 2]"},
		{name: "stash type", node: node("LayerNormalization", 2, 1, attrs{"stash_type": 7}), in: []*onnx.Tensor{x, f32(c, 1, 1)}, wantErr: "stash_type"},
		{name: "type", node: node("LayerNormalization", 2, 1, nil), in: []*onnx.Tensor{i64(c, 1, 1), f32(c, 1, 1)}, wantErr: "type int64"},
	})
}

// Mean alone may be wanted.
func TestLayerNormalizationMeanAlone(t *testing.T) {
	n := node("LayerNormalization", 2, 2, nil)
	n.Outputs[0] = ""
	got, err := runNode(n, 0, []*onnx.Tensor{f32([]int{1, 2}, 1, 4), f32([]int{2}, 1, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffTensor(got[1], f32([]int{1, 1}, 2.5), 0); diff != "" {
		t.Fatal(diff)
	}
}
