//go:build cgo

package finetune_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	_ "github.com/onnxcnn/onnxcnn/backend/ort"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TestORT lets ONNX Runtime run what was exported, in batches of one and three: it gives the same logits (case 38).
func TestORT(t *testing.T) {
	t.Setenv("ONNXCNN_ORT_LIB", reftest.ORTLibrary(t))
	o := small()
	o.Head, o.UnfreezeFrom, o.BN = "16,relu,dropout=0.5", "7", "train"
	dir := t.TempDir()
	train(t, dataOf(t, pictures(6, "blue", "red")), dir, o)
	for _, c := range []struct {
		name string
		o    finetune.ExportOptions
	}{
		{"plain", finetune.ExportOptions{}},
		{"folded", finetune.ExportOptions{FoldBN: true}},
		{"head", finetune.ExportOptions{HeadOnly: true}},
		{"opset 12", finetune.ExportOptions{Opset: 12}},
		{"opset 13", finetune.ExportOptions{Opset: 13}},
		{"opset 18", finetune.ExportOptions{Opset: 18}},
		{"weights beside the file", finetune.ExportOptions{Save: onnx.SaveOptions{External: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "out.onnx")
			if _, err := finetune.ExportRun(context.Background(), dir, file, c.o); err != nil {
				t.Fatal(err)
			}
			sameOnORT(t, open(t, file))
		})
	}
}

// TestClassicalORT lets ONNX Runtime run heads that were fitted.
func TestClassicalORT(t *testing.T) {
	t.Setenv("ONNXCNN_ORT_LIB", reftest.ORTLibrary(t))
	for _, head := range []string{"logreg", "knn", "centroid"} {
		o := small()
		o.Head = head
		sameOnORT(t, open(t, train(t, dataOf(t, pictures(6, "blue", "red")), t.TempDir(), o).Model))
	}
}

// sameOnORT compares what both providers give for batches of one and three.
func sameOnORT(t *testing.T, m *onnx.Model) {
	run := func(provider string, x *onnx.Tensor) []float32 {
		s, err := backend.Open(m, backend.Options{Provider: provider})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		out, err := s.Run(context.Background(), map[string]*onnx.Tensor{m.Graph.Inputs[0].Name: x})
		if err != nil {
			t.Fatal(err)
		}
		return out[m.Graph.Outputs[0].Name].Float32s()
	}
	for _, n := range []int{1, 3} {
		shape := []int{n}
		for _, d := range m.Graph.Inputs[0].Type.Shape[1:] {
			shape = append(shape, d.Size)
		}
		x := onnx.New(onnx.Float, shape...)
		for i := range x.Float32s() {
			x.Float32s()[i] = float32(math.Sin(float64(i)))
		}
		got, want := run("native", x), run("ort", x)
		if len(got) != 2*n || len(want) != 2*n {
			t.Fatalf("%d and %d logits of %d images", len(got), len(want), n)
		}
		for i, v := range want {
			if math.Abs(float64(got[i]-v)) > 1e-4*max(1, math.Abs(float64(v))) {
				t.Errorf("batch %d, logit %d: %v, ONNX Runtime says %v", n, i, got[i], v)
			}
		}
	}
}
