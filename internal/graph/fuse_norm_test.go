package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Normalisations and GELUs as exporters write them, and networks whose channels come last now and then.
func TestFuseNorm(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 5))
	image := func(opset int64) *builder {
		return build(opset).in("x", onnx.Float, -1, 4, 6, 6).weight("two", f32(nil, 2)).weight("four", f32(nil, 4)).weight("eps", f32(nil, 1e-3)).
			weight("g", random(r, 4)).weight("h", random(r, 4)).weight("g6", random(r, 6)).weight("h6", random(r, 6)).
			weight("root", f32(nil, float32(math.Sqrt2))).weight("over", f32(nil, float32(math.Sqrt2/2))).
			weight("one", f32(nil, 1)).weight("half", f32(nil, 0.5)).weight("halves", f32([]int{6}, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)).
			weight("m", random(r, 4, 8)).weight("b8", random(r, 8)).weight("m2", random(r, 8, 4)).weight("b4", random(r, 4)).
			weight("s", random(r, 4, 1, 1)).weight("w", random(r, 4, 1, 3, 3))
	}
	toLast, toFirst := intsAttr("perm", 0, 2, 3, 1), intsAttr("perm", 0, 3, 1, 2)
	axes := intsAttr("axes", -1)
	// norm is the LayerNormalization of a value of channels c, g, h.
	norm := func(b *builder, x, y, square string, c string) *builder {
		return b.node(y+"m = ReduceMean("+x+")", axes).node(y+"d = Sub("+x+", "+y+"m)").node(y+"q = "+fmt.Sprintf(square, y+"d")).
			node(y+"v = ReduceMean("+y+"q)", axes).node(y + "a = Add(" + y + "v, eps)").node(y + "r = Sqrt(" + y + "a)").
			node(y + "n = Div(" + y + "d, " + y + "r)").node(y + "p = Mul(" + y + "n, g" + c + ")").node(y + " = Add(" + y + "p, h" + c + ")")
	}
	gelu := func(b *builder, x, y string) *builder {
		return b.node(y + "d = Div(" + x + ", root)").node(y + "e = Erf(" + y + "d)").node(y + "o = Add(" + y + "e, one)").
			node(y + "p = Mul(" + x + ", " + y + "o)").node(y + " = Mul(" + y + "p, half)")
	}
	last := func() *builder { return image(13).node("t = Transpose(x)", toLast) }
	pow := "Pow(%s, two)"
	// block is one of ConvNeXt's.
	block := func() *onnx.Model {
		b := image(13).node("k = Conv(x, w)", intAttr("group", 4), intsAttr("pads", 1, 1, 1, 1)).node("t = Transpose(k)", toLast)
		b = norm(b, "t", "u", pow, "").node("f = MatMul(u, m)").node("f2 = Add(b8, f)")
		return gelu(b, "f2", "z").node("l = MatMul(z, m2)").node("l2 = Add(b4, l)").node("i = Transpose(l2)", toFirst).
			node("i2 = Mul(s, i)").node("y = Add(i2, x)").out("y")
	}
	for _, c := range []struct {
		name  string
		m     *onnx.Model
		steps int
	}{
		{"normalisation of the last axis", norm(image(13), "x", "y", pow, "6").out("y"), 1},
		{"with a product as square", norm(image(13), "x", "y", "Mul(%[1]s, %[1]s)", "6").out("y"), 1},
		{"another power stays", norm(image(13), "x", "y", "Pow(%s, four)", "6").out("y"), 9},
		{"another product stays", norm(image(13), "x", "y", "Mul(%s, x)", "6").out("y"), 9},
		{"difference read elsewhere stays", norm(image(13), "x", "y", pow, "6").out("y", "yd"), 9},
		{"square read elsewhere stays", norm(image(13), "x", "y", pow, "6").out("y", "yq"), 9},
		{"factor along another axis stays", norm(image(13).weight("g1", random(r, 6, 1)).weight("h1", random(r, 6, 1)), "x", "y", pow, "1").out("y"), 9},
		{"axes of opset 18", image(18).weight("ax", i64(3)).node("q = ReduceMean(x, ax)").node("d = Sub(x, q)").node("p = Pow(d, two)").
			node("v = ReduceMean(p, ax)").node("a = Add(v, eps)").node("s2 = Sqrt(a)").node("n = Div(d, s2)").node("e = Mul(g6, n)").node("y = Add(h6, e)").out("y"), 1},
		{"mean over another axis stays", image(13).node("q = ReduceMean(x)", intsAttr("axes", 1)).node("d = Sub(x, q)").node("p = Pow(d, two)").
			node("v = ReduceMean(p)", axes).node("a = Add(v, eps)").node("s2 = Sqrt(a)").node("n = Div(d, s2)").node("e = Mul(g6, n)").node("y = Add(h6, e)").out("y"), 9},

		{"gelu", gelu(image(13), "x", "y").out("y"), 1},
		{"gelu multiplied in another order", image(13).node("d = Mul(over, x)").node("e = Erf(d)").node("o = Add(one, e)").node("p = Mul(x, half)").node("y = Mul(o, p)").out("y"), 1},
		{"gelu, the half with the error function", image(13).node("d = Div(x, root)").node("e = Erf(d)").node("o = Add(e, one)").node("p = Mul(half, o)").node("y = Mul(x, p)").out("y"), 1},
		{"gelu of another value stays", image(13).node("z = Neg(x)").node("d = Div(z, root)").node("e = Erf(d)").node("o = Add(e, one)").node("p = Mul(x, o)").node("y = Mul(p, half)").out("y"), 6},
		{"gelu with another divisor stays", image(13).node("d = Div(x, two)").node("e = Erf(d)").node("o = Add(e, one)").node("p = Mul(x, o)").node("y = Mul(p, half)").out("y"), 5},
		{"gelu by a row of halves stays", image(13).node("d = Div(x, root)").node("e = Erf(d)").node("o = Add(e, one)").node("p = Mul(x, o)").node("y = Mul(p, halves)").out("y"), 5},
		{"erf alone stays", image(13).node("d = Div(x, root)").node("y = Erf(d)").out("y"), 2},

		{"normalisation of channels", norm(last(), "t", "u", pow, "").node("y = Transpose(u)", toFirst).out("y"), 1},
		{"LayerNormalization of channels", image(17).node("t = Transpose(x)", toLast).node("u = LayerNormalization(t, g, h)").node("y = Transpose(u)", toFirst).out("y"), 1},
		{"LayerNormalization without bias, by its axis", image(17).node("t = Transpose(x)", toLast).node("u = LayerNormalization(t, g)", intAttr("axis", 3)).node("y = Transpose(u)", toFirst).out("y"), 1},
		{"LayerNormalization of two axes stays", image(17).weight("g64", random(r, 6, 4)).node("t = Transpose(x)", toLast).node("u = LayerNormalization(t, g64)", intAttr("axis", 2)).node("y = Transpose(u)", toFirst).out("y"), 3},
		{"LayerNormalization after another turn stays", image(17).node("t = Transpose(x)", intsAttr("perm", 0, 1, 3, 2)).node("u = LayerNormalization(t, g6)").node("y = Transpose(u)", intsAttr("perm", 0, 1, 3, 2)).out("y"), 3},
		{"matrix over channels", last().node("f = MatMul(t, m)").node("f2 = Add(f, b8)").node("y = Transpose(f2)", toFirst).out("y"), 1},
		{"matrix that is computed stays", last().node("f = MatMul(t, x)").node("y = Transpose(f)", toFirst).out("y"), 3},
		{"gelu over channels", gelu(last(), "t", "u").node("y = Transpose(u)", toFirst).out("y"), 1},
		{"matrix and gelu", gelu(last().node("f = MatMul(t, m)"), "f", "u").node("y = Transpose(u)", toFirst).out("y"), 1},
		{"gelu by tanh stays apart", image(20).weight("w1", random(r, 4, 4, 1, 1)).node("k = Conv(x, w1)").node("y = Gelu(k)", stringAttr("approximate", "tanh")).out("y"), 2},
		{"gelu of opset 20", image(20).weight("w1", random(r, 4, 4, 1, 1)).node("k = Conv(x, w1)").node("y = Gelu(k)").out("y"), 1},
		{"block", block(), 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := map[string]*onnx.Tensor{"x": random(r, 2, 4, 6, 6)}
			if c.name == "matrix that is computed stays" {
				x["x"] = random(r, 1, 4, 4, 4)
				c.m.Graph.Inputs[0].Type.Shape[2].Size, c.m.Graph.Inputs[0].Type.Shape[3].Size = 4, 4
			}
			p := mustCompile(t, c.m, Options{})
			if len(p.steps) != c.steps {
				for _, s := range p.steps {
					t.Log(s.node)
				}
				t.Errorf("%d steps, want %d", len(p.steps), c.steps)
			}
			got, want := mustRun(t, p, x), mustRun(t, mustCompile(t, c.m, Options{NoFuse: true}), x)
			for _, o := range c.m.Graph.Outputs {
				if fmt.Sprint(got[o.Name].Shape) != fmt.Sprint(want[o.Name].Shape) {
					t.Fatalf("%s: shape %v, want %v", o.Name, got[o.Name].Shape, want[o.Name].Shape)
				}
				wantFloats(t, got[o.Name], want[o.Name].Float32s()...)
			}
		})
	}
}
