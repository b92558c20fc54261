package demodata_test

import (
	"crypto/sha256"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/demodata"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// What is built in is what testdata/models/demo.py wrote, and small.
func TestChecksums(t *testing.T) {
	sums, err := os.ReadFile("SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	size := 0
	for _, name := range []string{"backbone.onnx", "images.zip"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		size += len(data)
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(data), name)
	}
	if string(sums) != want.String() {
		t.Errorf("SHA256SUMS has\n%sthe files have\n%srun testdata/models/demo.py", sums, &want)
	}
	if size > 1_500_000 {
		t.Errorf("%d bytes are built into the program", size)
	}
}

func TestBackbone(t *testing.T) {
	m, err := onnx.Parse(demodata.Backbone())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range m.Check() {
		t.Error(err)
	}
	for _, p := range backend.Check(m) {
		t.Errorf("%+v", p)
	}
	recipe, ok, err := zoo.RecipeOf(m)
	if !ok || err != nil || recipe.Size != [2]int{28, 28} {
		t.Errorf("recipe %+v, %v, %v", recipe, ok, err)
	}
	labels, err := zoo.LabelsOf(m)
	if err != nil || len(labels) != 7 {
		t.Errorf("labels %q, %v", labels, err)
	}
	for _, seen := range labels {
		if seen == "bag" || seen == "sandal" || seen == "sneaker" {
			t.Errorf("the backbone was trained on %s", seen)
		}
	}
	ops := map[string]int{}
	for _, n := range m.Graph.Nodes {
		ops[n.OpType]++
	}
	if ops["Conv"] != 4 || ops["BatchNormalization"] != 4 {
		t.Errorf("want 4 convolutions, each with its batch normalisation: %v", ops)
	}
	if dim := m.Graph.Inputs[0].Type.Shape[0]; dim.Size > 0 {
		t.Errorf("the batch is fixed at %d", dim.Size)
	}
}

func TestImages(t *testing.T) {
	fsys, err := demodata.Images()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		config, err := png.DecodeConfig(f)
		if err != nil || config.Width != 28 || config.Height != 28 {
			t.Errorf("%s: %dx%d, %v", name, config.Width, config.Height, err)
		}
		counts[path.Dir(name)]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{"bag", "sandal", "sneaker"} {
		if counts["train/"+class] != 50 || counts["val/"+class] != 100 {
			t.Errorf("%s: %v", class, counts)
		}
	}
	if len(counts) != 6 {
		t.Errorf("folders: %v", counts)
	}
}
