package graph

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestSizeOf(t *testing.T) {
	for _, c := range []struct {
		typ   onnx.DataType
		shape []int
		want  int // -1: an error
	}{
		{onnx.Float, nil, 4},
		{onnx.Float, []int{2, 3}, 24},
		{onnx.Float, []int{1 << 62, 1 << 62, 0}, 0},
		{onnx.Float, []int{1 << 34}, 1 << 36},
		{onnx.Float, []int{1<<34 + 1}, -1},
		{onnx.Float, []int{1 << 32, 1 << 32}, -1},
		{onnx.Float, []int{1 << 21, 1 << 21, 1 << 21, 2}, -1},
		{onnx.Float, []int{math.MaxInt64}, -1},
		{onnx.Float, []int{0, -1}, -1},
		{onnx.Bool, []int{3}, 3},
		{onnx.Int4, []int{3}, 2},
		{onnx.String, []int{2}, 32},
	} {
		got, err := sizeOf(c.typ, c.shape, defaultLimit)
		if (err != nil) != (c.want < 0) || err == nil && got != c.want {
			t.Errorf("%v%v: %d, %v; want %d", c.typ, c.shape, got, err, c.want)
		}
	}
}

// Values and runs that are too large are errors that name the node and the shape, before memory is asked for.
func TestLimits(t *testing.T) {
	const limit = 1 << 16
	x4 := f32([]int{4}, 1, 2, 3, 4)
	expand := func(n int64) *builder {
		return build(13).in("x", onnx.Float, 4).weight("to", i64(n, 4)).node("e = Expand(x, to)")
	}
	many := func(outputs bool) *onnx.Model { // each value is small enough, all together are not
		b := build(13).in("x", onnx.Float, 4).weight("to", i64(1000, 4))
		var names []string
		for i := range 8 {
			b.node(fmt.Sprintf("v%d = Expand(x, to)", i))
			names = append(names, fmt.Sprint("v", i))
		}
		if outputs {
			return b.out(names...)
		}
		return b.node("y = Sum(" + strings.Join(names, ", ") + ")").out("y")
	}
	// The body doubles its carried value, or keeps a slice of it in each iteration.
	loop := func(body ...string) *onnx.Model {
		g := &onnx.Graph{Name: "body", Inputs: []*onnx.Value{{Name: "i"}, {Name: "c"}, {Name: "v"}},
			Outputs: []*onnx.Value{{Name: "c2"}, {Name: "v2"}, {Name: "s"}}}
		for _, text := range append(body, "c2 = Identity(c)") {
			n := parseNode(text)
			if n.OpType == "Concat" {
				n.Attrs = []*onnx.Attribute{intAttr("axis", 0)}
			}
			g.Nodes = append(g.Nodes, n)
		}
		return build(13).in("x", onnx.Float, 4).node("last, all = Loop(, , x)", graphAttr("body", g)).out("last", "all")
	}
	for _, c := range []struct {
		name string
		m    *onnx.Model
		in   map[string]*onnx.Tensor
		want []string
	}{
		{"planned", expand(1 << 20).node("y = Relu(e)").out("y"), nil, []string{`"e_node" (Expand)`, "[1048576 4]", "limit of 65536"}},
		{"overflow", expand(1 << 61).node("y = Relu(e)").out("y"), nil, []string{`"e_node" (Expand)`}},
		{"dynamic", build(13).in("x", onnx.Float, 4).in("to", onnx.Int64, 2).node("e = Expand(x, to)").node("y = Relu(e)").out("y"),
			map[string]*onnx.Tensor{"to": i64(1<<20, 4)}, []string{`"e_node" (Expand)`, "[1048576 4]", "limit"}},
		{"arena", many(false), nil, []string{"(Expand)", "[1000 4]", "a run takes more than the limit"}},
		{"outputs", many(true), nil, []string{`value "v`, "[1000 4]", "limit"}},
		{"growing loop", loop("v2 = Concat(v, v)", "s = Identity(v)"), nil, []string{`"last_node" (Loop)`, "limit"}},
		{"endless loop", loop("v2 = Identity(v)", "s = Identity(v)"), nil, []string{`"last_node" (Loop)`, "scan outputs take more than the limit"}},
		{"input", build(13).in("x", onnx.Float, -1).node("y = Relu(x)").out("y"), map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 1<<15)}, []string{`input "x"`, "limit"}},
		{"weight", build(13).in("x", onnx.Float, 4).weight("w", onnx.New(onnx.Float, 1<<15, 1)).node("y = Add(x, w)").out("y"), nil, []string{`initializer "w"`, "limit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Compile(c.m, Options{Pool: testPool, Limit: limit})
			if err == nil {
				in := map[string]*onnx.Tensor{"x": x4}
				for k, v := range c.in {
					in[k] = v
				}
				_, err = p.Run(context.Background(), in)
			}
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one with %q", err, want)
				}
			}
		})
	}
}

// What is folded when a model is compiled is bounded, for one node and for all.
func TestFoldIsBounded(t *testing.T) {
	b := build(13).weight("x", f32([]int{1, 1}, 1)).weight("big", i64(1<<13, 1<<13)).weight("medium", i64(1<<11, 1<<10)).weight("small", i64(2, 2))
	b.node("b = Expand(x, big)").node("s = Expand(x, small)").node("sb = ReduceMax(b)").node("total = Add(s, sb)")
	for i := range 40 { // 8 MiB each
		b.node(fmt.Sprintf("m%d = Expand(x, medium)", i)).node(fmt.Sprintf("r%d = Shape(m%d)", i, i))
	}
	m := b.out("total", "r0")
	w, err := load(m.Graph, nil, valueNames(m.Graph.Outputs), nil, Options{}, m.OpsetVersion)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.fold(&op.Runtime{Context: context.Background()}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"b": false, "s": true, "m0": true, "m39": false} {
		if got := w.consts[name] != nil; got != want {
			t.Errorf("%s: folded %v, want %v", name, got, want)
		}
	}
}

// Sub-graphs in sub-graphs are compiled once each.
func TestDeepSubGraphs(t *testing.T) {
	nest := func(depth int) *onnx.Model {
		g := &onnx.Graph{Name: "g", Nodes: []*onnx.Node{parseNode("o = Relu(x)")}, Outputs: []*onnx.Value{{Name: "o"}}}
		for range depth {
			leaf := &onnx.Graph{Name: "e", Nodes: []*onnx.Node{parseNode("o = Neg(x)")}, Outputs: g.Outputs}
			n := parseNode("o = If(c)", graphAttr("then_branch", g), graphAttr("else_branch", leaf))
			g = &onnx.Graph{Name: "g", Nodes: []*onnx.Node{n}, Outputs: g.Outputs}
		}
		m := build(13).in("x", onnx.Float, 1).in("c", onnx.Bool).out("o")
		m.Graph.Nodes = g.Nodes
		return m
	}
	start := time.Now()
	p := mustCompile(t, nest(30), Options{})
	out := mustRun(t, p, map[string]*onnx.Tensor{"x": f32([]int{1}, -1), "c": onnx.Of([]int{}, []bool{true})})
	wantFloats(t, out["o"], 0)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
	if _, err := Compile(nest(maxDepth+2), Options{}); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("error %v", err)
	}
}

// An operator that answers with nonsense is an error that names it.
func TestCheckInfos(t *testing.T) {
	n := parseNode("y, z = Foo(x)")
	good := op.Info{Type: onnx.Float, Shape: []int{2}}
	for _, c := range []struct {
		out  []op.Info
		want string
	}{
		{[]op.Info{good, good}, ""},
		{[]op.Info{good, {Dynamic: true}}, ""},
		{[]op.Info{good}, `no output 1 ("z")`},
		{[]op.Info{{}, good}, `no output 0 ("y")`},
		{[]op.Info{{Type: onnx.Float, Shape: []int{-1}}, good}, `output "y": negative dimension`},
		{[]op.Info{good, {Type: onnx.Float, Shape: []int{2}, Value: &onnx.Tensor{Type: onnx.Float, Shape: []int{2}, Raw: make([]byte, 4)}}}, "internal error of the operator: float32[2] takes 8 bytes, got 4"},
		{[]op.Info{good, {Type: onnx.String, Value: &onnx.Tensor{Type: onnx.String}}}, "has 1 strings, got 0"},
	} {
		err := checkInfos(n, c.out, defaultLimit)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	if err := checkComputed(n, []*onnx.Tensor{f32([]int{1}, 1), {Type: 99}}, defaultLimit); err == nil || !strings.Contains(err.Error(), `output "z"`) {
		t.Errorf("error %v", err)
	}
}

// Names that a graph may not have.
func TestBadNames(t *testing.T) {
	base := func() *builder { return build(13).in("x", onnx.Float, 2).weight("w", f32([]int{2}, 1, 2)) }
	for _, c := range []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"node writes an input", base().node("x = Relu(w)").node("y = Relu(x)").out("y"), `output "x" is also an input`},
		{"node writes a weight", base().node("w = Relu(x)").node("y = Relu(w)").out("y"), `output "w" is also an input or an initializer`},
		{"two weights of one name", base().weight("w", f32(nil, 1)).node("y = Add(x, w)").out("y"), `initializer "w" is there twice`},
		{"two inputs of one name", base().in("x", onnx.Float, 2).node("y = Relu(x)").out("y"), `input "x" is there twice`},
		{"output without name", base().node("y = Relu(x)").out("y", ""), "no name"},
		{"weight without name", base().weight("", f32(nil, 1)).node("y = Relu(x)").out("y"), "no name"},
		{"weight that is cut short", base().weight("s", &onnx.Tensor{Type: onnx.Float, Shape: []int{2}, Raw: make([]byte, 4)}).node("y = Add(x, s)").out("y"), "takes 8 bytes, got 4"},
	} {
		if _, err := Compile(c.m, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}
