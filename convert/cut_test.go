package convert

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// values has more values of a model as outputs.
func valuesOf(m *onnx.Model, names ...string) *onnx.Model {
	c := *m
	g := *m.Graph
	c.Graph = &g
	g.Outputs = nil
	for _, n := range names {
		g.Outputs = append(g.Outputs, &onnx.Value{Name: n})
	}
	return &c
}

func TestCut(t *testing.T) {
	check := newChecker(t)
	m := smallNet(13)
	for _, c := range []struct {
		name  string
		cut   func(*onnx.Model) (*onnx.Model, error)
		value string
		nodes int
	}{
		{"layer by name", func(m *onnx.Model) (*onnx.Model, error) { return At(m, "n_r") }, "r", 3},
		{"layer by number", func(m *onnx.Model) (*onnx.Model, error) { return At(m, "3") }, "p", 4},
		{"features", NoHead, "f", 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.cut(m)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Graph.Nodes) != c.nodes || got.Graph.Initializer("fc.weight") != nil || len(got.Graph.Outputs) != 1 || got.Graph.Outputs[0].Type == nil {
				t.Errorf("%d nodes, outputs %v", len(got.Graph.Nodes), got.Graph.Outputs)
			}
			sameResults(t, valuesOf(m, c.value), got, randomInputs(m, 2), 1e-6)
			check.add(t, c.name, got)
		})
	}
	t.Run("checker", func(t *testing.T) { check.run(t) })
	if _, err := At(m, "nowhere"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Error(err)
	}
	if _, err := At(&onnx.Model{}, "0"); err == nil {
		t.Error("no graph")
	}
}

// The last layer in the forms that exporters give it.
func TestNewHead(t *testing.T) {
	check := newChecker(t)
	for _, c := range []struct {
		name   string
		m      *onnx.Model
		weight string
		shape  []int
	}{
		{"Gemm", smallNet(13), "fc.weight", []int{7, 4}},
		{"Gemm, not transposed", newNet(13).x(-1, 4).weight("w", 4, 3).node("y = Gemm(x, w)").out("y"), "w", []int{4, 7}},
		{"MatMul and Add", newNet(13).x(-1, 4).weight("w", 4, 3).weight("b", 3).node("d = Dropout(x)").node("m = MatMul(d, w)").node("a = Add(m, b)").node("y = Sigmoid(a)").out("y"), "w", []int{4, 7}},
		{"Conv, pooled", newNet(13).x(-1, 4, 3, 3).weight("w", 3, 4, 1, 1).weight("b", 3).node("c = Conv(x, w, b)").node("r = Relu(c)").node("p = GlobalAveragePool(r)").node("y = Flatten(p)").out("y"), "w", []int{7, 4, 1, 1}},
		{"Conv and Add", newNet(13).x(-1, 4, 3, 3).weight("w", 3, 4, 1, 1).weight("b", 3, 1, 1).node("c = Conv(x, w)").node("a = Add(b, c)").node("y = Flatten(a)", op.Attr("axis", 2)).out("y"), "w", []int{7, 4, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := bytesOf(t, c.m)
			got, err := NewHead(c.m, 7, 1)
			if err != nil {
				t.Fatal(err)
			}
			if s := got.Graph.Initializer(c.weight).Shape; !slices.Equal(s, c.shape) {
				t.Errorf("weight %v, want %v", s, c.shape)
			}
			in := randomInputs(got, 2)
			y := runOn(t, "native", got, in)["y"]
			if !slices.Contains(y.Shape, 7) && y.Shape[0] != 14 {
				t.Errorf("output %v", y.Shape)
			}
			sameResults(t, got, got, in, 1e-5)
			check.add(t, c.name, got)
			if bytes.Equal(bytesOf(t, got), before) || !bytes.Equal(bytesOf(t, c.m), before) {
				t.Error("the given model has changed, or nothing has")
			}
			if _, err := NoHead(c.m); c.name != "Gemm" && (err == nil || !strings.Contains(err.Error(), "nothing before")) {
				t.Error(err)
			}
		})
	}
	t.Run("checker", func(t *testing.T) { check.run(t) })
	for _, c := range []struct {
		m    *onnx.Model
		n    int
		want string
	}{
		{smallNet(13), 0, "number of classes"}, {smallNet(13), 1 << 30, "number of classes"},
		{&onnx.Model{}, 2, "no graph"},
		{newNet(13).x(-1, 4).node("y = Relu(x)").out("y"), 2, "is not found"},
		{newNet(13).x(-1, 4).node("y = Mul(x, x)").out("y"), 2, `is not clear: node "n_y" (Mul)`},
		{newNet(13).x(-1, 4).node("y = Add(x, x)").out("y"), 2, `is not clear: node "n_y" (Add)`},
		{newNet(13).x(4, 4).node("y = MatMul(x, x)").out("y"), 2, "are not stored as they are"},
		{newNet(13).x(-1, 2, 4).weight("w", 2, 4, 3).node("y = MatMul(x, w)").out("y"), 2, "has weights of shape [2 4 3]"},
		{newNet(13).x(-1, 4).weight("w", 4, 3).weight("b", 1).node("y = Gemm(x, w, b)").out("y"), 2, "has 3 outputs and a bias of shape [1]"},
		{newNet(13).x(3, 4).weight("w", 4, 3).node("y = Gemm(x, w, x)").out("y"), 2, "the bias of"},
		{newNet(13).x(-1, 4).m, 2, "no output"},
	} {
		if _, err := NewHead(c.m, c.n, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		if c.n == 2 {
			if _, err := NoHead(c.m); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		}
	}
}

// Weights that are written come back the same.
func TestSaveWeights(t *testing.T) {
	m := smallNet(13)
	m.SetMeta("onnxcnn.labels", `["a"]`)
	half, _, err := Float16(newNet(13).x(-1, 2).weight("w", 2).ints("n", 3).scalar("s", 2).node("a = Mul(x, w)").node("b = Mul(a, s)").node("r = Reshape(b, n)").out("r"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*onnx.Model{m, half} {
		for _, ext := range []string{".npz", ".safetensors"} {
			path := filepath.Join(t.TempDir(), "w"+ext)
			if err := SaveWeights(path, m); err != nil {
				t.Fatal(err)
			}
			w, err := ReadWeights(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(w.List()) != len(m.Graph.Initializers) {
				t.Errorf("%s: %d tensors, want %d", ext, len(w.List()), len(m.Graph.Initializers))
			}
			for _, want := range m.Graph.Initializers {
				got, err := w.Find(want.Name).Load()
				if err != nil || got.Type != want.Type || !bytes.Equal(got.Raw, want.Raw) || !reflect.DeepEqual(append([]int{}, got.Shape...), append([]int{}, want.Shape...)) {
					t.Errorf("%s: %s: %v %v", ext, want.Name, got, err)
				}
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"w.bin", m, ".safetensors or .npz"}, {"w.npz", &onnx.Model{}, "no weights"},
		{"w.safetensors", newNet(13).add("c", onnx.New(onnx.Complex64, 1)).m, "safetensors has no complex64"},
		{"w.npz", newNet(13).add("c", onnx.New(onnx.Float8E5M2, 1)).m, "NumPy has no type"},
	} {
		if err := SaveWeights(filepath.Join(dir, c.name), c.m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
