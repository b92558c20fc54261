package finetune

import (
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// buffer is a running statistic that training moves towards that of each batch.
type buffer struct {
	value *onnx.Tensor // its present value; Name is the initializer's
	batch string       // the value of the training graph that has the batch's
	share float32      // of the batch in the next value
	seen  []float32    // what the batch had in the last step
}

// update moves the statistic: old + share*(batch-old), with the unbiased variance, as PyTorch does.
func (b *buffer) update() {
	v := b.value.Float32s()
	for i, s := range b.seen {
		v[i] += b.share * (s - v[i])
	}
}

// The values that only the training graph has.
const (
	seedName       = "onnxcnn:seed"
	dropoutSpread  = 0x9e3779b97f4a7c15 // keeps the seeds of runs apart
	defaultRatio   = 0.5                // ONNX's, of Dropout
	defaultEpsilon = 1e-5               // ONNX's, of BatchNormalization
	defaultKeep    = 0.9                // ONNX's momentum: the share that the old statistic keeps
)

// buffersOf lists the running statistics of the normalisations that train.
func (n *Network) buffersOf(s suffix) []*buffer {
	var all []*buffer
	for _, node := range s.nodes {
		if !n.trains(node) {
			continue
		}
		for _, i := range []int{3, 4} {
			t := n.Model.Graph.Initializer(node.Inputs[i]).Clone()
			all = append(all, &buffer{value: t, batch: batchName(t.Name), share: 1 - floatAttr(node, "momentum", defaultKeep)})
		}
	}
	return all
}

func batchName(statistic string) string { return "onnxcnn:batch:" + statistic }

// trains reports whether a node is a normalisation that uses the statistics of the batch: those do whose scale is trained,
// if the options say so or they are a new head's.
func (n *Network) trains(node *onnx.Node) bool {
	return isBatchNorm(node) && len(node.Inputs) == 5 && (n.bn == "train" || n.headNorms[node.Inputs[1]]) &&
		slices.ContainsFunc(n.Params, func(p *Param) bool { return p.Name == node.Inputs[1] }) &&
		n.isFloat(node.Inputs[3]) && n.isFloat(node.Inputs[4])
}

func (n *Network) isFloat(name string) bool {
	t := n.Model.Graph.Initializer(name)
	return t != nil && t.Type == onnx.Float
}

func floatAttr(n *onnx.Node, name string, def float32) float32 {
	if a := n.Attr(name); a != nil {
		return a.F
	}
	return def
}

// trainingNodes returns the trained part as it is while it trains, with the inputs that it needs beside the cut.
func (t *Trainer) trainingNodes() ([]*onnx.Node, []*onnx.Value, error) {
	var nodes []*onnx.Node
	var more []*onnx.Value
	for i, node := range t.suffix.nodes {
		switch {
		case node.OpType == "Dropout":
			ratio, err := t.ratio(node)
			if err != nil {
				return nil, nil, err
			}
			if more == nil {
				more = append(more, &onnx.Value{Name: seedName, Type: &onnx.Type{Elem: onnx.Int64, HasShape: true, Shape: []onnx.Dim{{Size: 1}}}})
			}
			node = &onnx.Node{Name: node.Name, Domain: op.Internal, OpType: "TrainDropout", Inputs: []string{node.Inputs[0], seedName},
				Outputs: node.Outputs[:1], Attrs: []*onnx.Attribute{op.Attr("ratio", ratio), op.Attr("salt", i)}}
		case t.net.trains(node):
			node = &onnx.Node{Name: node.Name, Domain: op.Internal, OpType: "TrainBatchNorm", Inputs: node.Inputs[:3],
				Outputs: []string{node.Outputs[0], batchName(node.Inputs[3]), batchName(node.Inputs[4])},
				Attrs:   []*onnx.Attribute{op.Attr("epsilon", floatAttr(node, "epsilon", defaultEpsilon))}}
		}
		nodes = append(nodes, node)
	}
	return nodes, more, nil
}

// ratio returns the share of values that a Dropout drops.
func (t *Trainer) ratio(node *onnx.Node) (float32, error) {
	if len(node.Inputs) < 2 || node.Inputs[1] == "" {
		return floatAttr(node, "ratio", defaultRatio), nil
	}
	w := newWalker(t.net.Model.Graph)
	v := w.fixed(node.Inputs[1])
	if v == nil || v.Len() != 1 || v.Type != onnx.Float {
		return 0, fmt.Errorf("%v: its ratio is not a constant float", node)
	}
	return v.Float32s()[0], nil
}

// fixed returns the tensor of an initializer or a Constant node.
func (w *walker) fixed(value string) *onnx.Tensor {
	if t := w.Weights[value]; t != nil {
		return t
	}
	if n := w.Node[value]; n != nil && n.OpType == "Constant" {
		if a := n.Attr("value"); a != nil && a.Tensor != nil {
			return a.Tensor
		}
		if a := n.Attr("value_float"); a != nil {
			return onnx.Of([]int{}, []float32{a.F})
		}
	}
	return nil
}

// feed gives the training graph what changes from step to step: the seed of what Dropout drops.
func (t *Trainer) feed(s *stepProgram) {
	if i, ok := s.at[seedName]; ok {
		s.in[i] = onnx.Of([]int{1}, []int64{int64((t.o.Seed+dropoutStream)*dropoutSpread + uint64(t.opt.steps))})
	}
}

// stillNormalisations takes batch statistics out of normalisations that were exported in training mode.
func stillNormalisations(g *onnx.Graph) {
	for _, n := range g.Nodes {
		if isBatchNorm(n) && len(n.Outputs) > 0 {
			n.Outputs = n.Outputs[:1]
			n.Attrs = slices.DeleteFunc(n.Attrs, func(a *onnx.Attribute) bool { return a.Name == "training_mode" })
		}
	}
}
