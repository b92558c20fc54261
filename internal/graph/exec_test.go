package graph

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// RunInto writes into the caller's memory, however the output comes about: computed, a view, a constant, an input, of a
// shape that is known only then.
func TestRunInto(t *testing.T) {
	m := build(13).in("x", onnx.Float, 2, 2).in("to", onnx.Int64, 1).weight("w", f32([]int{2}, 10, 20)).
		node("r = Relu(x)").node("v = Flatten(x)").node("d = Reshape(x, to)").node("q = Neg(r)").out("r", "v", "w", "x", "d", "q")
	p := mustCompile(t, m, Options{})
	in := []*onnx.Tensor{f32([]int{2, 2}, -1, 2, -3, 4), i64(4)}
	shapes := [][]int{{2, 2}, {2, 2}, {2}, {2, 2}, {4}}
	want := [][]float32{{0, 2, 0, 4}, {-1, 2, -3, 4}, {10, 20}, {-1, 2, -3, 4}, {-1, 2, -3, 4}, {0, -2, 0, -4}}
	for range 2 {
		var into []*onnx.Tensor
		for _, s := range shapes {
			into = append(into, onnx.New(onnx.Float, s...))
		}
		into[3] = nil
		out, err := p.RunInto(context.Background(), in, into)
		if err != nil {
			t.Fatal(err)
		}
		for k, o := range out {
			if k < len(into) && into[k] != nil && o != into[k] {
				t.Errorf("output %d is not the memory that was given", k)
			}
			wantFloats(t, o, want[k]...)
		}
	}
	one := []*onnx.Tensor{onnx.New(onnx.Float, 4)}
	for _, c := range []struct {
		in, into []*onnx.Tensor
		want     string
	}{
		{in[:1], nil, "1 inputs and 0 outputs given"},
		{in, make([]*onnx.Tensor, 7), "7 outputs given"},
		{[]*onnx.Tensor{in[0], nil}, nil, `input "to" is missing`},
		{in, one, `output "r": it is float32[2 2], got memory for float32[4]`},
		{in, []*onnx.Tensor{{Type: onnx.Float, Shape: []int{2, 2}, Raw: make([]byte, 4)}}, `output "r": float32[2 2] takes 16 bytes`},
		{in, []*onnx.Tensor{nil, nil, nil, nil, onnx.New(onnx.Float, 3)}, `output "d": it is float32[4]`},
	} {
		if _, err := p.RunInto(context.Background(), c.in, c.into); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

// An input whose memory does not fit its shape is refused also when there is a plan for the shape.
func TestShortInputAfterRun(t *testing.T) {
	p := mustCompile(t, build(13).in("x", onnx.Float, 2).node("y = Relu(x)").out("y"), Options{})
	mustRun(t, p, map[string]*onnx.Tensor{"x": f32([]int{2}, 1, 2)})
	_, err := p.Run(context.Background(), map[string]*onnx.Tensor{"x": {Type: onnx.Float, Shape: []int{2}, Raw: make([]byte, 4)}})
	if err == nil || !strings.Contains(err.Error(), "takes 8 bytes, got 4") {
		t.Errorf("error %v", err)
	}
}

// More shapes than plans are kept, in several goroutines at once.
func TestManyShapesAtOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 12))
	p := mustCompile(t, residualNet(r), Options{})
	inputs := make([]*onnx.Tensor, 2*keepSpecs)
	want := make([]string, len(inputs))
	for i := range inputs {
		inputs[i] = random(r, 1+i, 3, 12, 12)
		want[i] = string(mustRun(t, p, map[string]*onnx.Tensor{"x": inputs[i]})["y"].Raw)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for k := range 3 * len(inputs) {
				i := (k*(g+1) + g) % len(inputs)
				out, err := p.Run(context.Background(), map[string]*onnx.Tensor{"x": inputs[i]})
				if err != nil {
					t.Error(err)
				} else if string(out["y"].Raw) != want[i] {
					t.Errorf("shape %d gives another result", i)
				}
			}
		})
	}
	wg.Wait()
	if len(p.specs) > keepSpecs || len(p.idle) > keepFrames {
		t.Errorf("%d plans and %d workspaces are kept", len(p.specs), len(p.idle))
	}
}

// A loop without end stops when its context does.
func TestCancelLoop(t *testing.T) {
	body := &onnx.Graph{Name: "body", Inputs: []*onnx.Value{{Name: "i"}, {Name: "c"}, {Name: "v"}},
		Nodes:   []*onnx.Node{parseNode("c2 = Identity(c)"), parseNode("v2 = Neg(v)")},
		Outputs: []*onnx.Value{{Name: "c2"}, {Name: "v2"}}}
	p := mustCompile(t, build(13).in("x", onnx.Float, 2).node("y = Loop(, , x)", graphAttr("body", body)).out("y"), Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Run(ctx, map[string]*onnx.Tensor{"x": f32([]int{2}, 1, 2)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// A batch of another size than the declared one, beside an input that has no batch.
func TestBatchBesideScalar(t *testing.T) {
	m := build(13).in("s", onnx.Float).in("x", onnx.Float, 1, 2).node("y = Mul(x, s)").out("y")
	out := mustRun(t, mustCompile(t, m, Options{}), map[string]*onnx.Tensor{"s": f32(nil, 2), "x": f32([]int{2, 2}, 1, 2, 3, 4)})
	wantFloats(t, out["y"], 2, 4, 6, 8)
}

// Values that are known only at running are let go of after their last reader.
func TestDynamicValuesAreReleased(t *testing.T) {
	b := build(13).in("x", onnx.Float, 256).in("to", onnx.Int64, 1).node("v0 = Reshape(x, to)")
	last := "v0"
	for _, next := range []string{"v1", "v2", "v3", "v4", "v5", "v6"} {
		b.node(next + " = Neg(" + last + ")")
		last = next
	}
	p := mustCompile(t, b.out(last), Options{Limit: 5 << 10}) // each takes 1 KiB
	for range 2 {
		out := mustRun(t, p, map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 256), "to": i64(256)})
		if !slices.Equal(out[last].Shape, []int{256}) {
			t.Errorf("shape %v", out[last].Shape)
		}
	}
}

// The executor itself takes a handful of allocations a run, whatever the number of nodes.
func TestAllocations(t *testing.T) {
	allocs := func(nodes int) float64 {
		b := build(17).in("x", onnx.Float, 1, 4)
		last := "x"
		for range nodes {
			b.node(last + "n = Softmax(" + last + ")") // takes no memory itself
			last += "n"
		}
		p := mustCompile(t, b.out(last), Options{Pool: par.New(1)})
		in := map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 1, 4)}
		return testing.AllocsPerRun(20, func() {
			if _, err := p.Run(context.Background(), in); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := allocs(2), allocs(42)
	perNode := (many - few) / 40
	if fixed := few - 2*perNode; fixed > 12 {
		t.Errorf("%v allocations a run besides %v a node", fixed, perNode)
	} else {
		t.Logf("%v allocations a run besides %v a node", fixed, perNode)
	}
}
