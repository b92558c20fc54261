//go:build cgo

package ort

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// smallNet is a convolution, a sum and a classifier over [N,3,6,6].
func smallNet() *onnx.Model {
	r := rand.New(rand.NewPCG(1, 2))
	weight := func(name string, shape ...int) *onnx.Tensor {
		t := onnx.New(onnx.Float, shape...)
		t.Name = name
		for i := range t.Float32s() {
			t.Float32s()[i] = float32(r.NormFloat64())
		}
		return t
	}
	free := func(shape ...int) *onnx.Type {
		typ := &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: -1, Param: "N"}}}
		for _, d := range shape {
			typ.Shape = append(typ.Shape, onnx.Dim{Size: d})
		}
		return typ
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name:         "small",
		Initializers: []*onnx.Tensor{weight("w", 4, 3, 3, 3), weight("fw", 64, 5)},
		Nodes: []*onnx.Node{
			{Name: "conv", OpType: "Conv", Inputs: []string{"x", "w"}, Outputs: []string{"c"}},
			{Name: "relu", OpType: "Relu", Inputs: []string{"c"}, Outputs: []string{"r"}},
			{Name: "flat", OpType: "Flatten", Inputs: []string{"r"}, Outputs: []string{"f"}},
			{Name: "fc", OpType: "MatMul", Inputs: []string{"f", "fw"}, Outputs: []string{"y"}},
		},
		Inputs:  []*onnx.Value{{Name: "x", Type: free(3, 6, 6)}},
		Outputs: []*onnx.Value{{Name: "y", Type: free(5)}},
	}}
}

func TestEqualsNative(t *testing.T) {
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	fromMemory := smallNet()
	path := filepath.Join(t.TempDir(), "small.onnx")
	if err := fromMemory.Save(path, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	fromFile, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer fromFile.Close()
	for _, m := range []*onnx.Model{fromMemory, fromFile} {
		for _, outputs := range [][]string{nil, {"r", "y"}} {
			for _, batch := range []int{1, 3} {
				x := onnx.New(onnx.Float, batch, 3, 6, 6)
				for i := range x.Float32s() {
					x.Float32s()[i] = float32(i%7) - 3
				}
				results := map[string]map[string]*onnx.Tensor{}
				for _, provider := range []string{"native", "ort", "ort:cpu"} {
					s, err := backend.Open(m, backend.Options{Provider: provider, Threads: 2, Outputs: outputs})
					if err != nil {
						t.Fatal(err)
					}
					results[provider], err = s.Run(context.Background(), map[string]*onnx.Tensor{"x": x})
					if err != nil {
						t.Fatal(err)
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				}
				for name, want := range results["native"] {
					for _, provider := range []string{"ort", "ort:cpu"} {
						got := results[provider][name].Float32s()
						for i, w := range want.Float32s() {
							if d := got[i] - w; d > 1e-3 || d < -1e-3 {
								t.Fatalf("%s, batch %d: %s[%d] = %v, native %v", provider, batch, name, i, got[i], w)
							}
						}
					}
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	if _, err := backend.Open(smallNet(), backend.Options{Provider: "ort:abacus"}); err == nil || !strings.Contains(err.Error(), "abacus") {
		t.Errorf("unknown execution provider: %v", err)
	}
	bad := smallNet()
	bad.Graph.Nodes[0].OpType = "Foo"
	if _, err := backend.Open(bad, backend.Options{Provider: "ort"}); err == nil || !strings.Contains(err.Error(), "Foo") {
		t.Errorf("unknown operator: %v", err)
	}
	s, err := backend.Open(smallNet(), backend.Options{Provider: "ort"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := onnx.New(onnx.Float, 1, 3, 6, 6)
	for _, c := range []struct {
		in   map[string]*onnx.Tensor
		want string
	}{
		{nil, `"x" is missing`},
		{map[string]*onnx.Tensor{"x": x, "z": x}, `no input "z"`},
		{map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 1, 3, 6)}, "x"},
		{map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 0, 3, 6, 6)}, "empty"},
		{map[string]*onnx.Tensor{"x": onnx.New(onnx.String, 1)}, "strings"},
	} {
		if _, err := s.Run(context.Background(), c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Run(ctx, map[string]*onnx.Tensor{"x": x}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Every element type goes in and comes out. Scalars are reshaped in the model: the binding does not take them over.
func TestElementTypes(t *testing.T) {
	t.Setenv(LibraryEnv, reftest.ORTLibrary(t))
	types := []onnx.DataType{onnx.Float, onnx.Double, onnx.Int8, onnx.Uint8, onnx.Int16, onnx.Uint16, onnx.Int32, onnx.Uint32,
		onnx.Int64, onnx.Uint64, onnx.Bool, onnx.Float16, onnx.BFloat16}
	for _, typ := range types {
		node := &onnx.Node{OpType: "Identity", Inputs: []string{"x"}, Outputs: []string{"y"}}
		vector := func(typ onnx.DataType) *onnx.Type {
			return &onnx.Type{Elem: typ, HasShape: true, Shape: []onnx.Dim{{Size: 2}}}
		}
		m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
			Name: "identity", Nodes: []*onnx.Node{node},
			Inputs:  []*onnx.Value{{Name: "x", Type: vector(typ)}},
			Outputs: []*onnx.Value{{Name: "y", Type: vector(typ)}},
		}}
		x := onnx.New(typ, 2)
		x.Raw[0] = 1
		want := string(x.Raw)
		in := map[string]*onnx.Tensor{"x": x}
		if got, err := runORT(m, in); err != nil {
			t.Errorf("%v: %v", typ, err)
		} else if y := got["y"]; y.Type != typ || string(y.Raw) != want {
			t.Errorf("%v: got %v%v %x, want %x", typ, y.Type, y.Shape, y.Raw, want)
		}
		// Where the file does not say how large the output is, or of what type, ONNX Runtime does.
		for _, declared := range []*onnx.Type{nil, {Elem: typ}, {Elem: typ, HasShape: true, Shape: []onnx.Dim{{Param: "n", Size: -1}}}} {
			m.Graph.Outputs[0].Type = declared
			before := *m.Graph.Outputs[0]
			got, err := runORT(m, in)
			switch {
			case err != nil:
				t.Errorf("%v declared as %+v: %v", typ, declared, err)
			case got["y"].Type != typ || got["y"].Name != "y" || string(got["y"].Raw) != want:
				t.Errorf("%v declared as %+v: got %q %v %x, want %x", typ, declared, got["y"].Name, got["y"].Type, got["y"].Raw, want)
			case len(m.Graph.Nodes) != 1 || m.Graph.Outputs[0].Name != before.Name || m.Graph.Outputs[0].Type != before.Type:
				t.Errorf("%v: the model was changed: %+v", typ, m.Graph)
			}
		}
	}
	for _, typ := range types[:8] {
		if typ == onnx.Int16 || typ == onnx.Uint16 || typ == onnx.Uint32 {
			continue
		}
		m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
			Name:    "scalar",
			Nodes:   []*onnx.Node{{OpType: "Unsqueeze", Inputs: []string{"x", "axes"}, Outputs: []string{"y"}}},
			Inputs:  []*onnx.Value{{Name: "x", Type: &onnx.Type{Elem: typ, HasShape: true}}},
			Outputs: []*onnx.Value{{Name: "y", Type: &onnx.Type{Elem: typ, HasShape: true, Shape: []onnx.Dim{{Size: 1}}}}},
		}}
		axes := onnx.Of([]int{1}, []int64{0})
		axes.Name = "axes"
		m.Graph.Initializers = []*onnx.Tensor{axes}
		x := onnx.New(typ)
		x.Raw[0] = 1
		if got, err := runORT(m, map[string]*onnx.Tensor{"x": x}); err != nil || string(got["y"].Raw) != string(x.Raw) {
			t.Errorf("scalar %v: %v, %v", typ, got, err)
		}
	}
}

func runORT(m *onnx.Model, in map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	s, err := backend.Open(m, backend.Options{Provider: "ort"})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Run(context.Background(), in)
}
