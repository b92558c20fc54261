package graph

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// What is done to the input of pointwise convolutions alone.
func TestFuseScaled(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 5))
	image := func() *builder {
		return build(13).in("x", onnx.Float, -1, 4, 6, 6).weight("g", random(r, 4)).weight("h", random(r, 4)).weight("m", random(r, 4)).
			weight("v", f32([]int{4}, 1, 2, 3, 0.5)).weight("w", random(r, 20, 4, 1, 1)).weight("w3", random(r, 6, 4, 3, 3)).
			weight("wd", random(r, 4, 1, 1, 1)).weight("b", random(r, 20)).weight("s", random(r, 4, 1, 1))
	}
	norm := func() *builder { return image().node("n = BatchNormalization(x, g, h, m, v)") }
	excited := func() *builder {
		return image().node("p = GlobalAveragePool(x)").node("e = Sigmoid(p)").node("q = Mul(x, e)")
	}
	for _, c := range []struct {
		name  string
		m     *onnx.Model
		steps int
	}{
		{"normalisation and convolution", norm().node("y = Conv(n, w, b)").out("y"), 1},
		{"normalisation, activation and convolution", norm().node("a = Relu(n)").node("k = Conv(a, w)").node("y = Relu(k)").out("y"), 1},
		{"normalisation read twice stays", norm().node("a = Relu(n)").node("y = Conv(a, w)").out("y", "n"), 3},
		{"activation read twice stays", norm().node("a = Relu(n)").node("y = Conv(a, w)").out("y", "a"), 3},
		{"another activation stays", norm().node("a = Sigmoid(n)").node("y = Conv(a, w)").out("y"), 3},
		{"normalisation before a wide kernel stays", norm().node("y = Conv(n, w3)").out("y"), 2},
		{"normalisation before padding stays", norm().node("y = Conv(n, w)", intsAttr("pads", 1, 1, 1, 1)).out("y"), 2},
		{"normalisation before a stride stays", norm().node("y = Conv(n, w)", intsAttr("strides", 2, 2)).out("y"), 2},
		{"normalisation before groups stays", norm().node("y = Conv(n, wd)", intAttr("group", 4)).out("y"), 2},
		{"weights of channels", excited().node("y = Conv(q, w, b)").out("y"), 3},
		{"weights of channels on the left", image().node("p = GlobalAveragePool(x)").node("e = Sigmoid(p)").node("q = Mul(e, x)").node("y = Conv(q, w, b)").out("y"), 3},
		{"weights of channels, residual, activation", image().node("z = Conv(x, w)").node("p = GlobalAveragePool(x)").node("q = Mul(x, p)").node("k = Conv(q, w, b)").node("a = Add(k, z)").node("y = Relu(a)").out("y"), 3},
		{"product read twice stays", excited().node("y = Conv(q, w, b)").out("y", "q"), 4},
		{"product of two images stays", image().node("z = Neg(x)").node("q = Mul(x, z)").node("y = Conv(q, w)").out("y"), 3},
		{"constant weights of channels stay", image().node("q = Mul(x, s)").node("y = Conv(q, w)").out("y"), 2},
		{"activation of weighted channels stays", excited().node("a = Relu(q)").node("y = Conv(a, w)").out("y"), 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustCompile(t, c.m, Options{})
			if len(p.steps) != c.steps {
				for _, s := range p.steps {
					t.Log(s.node)
				}
				t.Errorf("%d steps, want %d", len(p.steps), c.steps)
			}
			for _, images := range []int{1, 3} {
				x := map[string]*onnx.Tensor{"x": random(r, images, 4, 6, 6)}
				got, want := mustRun(t, p, x), mustRun(t, mustCompile(t, c.m, Options{NoFuse: true}), x)
				for _, o := range c.m.Graph.Outputs {
					if fmt.Sprint(got[o.Name].Shape) != fmt.Sprint(want[o.Name].Shape) {
						t.Fatalf("%s: shape %v, want %v", o.Name, got[o.Name].Shape, want[o.Name].Shape)
					}
					wantFloats(t, got[o.Name], want[o.Name].Float32s()...)
				}
			}
		})
	}
}
