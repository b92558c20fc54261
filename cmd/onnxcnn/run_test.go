package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// command runs a command line that must succeed, and returns what it prints.
func command(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	if status := run(t.Context(), append([]string{"onnxcnn"}, args...), strings.NewReader(""), &out, &errs); status != 0 {
		t.Fatalf("%s: exit status %d: %s", strings.Join(args, " "), status, errs.String())
	}
	return out.String()
}

// compareArrays reports the largest difference of two arrays, relative to the largest number of the second.
func compareArrays(t *testing.T, name string, got, want *onnx.Tensor, tolerance float64) {
	t.Helper()
	if got == nil || cmp.Diff(want.Shape, got.Shape) != "" {
		t.Errorf("%s: got %v, want shape %v", name, got, want.Shape)
		return
	}
	var diff, scale float64
	w := want.Float32s()
	for i, g := range got.Float32s() {
		diff = max(diff, float64(g-w[i]), float64(w[i]-g))
		scale = max(scale, float64(w[i]), -float64(w[i]))
	}
	if !(diff <= tolerance*scale) {
		t.Errorf("%s: differs by %g, the largest number is %g", name, diff, scale)
	}
}

// TestRunEqualsPyTorch runs ResNet50, and takes the output of each of its modules with --at.
func TestRunEqualsPyTorch(t *testing.T) {
	model := reftest.Model(t, "resnet50")
	want, err := npz.ReadFile(model + ".out.npy")
	if err != nil {
		t.Fatal(err)
	}
	layers, err := npz.ReadFile(model + ".layers.npz")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.npz")
	for _, file := range []string{model + ".onnx", model + ".bn.onnx"} {
		command(t, "run", file, "input="+model+".in.npy", "-o", out)
		got, err := npz.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		compareArrays(t, file, npz.Find(got, "output"), want[0], 1e-3)
	}
	for _, l := range layers {
		at := l.Name
		switch at {
		case "conv1", "bn1":
			continue // one convolution in this file
		case "relu":
			at = "/relu/Relu" // modules inside of blocks have the same name
		}
		command(t, "run", model+".onnx", model+".in.npy", "--at", at, "-o", out)
		got, err := npz.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		compareArrays(t, "--at "+at, got[0], l, 1e-4)
	}
}

func TestProviderORT(t *testing.T) {
	if !slices.Contains(backend.Providers(), "ort") {
		t.Skip("built without cgo")
	}
	reftest.ORTLibrary(t)
	x := onnx.New(onnx.Float, 2, 3, 16, 16)
	for i, v := range x.Float32s() {
		x.Float32s()[i] = v + float32(i%11)/10
	}
	file := filepath.Join(t.TempDir(), "x.npz")
	x.Name = "input"
	if err := writeArrays(file, []*onnx.Tensor{x}); err != nil {
		t.Fatal(err)
	}
	native := command(t, "run", "../../testdata/models/tiny.onnx", file)
	ort := command(t, "run", "../../testdata/models/tiny.onnx", file, "--provider", "ort")
	if native != ort {
		t.Errorf("the native engine says %sONNX Runtime says %s", native, ort)
	}
}
