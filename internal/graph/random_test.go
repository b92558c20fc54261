package graph

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// randomModel makes a small graph over images [N,C,H,W]: convolutions with what is fused into them, views, sums,
// pooling, shape arithmetic and branches, read and asked for at random places. The other result is an input.
func randomModel(r *rand.Rand) (*onnx.Model, *onnx.Tensor) {
	c, h, w := 1+r.IntN(3), 2+r.IntN(4), 2+r.IntN(4)
	b := build(13+int64(r.IntN(5))).in("x", onnx.Float, -1, c, h, w)
	type value struct {
		name    string
		c, h, w int
	}
	vals := []value{{"x", c, h, w}}
	pick := func() value { // the newest one mostly, so that chains arise
		if r.IntN(3) > 0 {
			return vals[len(vals)-1]
		}
		return vals[r.IntN(len(vals))]
	}
	id := 0
	weight := func(t *onnx.Tensor) string {
		id++
		name := fmt.Sprint("w", id)
		b.weight(name, t)
		return name
	}
	positive := func(n int) *onnx.Tensor {
		t := random(r, n)
		for i, v := range t.Float32s() {
			t.Float32s()[i] = v*v + 0.5
		}
		return t
	}
	shared := map[string]string{} // weights that several convolutions use
	for range 3 + r.IntN(10) {
		v := pick()
		id++
		out := value{fmt.Sprint("v", id), v.c, v.h, v.w}
		node := func(text string, attrs ...*onnx.Attribute) { b.node(out.name+" = "+text, attrs...) }
		switch r.IntN(24) {
		case 0, 1, 2, 3:
			out.c = 1 + r.IntN(3)
			k := 1 + 2*r.IntN(2)
			key := fmt.Sprint(out.c, v.c, k)
			if shared[key] == "" || r.IntN(3) > 0 {
				shared[key] = weight(random(r, out.c, v.c, k, k))
			}
			text := "Conv(" + v.name + ", " + shared[key]
			if r.IntN(2) == 0 {
				text += ", " + weight(random(r, out.c))
			}
			p := int64(k / 2)
			node(text+")", intsAttr("pads", p, p, p, p))
		case 4:
			node(fmt.Sprintf("BatchNormalization(%s, %s, %s, %s, %s)", v.name, weight(random(r, v.c)), weight(random(r, v.c)), weight(random(r, v.c)), weight(positive(v.c))))
		case 5, 6:
			node([]string{"Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "Neg", "Abs"}[r.IntN(7)] + "(" + v.name + ")")
		case 7:
			node("Clip(" + v.name + ", " + weight(f32(nil, -0.5)) + ", " + weight(f32(nil, 1)) + ")")
		case 8, 9, 10:
			u := pick()
			if u.c == v.c && u.h == v.h && u.w == v.w || u.c == v.c && u.h == 1 && u.w == 1 {
				node([]string{"Add", "Mul", "Sub", "Sum"}[r.IntN(4)] + "(" + v.name + ", " + u.name + ")")
				break
			}
			node("Identity(" + u.name + ")")
			out.c, out.h, out.w = u.c, u.h, u.w
		case 11:
			shape := [][]int{{v.c, 1, 1}, {1, v.c, 1, 1}, {}, {1}, {v.w}, {1, v.h, 1}}[r.IntN(6)]
			args := []string{v.name, weight(random(r, shape...))}
			i := r.IntN(2)
			node([]string{"Add", "Mul", "Sub", "Div"}[r.IntN(4)] + "(" + args[i] + ", " + args[1-i] + ")")
		case 12:
			node("Identity(" + v.name + ")")
		case 13:
			node("MaxPool("+v.name+")", intsAttr("kernel_shape", 3, 3), intsAttr("pads", 1, 1, 1, 1))
		case 14:
			node("GlobalAveragePool(" + v.name + ")")
			out.h, out.w = 1, 1
		case 15: // there and back through a view
			b.node(out.name+"f = Flatten("+v.name+")", intAttr("axis", 2))
			b.node(out.name + "s = Shape(" + v.name + ")")
			node("Reshape(" + out.name + "f, " + out.name + "s)")
		case 16, 21, 22: // as in a dense block: of what there is, some of it joined already
			args := v.name
			for range 1 + r.IntN(2) {
				if u := pick(); u.h == v.h && u.w == v.w && u.c+out.c < 12 {
					args += ", " + u.name
					out.c += u.c
				}
			}
			node("Concat("+args+")", intAttr("axis", 1))
		case 23: // one part is read, the other left
			if v.c == 1 {
				node("Dropout(" + v.name + ")")
				break
			}
			first := 1 + r.IntN(v.c-1)
			part := value{out.name + "p", first, v.h, v.w}
			out.c = v.c - first
			b.node(part.name+", "+out.name+" = Split("+v.name+", "+weight(i64(int64(first), int64(out.c)))+")", intAttr("axis", 1))
			vals = append(vals, part)
		case 17:
			pads := weight(i64(0, 0, 1, 0, 0, 0, 1, 2))
			node("Pad(" + v.name + ", " + pads + ")")
			out.h, out.w = v.h+2, v.w+2
		case 18: // a branch that reads from outside, with a known and with a computed condition
			g := func(name, text string) *onnx.Attribute {
				return graphAttr(name, &onnx.Graph{Name: name, Nodes: []*onnx.Node{parseNode(name + "v = " + text)}, Outputs: []*onnx.Value{{Name: name + "v"}}})
			}
			cond := weight(onnx.Of([]int{}, []bool{r.IntN(2) == 0}))
			if r.IntN(2) == 0 {
				b.node(out.name+"m = ReduceMax("+v.name+")", intAttr("keepdims", 0))
				b.node(out.name + "c = Greater(" + out.name + "m, " + weight(f32(nil, 0.5)) + ")")
				cond = out.name + "c"
			}
			node("If("+cond+")", g("then_branch", "Relu("+v.name+")"), g("else_branch", "Neg("+v.name+")"))
		case 19: // SiLU, HardSwish
			act := []string{"Sigmoid", "HardSigmoid"}[r.IntN(2)]
			alpha := &onnx.Attribute{Name: "alpha", Type: onnx.AttrFloat, F: 1.0 / 6}
			if act == "Sigmoid" {
				b.node(out.name + "g = Sigmoid(" + v.name + ")")
			} else {
				b.node(out.name+"g = HardSigmoid("+v.name+")", alpha)
			}
			node("Mul(" + v.name + ", " + out.name + "g)")
		case 20: // to channels last and back
			b.node(out.name+"t = Transpose("+v.name+")", intsAttr("perm", 0, 2, 3, 1))
			b.node(out.name + "r = Relu(" + out.name + "t)")
			node("Transpose("+out.name+"r)", intsAttr("perm", 0, 3, 1, 2))
		}
		vals = append(vals, out)
	}
	outs := []string{vals[len(vals)-1].name}
	for range r.IntN(3) {
		outs = append(outs, pick().name)
	}
	n := 1 + r.IntN(2)
	return b.out(outs...), random(r, n, c, h, w)
}

// stepwise computes every value of a model with a program for each node alone, so that nothing is fused, planned or
// written over.
func stepwise(m *onnx.Model, x *onnx.Tensor) (map[string]*onnx.Tensor, error) {
	vals := map[string]*onnx.Tensor{"": nil, "x": x}
	for _, t := range m.Graph.Initializers {
		vals[t.Name] = t
	}
	for _, n := range m.Graph.Nodes {
		one := &onnx.Model{IRVersion: 8, Opsets: m.Opsets, Graph: &onnx.Graph{Name: "one", Nodes: []*onnx.Node{n}}}
		in := map[string]*onnx.Tensor{}
		for name := range n.Uses() {
			if in[name] == nil {
				in[name] = vals[name]
				one.Graph.Inputs = append(one.Graph.Inputs, &onnx.Value{Name: name})
			}
		}
		for _, o := range n.Outputs {
			one.Graph.Outputs = append(one.Graph.Outputs, &onnx.Value{Name: o})
		}
		p, err := Compile(one, Options{NoFuse: true})
		if err != nil {
			return nil, err
		}
		out, err := p.Run(context.Background(), in)
		if err != nil {
			return nil, err
		}
		for name, t := range out {
			vals[name] = t
		}
	}
	return vals, nil
}

// Fused and planned programs compute what the nodes compute one by one, in the first run and in later ones, where
// memory is used again.
func TestRandomGraphs(t *testing.T) {
	seeds := uint64(2000)
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		m, x := randomModel(rand.New(rand.NewPCG(seed, 0)))
		want, err := stepwise(m, x)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, o := range []Options{{Pool: testPool}, {NoFuse: true}} {
			p, err := Compile(m, o)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for run := range 2 {
				got, err := p.Run(context.Background(), map[string]*onnx.Tensor{"x": x})
				if err != nil {
					t.Fatalf("seed %d, NoFuse %v: %v", seed, o.NoFuse, err)
				}
				for _, v := range m.Graph.Outputs {
					if d := difference(got[v.Name], want[v.Name]); d > 1e-4 {
						t.Fatalf("seed %d, NoFuse %v, run %d: output %s differs by %g", seed, o.NoFuse, run, v.Name, d)
					}
				}
			}
		}
	}
}

// difference returns the largest difference of two tensors relative to the largest element, infinite for other shapes.
func difference(got, want *onnx.Tensor) float64 {
	if got.Type != want.Type || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
		return math.Inf(1)
	}
	diff, largest := 0.0, 1e-3
	for i, w := range want.Float32s() {
		diff = max(diff, math.Abs(float64(got.Float32s()[i])-float64(w)))
		largest = max(largest, math.Abs(float64(w)))
	}
	return diff / largest
}
