package onnx

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// show writes nodes as "name Op in,in -> out,out {attributes}", one a line.
func show(nodes []*Node) string {
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "%s %s %s -> %s", n.Name, n.OpType, strings.Join(n.Inputs, ","), strings.Join(n.Outputs, ","))
		for _, a := range n.Attrs {
			switch {
			case a.Graph != nil:
				var outs []string
				for _, v := range a.Graph.Outputs {
					outs = append(outs, v.Name)
				}
				for _, v := range a.Graph.Inputs {
					outs = append(outs, "in:"+v.Name)
				}
				for _, t := range a.Graph.Initializers {
					outs = append(outs, "w:"+t.Name)
				}
				fmt.Fprintf(&b, " %s[%s | %s]", a.Name, strings.ReplaceAll(show(a.Graph.Nodes), "\n", "; "), strings.Join(outs, ","))
			case a.Graphs != nil:
				fmt.Fprintf(&b, " %s[%s]", a.Name, strings.ReplaceAll(show(a.Graphs[0].Nodes), "\n", "; "))
			default:
				fmt.Fprintf(&b, " %s=%g", a.Name, a.F)
			}
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fcall is a node that calls a function of the domain f.
func fcall(text string, attrs ...*Attribute) *Node {
	n := node(text, attrs...)
	n.Domain = "f"
	return n
}

// function makes one from "Name in,in -> out,out".
func function(head string, nodes ...*Node) *Function {
	n := node("_ " + head)
	return &Function{Name: n.OpType, Domain: "f", Inputs: n.Inputs, Outputs: n.Outputs, Nodes: nodes}
}

func floatAttr(name string, v float32) *Attribute {
	return &Attribute{Name: name, Type: AttrFloat, F: v}
}
func refAttr(name, to string) *Attribute {
	return &Attribute{Name: name, Type: AttrFloat, RefName: to}
}

func TestInlined(t *testing.T) {
	withDefaults := func(f *Function, defaults ...*Attribute) *Function {
		f.Defaults = defaults
		return f
	}
	twice := function("Twice a -> b", node("in Add a,a -> s"), node("out Relu s -> b"))
	for _, c := range []struct {
		name      string
		functions []*Function
		nodes     []*Node
		want      string
	}{
		{"no call", []*Function{twice}, []*Node{node("r Relu x -> y")}, "r Relu x -> y"},
		{"one call", []*Function{twice}, []*Node{fcall("t Twice x -> y")}, "t/in Add x,x -> t/s\nt/out Relu t/s -> y"},
		{"two calls without names", []*Function{twice}, []*Node{fcall("_ Twice x -> u"), fcall("_ Twice u -> y")},
			"Twice/in Add x,x -> Twice/s\nTwice/out Relu Twice/s -> u\nTwice/in_1 Add u,u -> Twice/s_1\nTwice/out_1 Relu Twice/s_1 -> y"},
		{"names that are taken", []*Function{twice}, []*Node{node("t/in Relu x -> t/s"), fcall("t Twice t/s -> y")},
			"t/in Relu x -> t/s\nt/in_1 Add t/s,t/s -> t/s_1\nt/out Relu t/s_1 -> y"},
		{"inputs and outputs left out", []*Function{function("F a,b -> c,d,e", node("n Op a,b -> c,d"), node("_ Op d -> e"))},
			[]*Node{fcall("f F x -> y,,u")}, "f/n Op x, -> y,f/d\nf/Op Op f/d -> u"},
		{"output that is an input", []*Function{function("F a,b -> b,c,c", node("n Op a -> c"))},
			[]*Node{fcall("f F x,z -> p,q,r")}, "f/n Op x -> q\nf/b Identity z -> p\nf/c Identity q -> r"},
		{"attributes", []*Function{withDefaults(function("F a -> b", node("n Op a -> b", refAttr("p", "alpha"), refAttr("q", "beta"), refAttr("r", "gamma"), floatAttr("s", 4))),
			floatAttr("beta", 2), floatAttr("alpha", 9))},
			[]*Node{fcall("f F x -> y", floatAttr("alpha", 1))}, "f/n Op x -> y p=1 q=2 s=4"},
		{"nested calls", []*Function{twice, withDefaults(function("G a -> b", fcall("one Twice a -> m"), fcall("two H m -> b", refAttr("k", "alpha"))), floatAttr("alpha", 3)),
			function("H a -> b", node("n Op a -> b", refAttr("k", "k")))},
			[]*Node{fcall("g G x -> y")}, "g/one/in Add x,x -> g/one/s\ng/one/out Relu g/one/s -> g/m\ng/two/n Op g/m -> y k=3"},
		{"subgraph of the caller", []*Function{twice}, []*Node{node("i If x -> y", graphAttr("then_branch", &Graph{Nodes: []*Node{fcall("t Twice x -> z")}, Outputs: vals("z")}))},
			"i If x -> y then_branch[t/in Add x,x -> t/s; t/out Relu t/s -> z | z]"},
		{"list of subgraphs", []*Function{twice}, []*Node{node("i Op x -> y", &Attribute{Name: "gs", Graphs: []*Graph{{Nodes: []*Node{fcall("t Twice x -> z")}}}})},
			"i Op x -> y gs[t/in Add x,x -> t/s; t/out Relu t/s -> z]"},
		{"subgraph of a body", []*Function{twice, function("F a -> b",
			node("i If a -> b", graphAttr("then_branch", &Graph{Inputs: vals("p"), Initializers: weights("w"), Outputs: vals("z"),
				Nodes: []*Node{node("m Op a,p,w,late -> z", refAttr("k", "k")), fcall("t Twice z -> u")}}), &Attribute{Name: "gs", Graphs: []*Graph{{Nodes: []*Node{node("n Op nowhere, -> v")}}}}),
			node("l Op a -> late"))},
			[]*Node{fcall("f F x -> y", floatAttr("k", 5))},
			"f/i If x -> y then_branch[f/m Op x,f/p,f/w,f/late -> f/z k=5; f/t/in Add f/z,f/z -> f/t/s; f/t/out Relu f/t/s -> f/u | f/z,in:f/p,w:f/w]" +
				" gs[f/n Op f/nowhere, -> f/v]\nf/l Op x -> f/late"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := model(&Graph{Name: "g", Inputs: vals("x"), Outputs: vals("y"), Nodes: c.nodes})
			m.Functions = c.functions
			before := rewrite(t, m)
			in, err := m.Inlined()
			if err != nil {
				t.Fatal(err)
			}
			if got := show(in.Graph.Nodes); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if in.Functions != nil {
				t.Error("functions are left")
			}
			if after := rewrite(t, m); string(before) != string(after) {
				t.Error("the model itself was changed")
			}
		})
	}
}

func TestInlinedOpsetsAndTypes(t *testing.T) {
	f := function("F a -> b", node("n Relu a -> s"), node("o Op s -> b"))
	f.Opsets = []Opset{{Domain: "ai.onnx", Version: 17}, {Domain: "extra", Version: 3}, {Domain: "unused", Version: 2}}
	f.ValueInfo = []*Value{{Name: "s", Type: &Type{Elem: Float}}, {Name: "b"}, {Name: "other"}}
	m := model(&Graph{Nodes: []*Node{fcall("f F x -> y")}})
	m.Opsets = append(m.Opsets, Opset{Domain: "unused", Version: 1})
	m.Functions = []*Function{f}
	in, err := m.Inlined()
	if err != nil {
		t.Fatal(err)
	}
	if want := []Opset{{Version: 17}, {Domain: "unused", Version: 1}, {Domain: "extra", Version: 3}}; !reflect.DeepEqual(in.Opsets, want) {
		t.Errorf("operator sets %v, want %v", in.Opsets, want)
	}
	if v := in.Graph.ValueInfo; len(v) != 1 || v[0].Name != "f/s" || v[0].Type.Elem != Float {
		t.Errorf("declared values: %v, want f/s", v)
	}
	if len(m.Opsets) != 2 || len(m.Graph.ValueInfo) != 0 {
		t.Error("the model itself was changed")
	}
	plain := model(&Graph{})
	if same, err := plain.Inlined(); same != plain || err != nil {
		t.Error("a model without functions is not itself")
	}
}

func TestInlinedRefuses(t *testing.T) {
	// Each of n functions calls the next one often.
	chain := func(n, often int) []*Function {
		var list []*Function
		for i := range n {
			f := function(fmt.Sprintf("F%d a -> b", i))
			for range often {
				f.Nodes = append(f.Nodes, fcall(fmt.Sprintf("c F%d a -> _", i+1)))
			}
			list = append(list, f)
		}
		return append(list, function(fmt.Sprintf("F%d a -> b", n), node("n Relu a -> b")))
	}
	other := function("F a -> b", node("n Relu a -> b"))
	other.Opsets = []Opset{{Version: 11}}
	in := func(f *Function) *Function {
		f.Nodes = []*Node{node("i If a -> b", graphAttr("t", &Graph{Nodes: f.Nodes}), &Attribute{Name: "gs", Graphs: []*Graph{{Nodes: f.Nodes}}})}
		return f
	}
	list := function("F a -> b", node("i If a -> b", &Attribute{Name: "gs", Graphs: []*Graph{{Nodes: []*Node{fcall("n F a -> b")}}}}))
	for _, c := range []struct {
		name      string
		call      string
		functions []*Function
		want      string
	}{
		{"recursion", "c F x -> y", []*Function{function("F a -> b", fcall("n F a -> b"))}, "function f.F calls itself"},
		{"recursion of two", "c F x -> y", []*Function{function("F a -> b", fcall("n G a -> b")), function("G a -> b", fcall("n F a -> b"))}, `node "c/n/n" (f.F): function f.F calls itself`},
		{"recursion in a subgraph", "c F x -> y", []*Function{in(function("F a -> b", fcall("n F a -> b")))}, "calls itself"},
		{"recursion in a list of subgraphs", "c F x -> y", []*Function{list}, "calls itself"},
		{"too deep", "c F0 x -> y", chain(70, 1), "more than 64 deep"},
		{"too much", "c F0 x -> y", chain(60, 20), "expand to more than"},
		{"inputs", "c F x,x -> y", []*Function{function("F a -> b", node("n Relu a -> b"))}, "2 inputs and 1 outputs for function f.F, which has 1 and 1"},
		{"outputs", "c F x -> y,z", []*Function{function("F a -> b", node("n Relu a -> b"))}, "1 inputs and 2 outputs"},
		{"operator set", "c F x -> y", []*Function{other}, `written in opset 11 of "", the model in 17`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := model(&Graph{Nodes: []*Node{fcall(c.call)}})
			m.Functions = c.functions
			_, err := m.inlined(1 << 20)
			wantError(t, err, c.want)
		})
	}
	// What cannot be measured in calls alone: a body with many nodes, or with long names, called often.
	big := function("F a -> b")
	for range 2000 {
		big.Nodes = append(big.Nodes, node(fmt.Sprintf("n Relu a -> %s%d", strings.Repeat("v", 2000), len(big.Nodes))))
	}
	m := model(&Graph{})
	for i := range 1000 {
		m.Graph.Nodes = append(m.Graph.Nodes, fcall(fmt.Sprintf("c%d F x -> y%d", i, i)))
	}
	m.Functions = []*Function{big}
	_, err := m.inlined(100 << 20)
	wantError(t, err, "expand to more than")
}
