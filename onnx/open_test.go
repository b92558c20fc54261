package onnx

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// small is a model with a weight w = 1, 2.
func small() pb {
	return modelPB(pb{}.sub(1, pb{}.str(1, "x").str(1, "w").str(2, "y").str(3, "add").str(4, "Add")).str(2, "g").
		sub(5, tensorPB("w", Float, 2).str(9, raw32(1, 2))).sub(11, pb{}.str(1, "x")).sub(12, pb{}.str(1, "y")))
}

func gz(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zst(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func save(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	for name, data := range map[string][]byte{
		"plain.onnx": small(), "packed.onnx.gz": gz(t, small()), "packed.onnx.zst": zst(t, small()), "by_content.onnx": gz(t, small()),
	} {
		t.Run(name, func(t *testing.T) {
			path := save(t, t.TempDir(), name, data)
			m, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if w := m.Graph.Initializer("w").Float32s(); w[0] != 1 || w[1] != 2 {
				t.Errorf("w = %v", w)
			}
			if m.Path() != path {
				t.Errorf("path %q, want %q", m.Path(), path)
			}
			sum := sha256.Sum256(data)
			if got := m.Digest(); got != hex.EncodeToString(sum[:]) {
				t.Errorf("digest %s, want %x", got, sum)
			}
			for range 2 {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := m.Write(io.Discard); !errors.Is(err, errClosed) {
				t.Errorf("write after close: %v", err)
			}
			wantError(t, m.Save(path, SaveOptions{}), "closed")
			r, err := Read(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if r.Digest() != hex.EncodeToString(sum[:]) || r.Path() != "" {
				t.Errorf("read: digest %s, path %q", r.Digest(), r.Path())
			}
		})
	}
	var built Model
	if built.Digest() != "" || built.Close() != nil {
		t.Error("a model that was built has a digest, or is not closed")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.onnx")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file that is not there: %v", err)
	}
	m, err := Open(save(t, t.TempDir(), "m.onnx", small()))
	if err != nil {
		t.Fatal(err)
	}
	if m.Close() != nil || m.Digest() != "" {
		t.Error("a digest of a file that is closed")
	}
	_, err = Open(t.TempDir())
	wantError(t, err, "a folder, not an ONNX file")
	_, err = Read(iotest.ErrReader(io.ErrClosedPipe))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("reader's error: %v", err)
	}
}

// A model can come through a pipe that has a name.
func TestOpenPipe(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/fd")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.Write(small()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	m, err := Open("/dev/fd/" + itoa(int(r.Fd())))
	if err != nil {
		t.Fatal(err)
	}
	if m.Graph.Initializer("w") == nil {
		t.Error("no weight")
	}
}

func itoa(n int) string {
	var b []byte
	for ; n > 0 || b == nil; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// Files that are no usable model: one line says why.
func TestNoModel(t *testing.T) {
	whole := small()
	tar := make([]byte, 512)
	copy(tar[257:], "ustar")
	packed := gz(t, small())
	for _, c := range []struct {
		name string
		data []byte
		want []string
	}{
		{"case 17 a: LFS pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n"), []string{"Git LFS pointer", `"git lfs pull"`}},
		{"case 17 b: HTML", []byte("<!DOCTYPE html>\n<html><body>404</body>"), []string{"an HTML page", "fetch"}},
		{"HTML after blanks", []byte("\ufeff \n<HTML><body>404</body>"), []string{"an HTML page"}},
		{"XML", []byte("<?xml version=\"1.0\"?>"), []string{"XML"}},
		{"case 17 c: cut", whole[:len(whole)/2], []string{"truncated: graph (field 7) has 53 bytes", "at byte 2"}},
		{"case 17 d: empty", nil, []string{"empty (0 bytes)"}},
		{"case 17 e: zip", []byte("PK\x03\x04xxxx"), []string{"zip archive", "extract"}},
		{"case 17 e: gzip of text", gz(t, []byte("hello")), []string{"gzip of text", `"hello"`}},
		{"gzip of nothing", gz(t, nil), []string{"gzip of the file is empty"}},
		{"gzip in gzip", gz(t, packed), []string{"gzip of gzip data"}},
		{"gzip cut", packed[:len(packed)-12], []string{"gzip data is damaged or cut"}},
		{"gzip head only", packed[:5], []string{"gzip data is damaged or cut"}},
		{"zstd cut", zst(t, small())[:20], []string{"zstd data is damaged or cut"}},
		{"text", []byte("Dear reader,\nthis is no model, but a letter that says so at length."), []string{`text that begins with "Dear reader,"`}},
		{"long line", []byte(strings.Repeat("a", 100)), []string{strings.Repeat("a", 40) + "..."}},
		{"JSON", []byte(`{"a": 1}`), []string{"JSON"}},
		{"safetensors", []byte("\x40\x00\x00\x00\x00\x00\x00\x00{\"w\":"), []string{"safetensors"}},
		{"HDF5", []byte("\x89HDF\r\n\x1a\n"), []string{"HDF5"}},
		{"pickle", []byte("\x80\x02}q"), []string{"pickle"}},
		{"tar", tar, []string{"tar archive"}},
		{"TensorFlow Lite", []byte("\x1c\x00\x00\x00TFL3"), []string{"TensorFlow Lite"}},
		{"bytes", []byte{0xff, 0xff, 0xff, 0xff}, []string{"truncated"}},
		{"cut text", []byte("caf\xc3"), []string{"text"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := save(t, t.TempDir(), "m.onnx", c.data)
			_, err := Open(path)
			wantError(t, err, append(c.want, path+": ")...)
			var f *FormatError
			if !errors.As(err, &f) || f.File != path {
				t.Errorf("%T %+v is no FormatError with the file's name", err, err)
			}
			_, err = Read(bytes.NewReader(c.data))
			wantError(t, err, c.want...)
		})
	}
}

// What expands without measure is refused: over the limit, or over 64 MiB and 1000 times its size.
func TestExpansionLimit(t *testing.T) {
	zeros := make([]byte, 65<<20)
	for name, data := range map[string][]byte{"zstd": zst(t, zeros), "gzip": gz(t, small())} {
		_, err := ReadOptions{MaxExpanded: 50}.Parse(data)
		wantError(t, err, name, "expand to more than 50 bytes")
	}
	_, err := Parse(zst(t, zeros))
	wantError(t, err, "expand to more than 67108864 bytes: refused")
	if got := (ReadOptions{}).limit(1 << 20); got != 1000<<20 {
		t.Errorf("limit for 1 MiB: %d", got)
	}
	if got := (ReadOptions{}).limit(1 << 30); got != 16<<30 {
		t.Errorf("limit for 1 GiB: %d", got)
	}
}
