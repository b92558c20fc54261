package gradcam

import (
	"errors"
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/walk"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// findLayer chooses the layer and checks that it gives maps.
func (x *Explainer) findLayer() error {
	layers, err := backend.Layers(x.m, map[string][]int{x.input: append([]int{x.batch()}, x.recipe.Shape()...)})
	if err != nil {
		return err
	}
	if x.o.Layer != "" {
		x.layer, err = backend.FindLayer(layers, x.o.Layer)
	} else {
		x.layer, err = x.defaultLayer(layers)
	}
	if err != nil {
		return err
	}
	l := x.layer
	switch {
	case l.Err != nil:
		return fmt.Errorf("the network does not fit images of %v: %w", x.recipe.Shape(), l.Err)
	case l.Shape == nil:
		return fmt.Errorf("layer %d %q: its shape is not known for images of %v", l.Index, l.Name, x.recipe.Shape())
	case len(l.Shape) != 4:
		return fmt.Errorf("layer %d %q gives %v: a class activation map needs a layer with maps, [N,C,H,W]", l.Index, l.Name, l.Shape)
	}
	x.last = features.ChannelsLast(x.m, l.Output, x.recipe.Layout == "NHWC")
	if h, w := x.extent(l.Shape); h*w == 1 {
		x.warn(fmt.Sprintf("layer %d %q has one position only: its map is the same everywhere", l.Index, l.Name))
	}
	return nil
}

// extent returns height and width of the layer's output of that shape.
func (x *Explainer) extent(shape []int) (h, w int) {
	if x.last {
		return shape[1], shape[2]
	}
	return shape[2], shape[3]
}

// resting are operators that the default layer is looked for before: they pool, move or rename.
var resting = []string{"MaxPool", "AveragePool", "LpPool", "Transpose", "Identity", "Cast", "Dropout", "Pad"}

// defaultLayer walks from the logits towards the input to the first value with spatial extent, and on over pooling. The
// matrices of an attention are no maps, although they have four dimensions, too: they end where tokens of rank 3 come in.
func (x *Explainer) defaultLayer(layers []backend.Layer) (backend.Layer, error) {
	g := walk.New(x.m.Graph)
	shapes := map[string][]int{}
	for _, l := range layers {
		if l.Err != nil {
			return backend.Layer{}, fmt.Errorf("the network does not fit images of %v: %w", x.recipe.Shape(), l.Err)
		}
		shapes[l.Output] = l.Shape
	}
	spatial := func(value string) bool {
		s := shapes[value]
		return len(s) == 4 && (min(s[1], s[2]) > 1 && features.ChannelsLast(x.m, value, x.recipe.Layout == "NHWC") || min(s[2], s[3]) > 1)
	}
	found, attention := "", false
	value := x.logits
	for range len(g.Node) + 1 {
		n := g.Node[value]
		if n == nil || value == x.input {
			break
		}
		if len(shapes[value]) == 4 && (n.OpType == "MatMul" && !constant(g, n) || n.OpType == "Einsum" || n.OpType == "Attention") {
			attention, found = true, ""
		} else if attention {
			attention = len(shapes[value]) == 4 || shapes[value] == nil
		}
		if attention {
			value = dataInput(g, n)
			continue
		}
		if spatial(value) {
			found = value
			if !slices.Contains(resting, n.OpType) {
				break
			}
		} else if found != "" && shapes[value] != nil {
			break
		}
		value = dataInput(g, n)
	}
	for _, l := range layers {
		if l.Output == found {
			return l, nil
		}
	}
	return backend.Layer{}, errors.New("the network has no layer with spatial extent before its classifier: name one")
}

// constant reports whether one of a product's factors is.
func constant(g *walk.Graph, n *onnx.Node) bool { return slices.ContainsFunc(n.Inputs, g.Constant) }

// dataInput returns the first input of a node that is neither constant nor a shape, "" if there is none.
func dataInput(g *walk.Graph, n *onnx.Node) string {
	for _, in := range n.Inputs {
		if in != "" && !g.Constant(in) && !g.OfShapes(in) {
			return in
		}
	}
	return ""
}
