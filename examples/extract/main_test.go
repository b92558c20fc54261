package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// save writes a picture of one colour.
func save(t *testing.T, path string, c color.RGBA) {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range 16 * 16 {
		img.SetRGBA(i%16, i/16, c)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestExtract(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	save(t, at("blue.png"), color.RGBA{0, 0, 250, 255})
	save(t, at("red.png"), color.RGBA{255, 0, 0, 255})
	save(t, at("reddish.png"), color.RGBA{240, 10, 0, 255})
	if err := os.WriteFile(at("text.png"), []byte("hello"), 0o666); err != nil {
		t.Fatal(err)
	}
	const models = "../../testdata/models/"
	var out bytes.Buffer
	if err := run(context.Background(), []string{models + "tiny_described.onnx", dir}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{at("red.png") + " is most like " + at("reddish.png"), at("reddish.png") + " is most like " + at("red.png"), "skipped " + at("text.png")} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line with %q in\n%s", want, out.String())
		}
	}
	if err := run(context.Background(), []string{models + "tiny.onnx", dir, "unit"}, &out); err != nil {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		args []string
		want string
	}{
		{context.Background(), nil, "usage"},
		{context.Background(), []string{"none.onnx", dir}, "none.onnx"},
		{context.Background(), []string{models + "tiny.onnx", dir, "nonsense"}, "no recipe"},
		{context.Background(), []string{models + "tiny.onnx", dir}, "does not say how images"},
		{context.Background(), []string{models + "tiny_described.onnx", at("nothing")}, "nothing"},
		{cancelled, []string{models + "tiny_described.onnx", dir}, "canceled"},
	} {
		if err := run(c.ctx, c.args, &out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want one with %q", c.args, err, c.want)
		}
	}
}
