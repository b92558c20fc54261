package npz

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npy"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zip"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// file puts a header of version 1 before data, without looking at either.
func file(dict string, data ...byte) []byte {
	b := append([]byte(magic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
	return append(append(b, dict...), data...)
}

func dict(descr, fortran, shape string) string {
	return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n"
}

func same(t *testing.T, got, want *onnx.Tensor) {
	t.Helper()
	if got.Type != want.Type || !cmp.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Raw, want.Raw) || !cmp.Equal(got.Strings, want.Strings) {
		t.Errorf("got %v %v %v %q, want %v %v %v %q", got.Type, got.Shape, got.Raw, got.Strings, want.Type, want.Shape, want.Raw, want.Strings)
	}
}

func TestReadNPY(t *testing.T) {
	f32 := onnx.Of([]int{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	var bigFortran []byte
	for _, v := range []float32{1, 4, 2, 5, 3, 6} {
		bigFortran = binary.BigEndian.AppendUint32(bigFortran, math.Float32bits(v))
	}
	var bigComplex []byte
	for _, v := range []float32{1, -2} {
		bigComplex = binary.BigEndian.AppendUint32(bigComplex, math.Float32bits(v))
	}
	v2 := append([]byte(magic), 2, 0)
	v2 = binary.LittleEndian.AppendUint32(v2, uint32(len(dict("|u1", "False", "(2,)"))))
	v2 = append(append(v2, dict("|u1", "False", "(2,)")...), 7, 8)
	v3 := bytes.Clone(v2)
	v3[6] = 3
	for _, c := range []struct {
		name string
		in   []byte
		want *onnx.Tensor
	}{
		{"float32", file(dict("<f4", "False", "(2, 3)"), f32.Raw...), f32},
		{"big-endian, Fortran order", file(dict(">f4", "True", "(2, 3)"), bigFortran...), f32},
		{"keys in another order, long sizes", file("{\"shape\": (2L,3L), 'descr':'=f4','fortran_order':False}", f32.Raw...), f32},
		{"scalar", file(dict("<i8", "False", "()"), 5, 0, 0, 0, 0, 0, 0, 0), onnx.Of([]int{}, []int64{5})},
		{"big int16", file(dict(">i2", "False", "(2,)"), 1, 2, 255, 254), onnx.Of([]int{2}, []int16{258, -2})},
		{"big float64", file(dict(">f8", "False", "(1,)"), 0x3f, 0xf8, 0, 0, 0, 0, 0, 0), onnx.Of([]int{1}, []float64{1.5})},
		{"half", file(dict("<f2", "False", "(1,)"), 0, 0x3c), onnx.Of([]int{1}, []onnx.Float16Bits{0x3c00})},
		{"bool", file(dict("|b1", "False", "(2,)"), 1, 0), onnx.Of([]int{2}, []bool{true, false})},
		{"big complex", file(dict(">c8", "False", "(1,)"), bigComplex...), onnx.Of([]int{1}, []complex64{complex(1, -2)})},
		{"empty", file(dict("<f4", "False", "(0, 4)")), onnx.Of([]int{0, 4}, []float32{})},
		{"empty, Fortran order", file(dict("<f4", "True", "(0, 4)")), onnx.Of([]int{0, 4}, []float32{})},
		{"unicode", file(dict("<U2", "False", "(2,)"), 'a', 0, 0, 0, 0, 0, 0, 0, 0xe9, 0, 0, 0, 'b', 0, 0, 0),
			&onnx.Tensor{Type: onnx.String, Shape: []int{2}, Strings: []string{"a", "éb"}}},
		{"big-endian unicode", file(dict(">U1", "False", "(1,)"), 0, 0, 0, 'a'),
			&onnx.Tensor{Type: onnx.String, Shape: []int{1}, Strings: []string{"a"}}},
		{"bytes, Fortran order", file(dict("|S2", "True", "(2, 2)"), []byte("a\x00bbc\x00dd")...),
			&onnx.Tensor{Type: onnx.String, Shape: []int{2, 2}, Strings: []string{"a", "c", "bb", "dd"}}},
		{"strings of no width", file(dict("<U0", "False", "(3,)")),
			&onnx.Tensor{Type: onnx.String, Shape: []int{3}, Strings: []string{"", "", ""}}},
		{"version 2", v2, onnx.Of([]int{2}, []uint8{7, 8})},
		{"version 3", v3, onnx.Of([]int{2}, []uint8{7, 8})},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadNPY(bytes.NewReader(c.in), int64(len(c.in)))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, c.want)
		})
	}
}

func TestReadNPYRefuses(t *testing.T) {
	long := append([]byte(magic), 2, 0, 255, 255, 255, 255)
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, "unexpected EOF"},
		{"text", []byte("hello, world"), "not an npy file"},
		{"version 9", append([]byte(magic), 9, 0), "format 9.0"},
		{"no length", append([]byte(magic), 1, 0), "unexpected EOF"},
		{"header of 4 GiB", long, "want at most"},
		{"cut header", file(dict("<f4", "False", "(2,)"))[:40], "unexpected EOF"},
		{"object", file(dict("|O", "False", "(2,)")), "pickles"},
		{"records", file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"), "records"},
		{"datetime", file(dict("<M8[s]", "False", "(2,)")), "not supported"},
		{"nothing for a type", file(dict("", "False", "(2,)")), "not supported"},
		{"huge shape", file(dict("<f4", "False", "(1000000000, 1000)")), "the file has 0"},
		{"overflow", file(dict("<f4", "False", "(4611686018427387904, 4611686018427387904)")), "not possible"},
		{"negative", file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), "want a size"},
		{"empty strings without end", file(dict("<U0", "False", "(1000000000,)")), "too many empty strings"},
		{"cut data", file(dict("<f4", "False", "(2,)"), 1, 2, 3), "needs 8 bytes, the file has 3"},
		{"no dictionary", file("[]"), "dictionary"},
		{"unfinished dictionary", file("{'descr': '<f4'"), "quoted"},
		{"no colon", file("{'descr' '<f4'}"), "want :"},
		{"unknown key", file("{'size': 3}"), "unknown key"},
		{"twice", file("{'descr': '<f4', 'descr': '<f4'}"), "twice"},
		{"missing", file("{'descr': '<f4'}"), "missing"},
		{"order", file("{'fortran_order': Maybe}"), "Maybe"},
		{"no tuple", file("{'shape': 3}"), "tuple"},
		{"unfinished tuple", file("{'shape': (3"), "want , or )"},
		{"unquoted type", file("{'descr': f4}"), "quoted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadNPY(bytes.NewReader(c.in), int64(len(c.in)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

// numbers are tensors of every type that NumPy has.
func numbers() []*onnx.Tensor {
	named := func(name string, t *onnx.Tensor) *onnx.Tensor { t.Name = name; return t }
	return []*onnx.Tensor{
		named("float32", onnx.Of([]int{2, 2}, []float32{1, -2, float32(math.Inf(1)), 0.5})),
		named("float64", onnx.Of([]int{2}, []float64{1, math.Pi})),
		named("float16", onnx.Of([]int{1}, []onnx.Float16Bits{0x3e00})),
		named("int8", onnx.Of([]int{2}, []int8{1, -2})),
		named("int16", onnx.Of([]int{2}, []int16{1, -300})),
		named("int32", onnx.Of([]int{2}, []int32{1, -70000})),
		named("int64", onnx.Of([]int{}, []int64{-1 << 40})),
		named("uint8", onnx.Of([]int{1, 1, 1}, []uint8{200})),
		named("uint16", onnx.Of([]int{1}, []uint16{60000})),
		named("uint32", onnx.Of([]int{1}, []uint32{1 << 31})),
		named("uint64", onnx.Of([]int{1}, []uint64{1 << 63})),
		named("bool", onnx.Of([]int{2}, []bool{true, false})),
		named("complex64", onnx.Of([]int{1}, []complex64{complex(1, 2)})),
		named("complex128", onnx.Of([]int{1}, []complex128{complex(3, -4)})),
		named("empty", onnx.Of([]int{0, 3}, []float32{})),
		{Name: "str", Type: onnx.String, Shape: []int{3}, Strings: []string{"", "a,\"b\"\n", "日本𝄞"}},
	}
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "all.npz")
	var buf bytes.Buffer
	w := NewWriter(&buf)
	for _, x := range numbers() {
		if err := w.Add(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(numbers()) {
		t.Fatalf("%d arrays, want %d", len(all), len(numbers()))
	}
	for _, want := range numbers() {
		same(t, Find(all, want.Name), want)

		var one bytes.Buffer
		if err := WriteNPY(&one, want); err != nil {
			t.Fatal(err)
		}
		single := filepath.Join(dir, want.Name+".npy")
		if err := os.WriteFile(single, one.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFile(single)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got[0], want)
		if got[0].Name != want.Name {
			t.Errorf("name %q, want %q", got[0].Name, want.Name)
		}
	}
	if Find(all, "nothing") != nil {
		t.Error("found an array that is not there")
	}
}

func TestWidened(t *testing.T) {
	for _, c := range []struct{ in, want *onnx.Tensor }{
		{onnx.Of([]int{2}, []onnx.BFloat16Bits{0x3fc0, 0xc000}), onnx.Of([]int{2}, []float32{1.5, -2})},
		{&onnx.Tensor{Type: onnx.Int4, Shape: []int{3}, Raw: []byte{0xf1, 0x07}}, onnx.Of([]int{3}, []int8{1, -1, 7})},
		{&onnx.Tensor{Type: onnx.Uint4, Shape: []int{3}, Raw: []byte{0xf1, 0x07}}, onnx.Of([]int{3}, []uint8{1, 15, 7})},
		{&onnx.Tensor{Type: onnx.Int2, Shape: []int{4}, Raw: []byte{0b11_10_01_00}}, onnx.Of([]int{4}, []int8{0, 1, -2, -1})},
		{&onnx.Tensor{Type: onnx.Uint2, Shape: []int{4}, Raw: []byte{0b11_10_01_00}}, onnx.Of([]int{4}, []uint8{0, 1, 2, 3})},
	} {
		var buf bytes.Buffer
		if err := WriteNPY(&buf, c.in); err != nil {
			t.Fatal(err)
		}
		got, err := ReadNPY(&buf, int64(buf.Len()))
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, c.want)
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, c := range []struct {
		in   *onnx.Tensor
		want string
	}{
		{&onnx.Tensor{Name: "x", Type: onnx.Float8E5M2, Shape: []int{1}, Raw: []byte{0}}, "no type for float8e5m2"},
		{&onnx.Tensor{Name: "x", Type: onnx.Float, Shape: []int{2}, Raw: []byte{0}}, "needs 8 bytes, there are 1"},
		{&onnx.Tensor{Name: "x", Type: onnx.String, Shape: []int{2}}, "does not hold 0 strings"},
		{&onnx.Tensor{Type: onnx.Float, Shape: []int{0}}, "needs a name"},
	} {
		err := NewWriter(&bytes.Buffer{}).Add(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
	}
}

// archive makes a zip file of one member.
func archive(t *testing.T, name string, method uint16, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	m, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestReadRefuses(t *testing.T) {
	one := file(dict("|u1", "False", "(1,)"), 7)
	var twice bytes.Buffer
	w := NewWriter(&twice)
	for range 2 {
		if err := w.Add(&onnx.Tensor{Name: "x", Type: onnx.Uint8, Shape: []int{1}, Raw: []byte{7}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// claim finds the directory's entry and changes a size in it.
	claim := func(b []byte, offset int, size uint32) []byte {
		b = bytes.Clone(b)
		at := bytes.LastIndex(b, []byte("PK\x01\x02"))
		binary.LittleEndian.PutUint32(b[at+offset:], size)
		return b
	}
	// A deflated member of more than 1 MiB, to see the buffer grow.
	large := archive(t, "x.npy", zip.Deflate, file(dict("|u1", "False", "(3000000,)"), make([]byte, 3000000)...))
	if all, err := Read(bytes.NewReader(large), int64(len(large))); err != nil || len(all[0].Raw) != 3000000 {
		t.Errorf("deflated member: %v", err)
	}
	short := archive(t, "x.npy", zip.Deflate, file(dict("|u1", "False", "(3000000,)"), 1))
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"not an archive", []byte("PK\x03\x04 no"), "npz"},
		{"another file", archive(t, "x.txt", zip.Store, one), "not an npy file"},
		{"same name", twice.Bytes(), "two arrays"},
		{"rest", archive(t, "x.npy", zip.Store, append(bytes.Clone(one), 1)), "1 bytes follow"},
		{"too much claimed", claim(archive(t, "x.npy", zip.Store, one), 20, 1<<30), "of a file of"},
		{"stored in two sizes", claim(archive(t, "x.npy", zip.Store, one), 24, 1<<30), "sizes differ"},
		{"expands", claim(short, 24, 0xfffffffe), "unexpected EOF"},
		{"other method", claim(archive(t, "x.npy", zip.Deflate, one), 10, 99), "npz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(c.in), int64(len(c.in)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestReadFileRefuses(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.npz")
	if err := os.WriteFile(bad, []byte("PK\x05\x06"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "text.npy")
	if err := os.WriteFile(text, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, text, dir, filepath.Join(dir, "none.npy")} {
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got error %v, want one that names the file", path, err)
		}
	}
}

// TestNpyio lets another implementation read what is written here, and reads what it writes.
func TestNpyio(t *testing.T) {
	var buf bytes.Buffer
	if err := WriteNPY(&buf, onnx.Of([]int{3}, []float32{1, 2, 3})); err != nil {
		t.Fatal(err)
	}
	if buf.Len() != 128+12 {
		t.Errorf("header and data take %d bytes, want 140: NumPy aligns the data to 64", buf.Len())
	}
	var got []float32
	if err := npy.Read(&buf, &got); err != nil || !cmp.Equal(got, []float32{1, 2, 3}) {
		t.Errorf("npyio reads %v, %v", got, err)
	}
	buf.Reset()
	if err := npy.Write(&buf, []int64{4, -5}); err != nil {
		t.Fatal(err)
	}
	x, err := ReadNPY(&buf, int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	same(t, x, onnx.Of([]int{2}, []int64{4, -5}))
}

// TestNumPy lets NumPy load an archive of every type, save it again in its own way and in Fortran order, and compares.
func TestNumPy(t *testing.T) {
	python := reftest.Python(t, "numpy")
	dir := t.TempDir()
	var buf bytes.Buffer
	w := NewWriter(&buf)
	for _, x := range numbers() {
		if err := w.Add(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	in, out := filepath.Join(dir, "in.npz"), filepath.Join(dir, "out.npz")
	if err := os.WriteFile(in, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", `
import io, sys, zipfile, numpy as np
z = np.load(sys.argv[1])
for k in z.files:
    b = io.BytesIO(); np.lib.format.write_array(b, z[k], version=(1, 0))
    assert b.getvalue() == zipfile.ZipFile(sys.argv[1]).read(k + ".npy"), k
np.savez_compressed(sys.argv[2], **{k: np.asfortranarray(z[k].astype(z[k].dtype.newbyteorder(">"))) if z[k].ndim else z[k] for k in z.files})
`, in, out)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	all, err := ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range numbers() {
		same(t, Find(all, want.Name), want)
	}
}

func FuzzReadNPY(f *testing.F) {
	f.Add(file(dict("<f4", "True", "(2, 3)"), make([]byte, 24)...))
	f.Add(file(dict(">U3", "False", "(1,)"), make([]byte, 12)...))
	f.Add(file(dict("|S0", "False", "(7, 0)")))
	f.Fuzz(func(t *testing.T, in []byte) {
		reftest.Fuzzed(len(in))
		x, err := ReadNPY(bytes.NewReader(in), int64(len(in)))
		if err != nil {
			return
		}
		var buf bytes.Buffer
		if err := WriteNPY(&buf, x); err != nil {
			t.Fatal(err)
		}
		again, err := ReadNPY(&buf, int64(buf.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if x.Type != onnx.String {
			same(t, again, x)
		}
	})
}

func FuzzRead(f *testing.F) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	for _, x := range numbers()[:3] {
		if err := w.Add(x); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Fuzz(func(t *testing.T, in []byte) {
		reftest.Fuzzed(len(in))
		all, err := Read(bytes.NewReader(in), int64(len(in)))
		if err != nil {
			return
		}
		for _, x := range all {
			if err := WriteNPY(&bytes.Buffer{}, x); err != nil {
				t.Fatal(err)
			}
		}
	})
}
