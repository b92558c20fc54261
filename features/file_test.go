package features

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nlpodyssey/safetensors"
	"github.com/parquet-go/parquet-go"

	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

var (
	someClasses = []string{"cat", "große, \"Katze\""}
	somePaths   = []string{"a/1.jpg", "with, comma \"quotes\"\nand line end.png", "日本.webp"}
	someLabels  = []int{0, 1, -1}
	someValues  = []float32{0.1, -1e-30, 3, 4, 16777217, math.MaxFloat32}
)

// someBatches are three rows of two features in two batches.
func someBatches(views int) []*Batch {
	item := func(i int) Item { return Item{Path: somePaths[i], Label: someLabels[i]} }
	return []*Batch{
		{Items: []Item{item(0), item(1)}, Views: []int{0, 0}, Features: someValues[:4], Shape: []int{2}},
		{Items: []Item{}, Skipped: []Skip{{Item: item(0)}}},
		{Items: []Item{item(2)}, Views: []int{views - 1}, Features: someValues[4:], Shape: []int{2}},
	}
}

// writeFile writes batches and returns the file's path.
func writeFile(t *testing.T, name string, batches []*Batch, classes []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := Create(path, classes)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Discard()
	for _, b := range batches {
		if err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, want the file alone (%v)", entries, err)
	}
	return path
}

func TestNPZ(t *testing.T) {
	for views := 1; views <= 2; views++ {
		all, err := npz.ReadFile(writeFile(t, "f.npz", someBatches(views), someClasses))
		if err != nil {
			t.Fatal(err)
		}
		x := npz.Find(all, "features")
		if !cmp.Equal(x.Shape, []int{3, 2}) || !cmp.Equal(x.Float32s(), someValues) {
			t.Errorf("features %v %v", x.Shape, x.Float32s())
		}
		if got := npz.Find(all, "paths"); !cmp.Equal(got.Strings, somePaths) {
			t.Errorf("paths %q", got.Strings)
		}
		if got := npz.Find(all, "labels"); !cmp.Equal(got.Int64s(), []int64{0, 1, -1}) {
			t.Errorf("labels %v", got.Int64s())
		}
		if got := npz.Find(all, "classes"); !cmp.Equal(got.Strings, someClasses) {
			t.Errorf("classes %q", got.Strings)
		}
		v := npz.Find(all, "views")
		if (v != nil) != (views > 1) || v != nil && !cmp.Equal(v.Int64s(), []int64{0, 0, 1}) {
			t.Errorf("%d views: %v", views, v)
		}
	}
}

func TestNPY(t *testing.T) {
	b := someBatches(1)
	for _, b := range b {
		b.Shape = []int{2, 1, 1}
	}
	all, err := npz.ReadFile(writeFile(t, "F.NPY", b, nil))
	if err != nil {
		t.Fatal(err)
	}
	if x := all[0]; !cmp.Equal(x.Shape, []int{3, 2, 1, 1}) || !cmp.Equal(x.Float32s(), someValues) {
		t.Errorf("features %v %v", x.Shape, x.Float32s())
	}
}

func TestCSV(t *testing.T) {
	path := writeFile(t, "f.csv", someBatches(1), someClasses)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var pipe bytes.Buffer
	f := WriteCSV(&pipe, someClasses)
	for _, b := range someBatches(1) {
		if err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	if f.Close() != nil || !bytes.Equal(pipe.Bytes(), data) || f.Rows() != 3 || !cmp.Equal(f.Shape(), []int{2}) {
		t.Errorf("the pipe got %q, the file %q", pipe.Bytes(), data)
	}
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(records[0], []string{"path", "label", "class", "f0", "f1"}) || len(records) != 4 {
		t.Fatalf("records %q", records)
	}
	for i, r := range records[1:] {
		class := ""
		if someLabels[i] >= 0 {
			class = someClasses[someLabels[i]]
		}
		if !cmp.Equal(r[:3], []string{somePaths[i], strconv.Itoa(someLabels[i]), class}) {
			t.Errorf("record %q", r)
		}
		for j, text := range r[3:] {
			if v, err := strconv.ParseFloat(text, 32); err != nil || float32(v) != someValues[2*i+j] {
				t.Errorf("%q is not %v", text, someValues[2*i+j])
			}
		}
	}
}

func TestParquet(t *testing.T) {
	path := writeFile(t, "f.parquet", someBatches(1), someClasses)
	rows, err := parquet.ReadFile[parquetRow](path)
	if err != nil {
		t.Fatal(err)
	}
	var want []parquetRow
	for i := range somePaths {
		r := parquetRow{Path: somePaths[i], Label: int64(someLabels[i]), Features: someValues[2*i : 2*i+2]}
		if r.Label >= 0 {
			r.Class = &someClasses[r.Label]
		}
		want = append(want, r)
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, err := parquet.OpenFile(file, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	classes, _ := p.Lookup("onnxcnn.classes")
	shape, _ := p.Lookup("onnxcnn.shape")
	if want, _ := json.Marshal(someClasses); classes != string(want) || shape != "[2]" {
		t.Errorf("metadata: classes %s, shape %s", classes, shape)
	}
}

// TestParquetRowGroups writes more than is kept in memory.
func TestParquetRowGroups(t *testing.T) {
	const columns = 1 << 19
	b := &Batch{Items: []Item{{Path: "x", Label: -1}}, Views: []int{0}, Features: make([]float32, columns), Shape: []int{columns}}
	var batches []*Batch
	for range 9 {
		batches = append(batches, b)
	}
	path := writeFile(t, "f.parquet", batches, nil)
	rows, err := parquet.ReadFile[parquetRow](path)
	if err != nil || len(rows) != 9 || len(rows[8].Features) != columns {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestSafetensors(t *testing.T) {
	for views := 1; views <= 2; views++ {
		data, err := os.ReadFile(writeFile(t, "f.safetensors", someBatches(views), someClasses))
		if err != nil {
			t.Fatal(err)
		}
		st, err := safetensors.Deserialize(data)
		if err != nil {
			t.Fatal(err)
		}
		x, ok := st.Tensor("features")
		if !ok || !cmp.Equal(x.Shape(), []uint64{3, 2}) || x.DType() != safetensors.F32 || !bytes.Equal(x.Data(), onnx.Of([]int{6}, someValues).Raw) {
			t.Errorf("features %v", x)
		}
		labels, ok := st.Tensor("labels")
		if !ok || labels.DType() != safetensors.I64 || !bytes.Equal(labels.Data(), onnx.Of([]int{3}, []int64{0, 1, -1}).Raw) {
			t.Errorf("labels %v", labels)
		}
		v, ok := st.Tensor("views")
		if ok != (views > 1) || ok && !bytes.Equal(v.Data(), onnx.Of([]int{3}, []int64{0, 0, 1}).Raw) {
			t.Errorf("%d views: %v", views, v)
		}
		size, meta, err := safetensors.ReadMetadata(data)
		if err != nil || size%8 != 0 {
			t.Fatalf("header of %d bytes, %v", size, err)
		}
		for name, want := range map[string][]string{"paths": somePaths, "classes": someClasses} {
			var got []string
			if err := json.Unmarshal([]byte(meta.Metadata()[name]), &got); err != nil || !cmp.Equal(got, want) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

func TestNoRows(t *testing.T) {
	for _, ext := range Formats {
		path := writeFile(t, "f"+ext, nil, nil)
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", ext, err)
		}
	}
}

func TestDiscard(t *testing.T) {
	for _, ext := range Formats {
		dir := t.TempDir()
		path := filepath.Join(dir, "f"+ext)
		if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := Create(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Write(someBatches(1)[0]); err != nil {
			t.Fatal(err)
		}
		f.Discard()
		f.Discard()
		entries, _ := os.ReadDir(dir)
		if data, err := os.ReadFile(path); err != nil || string(data) != "old" || len(entries) != 1 {
			t.Errorf("%s: the folder holds %v, the file %q (%v)", ext, entries, data, err)
		}
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"f.txt", "f", "none/f.npz", "none/f.csv"} {
		if f, err := Create(filepath.Join(dir, name), nil); err == nil {
			f.Discard()
			t.Errorf("%s: no error", name)
		}
	}
	path := filepath.Join(dir, "f.npz")
	f, err := Create(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Discard()
	if err := f.Write(someBatches(1)[0]); err != nil {
		t.Fatal(err)
	}
	err = f.Write(&Batch{Items: []Item{{}}, Views: []int{0}, Features: []float32{1, 2, 3}, Shape: []int{3}})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "[3] after rows of shape [2]") {
		t.Errorf("got error %v", err)
	}
	// A pipe that is closed.
	for _, b := range [][]*Batch{someBatches(1), nil} {
		f := WriteCSV(broken{}, nil)
		var err error
		for _, b := range b {
			err = errors.Join(err, f.Write(b))
		}
		if err = errors.Join(err, f.Close()); !errors.Is(err, errBroken) {
			t.Errorf("got error %v, want that of the pipe", err)
		}
	}
}

var errBroken = errors.New("broken pipe")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

// TestPythonReads lets NumPy, and pandas with pyarrow and the safetensors library where they are, read every format.
func TestPythonReads(t *testing.T) {
	python := reftest.Python(t, "numpy")
	if other := os.Getenv("ONNXCNN_PANDAS_PYTHON"); other != "" {
		python = other
	}
	var files []string
	for _, ext := range Formats {
		files = append(files, writeFile(t, "f"+ext, someBatches(1), someClasses))
	}
	want, err := json.Marshal(map[string]any{"paths": somePaths, "labels": someLabels, "classes": someClasses})
	if err != nil {
		t.Fatal(err)
	}
	values := fmt.Sprint(onnx.Of([]int{6}, someValues).Raw)
	cmd := exec.Command(python, append([]string{"-c", `
import json, sys, csv, numpy as np
want = json.loads(sys.argv[1])
x = np.frombuffer(bytes(int(v) for v in sys.argv[2].strip("[]").split()), "<f4").reshape(3, 2)
npz, npy, text, pq, st = sys.argv[3:]
z = np.load(npz)
assert sorted(z.files) == ["classes", "features", "labels", "paths"], z.files
assert z["features"].dtype == np.float32 and z["labels"].dtype == np.int64
assert (z["features"] == x).all() and z["labels"].tolist() == want["labels"]
assert z["paths"].tolist() == want["paths"] and z["classes"].tolist() == want["classes"]
assert (np.load(npy) == x).all()
with open(text, newline="", encoding="utf-8") as f:
    rows = list(csv.reader(f))
assert [r[0] for r in rows[1:]] == want["paths"]
assert (np.array([r[3:] for r in rows[1:]]).astype(np.float32) == x).all()
read = ["npz", "npy", "csv"]
try:
    import pandas, pyarrow.parquet
except ImportError:
    pass
else:
    d = pandas.read_csv(text)
    assert d.path.tolist() == want["paths"] and (d[["f0", "f1"]].to_numpy(np.float32) == x).all()
    d = pandas.read_parquet(pq)
    assert d.path.tolist() == want["paths"] and d.label.tolist() == want["labels"]
    assert d["class"].tolist()[:2] == want["classes"] and d["class"].isna().tolist() == [False, False, True]
    assert (np.stack(d.features) == x).all() and d.features[0].dtype == np.float32
    m = pyarrow.parquet.read_metadata(pq).metadata
    assert json.loads(m[b"onnxcnn.classes"]) == want["classes"] and m[b"onnxcnn.shape"] == b"[2]"
    read += ["parquet"]
try:
    from safetensors import safe_open
except ImportError:
    pass
else:
    with safe_open(st, "np") as f:
        assert (f.get_tensor("features") == x).all() and f.get_tensor("labels").tolist() == want["labels"]
        for k in "paths", "classes":
            assert json.loads(f.metadata()[k]) == want[k]
    read += ["safetensors"]
print(*read)
`, string(want), values}, files...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("read by Python: %s", out)
}
