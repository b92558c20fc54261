package graph

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/near"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Layer is a compute node of a model.
type Layer struct {
	Index    int    // position among the compute nodes, in graph order
	Name     string // after its module where the model comes from PyTorch and says so (layer1.0.conv1), else the node's name, or its first output's where it has none
	Op       string // the operator
	Output   string // name of the value it computes
	Shape    []int  // of the output; nil where it is not known
	Err      error  // why Shape is not known, where a node does not fit the input's shape
	Params   int    // elements of the weights it reads; running statistics of a normalisation are none
	MultAdds int    // multiplications with weights for the given input; 0 where Shape is not known
	Node     *onnx.Node
}

// notLayers are operators that compute nothing of their own.
var notLayers = map[string]bool{
	"Constant": true, "Identity": true, "Shape": true, "Size": true, "Cast": true, "CastLike": true,
	"ConstantOfShape": true, "Range": true,
}

// Layers lists the compute nodes of a model in graph order. Nodes that only compute shapes or depend on constants only
// are not counted. inputs gives the shapes of inputs by name; those that are not named have the declared shape, with a
// batch of one.
func Layers(m *onnx.Model, inputs map[string][]int) ([]Layer, error) {
	p, r, err := inferred(m, inputs)
	if err != nil {
		return nil, err
	}
	return p.layers(r), nil
}

// Infer returns what can be said of the values that a model's nodes compute, by name; those of which nothing is known are
// left out. Inputs have shapes as for [Layers].
func Infer(m *onnx.Model, inputs map[string][]int) (map[string]op.Info, error) {
	p, r, err := inferred(m, inputs)
	if err != nil {
		return nil, err
	}
	infos := map[string]op.Info{}
	for _, s := range p.steps {
		for _, o := range s.out {
			if o >= 0 && !r.info[o].Absent() {
				infos[p.names[o]] = r.info[o]
			}
		}
	}
	return infos, nil
}

// inferred drafts a program for a model as it is, and infers types and shapes of its values.
func inferred(m *onnx.Model, inputs map[string][]int) (*Program, inference, error) {
	if m.Graph == nil {
		return nil, inference{}, errors.New("the model has no graph")
	}
	m, err := m.Inlined()
	if err != nil {
		return nil, inference{}, err
	}
	if err := checkOpsets(m); err != nil {
		return nil, inference{}, err
	}
	decl, err := declared(m.Graph.RequiredInputs(), inputs)
	if err != nil {
		return nil, inference{}, err
	}
	w, err := load(m.Graph, decl, valueNames(m.Graph.Outputs), nil, Options{}, m.OpsetVersion)
	if err != nil {
		return nil, inference{}, err
	}
	if err := unsupported(w.nodes, w.opsets); err != nil {
		return nil, inference{}, err
	}
	if err := w.constants(); err != nil {
		return nil, inference{}, err
	}
	p, err := w.draft(m.Graph.Outputs, Options{})
	if err != nil {
		return nil, inference{}, err
	}
	info, err := p.declaredInfo(1, 0)
	if err != nil {
		return nil, inference{}, fmt.Errorf("%w (--input gives it)", err)
	}
	for i := range info {
		if info[i].Type == onnx.Undefined {
			info[i].Type = onnx.Float
		}
	}
	r, _ := p.infer(info, false)
	return p, r, nil
}

func (p *Program) layers(r inference) []Layer {
	weights := p.weights()
	var out []Layer
	for k := range p.steps {
		s := &p.steps[k]
		if notLayers[s.node.OpType] || len(s.out) == 0 || s.out[0] < 0 {
			continue
		}
		o := r.info[s.out[0]]
		if o.Value != nil || weights[s.out[0]] >= 0 {
			continue // shape arithmetic, or a weight in another form
		}
		l := Layer{Index: len(out), Name: s.node.Name, Op: s.node.OpType, Output: p.names[s.out[0]], Node: s.node, Err: r.errs[k]}
		if l.Name == "" {
			l.Name = l.Output
		}
		for i, in := range s.in {
			if in >= 0 && !(s.node.OpType == "BatchNormalization" && i > 2) {
				l.Params += max(0, weights[in])
			}
		}
		if !o.Dynamic {
			l.Shape = append([]int{}, o.Shape...)
			l.MultAdds = l.Params
			if len(o.Shape) > 0 {
				l.MultAdds *= o.Shape[0]
			}
			if strings.Contains(s.node.OpType, "Conv") && len(o.Shape) > 2 {
				l.MultAdds *= onnx.NumElements(o.Shape[2:])
			}
		}
		out = append(out, l)
	}
	nameLayers(out)
	return out
}

// weights says of each value whether it depends on constants only, and counts the elements of the floating-point or
// quantised constants it is made of; -1 where it depends on more. Scalars are parts of formulas (the bounds of a Clip, the
// ratio of a Dropout) and no weights, and neither are the shapes of weights. CastLike takes only the type of its second input.
func (p *Program) weights() []int {
	n := make([]int, len(p.names))
	for i, c := range p.consts {
		switch {
		case c == nil:
			n[i] = -1
		case len(c.Shape) > 0 && c.Type != onnx.Int64 && c.Type != onnx.Bool && c.Type != onnx.String:
			n[i] = c.Len()
		}
	}
	for k := range p.steps {
		s := &p.steps[k]
		ins := s.in
		if s.node.OpType == "CastLike" {
			ins = ins[:min(1, len(ins))]
		}
		sum := 0
		for _, i := range ins {
			if i < 0 {
				continue
			}
			if n[i] < 0 {
				sum = -1
				break
			}
			sum += n[i]
		}
		switch {
		case sum < 0 || len(s.in) == 0 || len(s.subs) > 0:
			continue
		case s.node.OpType == "Shape" || s.node.OpType == "Size":
			sum = 0
		}
		for _, o := range s.out {
			if o >= 0 {
				n[o] = sum
			}
		}
	}
	return n
}

// FindLayer selects a layer by its number, its name or its node's, the name of the value it computes, its block (a scope of
// names, as "layer4" or "layer4.0" in "/layer4/layer4.0/conv1/Conv": then it is the block's last layer), or a prefix of
// names (the last layer that has it). The error lists the nearest names.
func FindLayer(layers []Layer, sel string) (Layer, error) {
	_, last, err := findLayers(layers, sel)
	return last, err
}

// FindFirstLayer is FindLayer, but gives the first node of a block or prefix: the one from which on the block is trained.
func FindFirstLayer(layers []Layer, sel string) (Layer, error) {
	first, _, err := findLayers(layers, sel)
	return first, err
}

// findLayers returns the first and the last of the layers that sel selects.
func findLayers(layers []Layer, sel string) (first, last Layer, err error) {
	if i, err := strconv.Atoi(sel); err == nil {
		if i < 0 || i >= len(layers) {
			return Layer{}, Layer{}, fmt.Errorf("there is no layer %d: the model has layers 0 to %d", i, len(layers)-1)
		}
		return layers[i], layers[i], nil
	}
	if strings.Trim(sel, "/") == "" {
		return Layer{}, Layer{}, errors.New("no layer is named")
	}
	for _, match := range []func(Layer) bool{
		func(l Layer) bool { return l.Name == sel },
		func(l Layer) bool { return l.Node.Name == sel || l.Output == sel },
		func(l Layer) bool {
			return inBlock(l.Name, sel) || inBlock(modulePath(l.Name), sel) || inBlock(l.Output, sel)
		},
		func(l Layer) bool { return strings.Contains(l.Name, "/"+strings.Trim(sel, "/")+"/") },
		func(l Layer) bool { return strings.HasPrefix(l.Name, sel) },
		func(l Layer) bool { return inWeights(l.Node, sel) },
	} {
		found := false
		for _, l := range layers {
			if match(l) {
				if !found {
					first, found = l, true
				}
				last = l
			}
		}
		if found {
			return first, last, nil
		}
	}
	return Layer{}, Layer{}, fmt.Errorf("there is no layer %q; near it: %s", sel, strings.Join(nearest(layers, sel), ", "))
}

// inBlock reports whether a node's name begins with the block's, as a scope: "/layer4/..." or "layer4.0...".
func inBlock(name, block string) bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(name, "/"), strings.Trim(block, "/"))
	return ok && (strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "."))
}

// inWeights reports whether a node reads a weight of that module: "fc" has "fc.weight".
func inWeights(n *onnx.Node, module string) bool {
	for _, in := range n.Inputs[min(1, len(n.Inputs)):] {
		if strings.HasPrefix(in, module+".") {
			return true
		}
	}
	return false
}

// nearest returns up to five names of layers and blocks that look like sel.
func nearest(layers []Layer, sel string) []string {
	type scored struct {
		name string
		d    int
	}
	var all []scored
	add := func(name, shown string) {
		all = append(all, scored{shown, near.Distance(strings.ToLower(name), strings.ToLower(sel))})
	}
	blocks := map[string]bool{}
	for _, l := range layers {
		add(l.Name, fmt.Sprintf("%d %q", l.Index, l.Name))
		name := strings.Trim(l.Name, "/")
		for i, c := range name {
			if block := name[:i]; (c == '/' || c == '.') && !blocks[block] {
				blocks[block] = true
				add(block, strconv.Quote(block))
			}
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].d < all[j].d })
	var out []string
	for _, s := range all[:min(5, len(all))] {
		out = append(out, s.name)
	}
	return out
}
