package finetune

import (
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/walk"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// walker answers questions about a graph's nodes and weights.
type walker struct{ *walk.Graph }

func newWalker(g *onnx.Graph) *walker { return &walker{walk.New(g)} }

// reshapers give a weight another form without changing it.
var reshapers = []string{"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}

// weight returns the name of the initializer that a value is, in whatever form; "" where it is none.
func (w *walker) weight(value string) string {
	for range len(w.Node) + 1 {
		if w.Weights[value] != nil {
			return value
		}
		n := w.Node[value]
		if n == nil || !slices.Contains(reshapers, n.OpType) || len(n.Inputs) == 0 {
			return ""
		}
		value = n.Inputs[0]
	}
	return ""
}

// paramInputs are the inputs that are weights to train, by operator; for elementwise ones all that are constant and
// have more than one element.
var paramInputs = map[string][]int{
	"Conv": {1, 2}, "ConvTranspose": {1, 2}, "Gemm": {0, 1, 2}, "MatMul": {0, 1}, "PRelu": {1},
	"BatchNormalization": {1, 2}, "InstanceNormalization": {1, 2}, "LayerNormalization": {1, 2}, "GroupNormalization": {1, 2},
	"Add": {0, 1}, "Sub": {0, 1}, "Mul": {0, 1}, "Div": {0, 1},
}

// elementwise are operators whose constants of one element are part of a formula.
var elementwise = []string{"Add", "Sub", "Mul", "Div"}

// params returns the names of a node's weights.
func (w *walker) params(n *onnx.Node) []string {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return nil
	}
	var names []string
	for _, i := range paramInputs[n.OpType] {
		if i >= len(n.Inputs) || n.Inputs[i] == "" {
			continue
		}
		p := w.weight(n.Inputs[i])
		if p == "" {
			continue
		}
		t := w.Weights[p]
		if t.Type != onnx.Float && !t.Type.IsHalf() && t.Type != onnx.Double ||
			slices.Contains(elementwise, n.OpType) && t.Len() == 1 {
			continue
		}
		names = append(names, p)
	}
	return names
}

// quantised reports whether a node reads weights of 8 bits or fewer, as they are or dequantised.
func (w *walker) quantised(n *onnx.Node) bool {
	if !strings.Contains(n.OpType, "Conv") && !strings.Contains(n.OpType, "MatMul") && !strings.HasSuffix(n.OpType, "Gemm") {
		return false
	}
	return slices.ContainsFunc(n.Inputs, func(in string) bool {
		if d := w.Node[in]; d != nil && d.OpType == "DequantizeLinear" && len(d.Inputs) > 0 {
			in = d.Inputs[0]
		}
		t := w.Weights[in]
		return t != nil && t.Len() > 1 && t.Type.Bits() <= 8
	})
}

// lastWithParams returns the index of the last node that has weights and reads data.
func (w *walker) lastWithParams(nodes []*onnx.Node) int {
	for i, n := range slices.Backward(nodes) {
		if len(w.params(n)) > 0 && slices.Contains(weighted, n.OpType) {
			return i
		}
	}
	return len(nodes)
}

// dataInput returns the only input of a node that is no constant; "" if there are more or none.
func (w *walker) dataInput(n *onnx.Node) string {
	data := ""
	for _, in := range n.Inputs {
		if in == "" || w.Constant(in) {
			continue
		}
		if data != "" {
			return ""
		}
		data = in
	}
	return data
}

// passed are operators between the last feature map and the classifier's input, as long as there is no map any more.
var passed = []string{
	"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Cast", "Dropout", "Gemm", "MatMul", "Add", "Relu", "LeakyRelu",
	"Clip", "Tanh", "Sigmoid", "Elu", "Selu", "PRelu", "BatchNormalization", "LayerNormalization", "GlobalAveragePool",
	"GlobalMaxPool", "ReduceMean", "ReduceMax", "Softmax",
}

// baseEnd returns the value where the base ends, and how its classifier made rows of maps ("avg", "max", "flatten").
func (w *walker) baseEnd(shapes map[string][]int, m *onnx.Model) (end, pool string) {
	start, err := features.DefaultLayer(m)
	if err != nil {
		return "", "avg"
	}
	value, pool := start, "flatten"
	rank := func(v string) int { return len(shapes[v]) }
	for range len(w.Node) + 1 {
		n := w.Node[value]
		if n == nil {
			return value, pool
		}
		in := n.Inputs
		next := ""
		switch n.OpType {
		case "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Cast", "Dropout":
			next = in[0] // a reshape's target may be computed from the data, too
		default:
			next = w.dataInput(n)
		}
		if next == "" {
			break
		}
		switch n.OpType {
		case "GlobalAveragePool", "ReduceMean":
			if rank(next) == 4 {
				pool = "avg"
			}
		case "GlobalMaxPool", "ReduceMax":
			if rank(next) == 4 {
				pool = "max"
			}
		case "AveragePool", "MaxPool":
			whole, same := isPoint(shapes[value]), slices.Equal(shapes[value], shapes[next])
			if same {
				break // an adaptive pool that has nothing to do
			}
			if !whole || isPoint(shapes[next]) {
				return value, pool
			}
			if pool = "avg"; n.OpType == "MaxPool" {
				pool = "max"
			}
		default:
			if !slices.Contains(passed, n.OpType) || rank(value) == 4 && !slices.Contains([]string{"Transpose", "Identity", "Cast", "Dropout", "Flatten", "Reshape"}, n.OpType) {
				if rank(value) == 4 {
					return value, pool
				}
				return start, "avg"
			}
		}
		value = next
	}
	if rank(value) == 4 {
		return value, pool
	}
	return start, "avg"
}

// isPoint reports whether a map has one position only.
func isPoint(shape []int) bool {
	return len(shape) > 2 && onnx.NumElements(shape[2:]) == 1
}
