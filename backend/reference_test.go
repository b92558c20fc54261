package backend_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// readArray reads the only array of a file.
func readArray(t *testing.T, path string) *onnx.Tensor {
	t.Helper()
	all, err := npz.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// relative returns the largest difference over the largest absolute value of want.
func relative(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	diff, largest := 0.0, 0.0
	for i := range want {
		diff = max(diff, math.Abs(float64(got[i])-float64(want[i])))
		largest = max(largest, math.Abs(float64(want[i])))
	}
	return diff / largest
}

// top returns the indices of the k largest numbers, largest first.
func top(v []float32, k int) []int {
	idx := make([]int, len(v))
	for i := range idx {
		idx[i] = i
	}
	slices.SortStableFunc(idx, func(a, b int) int {
		switch {
		case v[a] > v[b]:
			return -1
		case v[a] < v[b]:
			return 1
		}
		return 0
	})
	return idx[:k]
}

// The three networks, exported by PyTorch with and without batch normalisation folded, give PyTorch's logits and the
// outputs of all named children.
func TestEqualsPyTorch(t *testing.T) {
	for _, name := range []string{"vgg16", "resnet50", "inception_v3"} {
		t.Run(name, func(t *testing.T) {
			prefix := reftest.Model(t, name)
			in := map[string]*onnx.Tensor{"input": readArray(t, prefix+".in.npy")}
			want := readArray(t, prefix+".out.npy")
			children, err := npz.ReadFile(prefix + ".layers.npz")
			if err != nil {
				t.Fatal(err)
			}
			for _, export := range []string{".onnx", ".bn.onnx"} {
				checkExport(t, prefix+export, in, want, children)
			}
		})
	}
}

func checkExport(t *testing.T, path string, in map[string]*onnx.Tensor, logits *onnx.Tensor, children []*onnx.Tensor) {
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	layers, err := backend.Layers(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	normalised := slices.ContainsFunc(layers, func(l backend.Layer) bool { return l.Op == "BatchNormalization" })
	want := map[string]*onnx.Tensor{"output": logits}
	outputs := []string{"output"}
	for _, c := range children {
		l, err := backend.FindLayer(layers, c.Name)
		switch {
		case c.Name == "dropout":
			continue // does nothing outside training, so the exporter leaves it out
		case c.Name == "bn1":
			// PyTorch's ReLU works in place: what the hook kept of bn1 is what relu made of it.
			l, err = backend.FindLayer(layers, "relu")
		case c.Name == "conv1" && !normalised:
			continue // with bn1 folded into it, it is another value
		}
		if err != nil {
			t.Errorf("%s: child %s: %v", path, c.Name, err)
			continue
		}
		outputs = append(outputs, l.Output)
		want[l.Output] = c
	}
	s, err := backend.Open(m, backend.Options{Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		d := relative(got[name].Float32s(), w.Float32s())
		if d > 1e-4 {
			t.Errorf("%s: %s (%s) differs by %.1e of the largest value", path, name, w.Name, d)
		}
	}
	n := logits.Shape[1]
	for b := range logits.Shape[0] {
		g, w := top(got["output"].Float32s()[b*n:(b+1)*n], 5), top(logits.Float32s()[b*n:(b+1)*n], 5)
		if fmt.Sprint(g) != fmt.Sprint(w) {
			t.Errorf("%s: image %d: top 5 %v, want %v", path, b, g, w)
		}
	}
}
