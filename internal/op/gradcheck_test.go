package op_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// gradCase checks the gradient of one node.
type gradCase struct {
	name  string
	node  *onnx.Node // inputs and outputs are named by checkGradients where it names none
	opset int        // 0: the newest
	in    []*onnx.Tensor
	// fixed lists inputs whose gradient is not checked; those that are not float64 never are.
	fixed []int
	// outputs is how many outputs the node has, 1 where 0; all floating-point ones go into the loss.
	outputs int
}

var gradPool = par.New(2)

// checkGradients compares the gradients of sum(r*output), for fixed random r, with central differences in double
// precision: by every element of every float64 input, to 1e-6 of the largest gradient. Then it checks that the float32
// gradients agree with them.
func checkGradients(t *testing.T, cases []gradCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			exact := gradientsOf(t, c, c.in)
			for i, g := range exact {
				if g == nil {
					continue
				}
				numeric := make([]float64, len(g))
				x := onnx.Data[float64](c.in[i])
				for k := range x {
					const h = 1e-5
					keep := x[k]
					x[k] = keep + h
					up := lossOf(t, c, c.in)
					x[k] = keep - h
					down := lossOf(t, c, c.in)
					x[k] = keep
					numeric[k] = (up - down) / (2 * h)
				}
				compareGradient(t, fmt.Sprintf("input %d", i), g, numeric, 1e-6)
			}
			single := make([]*onnx.Tensor, len(c.in))
			for i, x := range c.in {
				single[i] = x
				if x != nil && x.Type == onnx.Double {
					single[i] = onnx.New(onnx.Float, x.Shape...)
					for k, v := range onnx.Data[float64](x) {
						single[i].Float32s()[k] = float32(v)
					}
				}
			}
			for i, g := range gradientsOf(t, c, single) {
				if g != nil {
					compareGradient(t, fmt.Sprintf("input %d, float32", i), g, exact[i], 1e-4)
				}
			}
		})
	}
}

func compareGradient(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	largest := 1e-3
	for _, w := range want {
		largest = max(largest, math.Abs(w))
	}
	for k := range want {
		if !(math.Abs(got[k]-want[k]) <= tol*largest) {
			t.Fatalf("%s, element %d: gradient %v, want %v (largest %v)", what, k, got[k], want[k], largest)
		}
	}
}

// gradModel is loss = sum over outputs of sum(r*output).
func gradModel(c gradCase, in []*onnx.Tensor, withLoss bool) (*onnx.Model, []string) {
	n := *c.node
	opset := c.opset
	if opset == 0 {
		opset = op.MaxOpset
	}
	outputs := max(1, c.outputs)
	n.Inputs, n.Outputs = nil, nil
	g := &onnx.Graph{Name: "gradient"}
	var train []string
	for i, x := range in {
		if x == nil {
			n.Inputs = append(n.Inputs, "")
			continue
		}
		w := *x
		w.Name = fmt.Sprint("x", i)
		n.Inputs = append(n.Inputs, w.Name)
		g.Initializers = append(g.Initializers, &w)
		trained := x.Type == onnx.Double || x.Type == onnx.Float
		for _, f := range c.fixed {
			trained = trained && f != i
		}
		if trained {
			train = append(train, w.Name)
		}
	}
	for i := range outputs {
		n.Outputs = append(n.Outputs, fmt.Sprint("y", i))
	}
	g.Nodes = []*onnx.Node{&n}
	m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: int64(opset)}, {Domain: "com.microsoft", Version: 1}, {Domain: op.Internal, Version: 1}}, Graph: g}
	if !withLoss {
		for _, o := range n.Outputs {
			g.Outputs = append(g.Outputs, &onnx.Value{Name: o})
		}
	}
	return m, train
}

// outputsOf runs the node alone.
func outputsOf(t *testing.T, c gradCase, in []*onnx.Tensor) []*onnx.Tensor {
	t.Helper()
	m, train := gradModel(c, in, false)
	// The inputs are the program's, so that nothing is folded.
	var args []*onnx.Tensor
	for _, name := range train {
		w := m.Graph.Initializer(name)
		typ := &onnx.Type{Elem: w.Type, HasShape: true}
		for _, d := range w.Shape {
			typ.Shape = append(typ.Shape, onnx.Dim{Size: d})
		}
		m.Graph.Inputs = append(m.Graph.Inputs, &onnx.Value{Name: name, Type: typ})
		args = append(args, w)
	}
	kept := m.Graph.Initializers[:0]
	for _, w := range m.Graph.Initializers {
		if !contains(train, w.Name) {
			kept = append(kept, w)
		}
	}
	m.Graph.Initializers = kept
	p, err := graph.Compile(m, graph.Options{Pool: gradPool, NoFuse: true})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.RunInto(context.Background(), args, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// weightsOf returns the factors r of an output.
func weightsOf(y *onnx.Tensor, index int) []float64 {
	r := rand.New(rand.NewPCG(uint64(index), 99))
	w := make([]float64, y.Len())
	for i := range w {
		w[i] = r.NormFloat64()
	}
	return w
}

func lossOf(t *testing.T, c gradCase, in []*onnx.Tensor) float64 {
	t.Helper()
	sum := 0.0
	for i, y := range outputsOf(t, c, in) {
		if y.Type != onnx.Double {
			continue
		}
		for k, r := range weightsOf(y, i) {
			sum += r * onnx.Data[float64](y)[k]
		}
	}
	return sum
}

// gradientsOf computes the gradients by the rules.
func gradientsOf(t *testing.T, c gradCase, in []*onnx.Tensor) [][]float64 {
	t.Helper()
	ys := outputsOf(t, c, in)
	m, train := gradModel(c, in, true)
	m.Opsets[0].Version = int64(c.opset)
	if c.opset == 0 {
		m.Opsets[0].Version = op.MaxOpset
	}
	g := m.Graph
	var terms []string
	for i, y := range ys {
		if y.Type != onnx.Double && y.Type != onnx.Float {
			continue
		}
		r := onnx.New(y.Type, y.Shape...)
		for k, v := range weightsOf(y, i) {
			if y.Type == onnx.Double {
				onnx.Data[float64](r)[k] = v
			} else {
				r.Float32s()[k] = float32(v)
			}
		}
		r.Name = fmt.Sprint("r", i)
		g.Initializers = append(g.Initializers, r)
		term := fmt.Sprint("term", i)
		g.Nodes = append(g.Nodes,
			&onnx.Node{Domain: op.Internal, OpType: "Dot", Inputs: []string{fmt.Sprint("y", i), r.Name}, Outputs: []string{term}})
		terms = append(terms, term)
	}
	g.Nodes = append(g.Nodes, &onnx.Node{OpType: "Sum", Inputs: terms, Outputs: []string{"loss"}})
	g.Outputs = []*onnx.Value{{Name: "loss"}}
	p, err := graph.CompileTraining(m, graph.TrainOptions{Train: train, Loss: "loss", Pool: gradPool})
	if err != nil {
		t.Fatal(err)
	}
	var args []*onnx.Tensor
	for _, name := range train {
		args = append(args, g.Initializer(name))
	}
	out, err := p.RunInto(context.Background(), args, nil)
	if err != nil {
		t.Fatal(err)
	}
	grads := make([][]float64, len(in))
	for k, name := range train {
		var i int
		if _, err := fmt.Sscanf(name, "x%d", &i); err != nil {
			t.Fatal(err)
		}
		y := out[1+k]
		if fmt.Sprint(y.Shape) != fmt.Sprint(in[i].Shape) {
			t.Fatalf("gradient of input %d has shape %v, the input %v", i, y.Shape, in[i].Shape)
		}
		grads[i] = make([]float64, y.Len())
		for k := range grads[i] {
			if y.Type == onnx.Double {
				grads[i][k] = onnx.Data[float64](y)[k]
			} else {
				grads[i][k] = float64(y.Float32s()[k])
			}
		}
	}
	return grads
}

// normal64 returns seeded standard normal numbers.
func normal64(seed uint64, shape ...int) *onnx.Tensor {
	r := rand.New(rand.NewPCG(seed, 7))
	t := onnx.New(onnx.Double, shape...)
	for i := range onnx.Data[float64](t) {
		onnx.Data[float64](t)[i] = r.NormFloat64()
	}
	return t
}

// positive64 returns seeded numbers from 0.5 to 2.
func positive64(seed uint64, shape ...int) *onnx.Tensor {
	r := rand.New(rand.NewPCG(seed, 8))
	t := onnx.New(onnx.Double, shape...)
	for i := range onnx.Data[float64](t) {
		onnx.Data[float64](t)[i] = 0.5 + 1.5*r.Float64()
	}
	return t
}

// gradNode makes a node for a gradCase.
func gradNode(opType string, attrs ...*onnx.Attribute) *onnx.Node {
	return &onnx.Node{Name: "n", OpType: opType, Attrs: attrs}
}
