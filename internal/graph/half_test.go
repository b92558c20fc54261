package graph

import (
	"bytes"
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

// A convolutional network in half precision gives what it gives in float32, within the precision of its type.
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
		// Between the input and the outputs everything is float32, fused as it is there.
		ops := map[string]int{}
		for _, s := range p.steps {
			ops[s.node.OpType]++
		}
		if ops["Cast"] != 3 || ops["FusedConv"] == 0 {
			t.Errorf("%v: steps %v, want three Casts, of x, y and r0", typ, ops)
		}
		for i, c := range p.consts {
			if c != nil && c.Type.IsHalf() {
				t.Errorf("%v: %s is of half precision still", typ, p.names[i])
			}
		}
	}
}

// Where float32 begins and ends in graphs of half precision. Their results are those of computing each operator apart.
func TestWidenHalves(t *testing.T) {
	half := func(shape []int, v ...float32) *onnx.Tensor { return narrow(f32(shape, v...), onnx.Float16) }
	branch := func(text string) *onnx.Graph {
		return &onnx.Graph{Nodes: []*onnx.Node{parseNode(text)}, Outputs: []*onnx.Value{{Name: "b"}}}
	}
	net := func() *builder { return build(17).in("x", onnx.Float16, -1, 4) }
	for name, tc := range map[string]struct {
		m     *onnx.Model
		casts int
	}{
		"chain":               {net().node("a = Relu(x)").node("b = Neg(a)").node("y = Sigmoid(b)").out("y"), 2},
		"movement alone":      {net().node("a = Transpose(x)").node("y = Identity(a)").out("y"), 0},
		"movement within":     {net().node("a = Relu(x)").node("b = Transpose(a)").node("y = Neg(b)").out("y"), 2},
		"output of no floats": {net().node("a = Relu(x)").node("y = ArgMax(a)").out("y"), 1},
		"read in both":        {net().node("a = Relu(x)").node("y = Neg(a)").node("z = Cast(a)", intAttr("to", int64(onnx.Int32))).out("y", "z"), 4},
		"output within":       {net().node("a = Relu(x)").node("y = Neg(a)").out("a", "y"), 3},
		"a constant":          {net().weight("w", half([]int{4}, 1, 2, 3, 4)).node("a = Mul(x, w)").node("y = Add(a, w)").out("y"), 2},
		"concat":              {net().node("a = Relu(x)").node("b = Concat(a, x)", intAttr("axis", 1)).node("y = Neg(b)").out("y"), 2},
		"where": {net().weight("c", onnx.Of([]int{4}, []bool{true, false, true, false})).node("a = Relu(x)").node("b = Where(c, a, x)").
			node("y = Neg(b)").out("y"), 2},
		"power": {net().weight("e", half(nil, 2)).node("a = Relu(x)").node("b = Pow(a, e)").node("y = Neg(b)").out("y"), 2},
		"split": {net().node("a = Relu(x)").node("b, c = Split(a)", intAttr("axis", 1)).node("y = Mul(b, c)").out("y"), 2},
		// The type of what an If gives is not known ahead: the operator after it widens and rounds by itself.
		"captured": {net().in("p", onnx.Bool).node("a = Relu(x)").node("c = If(p)", graphAttr("then_branch", branch("b = Neg(a)")),
			graphAttr("else_branch", branch("b = Identity(a)"))).node("y = Neg(c)").out("y"), 2},
	} {
		in := map[string]*onnx.Tensor{"x": half([]int{2, 4}, 1, -2, 0.5, 3, 0, 0.1, -0.3, 7)}
		if len(tc.m.Graph.Inputs) > 1 {
			in["p"] = onnx.Of([]int{}, []bool{true})
		}
		want := mustRun(t, mustCompile(t, tc.m, Options{NoFuse: true}), in)
		p := mustCompile(t, tc.m, Options{})
		got := mustRun(t, p, in)
		for out, w := range want {
			g := got[out]
			if g.Type != w.Type {
				t.Errorf("%s: %s is of type %v, want %v", name, out, g.Type, w.Type)
			} else if w.Type == onnx.Float16 && difference(widen(g), widen(w)) > 1e-3 || w.Type != onnx.Float16 && !bytes.Equal(g.Raw, w.Raw) {
				t.Errorf("%s: %s is %v, want %v", name, out, g, w)
			}
		}
		casts := 0
		for _, s := range p.steps {
			if s.node.OpType == "Cast" {
				casts++
			}
		}
		if casts != tc.casts {
			t.Errorf("%s: %d casts, want %d", name, casts, tc.casts)
		}
	}
}

// Where nodes are kept as they are, weights of half precision are widened when the network is compiled, not in each run.
func TestHalfWeights(t *testing.T) {
	p := mustCompile(t, halved(residualNet(rand.New(rand.NewPCG(12, 12))), onnx.Float16), Options{NoFuse: true})
	checked := 0
	for _, s := range p.steps {
		h, ok := s.op.(halfOp)
		if !ok {
			continue
		}
		for _, i := range s.in {
			if i >= 0 && p.consts[i] != nil && p.consts[i].Type.IsHalf() {
				checked++
				if h.wide[p.consts[i]] == nil {
					t.Errorf("%s: %s is widened in each run", s.node, p.names[i])
				}
			}
		}
	}
	if checked == 0 {
		t.Error("no weight of half precision")
	}
}
