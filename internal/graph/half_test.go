package graph

import (
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// halved returns a model with its weights, inputs and declared types in half precision.
func halved(m *onnx.Model, typ onnx.DataType) *onnx.Model {
	c, g := *m, *m.Graph
	c.Graph = &g
	g.Initializers, g.Inputs = nil, nil
	for _, t := range m.Graph.Initializers {
		if t.Type == onnx.Float {
			n := narrow(t, typ)
			n.Name = t.Name
			t = n
		}
		g.Initializers = append(g.Initializers, t)
	}
	for _, v := range m.Graph.Inputs {
		w, declared := *v, *v.Type
		declared.Elem = typ
		w.Type = &declared
		g.Inputs = append(g.Inputs, &w)
	}
	return &c
}

// A convolutional network in half precision gives what it gives in float32, within the precision of its type, and its
// weights are widened when it is compiled, not in each run.
func TestHalfNetwork(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	m := residualNet(r)
	for _, w := range m.Graph.Initializers { // keeps values far from the largest half, 65504
		for i := range w.Float32s() {
			if len(w.Shape) > 1 {
				w.Float32s()[i] /= 8
			}
		}
	}
	x := random(r, 2, 3, 12, 12)
	want := mustRun(t, mustCompile(t, m, Options{}), map[string]*onnx.Tensor{"x": x})
	for typ, tolerance := range map[onnx.DataType]float64{onnx.Float16: 4e-3, onnx.BFloat16: 4e-2} {
		p := mustCompile(t, halved(m, typ), Options{})
		for range 2 {
			got := mustRun(t, p, map[string]*onnx.Tensor{"x": narrow(x, typ)})
			for _, name := range []string{"y", "r0"} {
				if got[name].Type != typ {
					t.Fatalf("%s: type %v", name, got[name].Type)
				}
				if d := difference(widen(got[name]), want[name]); d > tolerance {
					t.Errorf("%v: %s differs by %g", typ, name, d)
				}
			}
		}
		for _, s := range p.steps {
			h, ok := s.op.(halfOp)
			if !ok {
				continue
			}
			for _, i := range s.in {
				if i >= 0 && p.consts[i] != nil && p.consts[i].Type.IsHalf() && h.wide[p.consts[i]] == nil {
					t.Errorf("%v: %s is widened in each run", s.node, p.names[i])
				}
			}
		}
	}
}
