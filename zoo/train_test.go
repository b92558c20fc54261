package zoo

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Every architecture can be trained in all its parts: each parameter has a gradient.
func TestTrainable(t *testing.T) {
	for _, a := range Archs() {
		if a.Params > 30e6 && a.Name != "vgg11_bn" && a.Name != "alexnet" {
			continue // deeper forms of smaller ones
		}
		size := 48
		if n := smallSizes[a.Name]; n > 0 {
			size = n
		}
		m, err := a.Build(BuildOptions{Classes: 2, Size: [2]int{size, size}, Blank: true})
		if err != nil {
			t.Fatal(err)
		}
		// The loss is the sum of the logits, from before a softmax.
		g := m.Graph
		logits := "output"
		if last := g.Nodes[len(g.Nodes)-1]; last.OpType == "Softmax" {
			logits = last.Inputs[0]
		}
		g.Nodes = append(g.Nodes, &onnx.Node{OpType: "ReduceSum", Inputs: []string{logits}, Outputs: []string{"loss"}, Attrs: []*onnx.Attribute{attrInt("keepdims", 0)}})
		o := graph.TrainOptions{Shapes: map[string][]int{"input": {2, a.Channels, size, size}}, Loss: "loss"}
		for _, p := range g.Initializers {
			if !isStatistic(p.Name) {
				o.Train = append(o.Train, p.Name)
			}
		}
		if _, err := graph.CompileTraining(m, o); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
	}
}
