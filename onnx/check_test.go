package onnx

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// node makes a node from "name Op in,in -> out,out" (an empty name or list is _).
func node(text string, attrs ...*Attribute) *Node {
	f := strings.Fields(text)
	split := func(s string) []string {
		if s == "_" {
			return nil
		}
		return strings.Split(s, ",")
	}
	return &Node{Name: strings.Trim(f[0], "_"), OpType: strings.Trim(f[1], "_"), Inputs: split(f[2]), Outputs: split(f[4]), Attrs: attrs}
}

func vals(names ...string) []*Value {
	var list []*Value
	for _, n := range names {
		list = append(list, &Value{Name: n})
	}
	return list
}

func weights(names ...string) []*Tensor {
	var list []*Tensor
	for _, n := range names {
		t := Of([]int{2}, []float32{10, 20})
		t.Name = n
		list = append(list, t)
	}
	return list
}

func graphAttr(name string, g *Graph) *Attribute {
	return &Attribute{Name: name, Type: AttrGraph, Graph: g}
}

func model(g *Graph) *Model { return &Model{IRVersion: 8, Opsets: []Opset{{Version: 17}}, Graph: g} }

func TestCheck(t *testing.T) {
	in, out := vals("x"), vals("y")
	with := func(change func(m *Model)) *Model {
		m := model(&Graph{Name: "g", Inputs: in, Outputs: out, Nodes: []*Node{node("n Relu x -> y")}})
		change(m)
		return m
	}
	graph := func(outputs []*Value, initializers []*Tensor, nodes ...*Node) *Model {
		return model(&Graph{Name: "g", Inputs: in, Outputs: outputs, Initializers: initializers, Nodes: nodes})
	}
	function := func(name string, nodes ...*Node) *Function {
		return &Function{Name: name, Domain: "f", Inputs: []string{"a"}, Outputs: []string{"b"}, Opsets: []Opset{{Version: 17}, {Domain: "f", Version: 1}}, Nodes: nodes}
	}
	call := func(text string) *Node {
		n := node(text)
		n.Domain = "f"
		return n
	}
	twelve := make([]*Node, 12)
	for i := range twelve {
		twelve[i] = node(fmt.Sprintf("n%d Relu v%d -> v%d", i, (i+11)%12, i))
	}
	for _, c := range []struct {
		name string
		m    *Model
		want []string // one fault each
	}{
		{"sound", with(func(*Model) {}), nil},
		{"case 15 a: weight also an input", graph(out, weights("x"), node("n Relu x -> y")), nil},
		{"case 15 b: unsorted", graph(out, nil, node("r Relu a -> y"), node("n Neg x -> a")), nil},
		{"case 15 c: cycle", graph(vals("a"), nil, node("r Relu b -> a"), node("n Neg a -> b")),
			[]string{`node "r" (Relu): cycle: node "n" (Neg) needs node "r" (Relu), which needs the first`}},
		{"needs itself", graph(vals("a"), nil, node("r Relu a -> a")), []string{`node "r" (Relu): cycle: node "r" (Relu) needs its own output`}},
		{"long cycle", graph(nil, nil, twelve...), []string{"needs 4 more, which needs the first"}},
		{"case 15 d: two nodes", graph(out, nil, node("a Relu x -> y"), node("b Neg x -> y")), []string{`node "b" (Neg): output "y" is also an output of node "a" (Relu)`}},
		{"case 15 d: two initializers", graph(out, weights("w", "w"), node("a Relu x -> y")), []string{`initializer "w" is given twice`}},
		{"case 15 e: weight as output", graph(vals("y", "w"), weights("w"), node("a Relu x -> y")), nil},
		{"case 15 e: input as output", graph(vals("y", "x"), nil, node("a Relu x -> y")), nil},
		{"case 15 f: unknown input", graph(out, nil, node("a Add x,nope -> y")), []string{`node "a" (Add): input "nope" is produced by no node`}},
		{"unknown output", graph(vals("z"), nil, node("a Relu x -> y")), []string{`graph output "z" is produced by no node`}},
		{"output that is an input", graph(vals("x"), nil, node("a Relu x -> x")), []string{`output "x" is also an input or an initializer`, "cycle"}},
		{"no operator", graph(out, nil, node("_ _ x -> y")), []string{`node of output "y" (): the node has no operator`}},
		{"no IR version", with(func(m *Model) { m.IRVersion = 0; m.Opsets[0].Version = 0 }), []string{"no IR version", `version 0 of the operator set ""`}},
		{"no operator set", with(func(m *Model) { m.Opsets = nil }), []string{"imports no operator set"}},
		{"before operator sets", with(func(m *Model) { m.Opsets, m.IRVersion = nil, 2 }), nil},
		{"operator set twice", with(func(m *Model) { m.Opsets = append(m.Opsets, Opset{Domain: "ai.onnx", Version: 16}) }), []string{`the operator set "ai.onnx" twice`}},
		{"no graph", with(func(m *Model) { m.Graph = nil }), []string{"no graph"}},
		{"input twice", with(func(m *Model) { m.Graph.Inputs = vals("x", "x", "") }), []string{`input "x" is given twice`, `an input of graph "g" has no name`}},
		{"initializer without name", with(func(m *Model) { m.Graph.Initializers = weights("") }), []string{`an initializer of graph "g" has no name`}},
		{"tensor", with(func(m *Model) { m.Graph.Initializers = weights("w"); m.Graph.Initializers[0].Raw = nil }), []string{`tensor "w": float32[2] takes 8 bytes, has 0`}},
		{"domain", with(func(m *Model) { m.Graph.Nodes[0].Domain = "com.example" }), []string{`node "n" (com.example.Relu): the operator set "com.example" is not imported`}},
		{"attributes", graph(out, nil, node("n Op x -> y", &Attribute{Name: "a"}, &Attribute{Name: "a"}, &Attribute{}, &Attribute{Name: "r", RefName: "q"},
			&Attribute{Name: "t", Tensor: &Tensor{Name: "t", Type: Float, Shape: []int{1}}}, &Attribute{Name: "ts", Tensors: []*Tensor{{Name: "u", Type: Float, Shape: []int{1}}}})),
			[]string{`attribute "a" is given twice`, "attribute has no name", `attribute "r" refers to "q"`, `tensor "t"`, `tensor "u"`}},
		{"subgraph", graph(out, weights("w"), node("n If x -> y",
			graphAttr("then_branch", &Graph{Name: "t", Nodes: []*Node{node("m Mul x,w -> z")}, Outputs: vals("z")}),
			graphAttr("else_branch", &Graph{Name: "e", Initializers: weights("k"), Nodes: []*Node{node("a Add x,k -> z"), node("b Add k,no -> u")}, Outputs: vals("z", "v")}))),
			[]string{`node "b" (Add): input "no"`, `graph output "v"`}},
		{"functions", with(func(m *Model) {
			m.Functions = []*Function{
				function("F", node("n Relu a -> b", &Attribute{Name: "alpha", RefName: "alpha"}, &Attribute{Name: "beta", RefName: "beta"})),
				function("F", node("n Relu a -> c")),
				function("R", call("n S a -> b")),
				function("S", node("i If a -> b", graphAttr("then_branch", &Graph{Nodes: []*Node{call("n R a -> z")}, Outputs: vals("z")}))),
			}
			m.Functions[0].Attrs = []string{"alpha"}
			m.Functions[0].Defaults = []*Attribute{{Name: "beta"}}
		}), []string{"function f.F: the function is defined twice", `function f.F: output "b" is produced by no node`, `function R calls itself`}},
		{"several", graph(vals("q"), weights("w", "w"), node("a Add nope,x -> y"), node("b _ y -> y")), []string{`"w" is given twice`, `"y" is also`, `"nope"`, "no operator", `"q"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			errs := c.m.Check()
			if len(errs) != len(c.want) {
				t.Fatalf("%d faults, want %d: %v", len(errs), len(c.want), errs)
			}
			for i, err := range errs {
				wantError(t, err, c.want[i])
				var s *StructureError
				if !errors.As(err, &s) {
					t.Errorf("%T is no StructureError", err)
				}
			}
		})
	}
}

func TestRequiredInputs(t *testing.T) {
	g := &Graph{Inputs: vals("x", "w"), Initializers: weights("w", "v")} // case 15 a
	if got := g.RequiredInputs(); len(got) != 1 || got[0].Name != "x" {
		t.Errorf("got %v, want x", got)
	}
}

func order(nodes []*Node) string {
	var s []string
	for _, n := range nodes {
		s = append(s, n.Name)
	}
	return strings.Join(s, " ")
}

func TestSort(t *testing.T) {
	branch := func(uses string) *Attribute {
		inner := &Graph{Nodes: []*Node{node("m Relu " + uses + " -> z")}, Outputs: vals("z")}
		return graphAttr("then_branch", &Graph{Nodes: []*Node{node("i If c -> z", graphAttr("then_branch", inner))}, Inputs: vals("c"), Outputs: vals("z")})
	}
	for _, c := range []struct {
		name  string
		nodes []*Node
		want  string
	}{
		{"sorted", []*Node{node("a Op x -> a"), node("b Op x -> b"), node("c Op a,b -> c")}, "a b c"},
		{"case 15 b", []*Node{node("r Relu a -> y"), node("n Neg x -> a")}, "n r"},
		{"stable", []*Node{node("a Op x -> a"), node("d Op c -> d"), node("b Op x -> b"), node("c Op a -> c")}, "a c d b"},
		{"what a subgraph uses", []*Node{node("i If cond -> y", branch("w")), node("w Op x -> w")}, "w i"},
		{"a name of the subgraph's own", []*Node{node("i If cond -> y", branch("c")), node("c Op x -> c")}, "i c"},
		{"what a subgraph returns", []*Node{node("i If cond -> y", graphAttr("b", &Graph{Outputs: vals("w")})), node("w Op x -> w")}, "w i"},
		{"graphs in a list", []*Node{node("i Op x -> y", &Attribute{Name: "gs", Graphs: []*Graph{{}, {Outputs: vals("w")}}}), node("w Op x -> w")}, "w i"},
		{"left out", []*Node{node("a Op ,x -> ,a"), node("b Op a, -> ,b")}, "a b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sorted, err := (&Graph{Nodes: c.nodes}).Sort()
			if err != nil {
				t.Fatal(err)
			}
			if got := order(sorted); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	_, err := (&Graph{Nodes: []*Node{node("a Relu x -> y"), node("b Neg x -> y")}}).Sort()
	wantError(t, err, `node "b" (Neg): output "y" is also an output of node "a" (Relu)`)
	_, err = (&Graph{Nodes: []*Node{node("a If x -> w", branch("w"))}}).Sort()
	wantError(t, err, "cycle")
}

// Case 15 g: a long chain, in the worst order, in linear time and without deep recursion.
func TestSortChain(t *testing.T) {
	const n = 10000
	g := &Graph{Inputs: vals("v0"), Outputs: vals(fmt.Sprint("v", n))}
	for i := range n {
		g.Nodes = append(g.Nodes, node(fmt.Sprintf("n%d Identity v%d -> v%d", i, i, i+1)))
	}
	want := slices.Clone(g.Nodes)
	slices.Reverse(g.Nodes)
	m := parse(t, rewrite(t, model(g)))
	if errs := m.Check(); errs != nil {
		t.Fatal(errs)
	}
	sorted, err := m.Graph.Sort()
	if err != nil {
		t.Fatal(err)
	}
	if order(sorted) != order(want) {
		t.Error("the chain is not in order")
	}
}

// Iterators over names stop when they are told to.
func TestUsesStops(t *testing.T) {
	g := &Graph{Nodes: []*Node{node("i If a,b -> y", graphAttr("then_branch", &Graph{Nodes: []*Node{node("m Op c,d -> z")}, Outputs: vals("e", "f")}),
		&Attribute{Name: "gs", Graphs: []*Graph{{Outputs: vals("h")}, {Outputs: vals("i")}}})}}
	var all []string
	for name := range g.Captures() {
		all = append(all, name)
	}
	if want := []string{"a", "b", "c", "d", "e", "f", "h", "i"}; !reflect.DeepEqual(all, want) {
		t.Fatalf("got %v, want %v", all, want)
	}
	for stop := range all {
		var got []string
		for name := range g.Captures() {
			if got = append(got, name); len(got) > stop {
				break
			}
		}
		if !reflect.DeepEqual(got, all[:stop+1]) {
			t.Errorf("stopped after %d: got %v", stop+1, got)
		}
	}
	for range g.Nodes[0].Subgraphs() {
		break
	}
}

func TestClone(t *testing.T) {
	m := parse(t, everything())
	c := m.Graph.Clone()
	if !reflect.DeepEqual(m.Graph, c) {
		t.Fatal("the clone is another graph")
	}
	n := c.Nodes[0]
	n.Inputs[0], n.Outputs[0], n.Metadata[0].Key = "changed", "changed", "changed"
	n.Attr("ints").Ints[0] = 99
	n.Attr("floats").Floats[0] = 99
	n.Attr("strings").Strings[0][0] = 'z'
	n.Attr("g").Graph.Nodes[0].Name = "changed"
	n.Attr("graphs").Graphs[0].Nodes[0].Name = "changed"
	n.Attr("tensors").Tensors[0] = nil
	n.Attr("f").Name = "changed"
	c.Inputs[0].Type.Shape[0].Size = 99
	c.Initializers[0] = nil
	if !equal(m, parse(t, everything())) {
		t.Error("changing the clone changed the graph")
	}
}
