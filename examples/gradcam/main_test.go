package main

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/scenes"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.png"), filepath.Join(dir, "out.png")
	f, err := os.Create(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, scenes.Draw(0, rand.New(rand.NewPCG(1, 1))).Image); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := run(context.Background(), []string{"../../testdata/models/tiny_described.onnx", in, out}, &text); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^(circle|square|star), [0-9.]+ %, by what is around row [0-9]+, column [0-9]+ of 16x16\n`).MatchString(text.String()) {
		t.Errorf("it says %q", text.String())
	}
	r, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if img, err := png.Decode(r); err != nil || img.Bounds() != image.Rect(0, 0, 32, 32) {
		t.Errorf("the picture: %v", err)
	}
	for _, args := range [][]string{
		{}, {"none.onnx", in, out}, {"../../testdata/models/tiny.onnx", in, out}, {"../../testdata/models/tiny.onnx", in, out, "nonsense"},
		{"../../testdata/models/tiny_described.onnx", "none.png", out}, {"../../testdata/models/tiny_described.onnx", "main.go", out},
		{"../../testdata/models/tiny_described.onnx", in, filepath.Join(dir, "none", "out.png")},
	} {
		if err := run(context.Background(), args, &text); err == nil {
			t.Errorf("%s: no error", strings.Join(args, " "))
		}
	}
}
