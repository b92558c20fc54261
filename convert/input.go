package convert

import (
	"errors"
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// refresh infers shapes anew after changes, drops what the graph says of inner values, and declares the outputs.
func (e *editor) refresh(m *onnx.Model) error {
	e.g.ValueInfo = nil
	var err error
	if e.infos, err = graph.Values(m, nil); err != nil {
		return err
	}
	e.others, _ = graph.Values(m, otherSizes(m.Graph)) // without it more dimensions count as free
	for _, v := range e.g.Outputs {
		i, known := e.info(v.Name)
		dims, ok := e.dims(v.Name)
		if !known || !ok {
			continue
		}
		v.Type = &onnx.Type{Elem: i.Type, HasShape: true}
		for k, d := range dims {
			dim := onnx.Dim{Size: d}
			if d < 0 && k == 0 {
				dim.Param = batchName
			}
			v.Type.Shape = append(v.Type.Shape, dim)
		}
	}
	return nil
}

// fits checks that a model computes something with these shapes of its inputs.
func fits(m *onnx.Model, shapes map[string][]int) error {
	layers, err := graph.Layers(m, shapes)
	if err != nil {
		return err
	}
	for _, l := range layers {
		if l.Err != nil {
			return l.Err
		}
	}
	return nil
}

const batchName = "batch"

// isFree reports whether a dimension is not fixed.
func isFree(d onnx.Dim) bool { return d.Size < 0 || d.Param != "" }

// DynamicBatch returns the model with a free batch: the first dimension of inputs that have more than one. Shapes that
// a Reshape is given as constants and that hold the batch are made to follow it. A model that still does not take
// another batch is an error that names the node. The given model is not changed.
func DynamicBatch(m *onnx.Model) (*onnx.Model, error) {
	c, e, err := edit(m)
	if err != nil {
		return nil, err
	}
	was := map[string]int{} // batches that were fixed
	shapes := map[string][]int{}
	batch := 0
	for _, v := range e.g.RequiredInputs() {
		if v.Type == nil || !v.Type.HasShape || len(v.Type.Shape) < 2 {
			continue
		}
		if d := v.Type.Shape[0]; !isFree(d) {
			if batch != 0 && batch != d.Size {
				return nil, fmt.Errorf("the inputs have different first dimensions, %d and %d: which is the batch is not clear", batch, d.Size)
			}
			batch, was[v.Name] = d.Size, d.Size
		}
		v.Type.Shape[0] = onnx.Dim{Size: -1, Param: batchName}
		shape := []int{1}
		for _, d := range v.Type.Shape[1:] {
			if isFree(d) {
				return nil, fmt.Errorf("input %q has other free dimensions than the batch: give the input's size", v.Name)
			}
			shape = append(shape, d.Size)
		}
		shapes[v.Name] = shape
	}
	if len(shapes) == 0 {
		return nil, errors.New("there is no input with a batch")
	}
	if batch > 0 {
		for _, n := range e.g.Nodes {
			if err := followBatch(e, n, batch); err != nil {
				return nil, fmt.Errorf("%v: %w", n, err)
			}
		}
	}
	e.sweep()
	for _, b := range []int{1, 3} {
		for _, s := range shapes {
			s[0] = b
		}
		if err := fits(c, shapes); err != nil {
			return nil, fmt.Errorf("does not take a batch of %d: %w", b, err)
		}
	}
	if err := e.refresh(c); err != nil {
		return nil, err
	}
	for _, v := range e.g.Outputs {
		if t := v.Type; t != nil && t.HasShape && len(t.Shape) > 0 && !isFree(t.Shape[0]) && t.Shape[0].Size == batch {
			return nil, fmt.Errorf("output %q keeps its first dimension of %d whatever the batch", v.Name, batch)
		}
	}
	return c, nil
}

// followBatch makes a Reshape whose constant shape begins with the batch, or a multiple of it, follow the batch.
func followBatch(e *editor, n *onnx.Node, batch int) error {
	if n.OpType != "Reshape" || !isONNX(n.Domain) {
		return nil
	}
	shape, ok := e.intsOf(input(n, 1))
	attr := n.Attr("shape")
	if attr != nil && len(n.Inputs) == 1 {
		shape, ok = attr.Ints, true
	}
	if !ok || len(shape) == 0 || shape[0] <= 0 || shape[0]%int64(batch) != 0 {
		return nil
	}
	x, known := e.dims(n.Inputs[0])
	y := slices.Clone(shape)
	switch {
	case known && len(x) > 0 && x[0] == batch && shape[0] == int64(batch) && intAttr(n, "allowzero", 0) == 0:
		y[0] = 0 // as the input has it
	case !slices.Contains(shape, -1):
		y[0] = -1
	default:
		// Another dimension is already left to be inferred: that one is what is left of the batch's.
		out, known := e.dims(n.Outputs[0])
		i := slices.Index(shape, -1)
		if !known || out[i] < 0 {
			return fmt.Errorf("the shape %v holds the batch and another dimension that is inferred", shape)
		}
		y[0], y[i] = -1, int64(out[i])
	}
	if attr != nil {
		setAttr(n, int64s("shape", y))
		return nil
	}
	n.Inputs[1] = e.ints(n.Inputs[1], y)
	return nil
}

// layoutOf returns whether an image input has its channels last.
func layoutOf(v *onnx.Value) (last bool, err error) {
	if v.Type == nil || !v.Type.HasShape || len(v.Type.Shape) != 4 {
		return false, fmt.Errorf("input %q is no picture: it has not four dimensions", v.Name)
	}
	channels := func(d onnx.Dim) bool { return !isFree(d) && (d.Size == 1 || d.Size == 3 || d.Size == 4) }
	switch s := v.Type.Shape; {
	case channels(s[1]):
		return false, nil
	case channels(s[3]):
		return true, nil
	}
	return false, fmt.Errorf("input %q is no picture: neither its second nor its last dimension is 1, 3 or 4", v.Name)
}

// imageInput returns the model's only input, which has to be a picture.
func imageInput(g *onnx.Graph) (v *onnx.Value, last bool, err error) {
	in := g.RequiredInputs()
	if len(in) != 1 {
		return nil, false, fmt.Errorf("the model has %d inputs, not one picture", len(in))
	}
	last, err = layoutOf(in[0])
	return in[0], last, err
}

// InputSize returns the model for pictures of another size. A network whose size is fixed by a layer that reads a
// flattened feature map is an error that names the layer. The given model is not changed.
func InputSize(m *onnx.Model, height, width int) (*onnx.Model, error) {
	if height < 1 || width < 1 || height > maxSide || width > maxSide {
		return nil, fmt.Errorf("an input of %dx%d: want 1 to %d", height, width, maxSide)
	}
	c, e, err := edit(m)
	if err != nil {
		return nil, err
	}
	v, last, err := imageInput(e.g)
	if err != nil {
		return nil, err
	}
	at := 2
	if last {
		at = 1
	}
	v.Type.Shape[at], v.Type.Shape[at+1] = onnx.Dim{Size: height}, onnx.Dim{Size: width}
	shape := []int{}
	for k, d := range v.Type.Shape {
		if k == 0 && isFree(d) {
			d.Size = 1
		}
		shape = append(shape, d.Size)
	}
	if err := fits(c, map[string][]int{v.Name: shape}); err != nil {
		return nil, fmt.Errorf("does not take pictures of %dx%d: %w", height, width, err)
	}
	return c, e.refresh(c)
}

const maxSide = 1 << 15

// Preprocess is how a picture's bytes become a network's input: (v*Scale - Mean) / Std, with the channels in an order.
type Preprocess struct {
	Channels string // "RGB", "BGR" or "GRAY"
	Scale    float64
	Mean     [3]float64 // in the order of Channels
	Std      [3]float64
}

// BakePreprocess returns the model with its preprocessing inside: the input, of the same name, is uint8 of shape
// [N,H,W,C] with the channels in the order R, G, B (or one grey one). Resizing and cropping stay with the caller.
// The given model is not changed.
func BakePreprocess(m *onnx.Model, p Preprocess) (*onnx.Model, error) {
	c, e, err := edit(m)
	if err != nil {
		return nil, err
	}
	v, last, err := imageInput(e.g)
	if err != nil {
		return nil, err
	}
	s := v.Type.Shape
	at := 1
	if last {
		at = 3
	}
	channels := s[at].Size
	want := map[string]int{"RGB": 3, "BGR": 3, "GRAY": 1}[p.Channels]
	switch {
	case v.Type.Elem != onnx.Float:
		return nil, fmt.Errorf("input %q is of %v: the preprocessing is in the model already?", v.Name, v.Type.Elem)
	case want == 0:
		return nil, fmt.Errorf("channels %q: want RGB, BGR or GRAY", p.Channels)
	case channels != want:
		return nil, fmt.Errorf("input %q has %d channels, the recipe is for %s", v.Name, channels, p.Channels)
	}
	factor, term := make([]float32, want), make([]float32, want)
	for i := range want {
		if !(p.Std[i] > 0) {
			return nil, fmt.Errorf("std %v: want numbers above 0", p.Std[:want])
		}
		factor[i], term[i] = float32(p.Scale/p.Std[i]), float32(-p.Mean[i]/p.Std[i])
	}
	column := []int{want, 1, 1}
	if last {
		column = []int{want}
	}

	inner := e.fresh(v.Name + "/normalised")
	renameReaders(e.g, v.Name, inner)
	name := v.Name
	var nodes []*onnx.Node
	do := func(opType string, inputs []string, attrs ...*onnx.Attribute) {
		name = e.fresh(v.Name + "/" + opType)
		nodes = append(nodes, &onnx.Node{Name: name, OpType: opType, Inputs: inputs, Outputs: []string{name}, Attrs: attrs})
	}
	do("Cast", []string{name}, op.Attr("to", int(onnx.Float)))
	if !last {
		do("Transpose", []string{name}, op.Attr("perm", []int{0, 3, 1, 2}))
	}
	if p.Channels == "BGR" {
		do("Gather", []string{name, e.ints(v.Name+"/order", []int64{2, 1, 0})}, op.Attr("axis", at))
	}
	do("Mul", []string{name, e.constant(v.Name+"/factor", onnx.Of(column, factor))})
	do("Add", []string{name, e.constant(v.Name+"/term", onnx.Of(slices.Clone(column), term))})
	nodes[len(nodes)-1].Outputs[0] = inner
	e.g.Nodes = append(nodes, e.g.Nodes...)
	if !last {
		s = []onnx.Dim{s[0], s[2], s[3], s[1]}
	}
	v.Type = &onnx.Type{Elem: onnx.Uint8, HasShape: true, Shape: s}
	return c, e.refresh(c)
}

// renameReaders has the readers of a value read another one, in sub-graphs as well.
func renameReaders(g *onnx.Graph, from, to string) {
	for _, n := range g.Nodes {
		for i, in := range n.Inputs {
			if in == from {
				n.Inputs[i] = to
			}
		}
		for s := range n.Subgraphs() {
			renameReaders(s, from, to)
		}
	}
}
