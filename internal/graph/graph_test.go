package graph

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// builder makes small models.
type builder struct{ m *onnx.Model }

func build(opset int64) *builder {
	return &builder{&onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: opset}}, Graph: &onnx.Graph{Name: "test"}}}
}

// in declares an input; negative sizes are free.
func (b *builder) in(name string, typ onnx.DataType, shape ...int) *builder {
	t := &onnx.Type{Elem: typ, HasShape: true}
	for _, d := range shape {
		dim := onnx.Dim{Size: d}
		if d < 0 {
			dim.Param = "N"
		}
		t.Shape = append(t.Shape, dim)
	}
	b.m.Graph.Inputs = append(b.m.Graph.Inputs, &onnx.Value{Name: name, Type: t})
	return b
}

func (b *builder) weight(name string, t *onnx.Tensor) *builder {
	c := *t
	c.Name = name
	b.m.Graph.Initializers = append(b.m.Graph.Initializers, &c)
	return b
}

// node adds a node: "y = Op(a, b)" or "y, z = domain.Op(a, , c)".
func (b *builder) node(text string, attrs ...*onnx.Attribute) *builder {
	b.m.Graph.Nodes = append(b.m.Graph.Nodes, parseNode(text, attrs...))
	return b
}

func parseNode(text string, attrs ...*onnx.Attribute) *onnx.Node {
	left, right, _ := strings.Cut(text, " = ")
	opName, args, _ := strings.Cut(strings.TrimSuffix(right, ")"), "(")
	n := &onnx.Node{Name: strings.Split(left, ",")[0] + "_node", OpType: opName, Attrs: attrs}
	if i := strings.LastIndex(opName, "."); i >= 0 {
		n.Domain, n.OpType = opName[:i], opName[i+1:]
	}
	for _, o := range strings.Split(left, ",") {
		n.Outputs = append(n.Outputs, strings.TrimSpace(o))
	}
	if args != "" {
		for _, a := range strings.Split(args, ",") {
			n.Inputs = append(n.Inputs, strings.TrimSpace(a))
		}
	}
	return n
}

func (b *builder) out(names ...string) *onnx.Model {
	for _, n := range names {
		b.m.Graph.Outputs = append(b.m.Graph.Outputs, &onnx.Value{Name: n})
	}
	return b.m
}

func intAttr(name string, v int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}

func intsAttr(name string, v ...int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

func graphAttr(name string, g *onnx.Graph) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrGraph, Graph: g}
}

func f32(shape []int, v ...float32) *onnx.Tensor { return onnx.Of(shape, v) }

func i64(v ...int64) *onnx.Tensor { return onnx.Of([]int{len(v)}, v) }

func random(r *rand.Rand, shape ...int) *onnx.Tensor {
	t := onnx.New(onnx.Float, shape...)
	for i := range t.Float32s() {
		t.Float32s()[i] = float32(r.NormFloat64())
	}
	return t
}

var testPool = par.New(2)

func mustCompile(t *testing.T, m *onnx.Model, o Options) *Program {
	t.Helper()
	if o.Pool == nil {
		o.Pool = testPool
	}
	p, err := Compile(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustRun(t *testing.T, p *Program, in map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	t.Helper()
	out, err := p.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantFloats(t *testing.T, got *onnx.Tensor, want ...float32) {
	t.Helper()
	v := got.Float32s()
	if len(v) != len(want) {
		t.Fatalf("%d elements, want %d", len(v), len(want))
	}
	largest := 1.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	for i := range v {
		if !(math.Abs(float64(v[i]-want[i])) <= 1e-5*largest) {
			t.Fatalf("element %d: got %v, want %v (largest %v)", i, v[i], want[i], largest)
		}
	}
}

// residualNet is a network with what plans get wrong: residual adds, in-place activations, views, a value that is read
// long after it was made, and batch normalisation.
func residualNet(r *rand.Rand) *onnx.Model {
	b := build(17).in("x", onnx.Float, -1, 3, 12, 12)
	b.weight("w0", random(r, 8, 3, 3, 3)).weight("b0", random(r, 8))
	b.node("c0 = Conv(x, w0, b0)", intsAttr("pads", 1, 1, 1, 1)).node("r0 = Relu(c0)")
	last := "r0"
	for i := range 3 {
		n := func(s string) string { return fmt.Sprint(s, i) }
		b.weight(n("wa"), random(r, 8, 8, 3, 3)).weight(n("wb"), random(r, 8, 8, 3, 3))
		for _, p := range []string{"scale", "shift", "mean"} {
			b.weight(n(p), random(r, 8))
		}
		v := random(r, 8)
		for k, x := range v.Float32s() {
			v.Float32s()[k] = x*x + 0.5
		}
		b.weight(n("var"), v)
		b.node(fmt.Sprintf("a%d = Conv(%s, wa%d)", i, last, i), intsAttr("pads", 1, 1, 1, 1))
		b.node(fmt.Sprintf("n%d = BatchNormalization(a%d, scale%d, shift%d, mean%d, var%d)", i, i, i, i, i, i))
		b.node(fmt.Sprintf("ar%d = Relu(n%d)", i, i))
		b.node(fmt.Sprintf("bb%d = Conv(ar%d, wb%d)", i, i, i), intsAttr("pads", 1, 1, 1, 1))
		b.node(fmt.Sprintf("s%d = Add(bb%d, %s)", i, i, last))
		b.node(fmt.Sprintf("t%d = Relu(s%d)", i, i))
		last = n("t")
	}
	b.weight("fw", random(r, 8, 5)).weight("fb", random(r, 5))
	b.node("gap = GlobalAveragePool(" + last + ")").node("flat = Flatten(gap)").node("y = Gemm(flat, fw, fb)")
	return b.out("y", "r0")
}

// Case 39: the second run equals the first, inputs stay as they are, and kept outputs are not written over.
func TestRepeatedRunsAreEqual(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	p := mustCompile(t, residualNet(r), Options{})
	inputs := []*onnx.Tensor{random(r, 1, 3, 12, 12), random(r, 1, 3, 12, 12), random(r, 2, 3, 12, 12)}
	var first []map[string]*onnx.Tensor
	var kept []string
	for _, x := range inputs {
		before := string(x.Raw)
		out := mustRun(t, p, map[string]*onnx.Tensor{"x": x})
		if string(x.Raw) != before {
			t.Fatal("the input was changed")
		}
		first = append(first, out)
		kept = append(kept, string(out["y"].Raw)+string(out["r0"].Raw))
	}
	for round := range 6 {
		for i, x := range inputs {
			out := mustRun(t, p, map[string]*onnx.Tensor{"x": x})
			if string(out["y"].Raw)+string(out["r0"].Raw) != kept[i] {
				t.Fatalf("round %d: input %d gives another result", round, i)
			}
			if string(first[i]["y"].Raw)+string(first[i]["r0"].Raw) != kept[i] {
				t.Fatalf("round %d: an output that was kept has changed", round)
			}
		}
	}
}

func TestConcurrentRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	p := mustCompile(t, residualNet(r), Options{})
	inputs := []*onnx.Tensor{random(r, 1, 3, 12, 12), random(r, 3, 3, 12, 12)}
	var want []string
	for _, x := range inputs {
		want = append(want, string(mustRun(t, p, map[string]*onnx.Tensor{"x": x})["y"].Raw))
	}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for range 10 {
				out, err := p.Run(context.Background(), map[string]*onnx.Tensor{"x": inputs[g%2]})
				if err != nil {
					t.Error(err)
				} else if string(out["y"].Raw) != want[g%2] {
					t.Error("concurrent runs disturb each other")
				}
			}
		})
	}
	wg.Wait()
}

// The same bits for any number of threads.
func TestThreadsDoNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	m := residualNet(r)
	x := random(r, 2, 3, 12, 12)
	var want string
	for _, n := range []int{1, 2, 3, 8} {
		pool := par.New(n)
		p := mustCompile(t, m, Options{Pool: pool})
		got := string(mustRun(t, p, map[string]*onnx.Tensor{"x": x})["y"].Raw)
		if want == "" {
			want = got
		} else if got != want {
			t.Errorf("%d threads give other bits", n)
		}
		pool.Close()
	}
}

// Fused and plain plans compute the same, and fusing leaves only convolutions of the residual blocks.
func TestFusedEqualsPlain(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	m := residualNet(r)
	x := map[string]*onnx.Tensor{"x": random(r, 2, 3, 12, 12)}
	fused, plain := mustCompile(t, m, Options{}), mustCompile(t, m, Options{NoFuse: true})
	wantFloats(t, mustRun(t, fused, x)["y"], mustRun(t, plain, x)["y"].Float32s()...)
	for _, s := range fused.steps {
		switch s.node.OpType {
		case "Add", "Relu", "BatchNormalization":
			t.Errorf("%v is left", s.node)
		}
	}
	// A value that is asked for is there although fusing would take it away.
	at := mustCompile(t, m, Options{Outputs: []string{"n1", "y"}})
	out := mustRun(t, at, x)
	all := mustCompile(t, m, Options{NoFuse: true, Outputs: []string{"n1"}})
	wantFloats(t, out["n1"], mustRun(t, all, x)["n1"].Float32s()...)
}

// No two values that are alive at the same time share memory, unless one is the other in place.
func TestPlanKeepsValuesApart(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	p := mustCompile(t, residualNet(r), Options{NoFuse: true})
	sp, err := p.specFor([]*onnx.Tensor{random(r, 2, 3, 12, 12)})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	type life struct{ from, to, at, size int }
	lives := map[int]life{}
	for i, k := range sp.kind {
		if k != inArena {
			continue
		}
		root := sp.root[i]
		l, ok := lives[root]
		if !ok {
			l = life{from: 1 << 30, at: sp.offset[root]}
		}
		l.size = max(l.size, sp.info[i].Type.Bytes(onnx.NumElements(sp.info[i].Shape)))
		for s := range p.steps {
			if slices.Contains(p.steps[s].out, i) {
				l.from = min(l.from, s)
			}
			if slices.Contains(p.steps[s].in, i) {
				l.to = max(l.to, s)
			}
		}
		lives[root] = l
		total += sp.info[i].Type.Bytes(onnx.NumElements(sp.info[i].Shape))
	}
	for a, x := range lives {
		if x.at+x.size > sp.arena {
			t.Errorf("value %s ends outside the arena", p.names[a])
		}
		for b, y := range lives {
			if a < b && x.from <= y.to && y.from <= x.to && x.at < y.at+y.size && y.at < x.at+x.size {
				t.Errorf("%s and %s overlap", p.names[a], p.names[b])
			}
		}
	}
	if sp.arena*2 > total {
		t.Errorf("the arena takes %d bytes, all values together %d", sp.arena, total)
	}
}

// Case 15: inputs, order, outputs, chains.
func TestPlumbing(t *testing.T) {
	x2 := f32([]int{2}, 1, 2)
	w := f32([]int{2}, 10, 20)
	chain := build(13).in("x", onnx.Float, 2)
	last := "x"
	for i := range 10000 {
		next := fmt.Sprint("v", i)
		chain.node(next + " = Identity(" + last + ")")
		last = next
	}
	old := build(7).in("x", onnx.Float, 2).in("w", onnx.Float, 2).weight("w", w).node("y = Add(x, w)")
	old.m.IRVersion = 3
	for _, c := range []struct {
		name string
		m    *onnx.Model
		in   *onnx.Tensor
		want map[string][]float32
		err  string
	}{
		{name: "weight is an input too", m: old.out("y"), in: x2, want: map[string][]float32{"y": {11, 22}}},
		{name: "unsorted", m: build(13).in("x", onnx.Float, 2).node("y = Relu(a)").node("a = Neg(x)").out("y"), in: f32([]int{2}, -1, 2), want: map[string][]float32{"y": {1, 0}}},
		{name: "cycle", m: build(13).in("x", onnx.Float, 2).node("a = Relu(b)").node("b = Neg(a)").out("b"), err: "cycle"},
		{name: "outputs are inputs and weights", m: build(13).in("x", onnx.Float, 2).weight("w", w).node("y = Add(x, w)").out("y", "w", "x"), in: x2, want: map[string][]float32{"y": {11, 22}, "w": {10, 20}, "x": {1, 2}}},
		{name: "unknown input", m: build(13).in("x", onnx.Float, 2).node("y = Add(x, nope)").out("y"), err: `"nope"`},
		{name: "unknown output", m: build(13).in("x", onnx.Float, 2).node("y = Relu(x)").out("z"), err: `"z"`},
		{name: "10000 identities", m: chain.out(last), in: x2, want: map[string][]float32{last: {1, 2}}},
		{name: "one output twice", m: build(13).in("x", onnx.Float, 2).node("y = Relu(x)").out("y", "y"), in: x2, want: map[string][]float32{"y": {1, 2}}},
		{name: "all unsupported at once, case 17", m: build(13).in("x", onnx.Float, 2).node("a = Foo(x)").node("y = com.example.Bar(a)").out("y"), err: "com.example"},
		{name: "opset 99, case 17", m: build(99).in("x", onnx.Float, 2).node("y = Relu(x)").out("y"), err: "opset 99"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			p, err := Compile(c.m, Options{Pool: testPool})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			out := mustRun(t, p, map[string]*onnx.Tensor{"x": c.in})
			for name, v := range c.want {
				wantFloats(t, out[name], v...)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

// Case 14 and shapes that are computed in the graph.
func TestConstantsAndShapes(t *testing.T) {
	m := build(13).in("x", onnx.Float, 4).
		node("s = Constant()", intsAttr("value_ints", 2, 2)).
		node("h = Constant()", &onnx.Attribute{Name: "value_float", Type: onnx.AttrFloat, F: 0.5}).
		node("r = Reshape(x, s)").node("y = Mul(r, h)").out("y")
	p := mustCompile(t, m, Options{})
	wantFloats(t, mustRun(t, p, map[string]*onnx.Tensor{"x": f32([]int{4}, 1, 2, 3, 4)})["y"], 0.5, 1, 1.5, 2)

	// Shape -> Gather -> Unsqueeze -> Concat -> Reshape, as PyTorch exports x.view(x.size(0), -1), is planned statically.
	view := build(13).in("x", onnx.Float, -1, 2, 3).weight("zero", onnx.Of([]int{}, []int64{0})).weight("ax", i64(0)).weight("rest", i64(-1)).
		node("sh = Shape(x)").node("n = Gather(sh, zero)").node("n1 = Unsqueeze(n, ax)").node("to = Concat(n1, rest)", intAttr("axis", 0)).
		node("y = Reshape(x, to)").node("z = Relu(y)").out("z")
	p = mustCompile(t, view, Options{})
	for _, n := range []int{0, 1, 4} {
		out := mustRun(t, p, map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, n, 2, 3)})["z"]
		if fmt.Sprint(out.Shape) != fmt.Sprint([]int{n, 6}) {
			t.Errorf("batch %d: shape %v", n, out.Shape)
		}
	}
	for i, k := range p.specs[0].dynamic {
		if k {
			t.Errorf("step %d is dynamic", i)
		}
	}
}

// Values decide about shapes: NonZero, and a Reshape whose target is an input.
func TestDynamicShapes(t *testing.T) {
	m := build(13).in("x", onnx.Float, -1).in("to", onnx.Int64, 2).node("r = Reshape(x, to)").node("q = Relu(r)").node("nz = NonZero(q)").node("sh = Shape(nz)").node("f = Flatten(q)").out("f", "nz", "sh")
	p := mustCompile(t, m, Options{})
	for range 2 {
		out := mustRun(t, p, map[string]*onnx.Tensor{"x": f32([]int{4}, -1, 2, 3, 0), "to": i64(2, 2)})
		wantFloats(t, out["f"], 0, 2, 3, 0)
		if got := fmt.Sprint(out["nz"].Int64s(), out["sh"].Int64s()); got != "[0 1 1 0] [2 2]" {
			t.Errorf("NonZero and its shape: %s", got)
		}
		if _, err := p.Run(context.Background(), map[string]*onnx.Tensor{"x": f32([]int{4}, 1, 2, 3, 4), "to": i64(3, 2)}); err == nil || !strings.Contains(err.Error(), "r_node") {
			t.Errorf("error %v", err)
		}
	}
}

// Case 16: If with names of the outer graph; the condition a weight, a Constant, and computed.
func TestIf(t *testing.T) {
	branch := func(name, node string, weights ...*onnx.Tensor) *onnx.Graph {
		return &onnx.Graph{Name: name, Initializers: weights, Nodes: []*onnx.Node{parseNode(node)}, Outputs: []*onnx.Value{{Name: strings.Split(node, " ")[0]}}}
	}
	k := f32([]int{2}, 100, 100)
	k.Name = "k"
	branches := []*onnx.Attribute{
		graphAttr("then_branch", branch("then", "t = Mul(x, w)")),
		graphAttr("else_branch", branch("else", "e = Add(x, k)", k)),
	}
	for _, want := range []bool{true, false} {
		cond := onnx.Of([]int{}, []bool{want})
		base := func() *builder {
			return build(13).in("x", onnx.Float, -1).weight("w", f32([]int{2}, 10, 20))
		}
		n := int64(3)
		if want {
			n = 2
		}
		for name, b := range map[string]*builder{
			"weight":   base().weight("cond", cond),
			"constant": base().node("cond = Constant()", &onnx.Attribute{Name: "value", Type: onnx.AttrTensor, Tensor: cond}),
			"computed": base().weight("two", i64(n)).node("sh = Shape(x)").node("eq = Equal(sh, two)").node("cond = Squeeze(eq)"),
			"input":    base().in("cond", onnx.Bool),
		} {
			m := b.node("o = If(cond)", branches...).node("y = Relu(o)").out("y")
			p := mustCompile(t, m, Options{})
			in := map[string]*onnx.Tensor{"x": f32([]int{2}, 1, 2)}
			if name == "input" {
				in["cond"] = cond
			}
			for range 2 {
				out := mustRun(t, p, in)
				if want {
					wantFloats(t, out["y"], 10, 40)
				} else {
					wantFloats(t, out["y"], 101, 102)
				}
			}
		}
	}
}

func TestLoop(t *testing.T) {
	body := &onnx.Graph{Name: "body",
		Inputs:  []*onnx.Value{{Name: "i"}, {Name: "c"}, {Name: "acc"}},
		Nodes:   []*onnx.Node{parseNode("acc2 = Add(acc, x)"), parseNode("c2 = Identity(c)"), parseNode("s = Mul(acc2, acc2)")},
		Outputs: []*onnx.Value{{Name: "c2"}, {Name: "acc2"}, {Name: "s"}}}
	m := build(13).in("x", onnx.Float, 2).in("n", onnx.Int64).weight("zero", f32([]int{2}, 0, 0)).
		node("last, all = Loop(n, , zero)", graphAttr("body", body)).out("last", "all")
	p := mustCompile(t, m, Options{})
	out := mustRun(t, p, map[string]*onnx.Tensor{"x": f32([]int{2}, 1, 2), "n": onnx.Of([]int{}, []int64{3})})
	wantFloats(t, out["last"], 3, 6)
	wantFloats(t, out["all"], 1, 4, 4, 16, 9, 36)
	out = mustRun(t, p, map[string]*onnx.Tensor{"x": f32([]int{2}, 1, 2), "n": onnx.Of([]int{}, []int64{0})})
	wantFloats(t, out["last"], 0, 0)
}

func TestScan(t *testing.T) {
	// The body adds a slice to what is carried, and gives the sum and its double.
	body := func(axes ...*onnx.Attribute) []*onnx.Attribute {
		return append(axes, intAttr("num_scan_inputs", 1), graphAttr("body", &onnx.Graph{Name: "body",
			Inputs:  []*onnx.Value{{Name: "acc"}, {Name: "s"}},
			Nodes:   []*onnx.Node{parseNode("sum = Add(acc, s)"), parseNode("twice = Add(sum, sum)")},
			Outputs: []*onnx.Value{{Name: "sum"}, {Name: "twice"}}}))
	}
	x := f32([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	for _, c := range []struct {
		name      string
		opset     int64
		node      string
		attrs     []*onnx.Attribute
		zero, x   *onnx.Tensor
		last, all *onnx.Tensor
		err       string
	}{
		{"rows", 13, "last, all = Scan(zero, x)", body(), f32([]int{3}, 0, 0, 1), x, f32([]int{3}, 5, 7, 10), f32([]int{2, 3}, 2, 4, 8, 10, 14, 20), ""},
		{"columns", 13, "last, all = Scan(zero, x)", body(intsAttr("scan_input_axes", -1), intsAttr("scan_output_axes", 1)), f32([]int{2}, 0, 0), x, f32([]int{2}, 6, 15), f32([]int{2, 3}, 2, 6, 12, 8, 18, 30), ""},
		{"backwards", 13, "last, all = Scan(zero, x)", body(intsAttr("scan_input_directions", 1)), f32([]int{3}, 0, 0, 0), x, f32([]int{3}, 5, 7, 9), f32([]int{2, 3}, 8, 10, 12, 10, 14, 18), ""},
		{"put together backwards", 13, "last, all = Scan(zero, x)", body(intsAttr("scan_output_directions", 1)), f32([]int{3}, 0, 0, 0), x, f32([]int{3}, 5, 7, 9), f32([]int{2, 3}, 10, 14, 18, 2, 4, 6), ""},
		{"no steps", 13, "last, all = Scan(zero, x)", body(), f32([]int{2}, 3, 4), f32([]int{0, 2}), f32([]int{2}, 3, 4), f32([]int{0}), ""},
		{"batch", 8, "last, all = Scan(, zero, x)", body(), f32([]int{2, 1}, 0, 10), f32([]int{2, 2, 1}, 1, 2, 3, 4), f32([]int{2, 1}, 3, 17), f32([]int{2, 2, 1}, 2, 6, 26, 34), ""},
		{"batch of other lengths", 8, "last, all = Scan(lens, zero, x)", body(), f32([]int{2, 1}, 0, 10), f32([]int{2, 2, 1}, 1, 2, 3, 4), f32([]int{2, 1}, 1, 17), f32([]int{2, 2, 1}, 2, 0, 26, 34), ""},
		{"batch, backwards", 8, "last, all = Scan(, zero, x)", body(intsAttr("directions", 1)), f32([]int{1, 1}, 0), f32([]int{1, 2, 1}, 1, 2), f32([]int{1, 1}, 3), f32([]int{1, 2, 1}, 4, 6), ""},
		{"batch too long", 8, "last, all = Scan(lens, zero, x)", body(), f32([]int{2, 1}, 0, 0), f32([]int{2, 1, 1}, 1, 2), nil, nil, "element 1 is 2, want 0 to 1"},
		{"batches of other sizes", 8, "last, all = Scan(, zero, x)", body(), f32([]int{1, 1}, 0), f32([]int{2, 1, 1}, 1, 2), nil, nil, "want a batch of 2"},
		{"empty batch", 8, "last, all = Scan(, zero, x)", body(), f32([]int{0, 1}), f32([]int{0, 1, 1}), nil, nil, "the batch is empty"},
		{"lengths of another batch", 8, "last, all = Scan(lens, zero, x)", body(), f32([]int{1, 1}, 0), f32([]int{1, 1, 1}, 1), nil, nil, "sequence_lens has 2 elements, the batch 1"},
		{"scalar", 13, "last, all = Scan(zero, x)", body(), f32(nil, 0), f32(nil, 0), nil, nil, "has no dimension to go along"},
		{"axis", 13, "last, all = Scan(zero, x)", body(intsAttr("scan_input_axes", 2)), f32([]int{2}, 0, 0), x, nil, nil, "scanned input 0: axis 2 is outside"},
		{"output axis", 13, "last, all = Scan(zero, x)", body(intsAttr("scan_output_axes", 2)), f32([]int{3}, 0, 0, 0), x, nil, nil, "scan output 0: axis 2 is outside"},
		{"direction", 13, "last, all = Scan(zero, x)", body(intsAttr("scan_input_directions", 2)), f32([]int{2}, 0, 0), x, nil, nil, "element 0 is 2, want 0 or 1"},
		{"directions", 13, "last, all = Scan(zero, x)", body(intsAttr("scan_input_directions", 0, 1)), f32([]int{2}, 0, 0), x, nil, nil, "have 2 and 0 elements, want 1"},
		{"body", 13, "last, all = Scan(zero, x, x)", body(), f32([]int{2}, 0, 0), x, nil, nil, "body has 2 inputs, wants 3"},
		{"no body", 13, "last, all = Scan(zero, x)", []*onnx.Attribute{intAttr("num_scan_inputs", 1)}, f32([]int{2}, 0, 0), x, nil, nil, "want a graph"},
		{"no scanned input", 13, "last, all = Scan(zero, x)", body()[1:], f32([]int{2}, 0, 0), x, nil, nil, "num_scan_inputs is 0"},
		{"outputs", 13, "last, all, more = Scan(zero, x)", body(), f32([]int{3}, 0, 0, 0), x, nil, nil, "body has 2 outputs"},
		{"absent", 13, "last, all = Scan(, x)", body(), f32([]int{3}, 0, 0, 0), x, nil, nil, "input 0 is absent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := build(c.opset).in("zero", onnx.Float).in("x", onnx.Float).in("lens", onnx.Int64, 2).node(c.node, c.attrs...).out("last", "all")
			for _, v := range m.Graph.Inputs[:2] {
				v.Type = nil
			}
			var out map[string]*onnx.Tensor
			p, err := Compile(m, Options{Pool: testPool})
			if err == nil {
				out, err = p.Run(context.Background(), map[string]*onnx.Tensor{"zero": c.zero, "x": c.x, "lens": i64(1, 2)})
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]*onnx.Tensor{"last": c.last, "all": c.all} {
				if !slices.Equal(out[name].Shape, want.Shape) {
					t.Errorf("%s: shape %v, want %v", name, out[name].Shape, want.Shape)
				}
				wantFloats(t, out[name], want.Float32s()...)
			}
		})
	}
}

// Scanned inputs must have as many slices; a limit holds for what is collected, and a context that has ended stops it.
func TestScanStops(t *testing.T) {
	body := graphAttr("body", &onnx.Graph{Name: "body", Inputs: []*onnx.Value{{Name: "a"}, {Name: "b"}},
		Nodes: []*onnx.Node{parseNode("s = Add(a, b)")}, Outputs: []*onnx.Value{{Name: "s"}}})
	m := build(13).in("x", onnx.Float, -1, -1).in("y", onnx.Float, -1, -1).node("all = Scan(x, y)", body, intAttr("num_scan_inputs", 2)).out("all")
	p := mustCompile(t, m, Options{Limit: 1 << 16})
	run := func(ctx context.Context, rows, more int) error {
		_, err := p.Run(ctx, map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, rows, 2), "y": onnx.New(onnx.Float, rows+more, 2)})
		return err
	}
	if err := run(context.Background(), 3, 1); err == nil || !strings.Contains(err.Error(), "scanned input 1 has 4 slices, the first 3") {
		t.Errorf("error %v", err)
	}
	if err := run(context.Background(), 1000, 0); err == nil || !strings.Contains(err.Error(), "take more than the limit") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := run(ctx, 3, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Case 18: batches of another size than the declared one.
func TestBatch(t *testing.T) {
	reshape := func(n int, to ...int64) *onnx.Model {
		return build(13).in("x", onnx.Float, n, 2, 1, 1).weight("to", i64(to...)).node("y = Reshape(x, to)").out("y")
	}
	relu := func(shape ...int) *onnx.Model {
		return build(13).in("x", onnx.Float, shape...).node("y = Relu(x)").out("y")
	}
	free := relu(2, 2)
	free.Graph.Inputs[0].Type = nil
	for _, c := range []struct {
		name string
		m    *onnx.Model
		in   []int
		want []int
		err  string
	}{
		{"reshape, one", reshape(-1, 1, 2), []int{1, 2, 1, 1}, []int{1, 2}, ""},
		{"reshape, three", reshape(-1, 1, 2), []int{3, 2, 1, 1}, nil, "y_node"},
		{"reshape joins the batch", reshape(1, 1, -1), []int{3, 2, 1, 1}, nil, "batch of 1"},
		{"reshape that follows", reshape(1, -1, 2), []int{3, 2, 1, 1}, []int{3, 2}, ""},
		{"declared one, fed four", relu(1, 3, 4, 4), []int{4, 3, 4, 4}, []int{4, 3, 4, 4}, ""},
		{"declared free", relu(-1, 3), []int{4, 3}, []int{4, 3}, ""},
		{"empty batch", relu(-1, 2), []int{0, 2}, []int{0, 2}, ""},
		{"no declaration", free, []int{5}, []int{5}, ""},
		{"wrong side", relu(-1, 3), []int{4, 5}, nil, "want shape [N 3], got [4 5]"},
		{"wrong rank", relu(-1, 3), []int{4}, nil, "want shape [N 3], got [4]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustCompile(t, c.m, Options{})
			out, err := p.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, c.in...)})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(out["y"].Shape) != fmt.Sprint(c.want) {
				t.Errorf("shape %v, want %v", out["y"].Shape, c.want)
			}
		})
	}
}

func TestInputErrors(t *testing.T) {
	p := mustCompile(t, build(13).in("x", onnx.Float, 2).node("y = Relu(x)").out("y"), Options{})
	x := f32([]int{2}, 1, 2)
	for _, c := range []struct {
		in   map[string]*onnx.Tensor
		want string
	}{
		{nil, `"x" is missing`},
		{map[string]*onnx.Tensor{"x": x, "z": x}, `no input "z"`},
		{map[string]*onnx.Tensor{"x": i64(1, 2)}, "want float32, got int64"},
		{map[string]*onnx.Tensor{"x": {Type: onnx.Float, Shape: []int{2}, Raw: make([]byte, 4)}}, "takes 8 bytes, got 4"},
	} {
		if _, err := p.Run(context.Background(), c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Run(ctx, map[string]*onnx.Tensor{"x": x}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled run: %v", err)
	}
	if _, err := Compile(build(13).in("x", onnx.Float, 2).node("y = Relu(x)").out("y"), Options{Shapes: map[string][]int{"q": {1}}}); err == nil {
		t.Error("a shape for an unknown input is accepted")
	}
}

// Half precision goes through operators that compute in float32.
func TestHalf(t *testing.T) {
	for _, typ := range []onnx.DataType{onnx.Float16, onnx.BFloat16} {
		half := func(v ...float32) *onnx.Tensor { return narrow(f32([]int{len(v)}, v...), typ) }
		m := build(17).in("x", typ, 2).weight("w", half(2, 4)).node("a = Mul(x, w)").node("b = Relu(a)").node("y = Add(b, w)").out("y")
		p := mustCompile(t, m, Options{})
		out := mustRun(t, p, map[string]*onnx.Tensor{"x": half(-1, 0.5)})["y"]
		if out.Type != typ {
			t.Fatalf("type %v", out.Type)
		}
		wantFloats(t, widen(out), 2, 6)
	}
}

// Case 40: parallel branches, several sessions and any number of threads finish.
func TestBranchesFinish(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	b := build(13).in("x", onnx.Float, -1, 4, 9, 9)
	for i := range 4 {
		b.weight(fmt.Sprint("w", i), random(r, 4, 4, 1, 1))
		b.node(fmt.Sprintf("p%d = MaxPool(x)", i), intsAttr("kernel_shape", 3, 3), intsAttr("pads", 1, 1, 1, 1))
		b.node(fmt.Sprintf("c%d = Conv(p%d, w%d)", i, i, i))
	}
	m := b.node("y = Concat(c0, c1, c2, c3)", intAttr("axis", 1)).out("y")
	x := random(r, 2, 4, 9, 9)
	for _, threads := range []int{1, 2, 8} {
		pool := par.New(threads)
		var wg sync.WaitGroup
		for range 2 {
			p := mustCompile(t, m, Options{Pool: pool})
			wg.Go(func() {
				for range 5 {
					if _, err := p.Run(context.Background(), map[string]*onnx.Tensor{"x": x}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		pool.Close()
	}
}

// Running mean and variance are no parameters of a BatchNormalization: scale and shift are.
func TestLayerParamsOfBatchNormalization(t *testing.T) {
	ones := onnx.Of([]int{4}, []float32{1, 1, 1, 1})
	m := build(13).in("x", onnx.Float, -1, 4, 8, 8).weight("s", ones).weight("b", ones).weight("m", ones).weight("v", ones).
		node("y = BatchNormalization(x, s, b, m, v)").out("y")
	layers, err := Layers(m, nil)
	if err != nil || len(layers) != 1 || layers[0].Params != 8 {
		t.Errorf("%+v, %v; want one layer of 8 parameters", layers, err)
	}
}

// PyTorch's exporter writes the bias that a convolution lacks, if it does not optimise, as zeros of the weight's number of
// channels and of the input's type. That is no layer, and the shape of a weight no parameters.
func TestLayersOfZeroBias(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	m := build(18).in("x", onnx.Float, -1, 3, 8, 8).weight("w", random(r, 4, 3, 3, 3)).weight("zero", onnx.Of(nil, []float32{0})).
		node("sizes = Shape(w)", intAttr("end", 1)).node("like = CastLike(zero, x)").node("bias = Expand(like, sizes)").
		node("c = Conv(x, w, bias)").out("c")
	layers, err := Layers(m, nil)
	if err != nil || len(layers) != 1 || layers[0].Op != "Conv" || layers[0].Params != 4*27 {
		t.Errorf("%+v, %v; want one layer of 108 parameters", layers, err)
	}
}

func TestInfer(t *testing.T) {
	m := build(17).in("x", onnx.Float, -1, 3).node("h = Cast(x)", intAttr("to", int64(onnx.Float16))).node("i = Identity(h)").
		node("s = Shape(i)").node("n = NonZero(i)").node("y = ReduceSum(i)", intAttr("keepdims", 0)).out("y", "s", "n")
	got, err := Infer(m, map[string][]int{"x": {2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"h": "float16[2 3]", "i": "float16[2 3]", "s": "int64[2]", "n": "dynamic", "y": "float16[]"}
	for name, info := range got {
		text := fmt.Sprintf("%v%v", info.Type, info.Shape)
		if info.Dynamic {
			text = "dynamic"
		}
		if text != want[name] {
			t.Errorf("%s: %s, want %s", name, text, want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d values, want %d", len(got), len(want))
	}
	if _, err := Infer(&onnx.Model{}, nil); err == nil {
		t.Error("a model without a graph")
	}
}

func TestLayers(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	m := build(13).in("x", onnx.Float, -1, 3, 8, 8).weight("conv.weight", random(r, 4, 3, 3, 3)).weight("conv.bias", random(r, 4)).
		weight("fc.weight", random(r, 5, 144)).weight("fc.bias", random(r, 5)).
		node("id = Identity(x)").node("c = Conv(id, conv.weight, conv.bias)").node("r = Relu(c)").node("f = Flatten(r)").
		node("y = Gemm(f, fc.weight, fc.bias)", intAttr("transB", 1)).out("y")
	m.Graph.Nodes[1].Name = "/block1/conv/Conv"
	m.Graph.Nodes[2].Name = "/block1/relu/Relu"
	layers, err := Layers(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range layers {
		got = append(got, fmt.Sprintf("%d %s %s %v %d %d", l.Index, l.Name, l.Op, l.Shape, l.Params, l.MultAdds))
	}
	want := []string{
		"0 /block1/conv/Conv Conv [1 4 6 6] 112 4032",
		"1 /block1/relu/Relu Relu [1 4 6 6] 0 0",
		"2 f_node Flatten [1 144] 0 0",
		"3 y_node Gemm [1 5] 725 725",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for sel, want := range map[string]int{"0": 0, "3": 3, "r": 1, "block1": 1, "/block1/": 1, "/block1/conv/Conv": 0, "f_": 2, "fc": 3} {
		if l, err := FindLayer(layers, sel); err != nil || l.Index != want {
			t.Errorf("%q: %d, %v, want %d", sel, l.Index, err, want)
		}
	}
	for sel, want := range map[string]int{"3": 3, "r": 1, "block1": 0, "/block1/relu/Relu": 1, "fc": 3} {
		if l, err := FindFirstLayer(layers, sel); err != nil || l.Index != want {
			t.Errorf("first of %q: %d, %v, want %d", sel, l.Index, err, want)
		}
	}
	for _, sel := range []string{"4", "-1", "blok1", ""} {
		if _, err := FindLayer(layers, sel); err == nil {
			t.Errorf("%q is found", sel)
		}
	}
	if _, err := FindLayer(layers, "/blok1/relu/Relu"); !strings.Contains(err.Error(), "/block1/relu/Relu") {
		t.Errorf("no near name in %v", err)
	}
	if _, err := FindLayer(layers, "blok1"); !strings.HasSuffix(err.Error(), `near it: "block1", 2 "f_node", 3 "y_node", "block1/conv", "block1/relu"`) {
		t.Errorf("near names of a block: %v", err)
	}
	// Another image size, which the classifier does not fit.
	layers, err = Layers(m, map[string][]int{"x": {2, 3, 10, 10}})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(layers[0].Shape) != "[2 4 8 8]" || layers[0].MultAdds != 2*112*64 {
		t.Errorf("layer 0: %v, %d", layers[0].Shape, layers[0].MultAdds)
	}
	if layers[3].Shape != nil || layers[3].Err == nil {
		t.Errorf("layer 3: %v, %v", layers[3].Shape, layers[3].Err)
	}
}

func TestCheckListsEverything(t *testing.T) {
	m := build(13).in("x", onnx.Float, 1, 2).node("a = Foo(x)").node("b = com.example.Bar(a)").
		node("c = Relu(b)", intAttr("surprise", 1)).node("y = Flatten(c)", &onnx.Attribute{Name: "axis", Type: onnx.AttrString, S: []byte("x")}).out("y")
	var all []string
	fatal := 0
	for _, p := range Check(m) {
		all = append(all, p.Node+": "+p.What)
		if p.Remedy == "" {
			t.Errorf("no remedy for %s", p.What)
		}
		if p.Fatal {
			fatal++
		}
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{"Foo", "com.example.Bar", "surprise", `"axis"`, "fixed batch of 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if fatal != 4 {
		t.Errorf("%d fatal problems, want 4:\n%s", fatal, text)
	}
}

// What is no fault, but good to know: folded normalisation, and shapes that fail.
func TestCheckTellsMore(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	folded := build(13).in("x", onnx.Float, -1, 3, 8, 8).weight("onnx::Conv_12", random(r, 4, 3, 3, 3)).
		node("y = Conv(x, onnx::Conv_12)").out("y")
	rewritten := build(18).in("x", onnx.Float, -1, 3, 8, 8).weight("w", random(r, 4, 3, 3, 3)).node("c = Conv(x, w)").node("y = Conv(x, w)").out("y", "c")
	for i, rules := range []string{"RemoveOptionalBiasFromConv, FuseBatchNormIntoConv", "RemoveOptionalBiasFromConv"} {
		rewritten.Graph.Nodes[i].Metadata = []onnx.Entry{{Key: "pkg.onnxscript.rewriter.rule_name", Value: rules}}
	}
	misfit := build(13).in("x", onnx.Float, -1, 3).weight("w", random(r, 4, 2)).node("y = MatMul(x, w)").out("y")
	leftOut := build(13).in("x", onnx.Float, -1, 4, 4, 3).in("net/normalization/Sub/y:0", onnx.Float, 1, 1, 1, 3).
		node("y = Sub(x, net/normalization/Sub/y:0)").out("y")
	for want, m := range map[string]*onnx.Model{`input "net/normalization/Sub/y:0" is a constant of TensorFlow's graph`: leftOut, "folded batch normalisation into convolutions (1 of them)": folded, "normalisation into convolutions (1 of them)": rewritten, `"y_node" (MatMul)`: misfit} {
		found := false
		for _, p := range Check(m) {
			found = found || strings.Contains(p.What, want) && p.Remedy != "" && p.Fatal == (m == misfit)
		}
		if !found {
			t.Errorf("%q is not among %v", want, Check(m))
		}
	}
}

// Every operator that is registered answers for a node without inputs and attributes with an error or an operator.
func TestOperatorsDoNotPanicOnEmptyNodes(t *testing.T) {
	for _, d := range op.All() {
		n := &onnx.Node{OpType: d.Type, Domain: d.Domain, Outputs: []string{"y"}}
		for range min(d.MinIn, 8) {
			n.Inputs = append(n.Inputs, "x")
		}
		o, _, err := op.Make(n, op.MaxOpset, nil)
		if err != nil || d.MinIn == 0 {
			continue
		}
		in := make([]op.Info, max(len(n.Inputs), min(d.MaxIn, 8)))
		for _, shape := range [][]int{{}, {0}, {2}, {1, 2}, {1, 2, 3, 4}} {
			for i := range n.Inputs {
				in[i] = op.Info{Type: onnx.Float, Shape: shape}
			}
			_, _ = o.Infer(in)
		}
	}
}
