package convert

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// head is a network's last layer with weights: the one that has an output a class.
type head struct {
	node    *onnx.Node // Gemm, MatMul or Conv
	add     *onnx.Node // the Add of the bias after it, nil where there is none
	weight  string
	bias    string // "" where there is none
	shape   []int  // of the weight
	axis    int    // of the classes in the weight
	biases  []int  // shape of the bias
	biasAt  int    // axis of the classes in the bias
	classes int
	typ     onnx.DataType
}

// has reports whether a tensor belongs to the layer.
func (h *head) has(name string) bool {
	return h != nil && (name == h.weight || h.bias != "" && name == h.bias)
}

// passesClasses are operators behind the last layer that leave the classes as they are.
var passesClasses = map[string]bool{
	"Softmax": true, "LogSoftmax": true, "Sigmoid": true, "Identity": true, "Flatten": true, "Reshape": true, "Squeeze": true,
	"Dropout": true, "Cast": true, "Relu": true, "GlobalAveragePool": true, "AveragePool": true, "ReduceMean": true,
}

// findHead walks from the graph's first output back to the last layer with weights.
func findHead(g *onnx.Graph) (*head, error) {
	if len(g.Outputs) == 0 {
		return nil, errors.New("the graph has no output")
	}
	maker := map[string]*onnx.Node{}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			maker[o] = n
		}
	}
	weights := map[string]*onnx.Tensor{}
	for _, t := range g.Initializers {
		weights[t.Name] = t
	}
	h := &head{}
	value := g.Outputs[0].Name
	for range len(g.Nodes) {
		n := maker[value]
		if n == nil || len(n.Inputs) == 0 {
			break
		}
		switch {
		case passesClasses[n.OpType]:
			value = n.Inputs[0]
			continue
		case n.OpType == "Add" && len(n.Inputs) == 2 && h.add == nil:
			for i, in := range n.Inputs {
				if b := weights[in]; b != nil && len(b.Shape) > 0 {
					h.add, h.bias, h.biases, h.biasAt = n, in, b.Shape, len(b.Shape)-1
					value = n.Inputs[1-i]
				}
			}
			if h.add == n {
				continue
			}
		case n.OpType == "Gemm" || n.OpType == "MatMul" || n.OpType == "Conv":
			return h.at(n, weights)
		}
		return nil, fmt.Errorf("the last layer with weights is not clear: %v stands before it", n)
	}
	return nil, errors.New("the last layer with weights is not found")
}

// at fills in the layer that node n is.
func (h *head) at(n *onnx.Node, weights map[string]*onnx.Tensor) (*head, error) {
	if len(n.Inputs) < 2 || weights[n.Inputs[1]] == nil {
		return nil, fmt.Errorf("the weights of %v, the last layer, are not stored as they are", n)
	}
	w := weights[n.Inputs[1]]
	h.node, h.weight, h.shape, h.typ = n, w.Name, w.Shape, w.Type
	switch a := n.Attr("transB"); {
	case n.OpType == "Conv":
	case len(w.Shape) != 2:
		return nil, fmt.Errorf("%v, the last layer, has weights of shape %v", n, w.Shape)
	case n.OpType == "MatMul" || a == nil || a.I == 0:
		h.axis = 1
	}
	if len(w.Shape) == 0 || w.Shape[h.axis] < 1 {
		return nil, fmt.Errorf("%v, the last layer, has weights of shape %v", n, w.Shape)
	}
	h.classes = w.Shape[h.axis]
	if n.OpType != "MatMul" && len(n.Inputs) > 2 && n.Inputs[2] != "" {
		b := weights[n.Inputs[2]]
		if h.bias != "" || b == nil || len(b.Shape) == 0 {
			return nil, fmt.Errorf("the bias of %v, the last layer, is not stored as it is", n)
		}
		h.bias, h.biases, h.biasAt = b.Name, b.Shape, len(b.Shape)-1
	}
	if h.add != nil && n.OpType == "Conv" {
		h.biasAt = len(h.biases) - 3 // [C,1,1]
	}
	if h.bias != "" && (h.biasAt < 0 || h.biases[h.biasAt] != h.classes) {
		return nil, fmt.Errorf("%v, the last layer, has %d outputs and a bias of shape %v", n, h.classes, h.biases)
	}
	return h, nil
}

// fresh returns new tensors for that many classes, drawn evenly from ±1/sqrt(number of inputs), as PyTorch draws them, of
// type float32.
func (h *head) fresh(classes int, seed uint64) map[string]*onnx.Tensor {
	inputs := onnx.NumElements(h.shape) / h.classes
	bound := 1 / math.Sqrt(float64(max(inputs, 1)))
	rng := rand.New(rand.NewPCG(seed, 0x6e65772068656164))
	out := map[string]*onnx.Tensor{}
	draw := func(name string, shape []int, axis int) {
		shape = slices.Clone(shape)
		shape[axis] = classes
		t := onnx.New(onnx.Float, shape...)
		t.Name = name
		v := t.Float32s()
		for i := range v {
			v[i] = float32((2*rng.Float64() - 1) * bound)
		}
		out[name] = t
	}
	draw(h.weight, h.shape, h.axis)
	if h.bias != "" {
		draw(h.bias, h.biases, h.biasAt)
	}
	return out
}
