package features

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// quantisedBy says which inputs of an operator are scale and zero point of what it gives.
var quantisedBy = map[string][2]int{
	"QuantizeLinear": {1, 2}, "QLinearConv": {6, 7}, "QLinearMatMul": {6, 7}, "QLinearAdd": {6, 7}, "QLinearMul": {6, 7},
	"QLinearSigmoid": {3, 4}, "QLinearLeakyRelu": {3, 4}, "QLinearSoftmax": {3, 4}, "QLinearAveragePool": {3, 4},
	"QLinearGlobalAveragePool": {3, 4}, "QLinearConcat": {0, 1}, "QLinearWhere": {7, 8}, "QGemm": {7, 8},
}

// keepsScale are operators that leave quantised numbers what they are.
var keepsScale = []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout", "MaxPool"}

// Dequantising returns a node that makes real numbers of a value that the network keeps quantised, as those that ONNX
// Runtime quantises to operators do; nil for other values. The graph is not changed.
func Dequantising(g *onnx.Graph, value string) *onnx.Node {
	p := newProducers(g)
	at := value
	for range len(p.node) + 1 {
		n := p.node[at]
		if n == nil || len(n.Inputs) == 0 {
			return nil
		}
		if slices.Contains(keepsScale, n.OpType) {
			at = n.Inputs[0]
			continue
		}
		by, ok := quantisedBy[n.OpType]
		if !ok || len(n.Inputs) <= by[0] || n.Inputs[by[0]] == "" {
			return nil
		}
		out := value + "/dequantized"
		for p.node[out] != nil {
			out += "_1"
		}
		d := &onnx.Node{Name: out, OpType: "DequantizeLinear", Inputs: []string{value, n.Inputs[by[0]]}, Outputs: []string{out}}
		if len(n.Inputs) > by[1] && n.Inputs[by[1]] != "" {
			d.Inputs = append(d.Inputs, n.Inputs[by[1]])
		}
		return d
	}
	return nil
}
