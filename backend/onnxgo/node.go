package onnxgo

import (
	"fmt"

	"gorgonia.org/tensor"
)

// Node is a value of the graph: an input, a weight, or what an operation computes. It carries a tensor, as
// onnx.DataCarrier asks, and its name, as onnx.Namer does.
type Node struct {
	id    int64
	graph *Graph
	name  string

	value    tensor.Tensor // what SetTensor was given
	fed      bool          // value came after decoding: it is an input, not a weight
	producer *operation
	inputs   []*Node       // of the operation to come, by position
	consumed bool          // some operation reads it
	wanted   bool          // computed by every run although some operation reads it
	result   tensor.Tensor // of the last run
}

// ID returns the number of the node in its graph.
func (n *Node) ID() int64 { return n.id }

// SetName gives the node the name of its value in the ONNX file. A node without a name stands for an optional input or
// output that is left out.
func (n *Node) SetName(name string) { n.name = name }

// GetName returns the name of the value in the ONNX file.
func (n *Node) GetName() string { return n.name }

// String returns the name, for messages.
func (n *Node) String() string { return fmt.Sprintf("%q", n.name) }

// SetTensor gives an input its tensor, or a weight other values. The tensor is read when the graph runs; it is never
// written to. It is an error to set what an operation computes, or a tensor of a type that ONNX does not have.
func (n *Node) SetTensor(t tensor.Tensor) error {
	if n.producer != nil {
		return fmt.Errorf("onnxgo: value %q is computed by %s: it cannot be set", n.name, n.producer.op)
	}
	if t != nil {
		if _, err := typeOf(t.Dtype()); err != nil {
			return fmt.Errorf("onnxgo: value %q: %w", n.name, err)
		}
	}
	n.value = t
	n.fed = len(n.graph.operations) > 0
	n.graph.stale = true
	return nil
}

// GetTensor returns the tensor that the last run computed for this value, or the one that was set.
//
// A run computes the values that no operation reads. To ask for another one after a run computes it with the tensors
// that are set at that moment, and makes it part of later runs; nil says that this failed.
func (n *Node) GetTensor() tensor.Tensor {
	switch {
	case n.producer == nil:
		return n.value
	case n.result != nil:
		return n.result
	case !n.graph.ran:
		return n.value // a placeholder of the declared shape, or nil
	}
	n.wanted = true
	if n.graph.Run() != nil {
		return nil
	}
	return n.result
}
