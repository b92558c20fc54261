package onnx

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// weighty is a model with weights of several sizes, one of them in a subgraph, and a constant.
func weighty() *Model {
	weight := func(name string, n int) *Tensor {
		t := New(Float, n)
		for i, f := 0, t.Float32s(); i < n; i++ {
			f[i] = float32(i)
		}
		t.Name = name
		return t
	}
	inner := &Graph{Name: "inner", Initializers: []*Tensor{weight("c", 5000)}, Outputs: []*Value{{Name: "c"}}}
	shared := weight("shared", 3000)
	return &Model{
		IRVersion: 8, Opsets: []Opset{{Version: 17}},
		Graph: &Graph{
			Name:         "g",
			Initializers: []*Tensor{weight("a", 300000), weight("tiny", 3), weight("b", 500)},
			Nodes: []*Node{
				{OpType: "If", Inputs: []string{"tiny"}, Outputs: []string{"y"}, Attrs: []*Attribute{{Name: "then_branch", Type: AttrGraph, Graph: inner}}},
				{OpType: "Constant", Outputs: []string{"k"}, Attrs: []*Attribute{{Name: "value", Type: AttrTensor, Tensor: shared}}},
				{OpType: "Constant", Outputs: []string{"l"}, Attrs: []*Attribute{{Name: "values", Type: AttrTensors, Tensors: []*Tensor{shared}}}},
			},
		},
		Functions: []*Function{{Name: "F", Nodes: []*Node{{OpType: "Constant", Outputs: []string{"k"}, Attrs: []*Attribute{{Name: "value", Type: AttrTensor, Tensor: weight("f", 400)}}}}}},
	}
}

func fileNames(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestSave(t *testing.T) {
	m := weighty()
	want := parse(t, rewrite(t, m))
	for _, c := range []struct {
		name, file string
		o          SaveOptions
		files      string
		external   int // bytes of the second file
	}{
		{"plain", "m.onnx", SaveOptions{}, "m.onnx", 0},
		{"gzip", "m.onnx.gz", SaveOptions{}, "m.onnx.gz", 0},
		{"zstd", "m.onnx.zst", SaveOptions{}, "m.onnx.zst", 0},
		// a at 0, b at the next multiple of 64 (1200000), c on the next page.
		{"external", "m.onnx", SaveOptions{External: true}, "m.onnx m.onnx.data", 1204224 + 20000},
		{"external and compressed", "m.onnx.zst", SaveOptions{External: true}, "m.onnx.data m.onnx.zst", 1204224 + 20000},
		{"under the threshold", "m.onnx", SaveOptions{ExternalThreshold: 2 << 20}, "m.onnx", 0},
		{"case 38: threshold of 1 MiB", "m.onnx", SaveOptions{ExternalThreshold: 1 << 20}, "m.onnx m.onnx.data", 1204224 + 20000},
		{"large ones only", "m.onnx", SaveOptions{External: true, ExternalMinBytes: 1 << 20}, "m.onnx m.onnx.data", 1200000},
		{"none large enough", "m.onnx", SaveOptions{External: true, ExternalMinBytes: 1 << 24}, "m.onnx", 0},
		// Constants go too where the file is too large without: the shared one once.
		{"constants", "m.onnx", SaveOptions{ExternalThreshold: 4000}, "m.onnx m.onnx.data", 1204224 + 20480 + 12032 + 1600},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			var first []byte
			for range 2 { // the second time onto what is there
				if err := m.Save(path, c.o); err != nil {
					t.Fatal(err)
				}
				if got := fileNames(t, dir); got != c.files {
					t.Fatalf("files %q, want %q", got, c.files)
				}
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if first != nil && !bytes.Equal(b, first) {
					t.Error("saved twice gives different bytes")
				}
				first = b
				if info, err := os.Stat(filepath.Join(dir, "m.onnx.data")); c.external > 0 && (err != nil || info.Size() != int64(c.external)) {
					t.Errorf("second file: %v, %v, want %d bytes", info.Size(), err, c.external)
				}
				got, err := Open(path)
				if err != nil {
					t.Fatal(err)
				}
				if !equal(got, want) {
					t.Error("another model comes back")
				}
				// The file that a model was opened from can be saved to.
				if err := got.Save(path, c.o); err != nil {
					t.Error(err)
				}
				if !equal(got, want) {
					t.Error("saving to its own file changed the model")
				}
				if err := got.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A file that cannot be written leaves nothing behind, and what was there as it was.
func TestSaveFails(t *testing.T) {
	bad := weighty()
	bad.Functions[0].Nodes[0].Attrs[0].Tensor = &Tensor{Name: "bad", Type: Float, Shape: []int{2}}
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	for _, o := range []SaveOptions{{}, {External: true}} {
		wantError(t, bad.Save(path, o), path, `tensor "bad"`)
		wantError(t, weighty().Save(filepath.Join(dir, "none", "m.onnx"), o), "none")
	}
	if got := fileNames(t, dir); got != "" {
		t.Errorf("left behind: %s", got)
	}
	good := weighty()
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := good.Save(path, SaveOptions{External: true}); err == nil {
		t.Error("saved onto a folder")
	}
	if got := fileNames(t, dir); got != "m.onnx" {
		t.Errorf("left behind: %s", got)
	}
	// The second file of the model that stays is not touched.
	save(t, dir, "m.onnx.data", []byte("old"))
	if err := good.Save(path, SaveOptions{External: true}); err == nil {
		t.Error("saved onto a folder")
	}
	if b, err := os.ReadFile(path + ".data"); string(b) != "old" || fileNames(t, dir) != "m.onnx m.onnx.data" {
		t.Errorf("%q, %v in %s", b, err, fileNames(t, dir))
	}
}

func TestWriteLimit(t *testing.T) {
	m := parse(t, small())
	err := m.write(&bytes.Buffer{}, nil, 10)
	wantError(t, err, "must stay under 10")
	if err := m.write(&bytes.Buffer{}, nil, int64(len(small()))+1); err != nil {
		t.Error(err)
	}
	if err := m.Write(failing{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("writer's error: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestPlace(t *testing.T) {
	a, b, c := New(Float, 3), New(Float, 1025), New(Uint8, 1)
	got := place([]*Tensor{a, b, c}, "d")
	want := map[*Tensor]placement{a: {"d", 0, 12}, b: {"d", 4096, 4100}, c: {"d", 8256, 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
