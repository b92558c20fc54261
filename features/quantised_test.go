package features

import (
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestDequantising(t *testing.T) {
	g := &onnx.Graph{Nodes: []*onnx.Node{
		node("QuantizeLinear", "q", "x", "s", "z"), node("MaxPool", "m", "q"), node("QLinearGlobalAveragePool", "p", "m", "s", "z", "s2", ""),
		node("Reshape", "r", "p", "shape"), node("QGemm", "real", "r", "s2", "z", "w", "s", "z"), node("DequantizeLinear", "d", "r", "s2"),
		node("Relu", "r/dequantized", "d"), node("Flatten", "loop", "loop"), node("Neg", "none"),
	}}
	for value, want := range map[string][]string{
		"q": {"q", "s", "z"}, "m": {"m", "s", "z"}, "p": {"p", "s2"}, "r": {"r", "s2"}, "real": nil, "d": nil, "loop": nil, "none": nil, "x": nil,
	} {
		n := Dequantising(g, value)
		if n == nil {
			if want != nil {
				t.Errorf("%s: not quantised", value)
			}
			continue
		}
		if !slices.Equal(n.Inputs, want) || value == "r" && n.Outputs[0] != "r/dequantized_1" {
			t.Errorf("%s: %v gives %q, want %q", value, n.Inputs, n.Outputs, want)
		}
	}
}
