package gradcam

import (
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Names of what is added to the part of the network up to the layer.
const (
	answersName = "onnxcnn:answers"
	sumName     = "onnxcnn:sum"
	selectName  = "onnxcnn:filters"
)

// compile prepares the network up to the layer, with the gradient by its input, for images of this size.
func (a *ascent) compile() error {
	n := len(a.filters)
	shape := []int{n, 3, a.side, a.side}
	if a.o.Recipe.Channels == "GRAY" {
		shape[1] = 1
	}
	if a.o.Recipe.Layout == "NHWC" {
		shape = []int{n, a.side, a.side, shape[1]}
	}
	layers, err := backend.Layers(a.m, map[string][]int{a.input: shape})
	if err != nil {
		return err
	}
	if a.layer, err = backend.FindLayer(layers, a.o.Layer); err != nil {
		return err
	}
	l := a.layer
	if l.Err != nil || l.Shape == nil || len(l.Shape) != 4 && len(l.Shape) != 2 || l.Shape[0] != n || slices.Min(l.Shape) < 1 {
		for _, l := range layers {
			if l.Err != nil {
				return fmt.Errorf("the network does not fit images of %dx%d, at which the ascent begins: give a larger size or fewer scales: %w", a.side, a.side, l.Err)
			}
		}
		return fmt.Errorf("layer %d %q gives %v for %d images of %dx%d: want maps, or a number a class", l.Index, l.Name, l.Shape, n, a.side, a.side)
	}
	a.last = len(l.Shape) == 4 && features.ChannelsLast(a.m, l.Output, a.o.Recipe.Layout == "NHWC")
	channels := l.Shape[1]
	if a.last {
		channels = l.Shape[3]
	}
	positions := onnx.NumElements(l.Shape[1:]) / channels
	a.selector = onnx.New(onnx.Float, l.Shape...)
	for i, f := range a.filters {
		if f < 0 || f >= channels {
			return fmt.Errorf("layer %d %q has filters 0 to %d, and no %d", l.Index, l.Name, channels-1, f)
		}
		each(a.selector, a.last, i, f, func(v *float32) { *v = 1 / float32(positions) })
	}
	sorted, err := a.m.Graph.Sort()
	if err != nil {
		return err
	}
	g := &onnx.Graph{Name: "filters", Inputs: []*onnx.Value{declare(a.input, onnx.New(onnx.Float, shape...), false), declare(selectName, a.selector, false)}}
	need := map[string]bool{l.Output: true}
	for _, node := range slices.Backward(sorted) {
		if slices.ContainsFunc(node.Outputs, func(out string) bool { return out != "" && need[out] }) {
			for in := range node.Uses() {
				need[in] = true
			}
			g.Nodes = append(g.Nodes, node)
		}
	}
	slices.Reverse(g.Nodes)
	a.rectified = openRectifiers(g, l.Output)
	for _, t := range a.m.Graph.Initializers {
		if need[t.Name] {
			g.Initializers = append(g.Initializers, t)
		}
	}
	g.Nodes = append(g.Nodes,
		&onnx.Node{OpType: "Mul", Inputs: []string{l.Output, selectName}, Outputs: []string{answersName}},
		&onnx.Node{OpType: "ReduceSum", Inputs: []string{answersName}, Outputs: []string{sumName}, Attrs: []*onnx.Attribute{{Name: "keepdims", Type: onnx.AttrInt}}})
	g.Outputs = []*onnx.Value{{Name: sumName}}
	m := &onnx.Model{IRVersion: a.m.IRVersion, Opsets: a.m.Opsets, Graph: g}
	a.tensor = onnx.New(onnx.Float, shape...)
	a.program, err = graph.CompileTraining(m, graph.TrainOptions{Shapes: map[string][]int{a.input: shape, selectName: l.Shape},
		Train: []string{a.input}, Loss: sumName, Outputs: []string{answersName}, Pool: a.pool})
	return err
}

// openRectifiers lets gradients through the rectifiers that make a value, directly or by a Concat, where they answer nothing:
// a filter that is silent at the start could not be woken. It reports whether there are any.
func openRectifiers(g *onnx.Graph, value string) bool {
	readers := map[string]int{value: 1}
	producer := map[string]int{}
	for i, n := range g.Nodes {
		for in := range n.Uses() {
			readers[in]++
		}
		for _, out := range n.Outputs {
			producer[out] = i
		}
	}
	targets := []string{value}
	if i, ok := producer[value]; ok && g.Nodes[i].OpType == "Concat" {
		targets = g.Nodes[i].Inputs
	}
	found := false
	for _, t := range targets {
		i, ok := producer[t]
		if !ok || g.Nodes[i].OpType != "Relu" || readers[t] > 1 {
			continue
		}
		n := *g.Nodes[i]
		n.OpType, n.Attrs = "LeakyRelu", []*onnx.Attribute{{Name: "alpha", Type: onnx.AttrFloat, F: 0.05}}
		g.Nodes[i] = &n
		found = true
	}
	return found
}

// each calls f with the elements of a filter's map.
func each(t *onnx.Tensor, last bool, image, filter int, f func(v *float32)) {
	v := t.Float32s()
	n := len(v) / t.Shape[0]
	v = v[image*n : (image+1)*n]
	switch {
	case last:
		for i := filter; i < n; i += t.Shape[3] {
			f(&v[i])
		}
	default:
		size := n / t.Shape[1]
		for i := range size {
			f(&v[filter*size+i])
		}
	}
}

// means returns each image's mean of its filter's map, from what the selector let through.
func (a *ascent) means(answers *onnx.Tensor) []float64 {
	out := make([]float64, len(a.filters))
	for i, f := range a.filters {
		each(answers, a.last, i, f, func(v *float32) {
			if *v > 0 || !a.rectified {
				out[i] += float64(*v)
			}
		})
	}
	return out
}
