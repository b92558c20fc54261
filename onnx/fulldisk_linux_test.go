package onnx_test

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// A model whose weights lie in a second file is saved over an older one on a disk that is full, wherever that happens: the
// older one stays whole with its data, or the new one is there with its own.
func TestSaveOnFullDisk(t *testing.T) {
	model := func(value float32) *onnx.Model {
		w := onnx.New(onnx.Float, 30, 100)
		for i := range w.Float32s() {
			w.Float32s()[i] = value
		}
		w.Name = "w"
		y := &onnx.Value{Name: "y", Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: 30}, {Size: 100}}}}
		return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{Name: "g",
			Nodes:        []*onnx.Node{{OpType: "Identity", Inputs: []string{"w"}, Outputs: []string{"y"}}},
			Initializers: []*onnx.Tensor{w}, Outputs: []*onnx.Value{y}}}
	}
	disk := reftest.NewDisk(t, filepath.Join(t.TempDir(), "disk"), 64)
	path := filepath.Join(disk.Dir, "m.onnx")
	if err := model(1).Save(path, onnx.SaveOptions{External: true}); err != nil {
		t.Fatal(err)
	}
	files := len(disk.Files())
	failed := 0
	for size := 16; ; size += 4 {
		disk.Resize(size)
		err := model(2).Save(path, onnx.SaveOptions{External: true})
		m, e := onnx.Open(path)
		if e != nil {
			t.Fatalf("%d KiB, after %v: %v", size, err, e)
		}
		value := m.Graph.Initializer("w").Float32s()[2999]
		if e := m.Close(); e != nil {
			t.Fatal(e)
		}
		if len(disk.Temporary()) > 0 || value != 1 && value != 2 {
			t.Fatalf("%d KiB, after %v: weights of %v, files %v", size, err, value, disk.Files())
		}
		if err == nil {
			if value != 2 || len(disk.Files()) != files {
				t.Errorf("with room: weights of %v, files %v", value, disk.Files())
			}
			break
		}
		failed++
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) || size > 100 {
			t.Fatalf("%d KiB: %v", size, err)
		}
		if value == 1 && len(disk.Files()) != files {
			t.Errorf("%d KiB: it left %v", size, disk.Files())
		}
	}
	if failed < 2 {
		t.Errorf("it failed %d times", failed)
	}
}
