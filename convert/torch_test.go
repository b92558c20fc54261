package convert

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func repeat(p *pk, s string, n int) *pk { return p.raw(strings.Repeat(s, n)) }

// plainPickle is a pickle of a dictionary with the value that add pushes.
func plainPickle(add func(p *pk)) []byte {
	p := newPickle().raw("}(").str("w")
	add(p)
	return p.raw("u.").Bytes()
}

// A pickle is data. Whatever else it asks for is refused by name, in little memory (case 35).
func TestTorchRefusesCode(t *testing.T) {
	zipped := func(pickle []byte) []byte {
		return zipOf(t, entry{"archive/data.pkl", pickle}, entry{"archive/data/0", floats(1, 2, 3, 4)})
	}
	of := func(add func(p *pk)) []byte { return zipped(plainPickle(add)) }
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"posix system", of(func(p *pk) { p.global("posix", "system").raw("(").str("echo hi").raw("tR") }), `"system" of module "posix"`},
		{"builtins eval", of(func(p *pk) { p.global("builtins", "eval").raw("(").str("1").raw("tR") }), `"eval" of module "builtins"`},
		{"torch.hub load", of(func(p *pk) { p.str("torch.hub").str("load").raw("\x93") }), `"load" of module "torch.hub"`},
		{"torch.load", of(func(p *pk) { p.global("torch", "load") }), `"load" of module "torch"`},
		{"a storage's method", of(func(p *pk) { p.global("torch.storage", "_load_from_bytes") }), `"_load_from_bytes" of module "torch.storage"`},
		{"name of numbers", of(func(p *pk) { p.num(1).num(2).raw("\x93") }), "a name is made of a integer"},
		{"BUILD of a tensor", of(func(p *pk) { p.view("FloatStorage", "0", 4, 0, []int{2, 2}, []int{2, 1}).raw("}b") }), "only dictionaries have a state"},
		{"BUILD of a name", of(func(p *pk) { p.global("torch", "FloatStorage").raw("}b") }), "sets the state of a torch.FloatStorage"},
		{"BUILD with a number", of(func(p *pk) { p.raw("}").num(1).raw("b") }), "only dictionaries have a state"},
		{"SETITEMS of a tuple", of(func(p *pk) { p.raw(")(").str("k").num(1).raw("u") }), "sets items of a tuple"},
		{"SETITEM of a list", of(func(p *pk) { p.raw("]").str("k").num(1).raw("s") }), "sets items of a list"},
		{"APPEND to a dictionary", of(func(p *pk) { p.raw("}").num(1).raw("a") }), "appends to a dictionary"},
		{"memo never set", of(func(p *pk) { p.raw("h\x07") }), "value 7 of the memo was never set"},
		{"10 000 tuples in each other", of(func(p *pk) { repeat(p.raw(")"), "\x85", 10_000) }), "nested more than 100 deep"},
		{"lists in each other", of(func(p *pk) { repeat(repeat(p, "]", 500), "a", 499) }), "nested more than 100 deep"},
		{"LONG4 of 2^31-1 bytes", of(func(p *pk) { p.raw("\x8b\xff\xff\xff\x7f") }), "2147483647 bytes are announced"},
		{"BINUNICODE8 of 2^62 bytes", of(func(p *pk) { p.raw("\x8d\x00\x00\x00\x00\x00\x00\x00\x40") }), "4611686018427387904 bytes are announced"},
		{"FRAME of 2^62 bytes", of(func(p *pk) { p.raw("\x95\x00\x00\x00\x00\x00\x00\x00\x40") }), "a frame of 4611686018427387904 bytes"},
		{"million of values", of(func(p *pk) { repeat(p, "}", 1<<20+1) }), "more than 1048576 values"},
		{"million of marks", of(func(p *pk) { repeat(p, "(", 1<<20+1) }), "more than 1048576 values"},
		{"an opcode that is not used", of(func(p *pk) { p.raw("\x8f") }), "opcode 0x8f"},
		{"REDUCE of a string", of(func(p *pk) { p.str("x").raw(")R") }), "calls a string"},
		{"REDUCE with a list", of(func(p *pk) { p.global("collections", "OrderedDict").raw("]R") }), "with a list: want a tuple"},
		{"calls a type", of(func(p *pk) { p.global("torch", "float32").raw(")R") }), "this is not called"},
		{"dictionary of a number", of(func(p *pk) { p.global("collections", "OrderedDict").raw("(").num(1).raw("tR") }), "want a list of pairs"},
		{"dictionary of triples", of(func(p *pk) { p.global("collections", "OrderedDict").raw("(](").tuple(1, 2, 3).raw("etR") }), "want a list of pairs"},
		{"key that is a list", of(func(p *pk) { p.raw("}]").num(1).raw("s") }), "a dictionary's key is a list"},
		{"key without value", of(func(p *pk) { p.raw("}(").num(1).raw("u") }), "a key without value"},
		{"tensor of nothing", of(func(p *pk) { p.global("torch._utils", "_rebuild_tensor_v2").raw(")R") }), "0 arguments"},
		{"tensor of numbers", of(func(p *pk) {
			p.global("torch._utils", "_rebuild_tensor_v2").raw("(").num(1).num(1).num(1).num(1).raw("tR")
		}), "a tensor without storage"},
		{"parameter of a number", of(func(p *pk) { p.global("torch._utils", "_rebuild_parameter").raw("(").num(1).raw("tR") }), "a parameter that is no tensor"},
		{"parameter of nothing", of(func(p *pk) { p.global("torch._utils", "_rebuild_parameter").raw(")R") }), "no arguments"},
		{"size of nothing", of(func(p *pk) { p.global("torch", "Size").raw(")R") }), "0 arguments"},
		{"v3 of nothing", of(func(p *pk) { p.global("torch._utils", "_rebuild_tensor_v3").raw(")R") }), "0 arguments"},
		{"v3 without type", of(func(p *pk) {
			p.global("torch._utils", "_rebuild_tensor_v3").raw("(").store("UntypedStorage", "0", 16).num(0).tuple(1).tuple(1).raw("\x89NNNtR")
		}), "the type is missing"},
		{"untyped, v2", of(func(p *pk) { p.view("UntypedStorage", "0", 16, 0, []int{1}, []int{1}) }), "a tensor without type"},
		{"storage larger than the member", of(func(p *pk) { p.view("FloatStorage", "0", 5, 0, []int{5}, []int{1}) }), "5 elements of float32 are declared, the archive has 16 bytes"},
		{"storage of 2^31 doubles", of(func(p *pk) { p.view("DoubleStorage", "0", 1<<31-1, 0, []int{5}, []int{1}) }), "the archive has 16 bytes"},
		{"storage of -1", of(func(p *pk) { p.view("FloatStorage", "0", -1, 0, []int{5}, []int{1}) }), "the archive has 16 bytes"},
		{"storage that is not there", of(func(p *pk) { p.view("FloatStorage", "../0", 4, 0, []int{4}, []int{1}) }), `storage "../0" is not in the archive`},
		{"shape beyond the storage", of(func(p *pk) { p.view("FloatStorage", "0", 4, 0, []int{5}, []int{1}) }), "does not fit a storage of 4 elements"},
		{"strides beyond the storage", of(func(p *pk) { p.view("FloatStorage", "0", 4, 0, []int{2, 2}, []int{3, 1}) }), "does not fit a storage of 4 elements"},
		{"offset beyond the storage", of(func(p *pk) { p.view("FloatStorage", "0", 4, 3, []int{2}, []int{1}) }), "does not fit a storage of 4 elements"},
		{"empty, offset beyond the storage", of(func(p *pk) { p.view("FloatStorage", "0", 4, 5, []int{0}, []int{1}) }), "does not fit a storage of 4 elements"},
		{"negative offset", of(func(p *pk) { p.view("FloatStorage", "0", 4, -1, []int{2}, []int{1}) }), "offset -1"},
		{"negative size", of(func(p *pk) { p.view("FloatStorage", "0", 4, 0, []int{-2}, []int{1}) }), "shape [-2]"},
		{"negative stride", of(func(p *pk) { p.view("FloatStorage", "0", 4, 3, []int{2}, []int{-1}) }), "strides [-1]"},
		{"sizes that overflow", of(func(p *pk) {
			p.view("FloatStorage", "0", 4, 0, []int{1 << 30, 1 << 30, 1 << 30}, []int{1 << 30, 1 << 30, 1 << 30})
		}), "does not fit a storage"},
		{"shape that overflows, without strides", of(func(p *pk) { p.view("FloatStorage", "0", 4, 0, []int{1 << 30, 1 << 30, 1 << 30}, []int{0, 0, 0}) }), "is not possible"},
		{"expands without measure", of(func(p *pk) { p.view("FloatStorage", "0", 4, 0, []int{1 << 20, 1 << 10}, []int{0, 0}) }), "take more than 16 times the file's"},
		{"persistent id of a number", of(func(p *pk) { p.num(1).raw("Q") }), "an outside reference"},
		{"persistent id of a module", of(func(p *pk) { p.raw("(").str("module").str("a").str("b").str("c").str("d").raw("tQ") }), `an outside reference to a "module"`},
		{"storage without type", of(func(p *pk) { p.raw("(").str("storage").str("a").str("b").str("c").str("d").raw("tQ") }), "a storage without type"},
		{"a tensor alone", zipped(newPickle().view("FloatStorage", "0", 4, 0, []int{4}, []int{1}).raw(".").Bytes()), "the file holds one tensor"},
		{"a list", zipped(newPickle().raw("].").Bytes()), "the file holds a list"},
		{"a number", zipped(newPickle().num(3).raw(".").Bytes()), "the file holds something else"},
		{"no tensors", of(func(p *pk) { p.num(1) }), "there are no tensors"},
		{"bytes behind", zipped(append(plainPickle(func(p *pk) { p.num(1) }), 'x')), "1 bytes follow the pickle"},
		{"nothing on the stack", zipped(newPickle().raw(".").Bytes()), "the stack is empty"},
		{"pops too much", zipped(newPickle().raw("0.").Bytes()), "the stack is empty"},
		{"no mark", zipped(newPickle().raw("t.").Bytes()), "there is no mark"},
		{"protocol 9", zipped([]byte("\x80\x09N.")), "protocol 9"},
		{"cut short", zipped(newPickle().raw("X\x10\x00\x00\x00ab").Bytes()), "16 bytes are announced, 2 are there"},
		{"empty pickle", zipped(nil), "the data ends in the middle"},
		{"not UTF-8", of(func(p *pk) { p.raw("X\x01\x00\x00\x00\xff") }), "not UTF-8"},

		{"two pickles", zipOf(t, entry{"a/data.pkl", nil}, entry{"b/data.pkl", nil}), "two pickles"},
		{"two members of one name", zipOf(t, entry{"a/data.pkl", nil}, entry{"a/data.pkl", nil}), "two members are named"},
		{"no pickle", zipOf(t, entry{"a/b", nil}), "without data.pkl"},
		{"TorchScript", zipOf(t, entry{"a/data.pkl", nil}, entry{"a/constants.pkl", nil}), "TorchScript"},
		{"big-endian", zipOf(t, entry{"a/data.pkl", nil}, entry{"a/byteorder", []byte("big")}), "only little-endian"},
		{"flags", flagged(t, torchZipOf(t, []string{""}, [][]element{tinyState(4, "")})), "encrypted or patched"},
		{"tar", tarOf(t), "a tar archive"},
		{"another pickle", []byte("\x80\x02}."), "not one that torch.save wrote"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, "w.pth", c.file)
			var err error
			got := allocated(func() { _, err = ReadTorch(path) })
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want %q and the file", err, c.want)
			}
			// A million of values take 64 MB at most, the rest next to nothing.
			if limit := uint64(4<<20 + 200*len(c.file)); got > limit {
				t.Errorf("%d bytes were allocated for a file of %d", got, len(c.file))
			}
		})
	}
}

// flagged sets the flag of encryption of every member, in the directory and before the data.
func flagged(t *testing.T, file []byte) []byte {
	t.Helper()
	for sig, at := range map[string]int{"PK\x03\x04": 6, "PK\x01\x02": 8} {
		for i := 0; ; {
			k := bytes.Index(file[i:], []byte(sig))
			if k < 0 {
				break
			}
			i += k
			file[i+at] |= 1
			i += 4
		}
	}
	return file
}

func tarOf(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "storages", Size: 3, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.Bytes()
}

// legacy is a file of the older format: pickles, then storages.
func legacy(object *pk, keys string, storages ...[]byte) []byte {
	var b bytes.Buffer
	b.Write(legacyStart)
	b.WriteString(".\x80\x02M\xe9\x03.")
	b.Write(newPickle().raw("}(").str("protocol_version").num(1001).str("little_endian").raw("\x88u.").Bytes())
	b.Write(object.raw(".").Bytes())
	p := newPickle().raw("](")
	for _, k := range keys {
		p.str(string(k))
	}
	b.Write(p.raw("e.").Bytes())
	for _, s := range storages {
		_ = binary.Write(&b, binary.LittleEndian, uint64(len(s)/4))
		b.Write(s)
	}
	return b.Bytes()
}

// dictOf is a dictionary with tensors of the older format: each looks at storage a, the second at a part of it.
func legacyDict(count int, view []int) *pk {
	p := newPickle().raw("}(").str("w").global("torch._utils", "_rebuild_tensor_v2").raw("(")
	p.raw("(").str("storage").global("torch", "FloatStorage").str("a").str("cpu").num(count)
	if view == nil {
		p.raw("N")
	} else {
		p.raw("(").str("v")
		for _, n := range view {
			p.num(n)
		}
		p.raw("t")
	}
	p.raw("tQ").num(0).tuple(2).tuple(1).raw("\x89}tR")
	return p.raw("u")
}

func TestTorchLegacy(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want []float32
		err  string
	}{
		{"whole", legacy(legacyDict(4, nil), "a", floats(1, 2, 3, 4)), []float32{1, 2}, ""},
		{"part", legacy(legacyDict(4, []int{1, 3}), "a", floats(1, 2, 3, 4)), []float32{2, 3}, ""},
		{"part beyond the end", legacy(legacyDict(4, []int{2, 3}), "a", floats(1, 2, 3, 4)), nil, "a view beyond its 4 elements"},
		{"part of three numbers", legacy(legacyDict(4, []int{2, 3, 4}), "a", floats(1, 2, 3, 4)), nil, "a view that is not three values"},
		{"too few bytes", legacy(legacyDict(4, nil), "a", floats(1, 2, 3)), nil, `storage "a": 4 elements of float32 are declared, 3 are announced`},
		{"declared beyond the file", legacy(legacyDict(1<<30, nil), "a", floats(1, 2, 3)), nil, "1073741824 elements of float32 are declared"},
		{"storage missing", legacy(legacyDict(4, nil), "", floats(1, 2, 3, 4)), nil, `storage "a" is not in the file`},
		{"storage twice", legacy(legacyDict(4, nil), "aa", floats(1, 2, 3, 4), floats(1, 2, 3, 4)), nil, "which no tensor uses, or twice"},
		{"storage unknown", legacy(legacyDict(4, nil), "ab", floats(1, 2, 3, 4), nil), nil, "which no tensor uses"},
		{"nothing behind", legacy(legacyDict(4, nil), "a"), nil, `the file ends before storage "a"`},
		{"code", legacy(newPickle().global("os", "system"), ""), nil, `"system" of module "os"`},
		{"storage in front", append(bytes.Clone(legacyStart), ".\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00aX\x01\x00\x00\x00cK\x01tQ."...), nil, "a storage where none belongs"},
		{"other version", append(bytes.Clone(legacyStart), ".\x80\x02K\x07."...), nil, "version 7"},
		{"cut short", legacyStart, nil, "the data ends"},
	} {
		w, err := ReadWeights(write(t, "w.pth", c.file))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		x, err := w.Find("w").Load()
		if err != nil || !reflect.DeepEqual(x.Float32s(), c.want) {
			t.Errorf("%s: %v, %v", c.name, x, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Storages that tensors share are not copied; views that are not contiguous are brought into order.
func TestTorchViews(t *testing.T) {
	p := newPickle().raw("}(")
	view := func(name string, offset int, shape, stride []int) {
		p.str(name).view("FloatStorage", "0", 6, offset, shape, stride)
	}
	view("all", 0, []int{2, 3}, []int{3, 1})
	view("transposed", 0, []int{3, 2}, []int{1, 3})
	view("row", 3, []int{3}, []int{1})
	view("column", 1, []int{2}, []int{3})
	view("expanded", 5, []int{2, 2}, []int{0, 0})
	view("scalar", 2, []int{}, []int{})
	view("empty", 6, []int{0, 2}, []int{2, 1})
	view("ones", 4, []int{1, 2, 1}, []int{9, 1, 7})
	p.str("typed").global("torch._utils", "_rebuild_tensor_v3").raw("(").store("UntypedStorage", "0", 24).num(1).tuple(2).tuple(1).raw("\x89N").global("torch", "float32").raw("}tR")
	p.str("parameter").global("torch._utils", "_rebuild_parameter").raw("(").view("FloatStorage", "0", 6, 0, []int{1}, []int{1}).raw("\x88NtR")
	file := zipOf(t, entry{"m/data.pkl", p.raw("u.").Bytes()}, entry{"m/data/0", floats(0, 1, 2, 3, 4, 5)}, entry{"m/byteorder", []byte("little")}, entry{"m/version", []byte("3\n")})
	w, err := ReadTorch(write(t, "w.pth", file))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for name, want := range map[string][]float32{
		"all": {0, 1, 2, 3, 4, 5}, "transposed": {0, 3, 1, 4, 2, 5}, "row": {3, 4, 5}, "column": {1, 4}, "expanded": {5, 5, 5, 5},
		"scalar": {2}, "empty": {}, "ones": {4, 5}, "typed": {1, 2}, "parameter": {0},
	} {
		x, err := w.Find(name).Load()
		if err != nil || !reflect.DeepEqual(x.Float32s(), want) {
			t.Errorf("%s: %v, %v; want %v", name, x, err, want)
		}
	}
	if n := allocated(func() { w.Find("all").Load() }); n > 4096 {
		t.Errorf("a whole storage is copied: %d bytes", n)
	}
}

// A damaged storage is noticed when it is read.
func TestTorchChecksum(t *testing.T) {
	file := torchZipOf(t, []string{""}, [][]element{tinyState(4, "")})
	at := bytes.Index(file, floats(0.25, 3))
	file[at] ^= 1
	w, err := ReadTorch(write(t, "w.pth", file))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Find("conv.bias").Load(); err == nil || !strings.Contains(err.Error(), "the checksum is wrong") {
		t.Error(err)
	}
	if _, err := Fill(tinyNet(4), w, FillOptions{}); err == nil || !strings.Contains(err.Error(), "the checksum is wrong") {
		t.Error(err)
	}
}

// What PyTorch writes is read as it is, in both formats and the protocols of pickle.
func TestTorchWritten(t *testing.T) {
	python := reftest.Python(t, "torch", "numpy")
	dir := t.TempDir()
	if out, err := exec.Command(python, filepath.Join("testdata", "checkpoints.py"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := npz.ReadFile(filepath.Join(dir, "want.npz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"zip.pth", "zip4.pth", "old.pth"} {
		w, err := ReadWeights(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, x := range want {
			got := w.Find("state_dict." + x.Name)
			if got == nil {
				t.Errorf("%s: %s is missing", file, x.Name)
				continue
			}
			y, err := got.Load()
			if err != nil || !reflect.DeepEqual(append([]int{}, y.Shape...), append([]int{}, x.Shape...)) {
				t.Errorf("%s: %s: %v, want shape %v", file, x.Name, err, x.Shape)
				continue
			}
			if x.Name == "bfloat16" { // NumPy has no such type: the script wrote float32
				for i, v := range onnx.Data[onnx.BFloat16Bits](y) {
					if v.Float32() != x.Float32s()[i] {
						t.Errorf("%s: bfloat16[%d] is %v, want %v", file, i, v.Float32(), x.Float32s()[i])
					}
				}
				continue
			}
			if y.Type != x.Type || !bytes.Equal(y.Raw, x.Raw) {
				t.Errorf("%s: %s (%v) differs", file, x.Name, y.Type)
			}
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := ReadTorch(filepath.Join(dir, "module.pth")); err == nil || !strings.Contains(err.Error(), `"Sequential" of module "torch.nn.modules.container"`) {
		t.Error(err)
	}
	if _, err := ReadTorch(filepath.Join(dir, "script.pth")); err == nil || !strings.Contains(err.Error(), "TorchScript") {
		t.Error(err)
	}
}

// What a zip archive may hold (case 37).
func TestTorchZipBombs(t *testing.T) {
	state := torchZipOf(t, []string{""}, [][]element{tinyState(4, "")})
	deflated := func(n int) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, _ := z.Create("a/data.pkl")
		chunk := make([]byte, 1<<20)
		for range n {
			if _, err := w.Write(chunk); err != nil {
				t.Fatal(err)
			}
		}
		z.Close()
		return b.Bytes()
	}
	empty := make([]entry, 40_000)
	for i := range empty {
		empty[i].name = "a/" + string(rune('a'+i/40)) + string(rune('a'+i%40))
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"up and out", zipOf(t, entry{"../evil", nil}), "leads out of the archive"},
		{"absolute", zipOf(t, entry{"/abs", nil}), "leads out of the archive"},
		{"through a folder", zipOf(t, entry{"a/../../evil", nil}), "leads out of the archive"},
		{"backslash", zipOf(t, entry{`a\..\evil`, nil}), "leads out of the archive"},
		{"much of zeros", deflated(256), "claims to expand"},
		{"many members", zipOf(t, empty...), "40000 members, more than 32768"},
		{"cut short", state[:len(state)/2], "zip"},
	} {
		path := write(t, "w.pth", c.file)
		var err error
		got := allocated(func() { _, err = ReadTorch(path) })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if got > 1<<20+24*uint64(len(c.file)) {
			t.Errorf("%s: %d bytes were allocated", c.name, got)
		}
	}
}
