package convert

import (
	"context"
	"maps"
	"math"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/walk"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Scale returns how large the numbers are that a value of a model is computed from, and no less than its own largest one.
// Where they cancel out the value is as exact as they are, not as itself: what is left of a sum of products near 0 is
// mostly their rounding.
//
// A sum, and what only moves or bounds numbers, has the scale of its inputs. Of a sum of products it is the root of the
// sum of their squares, which is as large as such a sum is where signs are random.
func Scale(ctx context.Context, m *onnx.Model, value string, inputs map[string]*onnx.Tensor, o CompareOptions) (float64, error) {
	s := newScales(m, inputs)
	if err := s.run(ctx, []string{value}, o); err != nil {
		return 0, err
	}
	return s.of(ctx, value, o)
}

// sums are operators whose result may be much smaller than what they add up.
var sums = map[string]bool{"Add": true, "Sub": true, "Sum": true, "Mean": true, "ReduceMean": true, "ReduceSum": true, "AveragePool": true, "GlobalAveragePool": true}

// passes are operators whose results are no farther apart than their first inputs: an error goes through them as it is,
// while what it was small beside may be left out.
var passes = map[string]bool{"Identity": true, "Reshape": true, "Flatten": true, "Squeeze": true, "Unsqueeze": true, "Transpose": true, "Cast": true,
	"Relu": true, "LeakyRelu": true, "Clip": true, "Tanh": true, "Sigmoid": true, "Dropout": true, "MaxPool": true, "GlobalMaxPool": true, "Slice": true, "Gather": true}

// products are operators that add up products of their inputs, with the number of inputs that are multiplied; one behind
// them is added.
var products = map[string]int{"Conv": 2, "ConvTranspose": 2, "Gemm": 2, "MatMul": 2, "Einsum": math.MaxInt}

// scales are those of the values of a model that has run.
type scales struct {
	m      *onnx.Model
	inputs map[string]*onnx.Tensor
	graph  *walk.Graph
	values map[string]*onnx.Tensor
	known  map[string]float64
}

func newScales(m *onnx.Model, inputs map[string]*onnx.Tensor) *scales {
	s := &scales{m: m, inputs: inputs, graph: walk.New(m.Graph), values: map[string]*onnx.Tensor{}, known: map[string]float64{}}
	maps.Copy(s.values, s.graph.Weights)
	maps.Copy(s.values, inputs)
	return s
}

// run computes what is needed for the scales of values.
func (s *scales) run(ctx context.Context, values []string, o CompareOptions) error {
	var names []string
	seen := map[string]bool{}
	var need func(value string)
	need = func(value string) {
		if value == "" || seen[value] {
			return
		}
		seen[value] = true
		if s.values[value] == nil {
			names = append(names, value)
		}
		n, up := s.made(value)
		for _, in := range up {
			need(in)
		}
		if n != nil && products[n.OpType] > 0 {
			for _, in := range n.Inputs {
				if in != "" && s.values[in] == nil && !seen[in] {
					seen[in] = true
					names = append(names, in)
				}
			}
		}
	}
	for _, v := range values {
		need(v)
	}
	if len(names) == 0 {
		return nil
	}
	got, err := runModel(ctx, s.m, s.inputs, backend.Options{Provider: o.Provider, Threads: o.Threads, Warn: o.Warn, Outputs: names})
	for name, t := range got {
		s.values[name] = t
	}
	return err
}

// made returns the node that computes a value, and those of its inputs whose scales the value has.
func (s *scales) made(value string) (n *onnx.Node, up []string) {
	n = s.graph.Node[value]
	switch {
	case n == nil || n.Domain != "" && n.Domain != "ai.onnx" || len(n.Inputs) == 0:
		return nil, nil
	case sums[n.OpType]:
		return n, n.Inputs
	case passes[n.OpType]:
		return n, n.Inputs[:1]
	}
	return n, nil
}

// of returns the scale of a value that [scales.run] was told.
func (s *scales) of(ctx context.Context, value string, o CompareOptions) (float64, error) {
	if v, ok := s.known[value]; ok {
		return v, nil
	}
	s.known[value] = 0
	t := s.values[value]
	if t == nil || !isFloat(t.Type) {
		return 0, nil
	}
	scale, err := largestOf(t)
	if err != nil {
		return 0, err
	}
	n, up := s.made(value)
	for _, in := range up {
		of, err := s.of(ctx, in, o)
		if err != nil {
			return 0, err
		}
		scale = max(scale, of)
	}
	if n != nil && products[n.OpType] > 0 {
		of, err := s.ofProducts(ctx, n, o)
		if err != nil {
			return 0, err
		}
		scale = max(scale, of)
	}
	s.known[value] = scale
	return scale, nil
}

// ofProducts returns the root of the largest sum of the squares of the products that a node adds up, and no less than the
// largest number that is added to them.
func (s *scales) ofProducts(ctx context.Context, n *onnx.Node, o CompareOptions) (float64, error) {
	factors := min(products[n.OpType], len(n.Inputs))
	node := &onnx.Node{Name: n.Name, OpType: n.OpType, Inputs: n.Inputs[:factors], Outputs: []string{"squares of " + n.Outputs[0]}}
	alpha, beta := 1.0, 1.0
	for _, a := range n.Attrs {
		switch {
		case n.OpType == "Gemm" && a.Name == "alpha":
			alpha = math.Abs(float64(a.F))
		case n.OpType == "Gemm" && a.Name == "beta":
			beta = math.Abs(float64(a.F))
		default:
			node.Attrs = append(node.Attrs, a)
		}
	}
	g := &onnx.Graph{Name: "squares", Nodes: []*onnx.Node{node}, Outputs: []*onnx.Value{{Name: node.Outputs[0]}}}
	scale := alpha
	largest := map[string]float64{}
	for _, name := range node.Inputs {
		if _, ok := largest[name]; !ok {
			squares, large, err := squared(s.values[name])
			if err != nil {
				return 0, err
			}
			squares.Name = name
			g.Initializers = append(g.Initializers, squares)
			largest[name] = large
		}
		scale *= largest[name]
	}
	m := &onnx.Model{IRVersion: s.m.IRVersion, Opsets: s.m.Opsets, Graph: g}
	got, err := runModel(ctx, m, nil, backend.Options{Threads: o.Threads})
	if err != nil {
		return 0, err
	}
	large, err := largestOf(got[node.Outputs[0]])
	if err != nil {
		return 0, err
	}
	scale *= math.Sqrt(large)
	if factors < len(n.Inputs) && s.values[n.Inputs[factors]] != nil {
		added, err := largestOf(s.values[n.Inputs[factors]])
		if err != nil {
			return 0, err
		}
		scale = max(scale, added*beta)
	}
	return scale, nil
}

// squared returns the squares of a tensor's numbers as shares of the largest one, since those of large numbers have no
// place in float32, and the largest one.
func squared(t *onnx.Tensor) (*onnx.Tensor, float64, error) {
	f, err := op.CastTensor(t, onnx.Float)
	if err != nil {
		return nil, 0, err
	}
	large, err := largestOf(f)
	if err != nil {
		return nil, 0, err
	}
	squares := onnx.New(onnx.Float, f.Shape...)
	for i, v := range f.Float32s() {
		if share := float64(v) / large; large > 0 && math.Abs(share) <= 1 {
			squares.Float32s()[i] = float32(share * share)
		}
	}
	return squares, large, nil
}

// largestOf returns the largest finite number of a tensor in magnitude.
func largestOf(t *onnx.Tensor) (float64, error) {
	v, err := numbersOf(t)
	if err != nil {
		return 0, err
	}
	_, largest := distance(v, v)
	return largest, nil
}
