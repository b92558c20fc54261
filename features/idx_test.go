package features

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/onnxcnn/onnxcnn/internal/pixel"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// idx encodes bytes with their sizes.
func idx(data []byte, shape ...int) []byte {
	b := []byte{0, 0, 8, byte(len(shape))}
	for _, n := range shape {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return append(b, data...)
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

func idxFolder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func ramp(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(7 * i)
	}
	return b
}

// rgb decodes an item as the network's loader does.
func rgb(t *testing.T, it Item) (pix []uint8, w, h int) {
	t.Helper()
	f, err := it.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := pixel.Decode(f, pixel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, h = p.Size()
	pix = make([]uint8, 3*w*h)
	if err := (pixel.Geometry{Rule: pixel.Keep, H: h, W: w}).Render(p, pix); err != nil {
		t.Fatal(err)
	}
	return pix, w, h
}

func TestOpenIDX(t *testing.T) {
	gray, colour := ramp(3*2*5), ramp(2*2*3*3)
	dir := idxFolder(t, map[string][]byte{
		"train-images-idx3-ubyte.gz": gzipped(idx(gray, 3, 2, 5)), "train-labels-idx1-ubyte.gz": gzipped(idx([]byte{2, 0, 11}, 3)),
		"t10k-images.idx4-ubyte": idx(colour, 2, 2, 3, 3), "t10k-labels.idx1-ubyte": idx([]byte{1, 1}, 2), "readme.txt": nil,
	})
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Classes) != 12 || d.Classes[2] != "02" || d.Classes[11] != "11" || !slices.IsSorted(d.Classes) {
		t.Errorf("classes %q", d.Classes)
	}
	var labels []int
	var parts []string
	for _, it := range d.Items {
		labels, parts = append(labels, it.Label), append(parts, it.Split)
	}
	if !slices.Equal(labels, []int{2, 0, 11, 1, 1}) || !slices.Equal(parts, []string{"train", "train", "train", "test", "test"}) {
		t.Errorf("labels %v, parts %v", labels, parts)
	}
	if d.Items[4].Name() != "test/1" || !strings.HasSuffix(d.Items[4].Path, "t10k-images.idx4-ubyte#1") {
		t.Errorf("name %q, path %q", d.Items[4].Name(), d.Items[4].Path)
	}
	pix, w, h := rgb(t, d.Items[1])
	want := []uint8{}
	for _, v := range gray[10:20] {
		want = append(want, v, v, v)
	}
	if w != 5 || h != 2 || !slices.Equal(pix, want) {
		t.Errorf("grey: %dx%d %v, want %v", w, h, pix, want)
	}
	if pix, w, h = rgb(t, d.Items[4]); w != 3 || h != 2 || !slices.Equal(pix, colour[18:]) {
		t.Errorf("colour: %dx%d %v, want %v", w, h, pix, colour[18:])
	}

	if err := os.WriteFile(filepath.Join(dir, "labels.txt"), []byte("z\ny\r\nx\nw\nv\nu\nt\ns\nr\nq\np\n o \n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if d, err = OpenIDX(dir); err != nil || d.Classes[0] != "o" || d.Classes[d.Items[0].Label] != "x" || d.Classes[d.Items[2].Label] != "o" {
		t.Errorf("named: %q, %v", d.Classes, err)
	}
}

func TestIDXErrors(t *testing.T) {
	x, y := idx(ramp(2*2*2), 2, 2, 2), idx([]byte{0, 1}, 2)
	const images, labels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		want  string
	}{
		{"no labels", map[string][]byte{images: x}, "only images or only labels"},
		{"no images", map[string][]byte{labels: y}, "only images or only labels"},
		{"nothing", nil, "no IDX files"},
		{"numbers", map[string][]byte{images: x, labels: idx([]byte{0}, 1)}, "has 2 images, "},
		{"labels of two dimensions", map[string][]byte{images: x, labels: idx([]byte{0, 1}, 1, 2)}, "labels of shape [1 2]"},
		{"images of one dimension", map[string][]byte{images: y, labels: y}, "images of shape [2]"},
		{"images of four channels", map[string][]byte{images: idx(ramp(8), 2, 1, 1, 4), labels: y}, "want [N,H,W] or [N,H,W,3]"},
		{"images of no pixels", map[string][]byte{images: idx(nil, 2, 0, 4), labels: y}, "images of 4x0 pixels"},
		{"cut", map[string][]byte{images: x[:len(x)-1], labels: y}, images + ": 7 of 8 bytes: the file is cut"},
		{"cut in the sizes", map[string][]byte{images: x[:9], labels: y}, "the file is cut"},
		{"empty", map[string][]byte{images: nil, labels: y}, "the file is cut"},
		{"too long", map[string][]byte{images: append(slices.Clone(x), 0), labels: y}, "more than the 8 bytes"},
		{"other file", map[string][]byte{images: []byte("<!DOCTYPE html>"), labels: y}, "not an IDX file"},
		{"floats", map[string][]byte{images: append([]byte{0, 0, 13, 1}, x[4:]...), labels: y}, "elements of type 0x0d"},
		{"no dimensions", map[string][]byte{images: {0, 0, 8, 0}, labels: y}, "0 dimensions"},
		{"sizes that lie", map[string][]byte{images: idx(nil, 1<<31, 1<<31, 1<<31), labels: y}, "over the limit"},
		{"large sizes that lie", map[string][]byte{images: idx(nil, 2, 1<<15, 1<<15), labels: y}, "the file is cut"},
		{"gzip that is none", map[string][]byte{images: []byte("\x1f\x8bxx"), labels: y}, images},
		{"gzip that is cut", map[string][]byte{images: gzipped(x)[:20], labels: y}, images},
		{"too few names", map[string][]byte{images: x, labels: y, "labels.txt": []byte("one\n")}, "names 1 classes, and there are labels up to 1"},
		{"equal names", map[string][]byte{images: x, labels: y, "labels.txt": []byte("one\none\n")}, "two classes have the same name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := OpenIDX(idxFolder(t, tt.files)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := OpenIDX(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := OpenIDX(filepath.Join(t.TempDir(), "no")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	d, err := OpenIDX(idxFolder(t, map[string][]byte{images: x, labels: y}))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"train/2", "train/-1", "train/x", "train"} {
		if _, err := d.Items[0].fsys.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := d.Items[0].fsys.Open("train/1")
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if data, _ := io.ReadAll(f); err != nil || info.Size() != int64(len(data)) || info.Name() != "1" || info.IsDir() || info.Mode() != 0o444 || !info.ModTime().IsZero() || info.Sys() != nil || f.Close() != nil {
		t.Errorf("%+v, %v", info, err)
	}
}

// Whatever the bytes are: there is an answer, and it is no larger than the file.
func FuzzIDX(f *testing.F) {
	f.Add(idx(ramp(8), 2, 2, 2))
	f.Add(idx([]byte{0, 1}, 2))
	f.Add(gzipped(idx(ramp(18), 1, 2, 3, 3)))
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		got, shape, err := decodeIDX(bytes.NewReader(data))
		if err != nil {
			return
		}
		n := 1
		for _, d := range shape {
			n *= d
		}
		if len(got) != n {
			t.Errorf("%d bytes of shape %v", len(got), shape)
		}
	})
}
