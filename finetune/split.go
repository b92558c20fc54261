package finetune

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/walk"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Network is a base with a head, divided into a frozen and a trained part.
type Network struct {
	Model  *onnx.Model // base and head, as it is exported; its weights are those before training
	Input  string
	Shape  []int  // of one image
	Logits string // the output, before any softmax or sigmoid
	Cut    []string
	Begins string   // name of the first layer of the base that is trained, "" where only the head is
	Params []*Param // what is trained, in the order of the layers

	Frozen  int // parameters of the base and the head that are not trained
	Trained int // parameters that are

	trainedAt map[string]int   // trained parameters by the first output of the node that reads them
	first     int              // index in Model.Graph.Nodes of the first trained layer
	headFirst int              // and of the head
	shapes    map[string][]int // of values, for one image
	bn        string
	headNorms map[string]bool // scales of the normalisations of a new head: they always train
}

// Param is a weight that is trained.
type Param struct {
	Name  string
	Value *onnx.Tensor // of type Float; the trainer changes it
	Base  bool         // it belongs to the base, not to the head
	Norm  bool         // it scales or shifts a normalisation, or is a bias: of rank 1
	Depth int          // of the base: how many layers (convolutions and linear ones) with weights lie behind it, on the longest way to the head; a normalisation belongs to the layer before it
}

// EmptySelectionError says that a selection of layers trains nothing.
type EmptySelectionError struct {
	Selection string
	Last      backend.Layer // the last layer of the base that has weights
	Quantised bool          // the selection has weights that are quantised, which cannot be trained
}

func (e *EmptySelectionError) Error() string {
	s := fmt.Sprintf("unfreezing from %q trains nothing of the base", e.Selection)
	if e.Quantised {
		return s + ": its weights are quantised; train the network that was quantised, and quantise the result"
	}
	if e.Last.Node != nil {
		s += fmt.Sprintf(": the last layer with weights is %d %q", e.Last.Index, e.Last.Name)
	}
	return s
}

// mostFlattened is how many numbers an image may have where the maps of a model without a classifier are flattened: those
// of VGG16 at 224x224 are 25088, and a head for many more learns a few hundred images by heart.
const mostFlattened = 1 << 15

// Split makes a network for so many outputs out of a model. The model must stay open while the network is used: what
// is frozen stays where it lies.
//
// Without At, the base ends at the last feature map before the network's own classifier (see
// [features.DefaultLayer]), or where that has none at the classifier's input. Pool "auto" does what the classifier did: it
// averages where that had a global pool before it, and flattens where it had not. The maps of a model without a classifier
// are flattened too, unless that gives more than 32768 numbers an image: these are averaged.
//
// A model of half precision becomes one of single precision (see [convert.Float32]), and stays that.
//
// Layers have the numbers of [backend.Layers]. A part is trained from the first layer on, in graph order, that
// UnfreezeFrom selects and that has weights to train. What selects nothing is an [EmptySelectionError].
func Split(m *onnx.Model, outputs int, o NetOptions) (*Network, error) {
	n, err := split(m, outputs, o)
	if err != nil && m.Path() != "" {
		return nil, fmt.Errorf("%s: %w", m.Path(), err)
	}
	return n, err
}

func split(m *onnx.Model, outputs int, o NetOptions) (*Network, error) {
	if outputs < 1 {
		return nil, fmt.Errorf("a network of %d outputs", outputs)
	}
	layersOfHead, err := parseHead(o.Head)
	keep := o.Head == "keep"
	if keep {
		layersOfHead, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	pool, err := choice("pool", o.Pool, "auto", "avg", "max", "flatten")
	if err != nil {
		return nil, err
	}
	bn, err := choice("bn", o.BN, "frozen", "affine", "train")
	if err != nil {
		return nil, err
	}
	if convert.IsHalf(m) {
		if m, err = convert.Float32(m); err != nil {
			return nil, err
		}
	}
	in, err := features.ImageInput(m)
	if err != nil {
		return nil, err
	}
	shape := o.Shape
	if shape == nil {
		if shape, err = declaredShape(in); err != nil {
			return nil, err
		}
	}
	if m, err = m.Inlined(); err != nil {
		return nil, err
	}
	layers, err := backend.Layers(m, map[string][]int{in.Name: append([]int{1}, shape...)})
	if err != nil {
		return nil, err
	}
	g := m.Graph.Clone()
	if g.Nodes, err = g.Sort(); err != nil {
		return nil, err
	}
	separateWeights(g)
	stillNormalisations(g)
	n := &Network{trainedAt: map[string]int{}, Input: in.Name, Shape: slices.Clone(shape), bn: bn, shapes: map[string][]int{in.Name: append([]int{1}, shape...)}}
	for _, l := range layers {
		n.shapes[l.Output] = l.Shape
	}
	w := newWalker(g)
	end, poolOf := w.baseEnd(n.shapes, m)
	switch {
	case keep:
		if end, _, err = features.Logits(m); err != nil {
			return nil, err
		}
	case o.At != "":
		l, err := backend.FindLayer(layers, o.At)
		if err != nil {
			return nil, err
		}
		end, poolOf = l.Output, "avg"
	}
	if n.shapes[end] == nil {
		for _, l := range layers {
			if l.Err != nil {
				return nil, fmt.Errorf("the network does not fit images of %v: %w", shape, l.Err)
			}
		}
		return nil, fmt.Errorf("the shape of %q, where the base ends, is not known for images of %v", end, shape)
	}
	if pool == "auto" {
		pool = poolOf
		bare := slices.ContainsFunc(m.Graph.Outputs, func(v *onnx.Value) bool { return v.Name == end })
		if bare && pool == "flatten" && onnx.NumElements(n.shapes[end][1:]) > mostFlattened {
			pool = "avg"
		}
	}
	b := &builder{g: g, opset: m.OpsetVersion(""), taken: map[string]bool{}, head: map[string]bool{}, norms: map[string]bool{}}
	if d := features.Dequantising(g, end); d != nil && !keep {
		g.Nodes = append(g.Nodes, d)
		n.shapes[d.Outputs[0]] = n.shapes[end]
		end = d.Outputs[0]
	}
	g.Nodes, _ = walk.Ancestors(g.Nodes, end)
	baseNodes := len(g.Nodes)
	b.collectNames()
	n.Logits, n.headNorms = end, b.norms
	if !keep {
		rng := rand.New(rand.NewPCG(o.Seed, headStream))
		if n.Logits, err = b.addHead(end, n.shapes[end], pool, layersOfHead, outputs, rng); err != nil {
			return nil, err
		}
		n.Logits = b.name(n.Logits, "logits")
	} else if s := n.shapes[end]; len(s) != 2 || s[1] != outputs {
		return nil, fmt.Errorf("the network's own head gives %v, and %d outputs are wanted: give it a new head", s, outputs)
	}
	n.Model = n.export(m, g, in)
	if err := n.headShapes(); err != nil {
		return nil, err
	}
	return n, n.selectParams(o, layers, baseNodes, b.head)
}

// adopt takes over what earlier training has changed: weights and statistics by name.
func (n *Network) adopt(values weights) error {
	g := n.Model.Graph
	for i, t := range g.Initializers {
		v := values[t.Name]
		if v == nil {
			continue
		}
		if v.Type != t.Type || !slices.Equal(v.Shape, t.Shape) {
			return fmt.Errorf("weight %q is %v of shape %v, and was %v of shape %v", t.Name, t.Type, t.Shape, v.Type, v.Shape)
		}
		c := *t
		c.Raw = v.Raw
		g.Initializers[i] = &c
	}
	for _, p := range n.Params {
		if v := values[p.Name]; v != nil {
			copy(p.Value.Raw, v.Raw)
		}
	}
	return nil
}

// TrainedIn returns how many parameters of a layer of Model are trained.
func (n *Network) TrainedIn(l backend.Layer) int { return n.trainedAt[l.Output] }

// headShapes adds the shapes of the head's values.
func (n *Network) headShapes() error {
	layers, err := backend.Layers(n.Model, map[string][]int{n.Input: append([]int{1}, n.Shape...)})
	if err != nil {
		return err
	}
	for _, l := range layers {
		if l.Err != nil {
			return fmt.Errorf("the network does not fit images of %v: %w", n.Shape, l.Err)
		}
		n.shapes[l.Output] = l.Shape
	}
	return nil
}

// headStream and its like keep the random numbers of different things apart.
const (
	headStream = iota + 1
	splitStream
	shuffleStream
	dropoutStream
	mixBatches
)

// declaredShape returns the shape of one image that a model declares.
func declaredShape(in *onnx.Value) ([]int, error) {
	if in.Type == nil || !in.Type.HasShape || len(in.Type.Shape) < 2 {
		return nil, fmt.Errorf("input %q declares no shape: the size of the images must be given", in.Name)
	}
	var shape []int
	for _, d := range in.Type.Shape[1:] {
		if d.Size < 1 {
			return nil, fmt.Errorf("input %q declares no size: the size of the images must be given", in.Name)
		}
		shape = append(shape, d.Size)
	}
	return shape, nil
}

// separateWeights gives each layer weights of its own where an exporter kept one copy of equal ones. PyTorch's older exporter
// makes them other names of one initializer; today's lets all layers read the same. That is a coincidence where all its
// elements are the same number, as in the shifts and scales of fresh normalisations; another weight that several layers
// read is shared on purpose, and stays so.
func separateWeights(g *onnx.Graph) {
	weights := map[string]*onnx.Tensor{}
	for _, t := range g.Initializers {
		weights[t.Name] = t
	}
	own := func(t *onnx.Tensor, name string) {
		c := *t
		c.Name = name
		weights[name] = &c
		g.Initializers = append(g.Initializers, &c)
	}
	outputs := map[string]bool{}
	for _, v := range g.Outputs {
		outputs[v.Name] = true
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *onnx.Node) bool {
		if n.OpType != "Identity" || len(n.Inputs) != 1 || len(n.Outputs) != 1 || outputs[n.Outputs[0]] {
			return false
		}
		t := weights[n.Inputs[0]]
		if t == nil {
			return false
		}
		own(t, n.Outputs[0])
		return true
	})
	w := newWalker(g)
	readers := map[string]int{}
	for _, n := range g.Nodes {
		params := w.params(n)
		for i, in := range n.Inputs {
			if !slices.Contains(params, in) {
				continue
			}
			t := weights[in]
			if readers[in]++; readers[in] == 1 || !uniform(t) {
				continue
			}
			name := in
			for k := readers[in] - 1; weights[name] != nil || w.Node[name] != nil; k++ {
				name = fmt.Sprintf("%s_%d", in, k)
			}
			n.Inputs[i] = name
			own(t, name)
		}
	}
}

// uniform reports whether all elements of a tensor are the same bits.
func uniform(t *onnx.Tensor) bool {
	size := t.Type.Bytes(1)
	return len(t.Raw) >= size && bytes.Equal(t.Raw[size:], t.Raw[:len(t.Raw)-size])
}

// collectNames notes the names of all values.
func (b *builder) collectNames() {
	for _, v := range b.g.Inputs {
		b.taken[v.Name] = true
	}
	for _, t := range b.g.Initializers {
		b.taken[t.Name] = true
	}
	for _, n := range b.g.Nodes {
		b.taken[n.Name] = true
		for _, o := range n.Outputs {
			b.taken[o] = true
		}
	}
}

// name renames the output of the last node.
func (b *builder) name(value, name string) string {
	name = b.fresh(name)
	last := b.g.Nodes[len(b.g.Nodes)-1]
	last.Outputs[slices.Index(last.Outputs, value)] = name
	return name
}

// export makes the model that is written: the graph up to the logits, with a free batch dimension.
func (n *Network) export(m *onnx.Model, g *onnx.Graph, in *onnx.Value) *onnx.Model {
	c := *m
	c.Opsets = slices.Clone(m.Opsets)
	c.Metadata = slices.Clone(m.Metadata)
	c.Graph = g
	c.Functions = nil
	used := map[string]bool{}
	for _, node := range g.Nodes {
		for name := range node.Uses() {
			used[name] = true
		}
	}
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t *onnx.Tensor) bool { return !used[t.Name] })
	weights := map[string]bool{}
	for _, t := range g.Initializers {
		weights[t.Name] = true
	}
	g.ValueInfo = nil // they may have the old batch size
	input := in.Clone()
	elem := onnx.Float
	if in.Type != nil && in.Type.Elem != onnx.Undefined {
		elem = in.Type.Elem
	}
	batch := onnx.Dim{Size: -1, Param: "batch"}
	if in.Type != nil && in.Type.HasShape && len(in.Type.Shape) > 0 && in.Type.Shape[0].Size < 0 && in.Type.Shape[0].Param != "" {
		batch = in.Type.Shape[0]
	}
	input.Type = &onnx.Type{Elem: elem, HasShape: true, Shape: []onnx.Dim{batch}}
	for _, d := range n.Shape {
		input.Type.Shape = append(input.Type.Shape, onnx.Dim{Size: d})
	}
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v *onnx.Value) bool { return v.Name != in.Name && !weights[v.Name] })
	for i, v := range g.Inputs {
		if v.Name == in.Name {
			g.Inputs[i] = input
		}
	}
	out := &onnx.Value{Name: n.Logits, Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{batch}}}
	if last := g.Nodes[len(g.Nodes)-1]; last.OpType == "Gemm" && len(last.Inputs) == 3 {
		if t := g.Initializer(last.Inputs[2]); t != nil && len(t.Shape) == 1 {
			out.Type.Shape = append(out.Type.Shape, onnx.Dim{Size: t.Shape[0]})
		}
	}
	if len(out.Type.Shape) == 1 {
		if s := n.shapes[n.Logits]; len(s) == 2 {
			out.Type.Shape = append(out.Type.Shape, onnx.Dim{Size: s[1]})
		} else {
			out.Type.HasShape, out.Type.Shape = false, nil
		}
	}
	g.Outputs = []*onnx.Value{out}
	return &c
}

// depths returns how many layers with weights (convolutions and linear ones) lie behind each node, on the longest way.
func (w *walker) depths(nodes []*onnx.Node) map[*onnx.Node]int {
	depths, behind := map[*onnx.Node]int{}, map[string]int{} // behind: of a value, those that read it included
	for _, node := range slices.Backward(nodes) {
		d := 0
		for _, out := range node.Outputs {
			d = max(d, behind[out])
		}
		depths[node] = d
		if slices.Contains(weighted, node.OpType) && len(w.params(node)) > 0 {
			d++
		}
		for in := range node.Uses() {
			behind[in] = max(behind[in], d)
		}
	}
	return depths
}

// selectParams finds the weights to train and where the frozen part ends.
func (n *Network) selectParams(o NetOptions, layers []backend.Layer, baseNodes int, head map[string]bool) error {
	g := n.Model.Graph
	w := newWalker(g)
	from, err := firstLayer(layers, o.UnfreezeFrom)
	if err != nil {
		return err
	}
	at := map[string]int{} // layer by output
	for _, l := range layers {
		at[l.Output] = l.Index
	}
	if o.Head == "keep" {
		baseNodes = w.lastWithParams(g.Nodes)
		for _, node := range g.Nodes[baseNodes:] {
			for _, p := range w.params(node) {
				head[p] = true
			}
		}
	}
	n.headFirst = baseNodes
	empty := &EmptySelectionError{Selection: o.UnfreezeFrom}
	n.first = len(g.Nodes)
	frozen := map[string]bool{} // by weight: whether the layer that reads it first is frozen
	base := 0                   // trained weights of the base
	depths := w.depths(g.Nodes[:baseNodes])
	for i, node := range g.Nodes {
		layer, trained := -1, i >= baseNodes
		if i < baseNodes {
			if k, ok := at[node.Outputs[0]]; ok {
				layer, trained = k, k >= from
			}
		}
		params := w.params(node)
		for _, p := range params {
			t := g.Initializer(p)
			if layer >= 0 {
				empty.Last = layers[layer]
			}
			train := trained && (n.bn != "frozen" || !isBatchNorm(node) || head[p])
			if was, seen := frozen[p]; seen {
				if was && train {
					return fmt.Errorf("weight %q belongs to a frozen and to a trained layer: unfreeze both or none", p)
				}
				continue
			}
			frozen[p] = !train
			if !train {
				n.Frozen += t.Len()
				continue
			}
			if t.Type != onnx.Float {
				return fmt.Errorf("weight %q is of type %v: only float32 can be trained", p, t.Type)
			}
			n.first = min(n.first, i)
			if n.Begins == "" && layer >= 0 {
				n.Begins = layers[layer].Name
			}
			n.Trained += t.Len()
			n.trainedAt[node.Outputs[0]] += t.Len()
			if !head[p] {
				base++
			}
			n.Params = append(n.Params, &Param{Name: p, Value: t.Clone(), Base: !head[p], Norm: len(t.Shape) < 2, Depth: depths[node]})
		}
	}
	if len(n.Params) == 0 || base == 0 && from < len(layers) {
		for _, l := range layers[min(from, len(layers)):] {
			empty.Quantised = empty.Quantised || w.quantised(l.Node)
		}
		return empty
	}
	return nil
}

// weighted are the operators that make a layer of their own, whose weights may learn at another rate.
var weighted = []string{"Conv", "ConvTranspose", "Gemm", "MatMul"}

// firstLayer returns the number of the first layer that a selection trains, len(layers) for none.
func firstLayer(layers []backend.Layer, selection string) (int, error) {
	switch selection {
	case "all":
		return 0, nil
	case "none", "":
		return len(layers), nil
	}
	l, err := backend.FindFirstLayer(layers, selection)
	if err != nil {
		return 0, fmt.Errorf("unfreeze from: %w", err)
	}
	return l.Index, nil
}

// isBatchNorm reports whether a node is a normalisation that --bn is about.
func isBatchNorm(n *onnx.Node) bool { return n.OpType == "BatchNormalization" }
