package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Folding keeps what the model computes, and the names of weights as far as they are free (case 38).
func TestFoldBatchNorm(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 8))
	base := func() *builder {
		return build(17).in("x", onnx.Float, -1, 4, 5, 5).weight("w", random(r, 6, 4, 3, 3)).weight("b", random(r, 6)).
			weight("w2", random(r, 6, 6, 1, 1)).weight("wt", random(r, 6, 3, 2, 2)).
			weight("s", random(r, 6)).weight("o", random(r, 6)).weight("m", random(r, 6)).weight("v", f32([]int{6}, 1, 2, 3, 0.5, 1, 2))
	}
	const norm = "BatchNormalization(%s, s, o, m, v)"
	bn := func(of string) string { return fmt.Sprintf(norm, of) }
	for _, c := range []struct {
		name   string
		m      *onnx.Model
		folded int
		nodes  string // operators that are left
		names  string // initializers that are left
	}{
		{"with bias", base().node("k = Conv(x, w, b)").node("n = "+bn("k"), floatAttr("epsilon", 0.01)).node("y = Relu(n)").out("y"), 1, "Conv Relu", "w b"},
		{"without bias", base().node("k = Conv(x, w)").node("y = " + bn("k")).out("y"), 1, "Conv", "w w_bias"},
		{"two after each other", base().node("k = Conv(x, w, b)").node("n = " + bn("k")).node("y = " + bn("n")).out("y"), 2, "Conv", "w b"},
		{"twice the same weights", base().node("k = Conv(x, w, b)").node("n = " + bn("k")).node("l = Conv(x, w, b)").node("p = " + bn("l")).node("y = Add(n, p)").out("y"), 2,
			"Conv Conv Add", "w b w_2 w_bias_1"},
		{"weights that another node reads", base().node("k = Conv(x, w)").node("n = " + bn("k")).node("l = Conv(x, w)").node("y = Add(n, l)").out("y"), 1, "Conv Conv Add", "w w_1 w_bias"},
		{"a value that is an output, too", base().node("k = Conv(x, w, b)").node("y = "+bn("k")).out("y", "k"), 0, "Conv BatchNormalization", "w b s o m v"},
		{"the same tensor as two outputs", base().node("k = Conv(x, w, b)").node("n = "+bn("k")).node("y = Identity(n)").out("n", "y"), 1, "Conv Identity", "w b"},
		{"behind an activation", base().node("k = Conv(x, w, b)").node("a = Relu(k)").node("y = " + bn("a")).out("y"), 0, "Conv Relu BatchNormalization", "w b s o m v"},
		{"with batch statistics", base().node("k = Conv(x, w, b)").node("y = "+bn("k"), intAttr("training_mode", 1)).out("y"), 0, "Conv BatchNormalization", "w b s o m v"},
		{"transposed, grouped", base().node("k = Conv(x, w, b)").node("u = ConvTranspose(k, wt)", intAttr("group", 2)).node("y = " + bn("u")).out("y"), 1, "Conv ConvTranspose", "w b wt wt_bias"},
	} {
		t.Run(c.name, func(t *testing.T) {
			weights := len(c.m.Graph.Initializers)
			m, folded, err := FoldBatchNorm(c.m)
			if err != nil || folded != c.folded {
				t.Fatalf("%d folded, %v", folded, err)
			}
			var nodes, names []string
			for _, n := range m.Graph.Nodes {
				nodes = append(nodes, n.OpType)
			}
			for _, w := range m.Graph.Initializers {
				names = append(names, w.Name)
			}
			want := strings.Fields(c.names)
			if strings.Join(nodes, " ") != c.nodes || len(names) != len(want) || slices.ContainsFunc(want, func(n string) bool { return !slices.Contains(names, n) }) {
				t.Errorf("nodes %q with weights %q, want %q with %q", nodes, names, c.nodes, want)
			}
			if faults := m.Check(); len(faults) > 0 {
				t.Error(faults)
			}
			if len(c.m.Graph.Initializers) != weights {
				t.Error("the given model has changed")
			}
			x := map[string]*onnx.Tensor{"x": random(r, 2, 4, 5, 5)}
			a, b := mustRun(t, mustCompile(t, c.m, Options{NoFuse: true}), x), mustRun(t, mustCompile(t, m, Options{NoFuse: true}), x)
			for name, y := range a {
				for i, v := range y.Float32s() {
					if d := math.Abs(float64(v - b[name].Float32s()[i])); !(d <= 1e-5*max(1, math.Abs(float64(v)))) {
						t.Fatalf("%s[%d]: %v, folded %v", name, i, v, b[name].Float32s()[i])
					}
				}
			}
		})
	}

	// The formula itself, on numbers that float32 has.
	m := build(17).in("x", onnx.Float, -1, 1, 1, 1).weight("w", f32([]int{1, 1, 1, 1}, 3)).weight("b", f32([]int{1}, 5)).
		weight("s", f32([]int{1}, 2)).weight("o", f32([]int{1}, 7)).weight("m", f32([]int{1}, 1)).weight("v", f32([]int{1}, 3.75)).
		node("k = Conv(x, w, b)").node("y = "+bn("k"), floatAttr("epsilon", 0.25)).out("y")
	m, _, err := FoldBatchNorm(m)
	if err != nil {
		t.Fatal(err)
	}
	if w, b := m.Graph.Initializer("w").Float32s()[0], m.Graph.Initializer("b").Float32s()[0]; w != 3 || b != 11 {
		t.Errorf("W' = %v, b' = %v; want 3*2/2 = 3 and (5-1)*2/2+7 = 11", w, b)
	}
	if _, _, err := FoldBatchNorm(&onnx.Model{Graph: &onnx.Graph{Inputs: []*onnx.Value{{Name: "x"}, {Name: "x"}}}}); err == nil {
		t.Error("an input that is there twice is taken")
	}
}
