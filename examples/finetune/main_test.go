package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/demodata"
)

// unpack writes the network and the pictures that the demo has built in to a folder.
func unpack(t *testing.T) (model, images string) {
	t.Helper()
	dir := t.TempDir()
	model, images = filepath.Join(dir, "backbone.onnx"), filepath.Join(dir, "images")
	if err := os.WriteFile(model, demodata.Backbone(), 0o666); err != nil {
		t.Fatal(err)
	}
	pictures, err := demodata.Images()
	if err != nil {
		t.Fatal(err)
	}
	part, err := fs.Sub(pictures, "train")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(images, part); err != nil {
		t.Fatal(err)
	}
	return model, images
}

func TestFinetune(t *testing.T) {
	t.Setenv("ONNXCNN_HOME", t.TempDir())
	model, images := unpack(t)
	for _, layer := range [][]string{nil, {"10"}} {
		dir := t.TempDir()
		var out bytes.Buffer
		if err := run(context.Background(), append([]string{model, images, dir}, layer...), &out); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"epoch 5: loss ", filepath.Join(dir, "model.onnx") + ": accuracy 0.", " parameters, the same class as the trained network for 4 of 4 images\n"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out.String())
			}
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		args []string
		want string
	}{
		{context.Background(), nil, "usage"},
		{context.Background(), []string{"none.onnx", images, "run"}, "none.onnx"},
		{context.Background(), []string{model, "nowhere", "run"}, "nowhere"},
		{context.Background(), []string{model, filepath.Join(images, "bag"), "run"}, "no class folders"},
		{context.Background(), []string{model, images, t.TempDir(), "99"}, "99"},
		{cancelled, []string{model, images, t.TempDir()}, "canceled"},
	} {
		if err := run(c.ctx, c.args, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
}
