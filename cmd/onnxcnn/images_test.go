package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// picture FILE RED GREEN BLUE writes a PNG of 20x18 pixels in one colour, whatever the file's extension, and the folder
// that it lies in.
func picture(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 || neg {
		ts.Fatalf("usage: picture FILE RED GREEN BLUE")
	}
	var rgb [3]uint8
	for i, a := range args[1:] {
		v, err := strconv.ParseUint(a, 10, 8)
		ts.Check(err)
		rgb[i] = uint8(v)
	}
	img := image.NewNRGBA(image.Rect(0, 0, 20, 18))
	for y := range 18 {
		for x := range 20 {
			img.SetNRGBA(x, y, color.NRGBA{rgb[0], rgb[1], rgb[2], 255})
		}
	}
	var buf bytes.Buffer
	ts.Check(png.Encode(&buf, img))
	file := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o777))
	ts.Check(os.WriteFile(file, buf.Bytes(), 0o666))
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string][2]int{"": {}, "224": {224, 224}, "224x320": {224, 320}} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"0", "x", "224x", "-3", "1x2x3", "a"} {
		if _, err := parseSize(in); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}

func TestParseTriple(t *testing.T) {
	for in, want := range map[string][3]float64{"0.5": {0.5, 0.5, 0.5}, "1, 2,3e1": {1, 2, 30}} {
		if got, err := parseTriple(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "1,2", "1,2,x", "1,2,3,4"} {
		if _, err := parseTriple(in); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}

func TestReadLabels(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		text string
		want []string // nil: refused
	}{
		{"cat\nlarge dog\n\n", []string{"cat", "large dog"}},
		{"cat\r\n\r\ndog", []string{"cat", "", "dog"}},
		{"  [\"cat\", \"[dog]\"]", []string{"cat", "[dog]"}},
		{"[1]", nil},
		{"\n\n", nil},
		{"", nil},
	} {
		file := filepath.Join(dir, "labels")
		if err := os.WriteFile(file, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := readLabels(file)
		if (err != nil) != (c.want == nil) || !cmp.Equal(got, c.want) {
			t.Errorf("%q: got %q, %v, want %q", c.text, got, err, c.want)
		}
	}
}

// TestInterrupted stops an extraction with what Ctrl+C cancels: nothing is left.
func TestInterrupted(t *testing.T) {
	model, err := filepath.Abs("../../testdata/models/tiny_described.onnx")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var img bytes.Buffer
	if err := png.Encode(&img, image.NewGray(image.Rect(0, 0, 20, 20))); err != nil {
		t.Fatal(err)
	}
	photo := filepath.Join(dir, "photo.png")
	if err := os.WriteFile(photo, img.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	// Far more images than can be done before the first row has been seen.
	list := strings.NewReader(strings.Repeat(photo+"\n", 100_000))
	for _, out := range []string{"-", filepath.Join(dir, "f.npz"), filepath.Join(dir, "f.csv"), filepath.Join(dir, "f.parquet")} {
		if _, err := list.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := &cancelling{cancel: cancel}
		if out != "-" {
			stop := time.AfterFunc(200*time.Millisecond, cancel)
			defer stop.Stop()
		}
		var stderr bytes.Buffer
		status := run(ctx, []string{"onnxcnn", "extract-features", model, "-", "-o", out, "--batch", "1"}, list, w, &stderr)
		cancel()
		if status != statusInterrupted || !strings.Contains(stderr.String(), "interrupted") {
			t.Errorf("%s: exit status %d, want %d\n%s", out, status, statusInterrupted, stderr.String())
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s: the folder holds %v, want the photo alone (%v)", out, entries, err)
		}
	}
}

// cancelling cancels when it is written to.
type cancelling struct{ cancel context.CancelFunc }

func (c *cancelling) Write(p []byte) (int, error) {
	c.cancel()
	return len(p), nil
}
