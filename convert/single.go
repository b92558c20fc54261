package convert

import (
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// typeAttrs are attributes that name the type of a result.
var typeAttrs = []string{"to", "dtype", "output_dtype", "precision", "softmax_precision"}

// IsHalf reports whether a model has weights, inputs or constants of half precision (float16 or bfloat16).
func IsHalf(m *onnx.Model) bool {
	half := func(t *onnx.Tensor) bool { return t != nil && t.Type.IsHalf() }
	return m.Graph != nil && (slices.ContainsFunc(m.Graph.Initializers, half) ||
		slices.ContainsFunc(m.Graph.Inputs, func(v *onnx.Value) bool { return v.Type != nil && v.Type.Elem.IsHalf() }) ||
		slices.ContainsFunc(m.Graph.Nodes, func(n *onnx.Node) bool {
			return slices.ContainsFunc(n.Attrs, func(a *onnx.Attribute) bool { return half(a.Tensor) })
		}))
}

// Float32 returns a model of half precision (float16 or bfloat16) in single precision: its weights, inputs, outputs and all
// values between them, so that it can be trained. Conversions between the two are gone. It fails where nothing is of half
// precision. The given model is not changed.
func Float32(m *onnx.Model) (*onnx.Model, error) {
	c, e, err := edit(m)
	if err != nil {
		return nil, err
	}
	s := singler{typeOf: e.typeOf}
	if err := s.graph(c.Graph); err != nil {
		return nil, err
	}
	if s.changed == 0 {
		return nil, fmt.Errorf("nothing in the model is of half precision")
	}
	return c, nil
}

type singler struct {
	typeOf  func(value string) onnx.DataType // before
	changed int                              // tensors and types
}

func (s *singler) graph(g *onnx.Graph) error {
	for i, t := range g.Initializers {
		single, err := s.tensor(t)
		if err != nil {
			return fmt.Errorf("initializer %q: %w", t.Name, err)
		}
		g.Initializers[i] = single
	}
	for _, list := range [][]*onnx.Value{g.Inputs, g.Outputs, g.ValueInfo} {
		for _, v := range list {
			if v.Type != nil && v.Type.Elem.IsHalf() {
				v.Type.Elem = onnx.Float
				s.changed++
			}
		}
	}
	for _, n := range g.Nodes {
		if err := s.node(n); err != nil {
			return fmt.Errorf("%v: %w", n, err)
		}
	}
	return nil
}

// tensor returns a tensor in single precision.
func (s *singler) tensor(t *onnx.Tensor) (*onnx.Tensor, error) {
	if t == nil || !t.Type.IsHalf() {
		return t, nil
	}
	s.changed++
	single, err := op.CastTensor(t, onnx.Float)
	if err != nil {
		return nil, err
	}
	c := *single
	c.Name, c.Metadata = t.Name, t.Metadata
	return &c, nil
}

func (s *singler) node(n *onnx.Node) error {
	half := false
	for _, name := range typeAttrs {
		if a := n.Attr(name); a != nil && a.Type == onnx.AttrInt && onnx.DataType(a.I).IsHalf() {
			setAttr(n, op.Attr(name, int(onnx.Float)))
			half = true
			s.changed++
		}
	}
	if n.OpType == "Cast" && isONNX(n.Domain) && len(n.Inputs) == 1 {
		from := s.typeOf(n.Inputs[0])
		if a := n.Attr("to"); a != nil && onnx.DataType(a.I) == onnx.Float && (from.IsHalf() || half && from == onnx.Float) {
			n.OpType, n.Attrs = "Identity", nil
		}
	}
	for _, a := range n.Attrs {
		single, err := s.tensor(a.Tensor)
		if err != nil {
			return err
		}
		if single != a.Tensor {
			c := *a
			c.Tensor = single
			setAttr(n, &c)
		}
	}
	for g := range n.Subgraphs() {
		if err := s.graph(g); err != nil {
			return err
		}
	}
	return nil
}
