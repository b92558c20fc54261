package main

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// The commands that demo proposes can be typed as they are.
func TestDemoNextQuotesNames(t *testing.T) {
	plain := filepath.Join("tryout", "backbone.onnx")
	if s := demoNext("tryout", "bag"); !strings.Contains(s, "\n  onnxcnn summary "+plain+"\n") {
		t.Error(s)
	}
	spaced := filepath.Join("a folder", "backbone.onnx")
	if s := demoNext("a folder", "bag"); !strings.Contains(s, "\n  onnxcnn summary "+argument(spaced)+"\n") {
		t.Error(s)
	}
	if s := demoNext("", "bag"); !strings.Contains(s, "demo -o") {
		t.Error(s)
	}
}

func TestClassify(t *testing.T) {
	data := &features.Dataset{Classes: []string{"a", "b"}}
	var rows []float32
	for _, r := range []struct {
		split string
		label int
		row   []float32
	}{
		{"train", 0, []float32{1, 0}}, {"train", 1, []float32{0, 1}},
		{"val", 0, []float32{5, 1}}, {"val", 0, []float32{1, 2}}, {"val", 1, []float32{0, 9}},
	} {
		data.Items = append(data.Items, features.Item{Split: r.split, Label: r.label})
		rows = append(rows, r.row...)
	}
	got, err := classify(data, rows)
	if err != nil || got[0] != 1 || got[1] != 1 {
		t.Errorf("recognised %v, %v; want 1 of 2, and 1 of 1", got, err)
	}
	data.Classes = append(data.Classes, "c")
	if _, err := classify(data, rows); err == nil {
		t.Error("a class without rows was learned")
	}
}

func TestPixelAccuracyNamesBrokenPictures(t *testing.T) {
	data, err := features.Folder(fstest.MapFS{"train/a/1.png": {Data: []byte("no picture")}, "val/a/2.png": {}})
	if err != nil {
		t.Fatal(err)
	}
	recipe, _ := zoo.RecipeByName("unit")
	if _, err := pixelAccuracy(data, recipe); err == nil || !strings.Contains(err.Error(), "train/a/1.png") {
		t.Errorf("error %v", err)
	}
}
