package hdf5

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// entry is what h5py says of a dataset or an attribute.
type entry struct {
	Shape  []int
	Values []any
}

// values returns the elements of data as JSON has them.
func values(d Data) []any {
	all := []any{}
	for _, s := range d.Strings {
		all = append(all, s)
	}
	for b := d.Raw; len(b) > 0; b = b[d.Type.Size:] {
		u := uint64(0)
		for i := d.Type.Size - 1; i >= 0; i-- {
			u = u<<8 | uint64(b[i])
		}
		shift := 64 - 8*d.Type.Size
		v := 0.0
		switch {
		case d.Type.Kind == Int:
			v = float64(int64(u<<shift) >> shift)
		case d.Type.Kind == Uint:
			v = float64(u)
		case d.Type.Size == 2:
			v = half(uint16(u))
		case d.Type.Size == 4:
			v = float64(math.Float32frombits(uint32(u)))
		case d.Type.Size == 8:
			v = math.Float64frombits(u)
		}
		all = append(all, v)
	}
	return all
}

func half(h uint16) float64 {
	e, m := int(h>>10&31), float64(h&1023)/1024
	v := math.Ldexp(1+m, e-15)
	if e == 0 {
		v = math.Ldexp(m, -14)
	}
	if h>>15 != 0 {
		return -v
	}
	return v
}

// lookup reads what expect.json calls path: a dataset, or an attribute behind an @.
func lookup(root *Object, path string) (Data, error) {
	name, attr, isAttr := strings.Cut(path, "@")
	o, err := root.Open(name)
	if err != nil {
		return Data{}, err
	}
	if isAttr {
		return o.Attr(attr)
	}
	return o.Read()
}

func same(t *testing.T, name string, file []byte, want map[string]entry) {
	t.Helper()
	f, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	root, err := f.Root()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	for path, w := range want {
		d, err := lookup(root, path)
		if err != nil {
			t.Errorf("%s %s: %v", name, path, err)
			continue
		}
		for i, v := range w.Values {
			if b, ok := v.(bool); ok {
				w.Values[i] = map[bool]float64{false: 0, true: 1}[b]
			}
		}
		if got := values(d); !slices.Equal(d.Shape, w.Shape) || !slices.Equal(got, w.Values) {
			t.Errorf("%s %s (%v): shape %v, want %v: %v", name, path, d.Type, d.Shape, w.Shape, cmp.Diff(w.Values, got))
		}
	}
	// Every dataset that h5py lists is found by walking, too.
	seen := map[string]bool{}
	if err := root.Walk(func(o *Object) error { seen[o.Path()] = true; return nil }); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for path := range want {
		if !strings.Contains(path, "@") && !seen[path] {
			t.Errorf("%s: Walk does not visit %s", name, path)
		}
	}
}

func expectations(t *testing.T, dir string) map[string]map[string]entry {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]entry{}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// fixture reads one of the files that are kept here.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFixtures(t *testing.T) {
	for name, want := range expectations(t, "testdata") {
		if len(want) < 10 {
			t.Errorf("%s: only %d values", name, len(want))
		}
		same(t, name, fixture(t, name), want)
	}
}

// Every encoding that h5py can write, in each of its versions of the format (case 32).
func TestH5py(t *testing.T) {
	python := reftest.Python(t, "h5py", "numpy")
	dir := t.TempDir()
	if out, err := exec.Command(python, "testdata/make.py", dir, "large").CombinedOutput(); err != nil {
		t.Fatalf("make.py: %v\n%s", err, out)
	}
	for name, want := range expectations(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, data, want)
	}
}

func open(t testing.TB, data []byte) *Object {
	t.Helper()
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	root, err := f.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// Nothing outside the file is read, nothing larger than the file can hold is allocated, and what is not supported is named
// (cases 32 and 37).
func TestRefused(t *testing.T) {
	data := fixture(t, "refused.h5")
	for _, c := range []struct{ path, want string }{
		{"/links/external", `"/links/external": an external link, to the file "/etc/passwd": refused`},
		{"/links/cycle", "they form a cycle"},
		{"/links/dangling", `"/": "nowhere": there is no such object`},
		{"/links/nothing", `"/links": "nothing": there is no such object`},
		{"/fine/below", "this is a dataset"},
		{"/storage", `"/storage": its data lies in other files (external storage): refused`},
		{"/virtual", "virtual dataset): refused"},
		{"/bomb", `"/bomb": a file of`},
		{"/bombs/17", "declares more than 67108864: refused"},
		{"/contiguous", "declares more than 67108864: refused"},
		{"/countless", "have more elements than can be counted"},
		{"/lzf", "filter 32000 (LZF) is not supported: write the file again with gzip"},
		{"/scale", "filter 6 (scale-offset) is not supported"},
		{"/compound", "class compound is not supported"},
		{"/complex", "class compound is not supported"},
		{"/sequences", "sequences of variable length are not supported"},
		{"/links", `"/links": not a dataset`},
		{"/@compound", `"/": attribute "compound": datatype: class compound is not supported`},
		{"/@nothing", `attribute "nothing": there is no such object or attribute`},
		{"/fine", ""},
		{"/zeros", ""},
		{"/@fine", ""},
	} {
		limit := uint64(24 << 20)
		if c.want == "" {
			limit = 64 << 20 // what is there may be read
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := lookup(open(t, data), c.path)
		runtime.ReadMemStats(&after)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > limit {
			t.Errorf("%s: %d bytes were allocated", c.path, n)
		}
		if want := strings.Contains(c.want, "there is no such"); errors.Is(err, ErrNotFound) != want && c.path != "/fine/below" {
			t.Errorf("%s: errors.Is(%v, ErrNotFound) is %v", c.path, err, !want)
		}
	}
}

// Datasets are counted together (case 37).
func TestSum(t *testing.T) {
	root := open(t, fixture(t, "refused.h5"))
	for i, want := range []bool{true, true, true, true, false} {
		_, err := lookup(root, "/sum/"+string(rune('0'+i)))
		if (err == nil) != want {
			t.Errorf("dataset %d of 15 MiB: %v", i, err)
		}
	}
}

func TestWalkRefuses(t *testing.T) {
	root := open(t, fixture(t, "refused.h5"))
	for path, want := range map[string]string{
		"/":       "64 deep in each other, or links form a circle: refused",
		"/circle": "64 deep in each other, or links form a circle: refused",
		"/links":  "they form a cycle",
	} {
		o, err := root.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Walk(func(*Object) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Walk of %s: %v, want %q", path, err, want)
		}
	}
	stop := errors.New("stop")
	o, err := root.Open("/bombs")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Walk(func(*Object) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Walk: %v, want the visitor's error", err)
	}
}

func TestDescribe(t *testing.T) {
	root := open(t, fixture(t, "earliest.h5"))
	for path, want := range map[string]string{
		"types/be_f2": "float16", "types/le_f8": "float64", "types/u1": "uint8", "types/be_i8": "int64", "types/bool": "int8",
		"types/variable": "string", "types/fixed": "string", "hard": "int32",
	} {
		o, err := root.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		typ, err := o.Type()
		if err != nil || typ.String() != want {
			t.Errorf("%s: type %v, %v, want %s", path, typ, err, want)
		}
	}
	o, err := root.Open("chunks/gzip")
	if err != nil {
		t.Fatal(err)
	}
	if shape, err := o.Shape(); err != nil || !slices.Equal(shape, []int{5, 7}) {
		t.Errorf("shape %v, %v", shape, err)
	}
	names, err := root.Attrs()
	if want := []string{"big", "empty", "fixed", "flag", "names", "none", "number", "text", "variable"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("attributes %q, %v, want %q", names, err, want)
	}
	text, err := root.Attr("text")
	if s, ok := text.Text(); !ok || s != "Grüße" {
		t.Errorf("text %q, %v, %v", s, ok, err)
	}
	if names, err := root.Attr("names"); err != nil {
		t.Error(err)
	} else if _, ok := names.Text(); ok {
		t.Error("two strings are one text")
	}
	g, err := root.Open("group")
	if err != nil {
		t.Fatal(err)
	}
	if names, err := g.Names(); err != nil || !slices.Equal(names, []string{"deeper", "relative"}) || !g.IsGroup() {
		t.Errorf("names %q, %v", names, err)
	}
	if names, err := o.Names(); names != nil || err != nil {
		t.Errorf("names of a dataset: %q, %v", names, err)
	}
	if _, err := g.Shape(); err == nil {
		t.Error("a group has a shape")
	}
	if _, err := g.Type(); err == nil {
		t.Error("a group has a type")
	}
}

func TestNotHDF5(t *testing.T) {
	sign := func(rest ...byte) []byte { return append([]byte(signature), append(rest, make([]byte, 100)...)...) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":         {nil, "no signature"},
		"text":            {make([]byte, 5000), "no signature"},
		"version 9":       {sign(9), "superblock version 9"},
		"addresses of 3":  {sign(0, 0, 0, 0, 0, 3, 8), "of 3 bytes"},
		"cut off":         {sign(1, 0, 0, 0, 0, 8, 8)[:40], "cut off"},
		"checksum":        {sign(2, 8, 8), "checksum"},
		"base":            {sign(0, 0, 0, 0, 0, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), "the base address is 1"},
		"cut off, newest": {sign(3, 8, 8)[:30], "cut off"},
		"no checksum":     {sign(3, 8, 8)[:46], "cut off"},
	} {
		if _, err := Open(bytes.NewReader(c.data), int64(len(c.data))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if Is([]byte("PK")) || !Is(sign()) {
		t.Error("Is does not tell HDF5 files from others")
	}
}

// The reader gives what the file holds or an error, whatever the file: reading fails, too.
func TestReaderFails(t *testing.T) {
	data := fixture(t, "earliest.h5")
	if _, err := Open(bytes.NewReader(data[:50]), int64(len(data))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file shorter than it was said to be: %v", err)
	}
}

// readAll reads everything that can be read in a file.
func readAll(f *File) {
	root, err := f.Root()
	if err != nil {
		return
	}
	_ = root.Walk(func(o *Object) error { // what is wrong with it is not asked here
		_, _ = o.Read()
		return nil
	})
	var visit func(o *Object, depth int)
	visit = func(o *Object, depth int) {
		names, _ := o.Attrs()
		for _, n := range names {
			_, _ = o.Attr(n)
		}
		names, _ = o.Names()
		for _, n := range names {
			if in, err := o.Open(n); err == nil && depth < 4 {
				visit(in, depth+1)
			}
		}
	}
	visit(root, 0)
}

// damaged opens a file without looking at checksums, which would keep most damage from being seen.
func damaged(data []byte) *File {
	f := Options{}.file(bytes.NewReader(data), int64(len(data)))
	f.withoutChecksums = true
	if f.superblock() != nil {
		return nil
	}
	f.limit = 1 << 20 // the point is not how fast zeros are written
	return f
}

// No damage makes it panic.
func TestDamaged(t *testing.T) {
	for _, name := range []string{"earliest.h5", "latest.h5", "groups.h5", "refused.h5"} {
		whole := fixture(t, name)
		for n := 0; n < len(whole); n += 1 + len(whole)/60 {
			if f := damaged(whole[:n]); f != nil {
				readAll(f)
			}
		}
		// Each seed damages another set of bytes, those of metadata more often than not.
		state := uint32(1)
		next := func(n int) int {
			state = state*1664525 + 1013904223
			return int(state>>8) % n
		}
		var places []int
		for i, b := range whole {
			if b != 0 {
				places = append(places, i)
			}
		}
		for range 150 {
			data := slices.Clone(whole)
			for range 1 + next(4) {
				data[places[next(len(places))]] = byte(next(256))
			}
			if f := damaged(data); f != nil {
				readAll(f)
			}
		}
	}
}

// Damage is noticed where the format has checksums.
func TestChecksums(t *testing.T) {
	for _, c := range []struct{ file, path, mark, want string }{
		{"latest.h5", "/fixed", "FAHD", "block FAHD: checksum"},
		{"latest.h5", "/fixed", "FADB", "block FADB: checksum"},
		{"latest.h5", "/extensible", "EAHD", "block EAHD: checksum"},
		{"latest.h5", "/extensible", "EAIB", "block EAIB: checksum"},
		{"latest.h5", "/tree", "BTHD", "block BTHD: checksum"},
		{"latest.h5", "/tree", "BTLF", "block BTLF: checksum"},
		{"groups.h5", "/many/n_0001", "FRHP", "block FRHP: checksum"},
		{"groups.h5", "/many/n_0001", "OHDR", "block OHDR: checksum"},
		{"groups.h5", "/many/n_0001", "FHDB", "checksum"},
	} {
		data := fixture(t, c.file)
		marked := 0
		for i := range len(data) - 12 {
			if string(data[i:i+4]) == c.mark {
				data[i+9] ^= 0x40
				marked++
			}
		}
		f, err := Open(bytes.NewReader(data), int64(len(data)))
		if err == nil {
			var root *Object
			if root, err = f.Root(); err == nil {
				_, err = lookup(root, c.path)
			}
		}
		if marked == 0 || err == nil || !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), "is another") {
			t.Errorf("%s damaged: %v, want %q", c.mark, err, c.want)
		}
	}
	data := fixture(t, "earliest.h5")
	at := bytes.Index(data, []byte{0, 37, 74, 10, 47, 84, 20}) // chunks/checksum begins so
	data[at] ^= 1
	if _, err := lookup(open(t, data), "/chunks/checksum"); err == nil || !strings.Contains(err.Error(), "fletcher32 filter: checksum") {
		t.Errorf("a chunk is damaged: %v", err)
	}
}

// The checksum of metadata, with the values that its author publishes.
func TestLookup3(t *testing.T) {
	for text, want := range map[string]uint32{"": 0xdeadbeef, "Four score and seven years ago": 0x17770551} {
		if got := lookup3([]byte(text)); got != want {
			t.Errorf("lookup3(%q) = %08x, want %08x", text, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"earliest.h5", "latest.h5", "groups.h5", "refused.h5"} {
		f.Add(fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		if f := damaged(data); f != nil {
			readAll(f)
		}
	})
}
