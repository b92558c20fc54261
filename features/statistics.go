package features

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// trains reports whether a node is a BatchNormalization that normalises with the statistics of the batch: exported in
// training mode, which opset 14 says by an attribute and older ones by more than one output.
func trains(n *onnx.Node) bool {
	if n.OpType != "BatchNormalization" || n.Domain != "" && n.Domain != "ai.onnx" || len(n.Outputs) == 0 {
		return false
	}
	if a := n.Attr("training_mode"); a != nil {
		return a.I != 0
	}
	return slices.ContainsFunc(n.Outputs[1:], func(o string) bool { return o != "" })
}

// TrainsStatistics reports whether a network was exported in training mode and so normalises with the statistics of
// each batch: what comes out for an image depends on the others.
func TrainsStatistics(m *onnx.Model) bool { return slices.ContainsFunc(m.Graph.Nodes, trains) }

// StoredStatistics returns the model with each such normalisation turned to the statistics in the file. The given model
// stays as it is. What was computed from the batch's statistics is no output any more.
func StoredStatistics(m *onnx.Model) *onnx.Model {
	g := *m.Graph
	gone := map[string]bool{}
	g.Nodes = slices.Clone(g.Nodes)
	for i, n := range g.Nodes {
		if !trains(n) {
			continue
		}
		still := *n
		still.Outputs = n.Outputs[:1]
		still.Attrs = slices.DeleteFunc(slices.Clone(n.Attrs), func(a *onnx.Attribute) bool { return a.Name == "training_mode" })
		g.Nodes[i] = &still
		for _, o := range n.Outputs[1:] {
			gone[o] = true
		}
	}
	g.Outputs = slices.DeleteFunc(slices.Clone(g.Outputs), func(v *onnx.Value) bool { return gone[v.Name] })
	out := *m
	out.Graph = &g
	return &out
}
