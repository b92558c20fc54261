package onnxgo_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	onnxgolib "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph/simple"
	"gorgonia.org/tensor"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/backend/onnxgo"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// value declares a float tensor.
func value(name string, shape ...int) *onnx.Value {
	v := &onnx.Value{Name: name, Type: &onnx.Type{Elem: onnx.Float, HasShape: true}}
	for _, d := range shape {
		v.Type.Shape = append(v.Type.Shape, onnx.Dim{Size: d})
	}
	return v
}

// encode writes a model of one graph.
func encode(t *testing.T, opset int64, g *onnx.Graph) []byte {
	t.Helper()
	var b bytes.Buffer
	m := &onnx.Model{IRVersion: 4, Opsets: []onnx.Opset{{Version: opset}}, Graph: g}
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// load decodes a model through onnx-go.
func load(t *testing.T, g *onnxgo.Graph, data []byte) *onnxgolib.Model {
	t.Helper()
	m := onnxgolib.NewModel(g)
	if err := m.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return m
}

func named(name string, t *onnx.Tensor) *onnx.Tensor {
	t.Name = name
	return t
}

func dense(shape []int, data any) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

func floats(t *testing.T, v tensor.Tensor) []float32 {
	t.Helper()
	if v == nil {
		t.Fatal("no tensor")
	}
	f, ok := v.Data().([]float32)
	if !ok {
		t.Fatalf("tensor of %v", v.Dtype())
	}
	return f
}

// affine is y = relu(x*w + w), with x of shape [2].
func affine(t *testing.T) []byte {
	return encode(t, 13, &onnx.Graph{
		Name: "affine", Inputs: []*onnx.Value{value("x", 2)}, Outputs: []*onnx.Value{value("y", 2)},
		Initializers: []*onnx.Tensor{named("w", onnx.Of([]int{2}, []float32{10, -20}))},
		Nodes: []*onnx.Node{
			{OpType: "Mul", Inputs: []string{"x", "w"}, Outputs: []string{"p"}},
			{OpType: "Add", Inputs: []string{"p", "w"}, Outputs: []string{"s"}},
			{OpType: "Relu", Inputs: []string{"s"}, Outputs: []string{"y"}},
		},
	})
}

func TestRunsAgainAndKeepsWhatItGave(t *testing.T) {
	g := onnxgo.NewGraph()
	m := load(t, g, affine(t))
	backing := []float32{1, -2}
	if err := m.SetInput(0, dense([]int{2}, backing)); err != nil {
		t.Fatal(err)
	}
	var first tensor.Tensor
	for i := range 3 {
		if err := g.Run(); err != nil {
			t.Fatal(err)
		}
		out, err := m.GetOutputTensors()
		if err != nil {
			t.Fatal(err)
		}
		if got := floats(t, out[0]); !slices.Equal(got, []float32{20, 20}) {
			t.Errorf("run %d: %v", i, got)
		}
		if i == 0 {
			first = out[0]
		}
	}
	backing[0], backing[1] = 3, 3 // the same tensor with other values
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
	out, _ := m.GetOutputTensors()
	if got := floats(t, out[0]); !slices.Equal(got, []float32{40, 0}) {
		t.Errorf("other values: %v", got)
	}
	if got := floats(t, first); !slices.Equal(got, []float32{20, 20}) {
		t.Errorf("the first result has become %v", got)
	}
	if !slices.Equal(backing, []float32{3, 3}) {
		t.Errorf("the input has become %v", backing)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Run(); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func TestInnerValuesAndNewWeights(t *testing.T) {
	g := onnxgo.NewGraph()
	m := load(t, g, affine(t))
	node := func(name string) *onnxgo.Node {
		n, ok := m.GetNodeByName(name)
		if !ok {
			t.Fatalf("no node %q", name)
		}
		return n.(*onnxgo.Node)
	}
	if v := node("p").GetTensor(); v != nil {
		t.Errorf("before the first run: %v", v)
	}
	if err := m.SetInput(0, dense([]int{2}, []float32{1, -2})); err != nil {
		t.Fatal(err)
	}
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
	if got := floats(t, node("p").GetTensor()); !slices.Equal(got, []float32{10, 40}) {
		t.Errorf("inner value: %v", got)
	}
	if got := floats(t, node("w").GetTensor()); !slices.Equal(got, []float32{10, -20}) {
		t.Errorf("weight: %v", got)
	}
	if err := node("w").SetTensor(dense([]int{2}, []float32{1, 1})); err != nil {
		t.Fatal(err)
	}
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
	if got := floats(t, node("y").GetTensor()); !slices.Equal(got, []float32{2, 0}) {
		t.Errorf("with other weights: %v", got)
	}
	if got := floats(t, node("p").GetTensor()); !slices.Equal(got, []float32{1, -2}) {
		t.Errorf("inner value with other weights: %v", got)
	}
	// The topology can be walked.
	if x, p := node("x"), node("p"); !g.HasEdgeFromTo(p.ID(), x.ID()) || x.String() != `"x"` || x.GetName() != "x" {
		t.Error("there is no edge from p to x")
	}
	if err := node("x").SetTensor(dense([]int{3}, []float32{1, 2, 3})); err != nil {
		t.Fatal(err)
	}
	if node("p").GetTensor() == nil {
		t.Error("the value of the last run is gone")
	}
	if v := node("s").GetTensor(); v != nil {
		t.Errorf("a value that cannot be computed: %v", v)
	}
}

func TestErrors(t *testing.T) {
	t.Run("set a computed value", func(t *testing.T) {
		g := onnxgo.NewGraph()
		m := load(t, g, affine(t))
		n, _ := m.GetNodeByName("y")
		err := n.(*onnxgo.Node).SetTensor(dense([]int{2}, []float32{1, 2}))
		if err == nil || !strings.Contains(err.Error(), `value "y" is computed by Relu`) {
			t.Error(err)
		}
	})
	t.Run("element type", func(t *testing.T) {
		g := onnxgo.NewGraph()
		m := load(t, g, affine(t))
		err := m.SetInput(0, dense([]int{2}, []int{1, 2}))
		if err == nil || !strings.Contains(err.Error(), `value "x": ONNX has no tensors of Go type int`) {
			t.Error(err)
		}
	})
	t.Run("shape", func(t *testing.T) {
		g := onnxgo.NewGraph()
		m := load(t, g, affine(t))
		if err := m.SetInput(0, dense([]int{3}, []float32{1, 2, 3})); err != nil {
			t.Fatal(err)
		}
		if err := g.Run(); err == nil || !strings.Contains(err.Error(), "Mul") {
			t.Error(err)
		}
	})
	t.Run("provider", func(t *testing.T) {
		g := onnxgo.New(onnxgo.Options{Provider: "abacus"})
		load(t, g, affine(t))
		if err := g.Run(); err == nil || !strings.Contains(err.Error(), `no provider "abacus"`) {
			t.Error(err)
		}
	})
	t.Run("no tensor", func(t *testing.T) {
		g := onnxgo.NewGraph()
		x := g.NewNode().(*onnxgo.Node)
		g.AddNode(x)
		y := g.NewNode().(*onnxgo.Node)
		g.AddNode(y)
		x.SetName("x")
		y.SetName("y")
		g.SetWeightedEdge(g.NewWeightedEdge(y, x, 0))
		if err := g.ApplyOperation(onnxgolib.Operation{Name: "Relu"}, y); err != nil {
			t.Fatal(err)
		}
		if err := g.Run(); err == nil || !strings.Contains(err.Error(), `value "x" has no tensor`) {
			t.Error(err)
		}
		if err := x.SetTensor(dense([]int{1}, []float32{-1})); err != nil {
			t.Fatal(err)
		}
		if err := g.Run(); err != nil {
			t.Fatal(err)
		}
		if err := x.SetTensor(nil); err != nil {
			t.Fatal(err)
		}
		if err := g.Run(); err == nil {
			t.Error("it ran without its input")
		}
		// Two producers of one value.
		err := g.ApplyOperation(onnxgolib.Operation{Name: "Neg"}, y)
		if err == nil || !strings.Contains(err.Error(), "by Relu and by Neg") {
			t.Error(err)
		}
	})
	t.Run("operations", func(t *testing.T) {
		g := onnxgo.NewGraph()
		n := g.NewNode()
		var missing *onnxgolib.ErrNotImplemented
		if err := g.ApplyOperation(onnxgolib.Operation{Name: "Levitate"}, n); !errors.As(err, &missing) || missing.Operator != "Levitate" {
			t.Error(err)
		}
		attr := map[string]any{"axis": struct{}{}}
		if err := g.ApplyOperation(onnxgolib.Operation{Name: "Softmax", Attributes: attr}, n); !errors.As(err, &missing) || missing.AttributeName != "axis" {
			t.Error(err)
		}
		attr = map[string]any{"value": dense([]int{1}, []int{1})}
		if err := g.ApplyOperation(onnxgolib.Operation{Name: "Constant", Attributes: attr}, n); err == nil || !strings.Contains(err.Error(), `Constant: attribute "value"`) {
			t.Error(err)
		}
		if err := g.ApplyOperation(onnxgolib.Operation{Name: "Relu"}); err == nil {
			t.Error("an operation without outputs")
		}
		if err := g.ApplyOperation(onnxgolib.Operation{Name: "Relu"}, simple.Node(7)); err == nil || !strings.Contains(err.Error(), "not a node of this graph") {
			t.Error(err)
		}
		if err := g.Run(); err == nil || !strings.Contains(err.Error(), "no outputs") {
			t.Error(err)
		}
	})
	t.Run("cycle", func(t *testing.T) {
		g := onnxgo.NewGraph()
		load(t, g, encode(t, 9, &onnx.Graph{Name: "g", Outputs: []*onnx.Value{value("y", 1)}, Nodes: []*onnx.Node{
			{OpType: "Relu", Inputs: []string{"a"}, Outputs: []string{"a"}},
			{OpType: "Relu", Inputs: []string{"a"}, Outputs: []string{"y"}},
		}}))
		if err := g.Run(); err == nil || !strings.Contains(err.Error(), "cycle") {
			t.Error(err)
		}
	})
}

// All element types that both libraries have, views, column-major order and scalars pass through an Identity.
func TestTensors(t *testing.T) {
	matrix := dense([]int{2, 3}, []float32{0, 1, 2, 3, 4, 5})
	column, err := matrix.Slice(nil, tensor.S(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		in    tensor.Tensor
		shape []int
		want  any
	}{
		{"float32", dense([]int{2}, []float32{1, 2}), []int{2}, []float32{1, 2}},
		{"float64", dense([]int{2}, []float64{1, 2}), []int{2}, []float64{1, 2}},
		{"int8", dense([]int{2}, []int8{1, -2}), []int{2}, []int8{1, -2}},
		{"int16", dense([]int{2}, []int16{1, -2}), []int{2}, []int16{1, -2}},
		{"int32", dense([]int{2}, []int32{1, -2}), []int{2}, []int32{1, -2}},
		{"int64", dense([]int{2}, []int64{1, -2}), []int{2}, []int64{1, -2}},
		{"uint8", dense([]int{2}, []uint8{1, 2}), []int{2}, []uint8{1, 2}},
		{"uint16", dense([]int{2}, []uint16{1, 2}), []int{2}, []uint16{1, 2}},
		{"uint32", dense([]int{2}, []uint32{1, 2}), []int{2}, []uint32{1, 2}},
		{"uint64", dense([]int{2}, []uint64{1, 2}), []int{2}, []uint64{1, 2}},
		{"bool", dense([]int{2}, []bool{true, false}), []int{2}, []bool{true, false}},
		{"string", dense([]int{2}, []string{"a", "b"}), []int{2}, []string{"a", "b"}},
		{"complex64", dense([]int{1, 2}, []complex64{1, 2i}), []int{1, 2}, []complex64{1, 2i}},
		{"complex128", dense([]int{1, 2}, []complex128{1, 2i}), []int{1, 2}, []complex128{1, 2i}},
		{"scalar", tensor.New(tensor.FromScalar(float32(3))), []int{}, float32(3)},
		{"view", column, []int{2}, []float32{1, 4}},
		{"columns", tensor.New(tensor.WithShape(2, 3), tensor.AsFortran([]float32{0, 1, 2, 3, 4, 5})), []int{2, 3}, []float32{0, 1, 2, 3, 4, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := onnxgo.NewGraph()
			m := load(t, g, encode(t, 13, &onnx.Graph{Name: "same",
				Inputs: []*onnx.Value{value("x", 2)}, Outputs: []*onnx.Value{value("y", 2)},
				Nodes: []*onnx.Node{{OpType: "Identity", Inputs: []string{"x"}, Outputs: []string{"y"}}}}))
			if err := m.SetInput(0, tt.in); err != nil {
				t.Fatal(err)
			}
			if err := g.Run(); err != nil {
				t.Fatal(err)
			}
			out, err := m.GetOutputTensors()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal([]int(out[0].Shape()), tt.shape) || !reflect.DeepEqual(out[0].Data(), tt.want) {
				t.Errorf("%v %v, want %v %v", out[0].Shape(), out[0].Data(), tt.shape, tt.want)
			}
		})
	}
}

// The version of the operator set is found from the form of the operations, or given.
func TestOpset(t *testing.T) {
	x := dense([]int{1, 2, 2}, []float32{0, 0, 1, 1})
	clip := func(attrs []*onnx.Attribute, bounds ...string) *onnx.Graph {
		return &onnx.Graph{Name: "clip", Inputs: []*onnx.Value{value("x", 1, 2, 2)}, Outputs: []*onnx.Value{value("y", 1, 2, 2)},
			Initializers: []*onnx.Tensor{named("half", onnx.Of([]int{}, []float32{0.5}))},
			Nodes:        []*onnx.Node{{OpType: "Clip", Inputs: append([]string{"x"}, bounds...), Outputs: []string{"y"}, Attrs: attrs}}}
	}
	softmax := &onnx.Graph{Name: "softmax", Inputs: []*onnx.Value{value("x", 1, 2, 2)}, Outputs: []*onnx.Value{value("y", 1, 2, 2)},
		Nodes: []*onnx.Node{{OpType: "Softmax", Inputs: []string{"x"}, Outputs: []string{"y"}}}}
	e := float32(2.7182817)
	low, high := 1/(2+2*e), e/(2+2*e)
	for _, tt := range []struct {
		name  string
		graph *onnx.Graph
		opset int
		want  []float32
	}{
		{"Clip by attributes (6)", clip([]*onnx.Attribute{{Name: "max", Type: onnx.AttrFloat, F: 0.5}}), 0, []float32{0, 0, 0.5, 0.5}},
		{"Clip by inputs (11)", clip(nil, "", "half"), 0, []float32{0, 0, 0.5, 0.5}},
		{"Softmax over what follows axis 1 (9)", softmax, 0, []float32{low, low, high, high}},
		{"Softmax over the last axis (13)", softmax, 13, []float32{0.5, 0.5, 0.5, 0.5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := onnxgo.New(onnxgo.Options{Opset: tt.opset, Threads: 1})
			m := load(t, g, encode(t, 13, tt.graph))
			if err := m.SetInput(0, x); err != nil {
				t.Fatal(err)
			}
			if err := g.Run(); err != nil {
				t.Fatal(err)
			}
			out, _ := m.GetOutputTensors()
			for i, v := range floats(t, out[0]) {
				if d := v - tt.want[i]; d > 1e-6 || d < -1e-6 {
					t.Errorf("element %d is %v, want %v", i, v, tt.want[i])
				}
			}
		})
	}
}

// Programs for onnx-go get the same answers as the engine gives by itself.
func TestNetworks(t *testing.T) {
	for _, name := range []string{"vgg16", "resnet50"} {
		t.Run(name, func(t *testing.T) {
			prefix := reftest.Model(t, name)
			arrays, err := npz.ReadFile(prefix + ".in.npy")
			if err != nil {
				t.Fatal(err)
			}
			in := arrays[0]
			m, err := onnx.Open(prefix + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			s, err := backend.Open(m, backend.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			want, err := s.Run(context.Background(), map[string]*onnx.Tensor{"input": in})
			if err != nil {
				t.Fatal(err)
			}

			data, err := os.ReadFile(prefix + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			g := onnxgo.NewGraph()
			model := load(t, g, data)
			if err := model.SetInput(0, dense(in.Shape, in.Float32s())); err != nil {
				t.Fatal(err)
			}
			if err := g.Run(); err != nil {
				t.Fatal(err)
			}
			out, err := model.GetOutputTensors()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(floats(t, out[0]), want[s.Outputs()[0].Name].Float32s()) {
				t.Error("the answers differ")
			}
		})
	}
}
