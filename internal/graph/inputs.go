package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// declared applies the caller's shapes to the graph's inputs.
func declared(inputs []*onnx.Value, shapes map[string][]int) ([]*onnx.Value, error) {
	out := make([]*onnx.Value, len(inputs))
	used := 0
	for i, v := range inputs {
		if v.Type != nil && v.Type.Kind != onnx.KindTensor {
			return nil, fmt.Errorf("input %q is not a tensor", v.Name)
		}
		out[i] = v
		s, ok := shapes[v.Name]
		if !ok {
			continue
		}
		used++
		c := *v
		t := onnx.Type{HasShape: true}
		if v.Type != nil {
			t = *v.Type
			t.HasShape = true
		}
		t.Shape = make([]onnx.Dim, len(s))
		for k, d := range s {
			t.Shape[k] = onnx.Dim{Size: d}
		}
		c.Type = &t
		out[i] = &c
	}
	if used < len(shapes) {
		for name := range shapes {
			if !slices.Contains(valueNames(inputs), name) {
				return nil, fmt.Errorf("there is no input %q (inputs: %q)", name, valueNames(inputs))
			}
		}
	}
	return out, nil
}

// wanted lists the values to compute.
func wanted(g *onnx.Graph, names []string) ([]*onnx.Value, error) {
	if names == nil {
		return g.Outputs, nil
	}
	types := map[string]*onnx.Value{}
	for _, vs := range [][]*onnx.Value{g.ValueInfo, g.Inputs, g.Outputs} {
		for _, v := range vs {
			types[v.Name] = v
		}
	}
	there := map[string]bool{}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			there[o] = true
		}
	}
	for _, t := range g.Initializers {
		there[t.Name] = true
	}
	out := make([]*onnx.Value, len(names))
	for i, name := range names {
		out[i] = types[name]
		if out[i] == nil {
			out[i] = &onnx.Value{Name: name}
			if !there[name] || name == "" {
				return nil, fmt.Errorf("the graph has no value %q", name)
			}
		}
	}
	return out, nil
}

func valueNames(vs []*onnx.Value) []string {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = v.Name
	}
	return names
}

// checkInputs compares types and shapes with what the model declares. relaxed is an input of which only a fixed batch
// size differs, which is right if the whole graph goes along with it; it is -1 where there is none.
func (p *Program) checkInputs(in []op.Info) (relaxed int, err error) {
	relaxed = -1
	for i, v := range p.inputs {
		if v.Type == nil {
			continue
		}
		if v.Type.Elem != onnx.Undefined && v.Type.Elem != in[i].Type {
			return -1, fmt.Errorf("input %q: want %v, got %v", v.Name, v.Type.Elem, in[i].Type)
		}
		if !v.Type.HasShape {
			continue
		}
		bad := len(v.Type.Shape) != len(in[i].Shape)
		for k := 0; !bad && k < len(v.Type.Shape); k++ {
			d := v.Type.Shape[k]
			if d.Size < 0 || d.Param != "" || d.Size == in[i].Shape[k] {
				continue
			}
			if k == 0 && len(v.Type.Shape) > 1 {
				relaxed = i
				continue
			}
			bad = true
		}
		if bad {
			return -1, fmt.Errorf("input %q: want shape %s, got %v", v.Name, shapeText(v.Type), in[i].Shape)
		}
	}
	return relaxed, nil
}

// shapeText writes a declared shape: [batch 3 224 224].
func shapeText(t *onnx.Type) string {
	parts := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		switch {
		case d.Param != "":
			parts[i] = d.Param
		case d.Size < 0:
			parts[i] = "?"
		default:
			parts[i] = fmt.Sprint(d.Size)
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// checkBatch makes sure that a batch of another size than the one that an input declares goes through every node as a
// batch: values that have the declared size as first dimension must have the new one instead.
func (p *Program) checkBatch(got inference, in []op.Info, relaxed int) error {
	was, is := p.inputs[relaxed].Type.Shape[0].Size, in[relaxed].Shape[0]
	declared := slices.Clone(in)
	for i, v := range p.inputs {
		if v.Type != nil && v.Type.HasShape && len(in[i].Shape) > 1 && v.Type.Shape[0].Size >= 0 && v.Type.Shape[0].Param == "" {
			declared[i].Shape = slices.Clone(in[i].Shape)
			declared[i].Shape[0] = v.Type.Shape[0].Size
		}
	}
	want, err := p.infer(declared, true)
	if err != nil {
		return err
	}
	fed := make([]bool, len(p.names)) // computed from the inputs
	for _, i := range p.inIDs {
		fed[i] = true
	}
	for k := range p.steps {
		s := &p.steps[k]
		if !slices.ContainsFunc(s.reads(), func(i int) bool { return fed[i] }) {
			continue
		}
		for _, o := range s.out {
			if o < 0 {
				continue
			}
			fed[o] = true
			a, b := want.info[o], got.info[o]
			if a.Dynamic || b.Dynamic || a.Value != nil && b.Value != nil || len(a.Shape) == 0 || len(b.Shape) == 0 {
				continue
			}
			if a.Shape[0] == was && b.Shape[0] != is {
				return nodeError(s.node, fmt.Errorf("the model declares a batch of %d, and this node gives shape %v for a batch of %d: run the images in batches of %d", was, b.Shape, is, was))
			}
		}
	}
	return nil
}
