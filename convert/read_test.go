package convert

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func safetensorsFile(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

// What a header claims is compared with what is there (case 37, for a format without compression).
func TestSafetensors(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want string // names, types and shapes
		err  string
	}{
		{"whole", safetensorsFile(`{"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},`+
			`"n":{"dtype":"I64","shape":[],"data_offsets":[12,20]},"__metadata__":{"format":"pt"}}`, make([]byte, 20)),
			"a float16 [1 2]; b float32 [2]; n int64 []", ""},
		{"nothing", safetensorsFile(`{}`, nil), "", ""},
		{"an empty tensor", safetensorsFile(`{"a":{"dtype":"BF16","shape":[0,3],"data_offsets":[0,0]}}`, nil), "a bfloat16 [0 3]", ""},
		{"cut short", safetensorsFile(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 4)), "", "incomplete"},
		{"bytes behind", safetensorsFile(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 9)), "", "incomplete"},
		{"shape and offsets differ", safetensorsFile(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, make([]byte, 8)), "", "mismatch"},
		{"overlap", safetensorsFile(`{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, make([]byte, 8)), "", "offset"},
		{"size overflows", safetensorsFile(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, nil), "", "num elements"},
		{"size overflows beside 0", safetensorsFile(`{"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}`, nil), "", "is not possible"},
		{"unknown type", safetensorsFile(`{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 8)), "", "F4"},
		{"not JSON", safetensorsFile(`{"a":`, nil), "", "header"},
		{"many dimensions", safetensorsFile(`{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}`, make([]byte, 1)), "", "is not possible"},
		{"large header", safetensorsFile("{"+strings.Repeat(" ", maxSafetensorsHeader), nil), "", "a safetensors header of 16777217 bytes"},
	} {
		path := write(t, "w.safetensors", c.file)
		w, err := ReadWeights(path)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var parts []string
		for _, x := range w.List() {
			parts = append(parts, fmt.Sprintf("%s %v %v", x.Name, x.Type, x.Shape))
		}
		if got := strings.Join(parts, "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	// What the content does not tell, the name may; a model is not weights.
	for name, c := range map[string]struct{ data, err string }{
		"w.safetensors": {"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "cut short"},
		"w.pth":         {"PK\x03\x04cut", "the file is cut short; get it again"},
		"model.json":    {`{"modelTopology": {}, "weightsManifest": []}`, "a TensorFlow.js model, which says itself what network it is"},
		"other.json":    {`{}`, "not a file of weights that is known here (npz, Keras archive, PyTorch, safetensors"},
	} {
		path := write(t, name, []byte(c.data))
		if _, err := ReadWeights(path); err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadNpz(t *testing.T) {
	var b bytes.Buffer
	z := npz.NewWriter(&b)
	x := onnx.Of([]int{2, 2}, []float64{1, 2, 3, 4})
	x.Name = "layer.weight"
	s := &onnx.Tensor{Name: "labels", Type: onnx.String, Shape: []int{1}, Strings: []string{"cat"}}
	for _, v := range []*onnx.Tensor{x, s} {
		if err := z.Add(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := ReadWeights(write(t, "w.npz", b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if len(w.List()) != 1 || len(w.Notes) != 1 || !strings.Contains(w.Notes[0], `"labels" holds text`) {
		t.Errorf("%v %v", w.List(), w.Notes)
	}
	got := w.Find("layer.weight")
	if y, err := got.Load(); err != nil || got.Elements() != 4 || !reflect.DeepEqual(onnx.Data[float64](y), []float64{1, 2, 3, 4}) {
		t.Errorf("%v %v", y, err)
	}
	b.Reset()
	x.Name = ""
	if err := npz.WriteNPY(&b, x); err != nil {
		t.Fatal(err)
	}
	if w, err := ReadWeights(write(t, "alone.npy", b.Bytes())); err != nil || w.Find("alone") == nil {
		t.Error(err)
	}
}

func TestReadWeightsErrors(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir + "/missing", dir, write(t, "w", []byte("hello")), write(t, "w", nil), write(t, "w", []byte("PK\x03\x04"))} {
		if _, err := ReadWeights(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
		for _, read := range []func(string) (*Weights, error){ReadTorch, ReadSafetensors, ReadNpz} {
			if _, err := read(path); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if _, err := ReadWeights(dir + "/missing"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestWeights(t *testing.T) {
	w := NewWeights("test", "", 8)
	x := onnx.Of([]int{2}, []float32{1, 2})
	x.Name = "x"
	if err := w.AddTensor(x); err != nil {
		t.Fatal(err)
	}
	if err := w.AddTensor(x); err == nil || !strings.Contains(err.Error(), `two tensors are named "x"`) {
		t.Error(err)
	}
	if err := w.Add(Weight{Name: "short", Type: onnx.Float, Shape: []int{3}}, func() ([]byte, error) { return make([]byte, 8), nil }); err != nil {
		t.Error(err)
	}
	if _, err := w.Find("short").Load(); err == nil || !strings.Contains(err.Error(), `tensor "short": has 8 bytes, its shape needs 12`) {
		t.Error(err)
	}
	for _, bad := range []Weight{{Name: "s", Type: onnx.String}, {Name: "n", Type: onnx.Float, Shape: []int{-1}}, {Name: "o", Type: onnx.Float, Shape: []int{1 << 40, 1 << 40}}} {
		if err := w.Add(bad, nil); err == nil || !strings.Contains(err.Error(), "is not possible") {
			t.Errorf("%s: %v", bad.Name, err)
		}
	}
	if err := w.Add(Weight{Name: "large", Type: onnx.Float, Shape: []int{1 << 24}}, nil); err == nil || !strings.Contains(err.Error(), "16 times the file's 8 bytes") {
		t.Error(err)
	}
	r, err := w.Renamed(func(name string) string { return "a." + name })
	if err != nil || r.Find("x") != nil || len(r.List()) != len(w.List()) || w.List()[0].Name != "x" {
		t.Errorf("renamed: %+v, %v", r, err)
	} else if y, err := r.Find("a.x").Load(); err != nil || y.Name != "a.x" || !slices.Equal(y.Float32s(), []float32{1, 2}) {
		t.Errorf("renamed: %v, %v", y, err)
	}
	if _, err := w.Renamed(func(string) string { return "y" }); err == nil || !strings.Contains(err.Error(), `two tensors are named "y"`) {
		t.Error(err)
	}
	failed := errors.New("failed")
	w.OnClose(func() error { return failed })
	if err := w.Close(); !errors.Is(err, failed) {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error("the second time", err)
	}
}
