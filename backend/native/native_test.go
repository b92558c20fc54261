package native_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend/native"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// halves is y = relu(x) + half for x [N,2], half being a weight.
func halves() *onnx.Model {
	t := &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: -1, Param: "N"}, {Size: 2}}}
	half := onnx.Of([]int{2}, []float32{0.5, 0.5})
	half.Name = "half"
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name: "halves",
		Nodes: []*onnx.Node{
			{Name: "act", OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"r"}},
			{Name: "sum", OpType: "Add", Inputs: []string{"r", "half"}, Outputs: []string{"y"}},
		},
		Initializers: []*onnx.Tensor{half},
		Inputs:       []*onnx.Value{{Name: "x", Type: t}},
		Outputs:      []*onnx.Value{{Name: "y", Type: t}},
	}}
}

func TestSession(t *testing.T) {
	file := filepath.Join(t.TempDir(), "halves.onnx")
	if err := halves().Save(file, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	mapped, err := onnx.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer mapped.Close()
	x := onnx.Of([]int{1, 2}, []float32{-1, 2})
	for _, c := range []struct {
		name   string
		m      *onnx.Model
		o      native.Options
		output string
		want   []float32
	}{
		{"from memory", halves(), native.Options{}, "y", []float32{0.5, 2.5}},
		{"from a file", mapped, native.Options{Threads: 1}, "y", []float32{0.5, 2.5}},
		{"inner value", mapped, native.Options{Outputs: []string{"r"}}, "r", []float32{0, 2}},
		{"not fused", mapped, native.Options{NoFuse: true, Shapes: map[string][]int{"x": {1, 2}}}, "y", []float32{0.5, 2.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := native.Open(c.m, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if s.Inputs()[0].Name != "x" || s.Outputs()[0].Name != c.output {
				t.Errorf("inputs %v, outputs %v", s.Inputs(), s.Outputs())
			}
			out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": x})
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range out[c.output].Float32s() {
				if v != c.want[i] {
					t.Errorf("element %d: %v, want %v", i, v, c.want[i])
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if _, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": x}); err == nil || !strings.Contains(err.Error(), "closed") {
				t.Errorf("run of a closed session: %v", err)
			}
		})
	}
}

// Errors begin with the file's name, where there is one, and name the node.
func TestErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.onnx")
	bad := halves()
	bad.Graph.Initializers[0].Shape = []int{1, 2, 1}
	if err := bad.Save(file, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := native.Open(m, native.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bad.Graph.Initializers[0].Shape = []int{3}
	bad.Graph.Initializers[0].Raw = make([]byte, 12)
	inMemory, err := native.Open(bad, native.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer inMemory.Close()
	x := map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 1, 2)}
	for _, c := range []struct {
		s    *native.Session
		in   map[string]*onnx.Tensor
		want string
	}{
		{s, nil, `bad.onnx: input "x" is missing`},
		{inMemory, x, `node "sum" (Add): `},
	} {
		if _, err := c.s.Run(context.Background(), c.in); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want one that begins with %q", err, c.want)
		}
	}
	if _, err := native.Open(&onnx.Model{}, native.Options{}); err == nil {
		t.Error("a model without graph is opened")
	}
}
