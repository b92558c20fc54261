package features

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// with adds attributes to a node.
func with(n *onnx.Node, attrs ...*onnx.Attribute) *onnx.Node {
	n.Attrs = append(n.Attrs, attrs...)
	return n
}

// weights gives initializers their values.
func weights(m *onnx.Model, values map[string]*onnx.Tensor) *onnx.Model {
	m.Graph.Initializers = nil
	for name, t := range values {
		t.Name = name
		m.Graph.Initializers = append(m.Graph.Initializers, t)
	}
	m.Graph.Outputs[0].Type = &onnx.Type{Elem: onnx.Float}
	return m
}

// TestNative runs networks on the engine.
func TestNative(t *testing.T) {
	three := func(a, b, c float32) *onnx.Tensor { return onnx.Of([]int{3}, []float32{a, b, c}) }
	pooled := node("GlobalAveragePool", "p", "x")
	norm := func(outputs ...string) *onnx.Model {
		n := node("BatchNormalization", "y", "x", "w1", "w2", "w3", "w4")
		if outputs != nil {
			n = with(n, &onnx.Attribute{Name: "training_mode", Type: onnx.AttrInt, I: 1})
			n.Outputs = append(n.Outputs, outputs...)
		}
		m := weights(network("y", []int{-1, 3, 4, 4}, n), map[string]*onnx.Tensor{
			"w1": three(2, 2, 2), "w2": three(1, 1, 1), "w3": three(0, 0, 0), "w4": three(1, 1, 1)})
		m.Opsets[0].Version = 15
		for _, o := range outputs {
			m.Graph.Outputs = append(m.Graph.Outputs, &onnx.Value{Name: o, Type: &onnx.Type{Elem: onnx.Float}})
		}
		return m
	}
	for _, c := range []struct {
		name string
		m    *onnx.Model
		o    Options
		want []string
		warn string
	}{
		{"any batch", network("y", []int{-1, 3, 4, 4}, node("Relu", "y", "x")), Options{Batch: 2}, []string{"a.png 10", "b.png 20", "c.png 30"}, ""},
		{"case 18: fixed batch", network("y", []int{2, 3, 4, 4}, node("Relu", "y", "x")), Options{Batch: 2}, []string{"a.png 10", "b.png 20", "c.png 30"}, ""},
		{"case 18: constant Reshape", weights(network("y", []int{-1, 3, 4, 4}, pooled, node("Reshape", "y", "p", "w")),
			map[string]*onnx.Tensor{"w": onnx.Of([]int{2}, []int64{1, 3})}), Options{Batch: 2}, []string{"a.png 10", "b.png 20", "c.png 30"}, "one image at a time"},
		{"case 18: constant Reshape that swallows the batch", weights(network("y", []int{-1, 3, 4, 4}, pooled, node("Reshape", "y", "p", "w")),
			map[string]*onnx.Tensor{"w": onnx.Of([]int{2}, []int64{1, -1})}), Options{Batch: 3}, []string{"a.png 10", "b.png 20", "c.png 30"}, "one image at a time"},
		{"stored statistics", norm(), Options{}, []string{"a.png 21", "b.png 41", "c.png 61"}, ""},
		{"case 6: batch statistics", norm("mean", "var"), Options{At: "y"}, []string{"a.png -1.4", "b.png 1", "c.png 3.4"}, "statistics of each batch"},
		{"case 6: batch statistics, switched off", norm("mean", "var"), Options{At: "y", StoredStatistics: true}, []string{"a.png 21", "b.png 41", "c.png 61"}, ""},
		{"another size", network("y", []int{-1, 3, 4, 4}, node("Relu", "y", "x")), Options{Size: [2]int{6, 8}, Pool: PoolFlatten}, []string{"a.png 10", "b.png 20", "c.png 30"}, ""},
		{"another size, fixed batch", network("y", []int{1, 3, 4, 4}, node("Relu", "y", "x")), Options{Size: [2]int{6, 8}, Batch: 1}, []string{"a.png 10", "b.png 20", "c.png 30"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var warnings []string
			c.o.Warn = func(s string) { warnings = append(warnings, s) }
			r := plain()
			c.o.Recipe = &r
			x, err := New(c.m, c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			var got []string
			for row, err := range x.Rows(context.Background(), shades(t, 10, 20, 30)) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%s %.2g", row.Item.Path, row.Features[0]))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if all := strings.Join(warnings, "\n"); c.warn == "" && all != "" || !strings.Contains(all, c.warn) {
				t.Errorf("warnings %q, want %q", warnings, c.warn)
			}
		})
	}
	r := plain()
	if _, err := New(network("y", []int{-1, 3, 4, 4}, node("Relu", "y", "x")), Options{Recipe: &r, Size: [2]int{-1, 4}}); err == nil {
		t.Error("a negative size is no error")
	}
	if _, err := New(network("y", []int{-1, 3, 4, 4}, node("Relu", "y", "x")), Options{Recipe: &r, Provider: "nonsense"}); err == nil {
		t.Error("an unknown provider is no error")
	}
}
