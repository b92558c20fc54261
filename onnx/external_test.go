//go:build unix

package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// externalPB is a model with a float weight [4] in another file; keys and values of external_data alternate.
func externalPB(entries ...string) pb {
	w := tensorPB("w", Float, 4)
	for i := 0; i < len(entries); i += 2 {
		w = w.sub(13, pb{}.str(1, entries[i]).str(2, entries[i+1]))
	}
	return modelPB(pb{}.sub(5, w.int(14, 1)))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// externalDir is a folder for a model with everything that a location may wrongly point to.
func externalDir(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "model")
	floats := []byte(raw32(0, 1, 2, 3, 4, 5, 6, 7))
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o777))
	must(t, os.Mkdir(filepath.Join(base, "outside"), 0o777))
	save(t, dir, "w.bin", floats)
	save(t, dir, "empty.bin", nil)
	save(t, filepath.Join(dir, "sub"), "w.bin", floats)
	save(t, base, "secret.bin", floats)
	save(t, filepath.Join(base, "outside"), "w.bin", floats)
	save(t, base, "linked.bin", floats)
	must(t, os.Symlink("../secret.bin", filepath.Join(dir, "link.bin")))
	must(t, os.Symlink("../outside", filepath.Join(dir, "folder")))
	must(t, os.Symlink("sub/w.bin", filepath.Join(dir, "inside.bin")))
	must(t, os.Link(filepath.Join(base, "linked.bin"), filepath.Join(dir, "hard.bin")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666))
	must(t, os.Symlink("/dev/zero", filepath.Join(dir, "zero")))
	return dir
}

func TestExternalData(t *testing.T) {
	dir := externalDir(t)
	for _, c := range []struct {
		name    string
		entries []string
		want    []float32
	}{
		{"case 36: offset and length", []string{"location", "w.bin", "offset", "16", "length", "16"}, []float32{4, 5, 6, 7}},
		{"case 36: no length", []string{"location", "w.bin", "offset", "16"}, []float32{4, 5, 6, 7}},
		{"no offset", []string{"location", "w.bin", "checksum", "aa"}, []float32{0, 1, 2, 3}},
		{"folder", []string{"location", "sub/w.bin", "offset", "4"}, []float32{1, 2, 3, 4}},
		{"dot", []string{"location", "./sub/./w.bin"}, []float32{0, 1, 2, 3}},
		{"link that stays inside", []string{"location", "inside.bin"}, []float32{0, 1, 2, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := save(t, dir, "m.onnx", externalPB(c.entries...))
			m, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if got := m.Graph.Initializers[0].Float32s(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if plain := (&source{stored: m.src.stored}).digest(); m.Digest() == plain {
				t.Error("the digest does not see external data")
			}
			n, err := ReadOptions{Dir: dir}.Parse(externalPB(c.entries...))
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			if got := n.Graph.Initializers[0].Float32s(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("from memory: got %v, want %v", got, c.want)
			}
		})
	}
	for _, c := range []struct {
		name    string
		entries []string
		want    []string
	}{
		{"case 36: parent", []string{"location", "../secret.bin"}, []string{`".."`}},
		{"case 36: through a folder", []string{"location", "sub/../../secret.bin"}, []string{`".."`}},
		{"case 36: absolute", []string{"location", "/tmp/secret.bin"}, []string{"absolute"}},
		{"case 36: backslashes", []string{"location", `.\..\secret.bin`}, []string{"backslash"}},
		{"case 36: link to outside", []string{"location", "link.bin"}, []string{filepath.Join(dir, "link.bin"), "a link leads out of the model's folder"}},
		{"case 36: linked folder", []string{"location", "folder/w.bin"}, []string{"leads out"}},
		{"case 36: hard link", []string{"location", "hard.bin"}, []string{"2 hard links"}},
		{"case 36: FIFO", []string{"location", "fifo"}, []string{"not a regular file"}},
		{"case 36: device by link", []string{"location", "zero"}, []string{"leads out"}},
		{"case 36: device", []string{"location", "/dev/zero"}, []string{"absolute"}},
		{"case 36: empty", []string{"location", ""}, []string{"no location"}},
		{"case 36: none", nil, []string{"no location"}},
		{"case 36: NUL", []string{"location", "w.bin\x00.txt"}, []string{"NUL"}},
		{"case 36: missing", []string{"location", "none.bin"}, []string{filepath.Join(dir, "none.bin") + " belongs to the model and is missing: put it there"}},
		{"folder", []string{"location", "sub"}, []string{"not a regular file"}},
		{"dot", []string{"location", "."}, []string{"not a regular file"}},
		{"too short", []string{"location", "w.bin", "offset", "20"}, []string{"16 bytes from byte 20 on are wanted, and the file has 32"}},
		{"empty file", []string{"location", "empty.bin"}, []string{"the file has 0"}},
		{"offset beyond", []string{"location", "w.bin", "offset", "9223372036854775807"}, []string{"the file has 32"}},
		{"negative offset", []string{"location", "w.bin", "offset", "-4"}, []string{`offset "-4" is not a number`}},
		{"length", []string{"location", "w.bin", "length", "12"}, []string{"length is 12, but float32[4] takes 16 bytes"}},
		{"length no number", []string{"location", "w.bin", "length", "x"}, []string{`length "x"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := save(t, dir, "m.onnx", externalPB(c.entries...))
			_, err := Open(path)
			wantError(t, err, append(c.want, path, `tensor "w"`)...)
			var e *ExternalDataError
			if !errors.As(err, &e) {
				t.Errorf("%T is no ExternalDataError", err)
			}
		})
	}
	_, err := ReadOptions{Dir: filepath.Join(dir, "none")}.Parse(externalPB("location", "w.bin"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder that is not there: %v", err)
	}
	for _, typ := range []DataType{String, 99} {
		w := tensorPB("w", typ, 4).sub(13, pb{}.str(1, "location").str(2, "w.bin")).int(14, 1)
		_, err = ReadOptions{Dir: dir}.Parse(modelPB(pb{}.sub(5, w)))
		wantError(t, err, "external data")
	}
}

// Case 36: a model with weights from a file is saved beside the output only, whatever location it came with.
func TestSaveExternal(t *testing.T) {
	in, out := externalDir(t), t.TempDir()
	m, err := Open(save(t, in, "m.onnx", externalPB("location", "sub/w.bin", "offset", "16")))
	must(t, err)
	defer m.Close()
	victim := save(t, t.TempDir(), "victim", []byte("precious"))
	path := filepath.Join(out, "o.onnx")
	must(t, os.Symlink(victim, path+".data"))
	must(t, os.Symlink(victim, path))
	for range 3 { // onto links, and onto what was saved
		must(t, m.Save(path, SaveOptions{External: true, ExternalMinBytes: 1}))
		if got := fileNames(t, out); got != "o.onnx o.onnx.data" {
			t.Errorf("files: %s", got)
		}
		if b, err := os.ReadFile(victim); string(b) != "precious" {
			t.Errorf("written through a link: %q, %v", b, err)
		}
		o, err := Open(path)
		must(t, err)
		if got := o.Graph.Initializers[0].Float32s(); !reflect.DeepEqual(got, []float32{4, 5, 6, 7}) {
			t.Errorf("got %v", got)
		}
		must(t, o.Close())
	}
	if b, err := os.ReadFile(path); !strings.Contains(string(b), "o.onnx.data") || strings.Contains(string(b), "sub/") {
		t.Errorf("% x, %v: want only the new location in it", b, err)
	}
}

// What deep nesting or a long name makes of a field's path can still be read.
func TestShortened(t *testing.T) {
	long := strings.Repeat("graph.node[0].", 1000) + "end"
	if got := shortened(long); len(got) > 420 || !strings.HasPrefix(got, "graph.node[0].") || !strings.HasSuffix(got, ".end") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	if got := shortened("graph.node[3]"); got != "graph.node[3]" {
		t.Error(got)
	}
}
