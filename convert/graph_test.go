package convert

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// net builds models for tests.
type net struct {
	m   *onnx.Model
	rng *rand.Rand
}

func newNet(opset int) *net {
	return &net{m: &onnx.Model{IRVersion: irVersion(opset), Opsets: []onnx.Opset{{Version: int64(opset)}}, Graph: &onnx.Graph{Name: "test"}}, rng: rand.New(rand.NewPCG(1, 2))}
}

// in declares an input; a dimension of -1 is the batch.
func (b *net) in(name string, typ onnx.DataType, shape ...int) *net {
	b.m.Graph.Inputs = append(b.m.Graph.Inputs, declared(name, typ, shape))
	return b
}

func (b *net) x(shape ...int) *net { return b.in("x", onnx.Float, shape...) }

func declared(name string, typ onnx.DataType, shape []int) *onnx.Value {
	t := &onnx.Type{Elem: typ, HasShape: true}
	for _, d := range shape {
		dim := onnx.Dim{Size: d}
		if d < 0 {
			dim.Param = "batch"
		}
		t.Shape = append(t.Shape, dim)
	}
	return &onnx.Value{Name: name, Type: t}
}

func (b *net) add(name string, t *onnx.Tensor) *net {
	t.Name = name
	b.m.Graph.Initializers = append(b.m.Graph.Initializers, t)
	return b
}

// weight adds an initializer of random numbers.
func (b *net) weight(name string, shape ...int) *net {
	t := onnx.New(onnx.Float, shape...)
	for i := range t.Float32s() {
		t.Float32s()[i] = float32(b.rng.NormFloat64()) / 2
	}
	return b.add(name, t)
}

// positive is weight with numbers between 0.5 and 1.5.
func (b *net) positive(name string, shape ...int) *net {
	b.weight(name, shape...)
	v := b.m.Graph.Initializers[len(b.m.Graph.Initializers)-1].Float32s()
	for i := range v {
		v[i] = 0.5 + float32(b.rng.Float64())
	}
	return b
}

func (b *net) ints(name string, v ...int64) *net { return b.add(name, onnx.Of([]int{len(v)}, v)) }

func (b *net) scalar(name string, v float32) *net { return b.add(name, onnx.Of([]int{}, []float32{v})) }

// node adds a node written as "y, z = Op(a, , b)".
func (b *net) node(text string, attrs ...*onnx.Attribute) *net {
	left, right, _ := strings.Cut(text, " = ")
	opType, args, _ := strings.Cut(strings.TrimSuffix(right, ")"), "(")
	split := func(s string) []string {
		var out []string
		for _, p := range strings.Split(s, ",") {
			out = append(out, strings.TrimSpace(p))
		}
		return out
	}
	n := &onnx.Node{OpType: opType, Outputs: split(left), Attrs: attrs}
	if args != "" {
		n.Inputs = split(args)
	}
	n.Name = "n_" + n.Outputs[0]
	b.m.Graph.Nodes = append(b.m.Graph.Nodes, n)
	return b
}

// out declares outputs, of the rank that they have.
func (b *net) out(names ...string) *onnx.Model {
	for _, n := range names {
		b.m.Graph.Outputs = append(b.m.Graph.Outputs, &onnx.Value{Name: n})
	}
	known, err := graph.Values(b.m, nil)
	for _, v := range b.m.Graph.Outputs {
		v.Type = &onnx.Type{Elem: onnx.Float}
		if i, ok := known[v.Name]; ok && err == nil {
			v.Type.Elem, v.Type.HasShape, v.Type.Shape = i.Type, true, make([]onnx.Dim, len(i.Shape))
			for k := range v.Type.Shape {
				v.Type.Shape[k].Size = -1
			}
		}
	}
	return b.m
}

// randomInputs makes inputs for a model, with that batch.
func randomInputs(m *onnx.Model, batch int) map[string]*onnx.Tensor {
	rng := rand.New(rand.NewPCG(3, 4))
	in := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.RequiredInputs() {
		var shape []int
		for _, d := range v.Type.Shape {
			if d.Size < 0 || d.Param != "" {
				d.Size = batch
			}
			shape = append(shape, d.Size)
		}
		t := onnx.New(onnx.Float, shape...)
		for i := range t.Float32s() {
			t.Float32s()[i] = float32(rng.NormFloat64())
			if v.Type.Elem == onnx.Uint8 {
				t.Float32s()[i] = float32(rng.IntN(256))
			}
		}
		t, err := op.CastTensor(t, v.Type.Elem)
		if err != nil {
			panic(err)
		}
		in[v.Name] = t
	}
	return in
}

// runOn runs a model with a provider.
func runOn(t *testing.T, provider string, m *onnx.Model, in map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	t.Helper()
	s, err := backend.Open(m, backend.Options{Provider: provider, Threads: 1})
	if err != nil {
		t.Fatalf("%s: %v", provider, err)
	}
	defer s.Close()
	out, err := s.Run(context.Background(), in)
	if err != nil {
		t.Fatalf("%s: %v", provider, err)
	}
	return out
}

// difference returns the largest difference of two tensors over the largest number of the second, at least 1.
func difference(t *testing.T, got, want *onnx.Tensor) float64 {
	t.Helper()
	if got == nil || !slices.Equal(append([]int{}, got.Shape...), append([]int{}, want.Shape...)) {
		t.Fatalf("got %v, want shape %v", got, want.Shape)
	}
	a, err := op.CastTensor(got, onnx.Double)
	if err != nil {
		t.Fatal(err)
	}
	b, err := op.CastTensor(want, onnx.Double)
	if err != nil {
		t.Fatal(err)
	}
	worst, largest := 0.0, 1.0
	for i, v := range onnx.Data[float64](b) {
		d := math.Abs(onnx.Data[float64](a)[i] - v)
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		worst, largest = max(worst, d), max(largest, math.Abs(v))
	}
	return worst / largest
}

// sameResults checks that two models compute the same, the second also on ONNX Runtime, where that is here. An output may
// have another name after a cut, but keeps its place.
func sameResults(t *testing.T, want, got *onnx.Model, in map[string]*onnx.Tensor, tolerance float64) {
	t.Helper()
	sameResultsOn(t, "native", want, got, in, tolerance)
	t.Run("ort", func(t *testing.T) {
		needORT(t)
		sameResultsOn(t, "ort", want, got, in, tolerance)
	})
}

// sameResultsOn checks that a model computes natively what another does on a provider.
func sameResultsOn(t *testing.T, provider string, want, got *onnx.Model, in map[string]*onnx.Tensor, tolerance float64) {
	t.Helper()
	if faults := got.Check(); len(faults) > 0 {
		t.Fatal(faults)
	}
	expect, out := runOn(t, "native", want, in), runOn(t, provider, got, in)
	for i, v := range want.Graph.Outputs {
		if d := difference(t, out[got.Graph.Outputs[i].Name], expect[v.Name]); !(d <= tolerance) {
			t.Errorf("%s: %s is %g away", provider, v.Name, d)
		}
	}
}

// checker collects models and has the checker of the ONNX project (Debian's python3-onnx) look at them all at once.
type checker struct {
	dir   string
	count int
	names map[string]string
}

func newChecker(t testing.TB) *checker {
	return &checker{dir: t.TempDir(), names: map[string]string{}}
}

func (c *checker) add(t testing.TB, name string, m *onnx.Model) {
	t.Helper()
	file := filepath.Join(c.dir, fmt.Sprintf("%d.onnx", c.count))
	c.count++
	c.names[file] = name
	if err := m.Save(file, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
}

// run looks at the models with opsets and formats that the installed version knows, and reports the others' number.
func (c *checker) run(t testing.TB) {
	t.Helper()
	python := reftest.Python(t, "onnx")
	out, err := exec.Command(python, filepath.Join("testdata", "check.py"), c.dir).CombinedOutput()
	if err != nil {
		text := string(out)
		for file, name := range c.names {
			text = strings.ReplaceAll(text, file+":", name+":")
		}
		t.Errorf("%v\n%s", err, text)
	}
	t.Logf("%s", out)
}
