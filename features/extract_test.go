package features

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// drain collects a stream: of each row its image's name and first feature, and the names of skipped images.
func drain(t *testing.T, x *Extractor, d *Dataset) (rows, skipped []string) {
	t.Helper()
	for row, err := range x.Rows(context.Background(), d) {
		var s *Skip
		switch {
		case errors.As(err, &s):
			skipped = append(skipped, s.Item.Path)
		case err != nil:
			t.Fatal(err)
		default:
			rows = append(rows, fmt.Sprintf("%s %g", row.Item.Path, row.Features[0]))
		}
	}
	return rows, skipped
}

func TestBatches(t *testing.T) {
	images := []int{10, 20, -1, 40, 50, 60, -1, 80}
	rows := []string{"a.png 10", "b.png 20", "d.png 40", "e.png 50", "f.png 60", "h.png 80"}
	skipped := []string{"c.png", "g.png"}
	for _, c := range []struct {
		name    string
		o       Options
		shape   []int // of the input
		run     func(*onnx.Tensor) (*onnx.Tensor, error)
		batches []int
		warn    string
	}{
		{"batch 4", Options{Batch: 4}, nil, identity, []int{4, 2}, ""},
		{"default batch", Options{}, nil, identity, []int{6}, ""},
		{"batch 1, one worker", Options{Batch: 1, Workers: 1}, nil, identity, []int{1, 1, 1, 1, 1, 1}, ""},
		{"batch 3, eight workers", Options{Batch: 3, Workers: 8}, nil, identity, []int{3, 3}, ""},
		{"case 18: fixed batch of 4", Options{}, []int{4, 3, 4, 4}, identity, []int{4, 4}, "batches of 4"},
		{"case 18: fixed batch of 1", Options{}, []int{1, 3, 4, 4}, identity, []int{1, 1, 1, 1, 1, 1}, "batches of 1"},
		{"case 18: batch of 1 only inside", Options{Batch: 4}, nil, func(x *onnx.Tensor) (*onnx.Tensor, error) {
			if x.Shape[0] > 1 {
				return nil, errors.New("cannot reshape")
			}
			return identity(x)
		}, []int{4, 1, 1, 1, 1, 1, 1}, "one image at a time (cannot reshape)"},
		{"case 18: batch lost inside", Options{Batch: 4, Pool: PoolFlatten}, nil, func(x *onnx.Tensor) (*onnx.Tensor, error) {
			y := x.Clone()
			y.Shape = []int{1, x.Len()}
			return y, nil
		}, []int{4, 1, 1, 1, 1, 1, 1}, "one image at a time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var warnings []string
			var last Progress
			c.o.Warn = func(s string) { warnings = append(warnings, s) }
			c.o.Progress = func(p Progress) { last = p }
			x, f := small(t, c.o, c.run, c.shape...)
			got, skip := drain(t, x, shades(t, images...))
			if diff := cmp.Diff(rows, got) + cmp.Diff(skipped, skip) + cmp.Diff(c.batches, f.batches); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			switch {
			case c.warn == "" && len(warnings) > 0:
				t.Errorf("warnings %q", warnings)
			case c.warn != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], c.warn)):
				t.Errorf("warnings %q, want one with %q", warnings, c.warn)
			}
			if last.Done != 8 || last.Total != 8 || last.Skipped != 2 || last.Rate <= 0 || last.Left != 0 || last.Elapsed <= 0 {
				t.Errorf("progress ends with %+v", last)
			}
		})
	}
}

func TestShapes(t *testing.T) {
	d := shades(t, 1, 2)
	for _, c := range []struct {
		pool  Pool
		shape []int
	}{{PoolAuto, []int{3}}, {PoolNone, []int{3, 4, 4}}, {PoolFlatten, []int{48}}, {PoolMax, []int{3}}} {
		x, _ := small(t, Options{Pool: c.pool}, identity)
		n := 0
		for b, err := range x.Batches(context.Background(), d) {
			if err != nil {
				t.Fatal(err)
			}
			if !cmp.Equal(b.Shape, c.shape) || len(b.Features) != 2*onnx.NumElements(c.shape) {
				t.Errorf("pool %q: shape %v and %d values, want %v", c.pool, b.Shape, len(b.Features), c.shape)
			}
			if b.Row(1)[0] != 2 {
				t.Errorf("pool %q: second row begins with %v", c.pool, b.Row(1)[0])
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d batches", n)
		}
	}
}

func TestInputTypes(t *testing.T) {
	for _, typ := range []onnx.DataType{onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16, onnx.Uint8} {
		m := network("y", []int{-1, 3, 4, 4}, node("Relu", "y", "x"))
		m.Graph.Inputs[0].Type.Elem = typ
		r := plain()
		x, err := New(m, Options{Recipe: &r, Session: &fake{inputs: m.Graph.Inputs, out: "y", run: func(x *onnx.Tensor) (*onnx.Tensor, error) {
			if x.Type != typ {
				t.Errorf("input of type %v, want %v", x.Type, typ)
			}
			return identity(x)
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if rows, _ := drain(t, x, shades(t, 200)); rows[0] != "a.png 200" {
			t.Errorf("%v: row %q", typ, rows[0])
		}
	}
}

func TestNHWC(t *testing.T) {
	x, _ := small(t, Options{}, identity, -1, 4, 4, 3)
	fsys := fstest.MapFS{"a.png": &fstest.MapFile{Data: picture(t, color.NRGBA{10, 20, 30, 255})}}
	for row, err := range x.Rows(context.Background(), &Dataset{Items: []Item{NewItem(fsys, "a.png", -1)}}) {
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(row.Features, []float32{10, 20, 30}) {
			t.Errorf("features %v, want 10 20 30", row.Features)
		}
	}
	if got := x.Recipe().Layout; got != "NHWC" {
		t.Errorf("layout %s", got)
	}
	if x.Layer() != "y" {
		t.Errorf("layer %q", x.Layer())
	}
}

func TestViews(t *testing.T) {
	augment, err := zoo.ParseAugment("brightness=0.5")
	if err != nil {
		t.Fatal(err)
	}
	extract := func(seed uint64, workers int) []Row {
		x, _ := small(t, Options{Views: 3, Augment: augment, Seed: seed, Batch: 2, Workers: workers}, identity)
		var rows []Row
		for row, err := range x.Rows(context.Background(), shades(t, 100, -1, 200)) {
			if IsSkip(err) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		return rows
	}
	a, again, other := extract(1, 1), extract(1, 5), extract(2, 1)
	if len(a) != 6 {
		t.Fatalf("%d rows, want 6", len(a))
	}
	values := map[float32]bool{}
	differs := false
	for i, row := range a {
		if want := []string{"a.png", "c.png"}[i/3]; row.Item.Path != want || row.View != i%3 {
			t.Errorf("row %d is view %d of %s", i, row.View, row.Item.Path)
		}
		if row.Features[0] != again[i].Features[0] {
			t.Errorf("row %d: %v, with more workers %v", i, row.Features[0], again[i].Features[0])
		}
		differs = differs || row.Features[0] != other[i].Features[0]
		values[row.Features[0]] = true
	}
	if len(values) < 4 || !differs {
		t.Errorf("the views do not differ: %v, by seed %v", values, differs)
	}
}

func TestStrict(t *testing.T) {
	x, _ := small(t, Options{Strict: true, Batch: 1}, identity)
	var last error
	for _, err := range x.Batches(context.Background(), shades(t, 1, 2, -1, 4)) {
		last = err
	}
	var s *Skip
	if !errors.As(last, &s) || s.Item.Path != "c.png" || !errors.Is(last, zoo.ErrNotImage) {
		t.Errorf("got error %v, want one about c.png", last)
	}
}

// TestUnreadable is case 22's and 23's list of files that must not stop a run.
func TestUnreadable(t *testing.T) {
	good := gray(t, 7)
	fsys := fstest.MapFS{
		"empty.jpg": {}, "cut.png": {Data: good[:len(good)/2]}, "text.png": {Data: []byte("hello")},
		"dir.jpg": {Mode: fs.ModeDir}, "really_png.jpg": {Data: good},
	}
	d := &Dataset{}
	for _, name := range []string{"empty.jpg", "cut.png", "text.png", "dir.jpg", "missing.jpg", "really_png.jpg"} {
		d.Items = append(d.Items, NewItem(fsys, name, -1))
	}
	x, _ := small(t, Options{}, identity)
	rows, skipped := drain(t, x, d)
	if !cmp.Equal(rows, []string{"really_png.jpg 7"}) || len(skipped) != 5 {
		t.Errorf("rows %q, skipped %q", rows, skipped)
	}
}

func TestNothingReadable(t *testing.T) {
	x, f := small(t, Options{}, identity)
	rows, skipped := drain(t, x, shades(t, -1, -1))
	if len(rows) != 0 || len(skipped) != 2 || len(f.batches) != 0 {
		t.Errorf("rows %q, skipped %q, runs %v", rows, skipped, f.batches)
	}
}

func TestCancel(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	x, _ := small(t, Options{Batch: 1}, identity)
	images := make([]int, 20)
	n := 0
	var last error
	for _, err := range x.Batches(ctx, shades(t, images...)) {
		if last = err; err == nil {
			n++
			cancel()
		}
	}
	if n != 1 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d batches, then %v", n, last)
	}
	for range x.Batches(ctx, shades(t, images...)) {
		n++
	}
	if n != 2 {
		t.Errorf("a cancelled context gave %d results, want the error alone", n-1)
	}
	for range x.Batches(context.Background(), shades(t, images...)) {
		break // the pipeline must end too
	}
	for range x.Rows(context.Background(), shades(t, -1, 1)) {
		break
	}
	for range x.Rows(context.Background(), shades(t, 1, 1)) {
		break
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

// endless gives the same image again and again, and counts how many are open.
type endless struct{ data []byte }

func (e endless) Open(string) (fs.File, error) { return fstest.MapFS{"x": {Data: e.data}}.Open("x") }

func TestMemoryDoesNotGrow(t *testing.T) {
	r := plain()
	r.Size = [2]int{256, 256}
	x, _ := small(t, Options{Batch: 4, Workers: 2, Recipe: &r}, func(x *onnx.Tensor) (*onnx.Tensor, error) {
		return onnx.New(onnx.Float, x.Shape[0], 2), nil
	}, -1, 3, -1, -1)
	e := endless{gray(t, 9)}
	d := &Dataset{}
	for range 400 {
		d.Items = append(d.Items, NewItem(e, "x", -1))
	}
	// 2 batches of 4 and 4 images ahead: 12 inputs of 768 KiB; 400 would be 300 MiB.
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	start := stats.TotalAlloc
	for _, err := range x.Batches(context.Background(), d) {
		if err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&stats)
	if got := (stats.TotalAlloc - start) >> 20; got > 100 {
		t.Errorf("400 images took %d MiB, all told", got)
	}
}

func TestRunErrors(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	for _, c := range []struct {
		name string
		run  func(*onnx.Tensor) (*onnx.Tensor, error)
		want string
	}{
		{"failure", func(*onnx.Tensor) (*onnx.Tensor, error) { return nil, broken }, "broken"},
		{"no output", func(*onnx.Tensor) (*onnx.Tensor, error) { return nil, nil }, `did not compute "y"`},
		{"batch lost", func(*onnx.Tensor) (*onnx.Tensor, error) { return onnx.New(onnx.Float, 3, 2, 2, 2, 2), nil }, "shape [3 2 2 2 2] for 2 images"},
		{"shape changes between batches", func(x *onnx.Tensor) (*onnx.Tensor, error) {
			calls++
			return onnx.New(onnx.Float, x.Shape[0], calls), nil
		}, "after [1]"},
		{"shape changes between images", func(x *onnx.Tensor) (*onnx.Tensor, error) {
			if x.Shape[0] > 1 {
				return nil, broken
			}
			calls++
			return onnx.New(onnx.Float, 1, calls), nil
		}, "broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls = 0
			x, _ := small(t, Options{Batch: 2, Pool: PoolNone}, c.run)
			if c.name == "batch lost" {
				x.o.Pool = PoolAvg // one image of rank 5 cannot be averaged either
			}
			var last error
			for _, err := range x.Batches(context.Background(), shades(t, 1, 2, 3, 4)) {
				last = err
			}
			if last == nil || !strings.Contains(last.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", last, c.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	r := plain()
	ok := func() *onnx.Model { return network("y", []int{-1, 3, 4, 4}, node("Relu", "y", "x")) }
	for _, c := range []struct {
		name   string
		change func(*onnx.Model, *Options)
		want   string
	}{
		{"no recipe", func(_ *onnx.Model, o *Options) { o.Recipe = nil }, ErrNoRecipe.Error()},
		{"broken recipe inside", func(m *onnx.Model, o *Options) { o.Recipe = nil; m.SetMeta(zoo.RecipeKey, "{}") }, zoo.RecipeKey},
		{"invalid recipe", func(_ *onnx.Model, o *Options) { r := plain(); r.Scale = 0; o.Recipe = &r }, "scale"},
		{"channels", func(m *onnx.Model, _ *Options) { m.Graph.Inputs[0].Type = dims(-1, 1, 4, 4) }, "channels"},
		{"two inputs", func(m *onnx.Model, _ *Options) { m.Graph.Inputs = append(m.Graph.Inputs, &onnx.Value{Name: "z"}) }, `2: "x", "z"`},
		{"no input", func(m *onnx.Model, _ *Options) { m.Graph.Inputs = nil }, "has 0"},
		{"no graph", func(m *onnx.Model, _ *Options) { m.Graph = nil }, "no graph"},
		{"rank 2", func(m *onnx.Model, _ *Options) { m.Graph.Inputs[0].Type = dims(-1, 3) }, "rank 4"},
		{"no output", func(m *onnx.Model, _ *Options) { m.Graph.Outputs = nil }, "no output"},
		{"input of integers", func(m *onnx.Model, _ *Options) { m.Graph.Inputs[0].Type.Elem = onnx.Int64 }, "int64"},
		{"views without augmentation", func(_ *onnx.Model, o *Options) { o.Views = 2 }, "would be the same"},
		{"layer", func(_ *onnx.Model, o *Options) { o.At = "nonsense" }, "nonsense"},
		{"batch beyond memory", func(m *onnx.Model, _ *Options) { m.Graph.Inputs[0].Type = dims(1<<40, 3, 4, 4) }, "memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, o := ok(), Options{Recipe: &r}
			c.change(m, &o)
			f := &fake{run: identity, out: "y"}
			if m.Graph != nil {
				f.inputs = m.Graph.Inputs
			}
			o.Session = f
			_, err := New(m, o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

// Inputs besides the picture are named, and so is what is no input but was left out of the file.
func TestImageInput(t *testing.T) {
	m := network("y", []int{-1, 4, 4, 3}, node("Relu", "y", "x"))
	for name, want := range map[string]string{"mask": `one input, this one has 2: "x", "mask"`, "net/norm/Sub/y:0": `the values of ["net/norm/Sub/y:0"] are missing`} {
		c := *m
		g := *m.Graph
		g.Inputs = append([]*onnx.Value{}, g.Inputs[0], &onnx.Value{Name: name, Type: dims(1)})
		c.Graph = &g
		if _, err := ImageInput(&c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	m.Graph.Inputs[0].Name = "serving/x:0"
	if v, err := ImageInput(m); err != nil || v.Name != "serving/x:0" {
		t.Errorf("an input of TensorFlow: %v, %v", v, err)
	}
}

func TestRecipeInside(t *testing.T) {
	m := network("y", []int{-1, 3, 8, 8}, node("Relu", "y", "x"))
	if err := zoo.SetRecipe(m, plain()); err != nil {
		t.Fatal(err)
	}
	r, err := RecipeFor(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Size != [2]int{8, 8} {
		t.Errorf("size %v, want the network's 8x8", r.Size)
	}
}

func TestProgressEstimate(t *testing.T) {
	p := Progress{Done: 10, Total: 40, Elapsed: 5 * time.Second}
	p.estimate()
	if p.Rate != 2 || p.Left != 15*time.Second {
		t.Errorf("rate %v, left %v, want 2 a second and 15s", p.Rate, p.Left)
	}
	p = Progress{Total: 40}
	if p.estimate(); p.Rate != 0 || p.Left != 0 {
		t.Errorf("rate %v, left %v before anything is done", p.Rate, p.Left)
	}
}

func TestSkipError(t *testing.T) {
	s := &Skip{Item{Path: "a.jpg"}, io.ErrUnexpectedEOF}
	if s.Error() != "a.jpg: unexpected EOF" || !errors.Is(s, io.ErrUnexpectedEOF) || !IsSkip(fmt.Errorf("x: %w", s)) || IsSkip(io.EOF) {
		t.Errorf("skip: %v", s)
	}
}
