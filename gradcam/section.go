package gradcam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/walk"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// section is the part of a network that depends on one of its values, up to the logits. What lies before it runs on the
// inference plan; gradients by the value need the section only.
type section struct {
	x     *Explainer
	from  string
	nodes []*onnx.Node
	cut   []string // what the nodes read that others compute; from is the first

	rounds *onnx.Node // where numbers become integers on the way, nil where they do not

	mu      sync.Mutex
	prefix  backend.Session // computes the cut; opened by the first run
	forward *graph.Program  // the nodes for inference
	grads   map[gradKey]*graph.Program
}

// gradKey tells gradient programs apart.
type gradKey struct {
	batch  int
	guided bool
}

// Names of what is added to a section.
const (
	selectorName = "onnxcnn:selector"
	chosenName   = "onnxcnn:chosen"
	floatName    = "onnxcnn:logits"
	scoreName    = "onnxcnn:score"
)

// section cuts the network at a value. What only computes with constants and shapes belongs to both parts, so that
// shapes do not depend on numbers that are handed over.
func (x *Explainer) section(from string) (*section, error) {
	g := walk.New(x.m.Graph)
	sorted, err := x.m.Graph.Sort()
	if err != nil {
		return nil, err
	}
	depends := map[string]bool{from: true}
	for _, n := range sorted {
		for in := range n.Uses() {
			if depends[in] {
				for _, o := range n.Outputs {
					depends[o] = o != ""
				}
				break
			}
		}
	}
	if !depends[x.logits] || x.logits == from {
		return nil, fmt.Errorf("%q does not lie before the classes %q", from, x.logits)
	}
	s := &section{x: x, from: from, cut: []string{from}, grads: map[gradKey]*graph.Program{}}
	take := map[*onnx.Node]bool{}
	var need func(value string)
	need = func(value string) {
		n := g.Node[value]
		switch {
		case g.Weights[value] != nil || value == from || take[n] && n != nil:
		case n != nil && (depends[value] || g.Constant(value) || g.OfShapes(value)):
			take[n] = true
			for in := range n.Uses() {
				need(in)
			}
		case !slices.Contains(s.cut, value):
			s.cut = append(s.cut, value)
		}
	}
	need(x.logits)
	for _, n := range sorted {
		if !take[n] || slices.Contains(n.Outputs, from) {
			continue
		}
		s.nodes = append(s.nodes, n)
		if s.rounds == nil && quantises(n) && slices.ContainsFunc(n.Outputs, func(o string) bool { return depends[o] }) {
			s.rounds = n
		}
	}
	return s, nil
}

func (s *section) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.prefix == nil {
		return nil
	}
	err := s.prefix.Close()
	s.prefix = nil
	return err
}

// values computes the cut for images in the network's layout.
func (s *section) values(ctx context.Context, images []float32) ([]*onnx.Tensor, error) {
	in, err := s.x.tensor(images)
	if err != nil {
		return nil, err
	}
	if slices.Equal(s.cut, []string{s.x.input}) {
		return []*onnx.Tensor{in}, nil
	}
	s.mu.Lock()
	if s.prefix == nil {
		if s.prefix, err = s.x.open(s.cut); err != nil {
			s.mu.Unlock()
			return nil, err
		}
	}
	prefix := s.prefix
	s.mu.Unlock()
	res, err := prefix.Run(ctx, map[string]*onnx.Tensor{s.x.input: in})
	if err != nil {
		return nil, err
	}
	cut := make([]*onnx.Tensor, len(s.cut))
	for i, name := range s.cut {
		if cut[i] = res[name]; cut[i] == nil {
			return nil, fmt.Errorf("the network did not compute %q", name)
		}
	}
	return cut, nil
}

// model makes a model of the section. Inputs are declared by the values of a run; where free, their first dimension may
// have any size.
func (s *section) model(cut []*onnx.Tensor, free bool) *onnx.Model {
	g := &onnx.Graph{Name: "section", Nodes: slices.Clone(s.nodes), Outputs: []*onnx.Value{{Name: s.x.logits}}}
	used := map[string]bool{}
	for _, n := range s.nodes {
		for in := range n.Uses() {
			used[in] = true
		}
	}
	for i, name := range s.cut {
		g.Inputs = append(g.Inputs, declare(name, cut[i], free && len(cut[i].Shape) > 1))
	}
	for _, t := range s.x.m.Graph.Initializers {
		if used[t.Name] {
			g.Initializers = append(g.Initializers, t)
		}
	}
	return &onnx.Model{IRVersion: s.x.m.IRVersion, Opsets: s.x.m.Opsets, Graph: g}
}

// declare declares a value of the type and shape of a tensor.
func declare(name string, t *onnx.Tensor, free bool) *onnx.Value {
	typ := &onnx.Type{Elem: t.Type, HasShape: true}
	for i, d := range t.Shape {
		if i == 0 && free {
			d = -1
		}
		typ.Shape = append(typ.Shape, onnx.Dim{Size: d})
	}
	return &onnx.Value{Name: name, Type: typ}
}

// logits runs the section on values of the cut.
func (s *section) logits(ctx context.Context, cut []*onnx.Tensor) (*onnx.Tensor, error) {
	s.mu.Lock()
	if s.forward == nil {
		p, err := graph.Compile(s.model(cut, true), graph.Options{Pool: s.x.pool})
		if err != nil {
			s.mu.Unlock()
			return nil, err
		}
		s.forward = p
	}
	p := s.forward
	s.mu.Unlock()
	out, err := p.RunInto(ctx, cut, nil)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// gradient computes the gradient by the section's first value of the sum of the logits times selector, a tensor of the
// logits' shape.
func (s *section) gradient(ctx context.Context, cut []*onnx.Tensor, selector *onnx.Tensor, guided bool) (*onnx.Tensor, error) {
	key := gradKey{selector.Len(), guided}
	s.mu.Lock()
	p := s.grads[key]
	if p == nil {
		var err error
		if p, err = s.compileGradient(cut, selector, guided); err != nil {
			s.mu.Unlock()
			return nil, err
		}
		s.grads[key] = p
	}
	s.mu.Unlock()
	out, err := p.RunInto(ctx, append(slices.Clone(cut), selector), nil)
	if err != nil {
		return nil, err
	}
	return out[1], nil
}

// quantises reports whether a node rounds to integers: its gradient is 0, and none comes back through it.
func quantises(n *onnx.Node) bool {
	return n.OpType == "QuantizeLinear" || n.OpType == "DynamicQuantizeLinear" || strings.HasPrefix(n.OpType, "QLinear") || strings.HasSuffix(n.OpType, "Integer")
}

func (s *section) compileGradient(cut []*onnx.Tensor, selector *onnx.Tensor, guided bool) (*graph.Program, error) {
	if s.rounds != nil {
		return nil, &graph.NotDifferentiableError{Nodes: []string{s.rounds.String()}}
	}
	m := s.model(cut, false)
	g := m.Graph
	g.Inputs = append(g.Inputs, declare(selectorName, selector, false))
	// A Cast of float32 is none; half precision is explained in float32.
	g.Nodes = append(g.Nodes,
		&onnx.Node{OpType: "Cast", Inputs: []string{s.x.logits}, Outputs: []string{floatName}, Attrs: castAttrs(s.x.m.OpsetVersion(""))},
		&onnx.Node{OpType: "Mul", Inputs: []string{floatName, selectorName}, Outputs: []string{chosenName}},
		&onnx.Node{OpType: "ReduceSum", Inputs: []string{chosenName}, Outputs: []string{scoreName},
			Attrs: []*onnx.Attribute{{Name: "keepdims", Type: onnx.AttrInt, I: 0}}})
	g.Outputs = []*onnx.Value{{Name: scoreName}}
	shapes := map[string][]int{}
	for _, v := range g.Inputs {
		shape := []int{}
		for _, d := range v.Type.Shape {
			shape = append(shape, d.Size)
		}
		shapes[v.Name] = shape
	}
	return graph.CompileTraining(m, graph.TrainOptions{Shapes: shapes, Train: []string{s.from}, Loss: scoreName, Pool: s.x.pool, Guided: guided})
}

func castAttrs(opset int) []*onnx.Attribute {
	if opset < 6 {
		return []*onnx.Attribute{{Name: "to", Type: onnx.AttrString, S: []byte("FLOAT")}}
	}
	return []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(onnx.Float)}}
}

// maps returns the section's first value, or a gradient by it, of the image in that row as channels first.
func (x *Explainer) maps(t *onnx.Tensor, row int) (Maps, error) {
	v, err := features.Floats(t)
	if err != nil {
		return Maps{}, fmt.Errorf("layer %q: %w", x.layer.Name, err)
	}
	if len(t.Shape) != 4 || row >= t.Shape[0] {
		return Maps{}, fmt.Errorf("layer %q gives %v: a class activation map needs a layer with maps, [N,C,H,W]", x.layer.Name, t.Shape)
	}
	h, w := x.extent(t.Shape)
	n := len(v) / t.Shape[0]
	m := Maps{Data: v[row*n : (row+1)*n], C: n / (h * w), H: h, W: w}
	if x.last {
		m.Data = channelsFirst(m.Data, m.C)
	}
	for _, f := range m.Data {
		if f-f != 0 {
			return Maps{}, fmt.Errorf("layer %q, or its gradient, is not finite", x.layer.Name)
		}
	}
	return m, nil
}

// channelsFirst turns [H,W,C] into [C,H,W].
func channelsFirst(v []float32, c int) []float32 {
	out := make([]float32, len(v))
	n := len(v) / c
	for i := range n {
		for k := range c {
			out[k*n+i] = v[i*c+k]
		}
	}
	return out
}

// channelsLast turns [C,H,W] into [H,W,C].
func channelsLast(dst, v []float32, c int) {
	n := len(v) / c
	for i := range n {
		for k := range c {
			dst[i*c+k] = v[k*n+i]
		}
	}
}
