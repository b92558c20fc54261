package convert

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// pk assembles pickles by hand.
type pk struct{ bytes.Buffer }

func newPickle() *pk {
	p := &pk{}
	p.WriteString("\x80\x02")
	return p
}

func (p *pk) raw(s string) *pk { p.WriteString(s); return p }

func (p *pk) str(s string) *pk {
	p.WriteByte('X')
	_ = binary.Write(p, binary.LittleEndian, uint32(len(s)))
	p.WriteString(s)
	return p
}

func (p *pk) num(n int) *pk {
	p.WriteByte('J')
	_ = binary.Write(p, binary.LittleEndian, int32(n))
	return p
}

func (p *pk) global(module, name string) *pk { return p.raw("c" + module + "\n" + name + "\n") }

func (p *pk) tuple(v ...int) *pk {
	p.raw("(")
	for _, n := range v {
		p.num(n)
	}
	return p.raw("t")
}

// store pushes a storage of so many elements.
func (p *pk) store(class, key string, count int) *pk {
	return p.raw("(").str("storage").global("torch", class).str(key).str("cpu").num(count).raw("tQ")
}

// view pushes a tensor that looks at a storage.
func (p *pk) view(class, key string, count, offset int, shape, stride []int) *pk {
	p.global("torch._utils", "_rebuild_tensor_v2").raw("(")
	p.store(class, key, count).num(offset).tuple(shape...).tuple(stride...).raw("\x89")
	return p.global("collections", "OrderedDict").raw(")RtR")
}

// entry is a member of a zip archive.
type entry struct {
	name string
	data []byte
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// write puts data into a file of the test's own folder.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func floats(v ...float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// element is a tensor of a file that a test makes.
type element struct {
	name  string
	class string // of its storage
	shape []int
	data  []byte
}

var widths = map[string]int{"FloatStorage": 4, "DoubleStorage": 8, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "BoolStorage": 1, "ByteStorage": 1}

// torchDict appends a dictionary of tensors, whose storages are numbered from first on.
func (p *pk) torchDict(first int, elements []element) *pk {
	p.global("collections", "OrderedDict").raw(")R(")
	for i, e := range elements {
		stride := make([]int, len(e.shape))
		n := 1
		for k := len(e.shape) - 1; k >= 0; k-- {
			stride[k] = n
			n *= e.shape[k]
		}
		p.str(e.name).view(e.class, string(rune('a'+first+i)), len(e.data)/widths[e.class], 0, e.shape, stride)
	}
	return p.raw("u")
}

// torchZipOf is a checkpoint of one or more groups; the group "" stands alone.
func torchZipOf(t testing.TB, groups []string, elements [][]element) []byte {
	t.Helper()
	p := newPickle()
	entries := []entry{{}}
	if groups[0] != "" {
		p.raw("}(").str("epoch").num(3)
	}
	n := 0
	for i, g := range groups {
		if g != "" {
			p.str(g)
		}
		p.torchDict(n, elements[i])
		for k, e := range elements[i] {
			entries = append(entries, entry{"archive/data/" + string(rune('a'+n+k)), e.data})
		}
		n += len(elements[i])
	}
	if groups[0] != "" {
		p.raw("u")
	}
	p.raw(".")
	entries[0] = entry{"archive/data.pkl", p.Bytes()}
	return zipOf(t, entries...)
}

// tinyNet is a network of two layers, conv and fc, with parameters of zeros.
func tinyNet(classes int) *onnx.Model {
	param := func(name string, shape ...int) *onnx.Tensor {
		t := onnx.New(onnx.Float, shape...)
		t.Name = name
		return t
	}
	dims := func(d ...onnx.Dim) *onnx.Type { return &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: d} }
	batch := onnx.Dim{Size: -1, Param: "batch"}
	one := onnx.Of([]int{}, []float32{0.5})
	one.Name = "half"
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name: "tiny",
		Nodes: []*onnx.Node{
			{Name: "conv", OpType: "Conv", Inputs: []string{"x", "conv.weight", "conv.bias"}, Outputs: []string{"c"}},
			{Name: "relu", OpType: "Relu", Inputs: []string{"c"}, Outputs: []string{"r"}},
			{Name: "pool", OpType: "GlobalAveragePool", Inputs: []string{"r"}, Outputs: []string{"p"}},
			{Name: "scale", OpType: "Mul", Inputs: []string{"p", "half"}, Outputs: []string{"s"}},
			{Name: "flat", OpType: "Flatten", Inputs: []string{"s"}, Outputs: []string{"f"}},
			{Name: "fc", OpType: "Gemm", Inputs: []string{"f", "fc.weight", "fc.bias"}, Outputs: []string{"y"},
				Attrs: []*onnx.Attribute{{Name: "transB", Type: onnx.AttrInt, I: 1}}},
		},
		Initializers: []*onnx.Tensor{param("conv.weight", 2, 1, 1, 1), param("conv.bias", 2), one, param("fc.weight", classes, 2), param("fc.bias", classes)},
		Inputs:       []*onnx.Value{{Name: "x", Type: dims(batch, onnx.Dim{Size: 1}, onnx.Dim{Size: 4}, onnx.Dim{Size: 4})}},
		Outputs:      []*onnx.Value{{Name: "y", Type: dims(batch, onnx.Dim{Size: classes})}},
	}}
}

// tinyState are weights for tinyNet.
func tinyState(classes int, prefix string) []element {
	fc := make([]float32, 2*classes)
	bias := make([]float32, classes)
	for i := range fc {
		fc[i] = float32(i) - 1.5
	}
	for i := range bias {
		bias[i] = float32(i) / 4
	}
	return []element{
		{prefix + "conv.weight", "FloatStorage", []int{2, 1, 1, 1}, floats(2, -1)},
		{prefix + "conv.bias", "FloatStorage", []int{2}, floats(0.25, 3)},
		{prefix + "bn.num_batches_tracked", "LongStorage", []int{}, []byte{7, 0, 0, 0, 0, 0, 0, 0}},
		{prefix + "fc.weight", "FloatStorage", []int{classes, 2}, floats(fc...)},
		{prefix + "fc.bias", "FloatStorage", []int{classes}, floats(bias...)},
	}
}
