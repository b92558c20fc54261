package convert

import (
	"errors"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/walk"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// At returns the part of the model that computes one layer's output, which becomes the only output. The layer is given by
// number or name, as "layers" lists them. The given model is not changed.
func At(m *onnx.Model, layer string) (*onnx.Model, error) {
	layers, err := graph.Layers(m, nil)
	if err != nil {
		return nil, err
	}
	l, err := graph.FindLayer(layers, layer)
	if err != nil {
		return nil, err
	}
	return cut(m, l.Output)
}

// NoHead returns the model without its last layer with weights: it computes what that layer read, the features of the
// picture. The given model is not changed.
func NoHead(m *onnx.Model) (*onnx.Model, error) {
	m, err := m.Inlined()
	if err != nil {
		return nil, err
	}
	if m.Graph == nil {
		return nil, errors.New("the model has no graph")
	}
	h, err := findHead(m.Graph)
	if err != nil {
		return nil, err
	}
	value := h.node.Inputs[0]
	for again := true; again; {
		again = false
		for _, n := range m.Graph.Nodes {
			if n.OpType == "Dropout" && len(n.Inputs) > 0 && slices.Contains(n.Outputs, value) {
				value, again = n.Inputs[0], true
			}
		}
	}
	for _, v := range m.Graph.Inputs {
		if v.Name == value {
			return nil, errors.New("there is nothing before the last layer")
		}
	}
	return cut(m, value)
}

// cut returns the part of a model that computes a value.
func cut(m *onnx.Model, value string) (*onnx.Model, error) {
	c, e, err := edit(m)
	if err != nil {
		return nil, err
	}
	g := e.g
	g.Outputs = []*onnx.Value{{Name: value}}
	nodes, need := walk.Ancestors(g.Nodes, value)
	g.Nodes = nodes
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t *onnx.Tensor) bool { return !need[t.Name] })
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v *onnx.Value) bool { return !need[v.Name] })
	return c, e.refresh(c)
}

// NewHead returns the model with its last layer with weights for another number of classes, and new weights in it, drawn
// evenly from ±1/sqrt(number of inputs). The given model is not changed.
func NewHead(m *onnx.Model, classes int, seed uint64) (*onnx.Model, error) {
	if classes < 1 || classes > maxClasses {
		return nil, errors.New("the number of classes is not between 1 and 1048576")
	}
	c, e, err := edit(m)
	if err != nil {
		return nil, err
	}
	h, err := findHead(e.g)
	if err != nil {
		return nil, err
	}
	fresh := h.fresh(classes, seed)
	for i, t := range e.g.Initializers {
		if n := fresh[t.Name]; n != nil {
			if e.g.Initializers[i], err = op.CastTensor(n, h.typ); err != nil {
				return nil, err
			}
		}
	}
	return c, e.refresh(c)
}

const maxClasses = 1 << 20
