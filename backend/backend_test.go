package backend_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// reluModel is y = relu(x) for x [N,2].
func reluModel() *onnx.Model {
	t := &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: -1, Param: "N"}, {Size: 2}}}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name:    "relu",
		Nodes:   []*onnx.Node{{Name: "act", OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"y"}}},
		Inputs:  []*onnx.Value{{Name: "x", Type: t}},
		Outputs: []*onnx.Value{{Name: "y", Type: t}},
	}}
}

func Example() {
	m := reluModel() // usually: m, err := onnx.Open("resnet50.onnx")
	s, err := backend.Open(m, backend.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{
		"x": onnx.Of([]int{2, 2}, []float32{-1, 2, 3, -4}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out["y"].Shape, out["y"].Float32s())
	// Output: [2 2] [0 2 3 0]
}

func ExampleLayers() {
	layers, err := backend.Layers(reluModel(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range layers {
		fmt.Println(l.Index, l.Name, l.Op, l.Shape)
	}
	// Output: 0 act Relu [1 2]
}

func ExampleFindLayer() {
	layers, err := backend.Layers(reluModel(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := backend.FindLayer(layers, "act")
	fmt.Println(l.Index, l.Output, err)
	first, err := backend.FindFirstLayer(layers, "a")
	fmt.Println(first.Name, err)
	_, err = backend.FindLayer(layers, "atc")
	fmt.Println(err)
	// Output:
	// 0 y <nil>
	// act <nil>
	// there is no layer "atc"; near it: 0 "act"
}

func ExampleCheck() {
	m := reluModel()
	m.Graph.Nodes[0].OpType = "Rleu"
	for _, p := range backend.Check(m) {
		fmt.Printf("%s: %s (%s)\n", p.Node, p.What, p.Remedy)
	}
	// Output: node "act" (Rleu): operator Rleu is not supported (run the model with --provider ort, or export it with other operators)
}

// slow is a provider whose runs last until they are let go on.
type slow struct {
	backend.Session
	running, goOn chan struct{}
	closed        int
}

func (s *slow) Run(context.Context, map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	s.running <- struct{}{}
	<-s.goOn
	if s.closed > 0 {
		return nil, errors.New("closed while it runs")
	}
	return nil, nil
}

func (s *slow) Close() error {
	s.closed++
	return nil
}

func TestClose(t *testing.T) {
	provider := &slow{running: make(chan struct{}), goOn: make(chan struct{})}
	backend.Register("slow", func(*onnx.Model, backend.Options) (backend.Session, error) { return provider, nil })
	if !slices.Equal(backend.Providers(), []string{"native", "ort", "slow"}) {
		t.Errorf("providers: %q", backend.Providers())
	}
	s, err := backend.Open(reluModel(), backend.Options{Provider: "slow"})
	if err != nil {
		t.Fatal(err)
	}
	ran, closed := make(chan error), make(chan error)
	go func() {
		_, err := s.Run(context.Background(), nil)
		ran <- err
	}()
	<-provider.running
	go func() { closed <- s.Close() }()
	provider.goOn <- struct{}{}
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := s.Run(context.Background(), nil); !errors.Is(err, backend.ErrClosed) {
		t.Errorf("run of a closed session: %v", err)
	}
	if err := s.Close(); err != nil || provider.closed != 1 {
		t.Errorf("closed %d times, %v", provider.closed, err)
	}
}

func TestRunAfterClosingTheModel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "relu.onnx")
	if err := reluModel().Save(file, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := backend.Open(m, backend.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), m.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 1, 2)}); !errors.Is(err, backend.ErrClosed) {
		t.Errorf("error %v", err)
	}
	if s.Inputs()[0].Name != "x" || s.Outputs()[0].Name != "y" {
		t.Error("inputs and outputs are gone")
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "foo.onnx")
	bad := reluModel()
	bad.Graph.Nodes[0].OpType = "Foo"
	if err := bad.Save(file, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	fromFile, err := onnx.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer fromFile.Close()
	for _, c := range []struct {
		name string
		m    *onnx.Model
		o    backend.Options
		want string
	}{
		{"unknown provider", reluModel(), backend.Options{Provider: "abacus"}, `no provider "abacus"`},
		{"option of the native engine", reluModel(), backend.Options{Provider: "native:cuda"}, `no option "cuda"`},
		{"unknown output", reluModel(), backend.Options{Outputs: []string{"z"}}, `no value "z"`},
		{"unknown operator, with the file's name", fromFile, backend.Options{}, "foo.onnx: "},
		{"no graph", &onnx.Model{}, backend.Options{}, "no graph"},
	} {
		if _, err := backend.Open(c.m, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestRegisterTwicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	backend.Register("native", nil)
}

func TestShapes(t *testing.T) {
	s, err := backend.Open(reluModel(), backend.Options{Shapes: map[string][]int{"x": {-1, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 1, 3)}); err != nil {
		t.Error(err)
	}
	if _, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 1, 2)}); err == nil {
		t.Error("the declared shape still holds")
	}
	if len(s.Inputs()) != 1 || len(s.Outputs()) != 1 {
		t.Errorf("inputs %v, outputs %v", s.Inputs(), s.Outputs())
	}
}
