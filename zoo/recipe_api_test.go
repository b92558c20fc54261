package zoo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// pngFile is a picture of that size whose left half is red and right half blue.
func pngFile(t testing.TB, w, h int) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{255, 0, 0, 255}
			if 2*x >= w {
				c = color.NRGBA{0, 0, 255, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCatalogue(t *testing.T) {
	names := RecipeNames()
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			t.Errorf("%s is there twice", n)
		}
		r, ok := RecipeByName(n)
		if !ok || r.Name != n {
			t.Errorf("%s: got %+v, %v", n, r, ok)
		}
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", n, err)
		}
		text, err := r.JSON()
		if err != nil {
			t.Fatalf("%s: %v", n, err)
		}
		back, err := ParseRecipe(text)
		if err != nil {
			t.Errorf("%s: %v", n, err)
		}
		if a, b := fmt.Sprintf("%+v", r), fmt.Sprintf("%+v", back); a != b {
			t.Errorf("%s: %s is read back as %s", n, a, b)
		}
		// A caller may change what it was given.
		if len(r.ResizeTo) > 0 {
			r.ResizeTo[0] = 1
			if again, _ := RecipeByName(n); again.ResizeTo[0] == 1 {
				t.Errorf("%s: the catalogue was changed", n)
			}
		}
	}
	if _, ok := RecipeByName("no such recipe"); ok {
		t.Error("an unknown name has a recipe")
	}
}

// The tags are what files in the world carry.
func TestRecipeJSON(t *testing.T) {
	r, _ := RecipeByName("torchvision-v1")
	text, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"torchvision-v1","resize":"shorter","resize_to":[256],"interpolation":"bilinear","size":[224,224],` +
		`"channels":"RGB","scale":0.00392156862745098,"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"layout":"NCHW"}`
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	short, err := ParseRecipe([]byte(`{"resize":"none","size":[2,3],"channels":"GRAY","scale":1,"layout":"NHWC"}`))
	if err != nil {
		t.Fatal(err)
	}
	if short.Std != [3]float64{1, 1, 1} || !slices.Equal(short.Shape(), []int{2, 3, 1}) {
		t.Errorf("defaults: %+v", short)
	}
}

func TestParseRecipeRefuses(t *testing.T) {
	valid := map[string]any{"resize": "shorter", "resize_to": []int{256}, "size": []int{224, 224}, "channels": "RGB", "scale": 1, "layout": "NCHW"}
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{"mean_std", 1, `unknown field "mean_std"`},
		{"resize", "longer", `resize: "longer" is none of`},
		{"resize", nil, `resize: "" is none of`},
		{"resize_to", []int{1, 2}, `resize_to: 2 numbers do not fit resize "shorter"`},
		{"resize_to", []int{}, `resize_to: 0 numbers do not fit resize "shorter"`},
		{"resize_to", []int{0}, "resize_to: 0 is not between 1 and 16384"},
		{"resize_to", []int{1 << 40}, "is not between"},
		{"size", []int{-1, 224}, "size: height: -1 is not between"},
		{"size", []int{224, 99999}, "size: width: 99999 is not between"},
		{"interpolation", "cubic", `interpolation: unknown interpolation "cubic"`},
		{"channels", "rgb", `channels: "rgb" is none of`},
		{"layout", "CHW", `layout: "CHW" is neither`},
		{"scale", 0, "scale: 0 is zero"},
		{"scale", "1", "recipe: "},
		{"std", []float64{1, 0, 1}, "std: 0 is zero"},
		{"std", []float64{2}, "std: want 3 numbers, got 1"},
		{"mean", []float64{2}, "mean: want 3 numbers, got 1"},
		{"mean", make([]float64, 1000), "mean: want 3 numbers, got 1000"},
		{"size", []int{224}, "size: want 2 numbers, got 1"},
		{"size", []int{3, 224, 224}, "size: want 2 numbers, got 3"},
	} {
		fields := map[string]any{}
		for k, v := range valid {
			fields[k] = v
		}
		fields[c.key] = c.value
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseRecipe(text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %v: got %v, want an error with %q", c.key, c.value, err, c.want)
		}
	}
	good, err := json.Marshal(valid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRecipe(good); err != nil {
		t.Errorf("the valid one: %v", err)
	}
	gray, err := ParseRecipe([]byte(`{"resize":"none","size":[2,3],"channels":"GRAY","scale":1,"mean":[0.5],"std":[2],"layout":"NCHW"}`))
	if err != nil || gray.Mean != [3]float64{0.5, 0.5, 0.5} || gray.Std != [3]float64{2, 2, 2} {
		t.Errorf("one number in gray: %+v, %v", gray, err)
	}
	for _, text := range []string{"", "{", string(good) + "{}", "[]", "null"} {
		if _, err := ParseRecipe([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}

	// In Go more can be wrong than JSON can say; all of it is reported.
	r := Recipe{NoAntialias: true, Interpolation: "bicubic", Scale: math.Inf(1), Mean: [3]float64{math.NaN()}}
	err = r.Validate()
	for _, want := range []string{"no_antialias: only for bilinear, not bicubic", "scale: +Inf", "mean: NaN", "std: 0", "size: height: 0", "resize:", "channels:", "layout:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to have %q", err, want)
		}
	}
	if _, err := r.JSON(); err == nil {
		t.Error("an invalid recipe was written")
	}
	if err := r.FromImage(image.NewGray(image.Rect(0, 0, 1, 1)), nil); err == nil {
		t.Error("an invalid recipe was used")
	}
}

func TestWithSize(t *testing.T) {
	for _, c := range []struct {
		name   string
		h, w   int
		resize []int
	}{
		{"torchvision-v1", 150, 150, []int{171}}, // floor(256*150/224); floor(150/0.875) of timm
		{"torchvision-v2", 448, 448, []int{464}},
		{"torchvision-v1", 112, 224, []int{256}},
		{"inception-v3", 1, 1, []int{1}},
		{"keras-tf", 150, 150, nil},
	} {
		r, _ := RecipeByName(c.name)
		s := r.WithSize(c.h, c.w)
		if !slices.Equal(s.ResizeTo, c.resize) || s.Size != [2]int{c.h, c.w} {
			t.Errorf("%s for %dx%d: resize to %v, size %v", c.name, c.h, c.w, s.ResizeTo, s.Size)
		}
		if again, _ := RecipeByName(c.name); !slices.Equal(again.ResizeTo, r.ResizeTo) {
			t.Errorf("%s was changed", c.name)
		}
	}
	r := Recipe{Resize: "exact", ResizeTo: []int{100, 200}, Size: [2]int{50, 100}}
	if s := r.WithSize(100, 50); !slices.Equal(s.ResizeTo, []int{200, 100}) {
		t.Errorf("exact: resize to %v", s.ResizeTo)
	}
}

// Every rule, layout and channel order, on a picture whose halves are red and blue.
func TestLoad(t *testing.T) {
	file := pngFile(t, 8, 4)
	base := Recipe{Resize: "none", Size: [2]int{4, 4}, Channels: "RGB", Scale: 1, Std: ones, Layout: "NCHW"}
	const n = 4 * 4
	for _, c := range []struct {
		name string
		f    func(*Recipe)
		at   func(c, y, x int) int
		want map[[3]int]float32 // by network channel, y, x
	}{
		{"none", func(*Recipe) {}, func(c, y, x int) int { return c*n + y*4 + x },
			map[[3]int]float32{{0, 0, 0}: 255, {0, 0, 1}: 255, {2, 0, 1}: 0, {2, 0, 2}: 255, {0, 3, 3}: 0}},
		{"exact, NHWC", func(r *Recipe) { r.Resize, r.Layout = "exact", "NHWC" }, func(c, y, x int) int { return 3*(y*4+x) + c },
			map[[3]int]float32{{0, 0, 0}: 255, {2, 0, 0}: 0, {2, 0, 3}: 255, {0, 3, 3}: 0}},
		{"exact then cut", func(r *Recipe) { r.Resize, r.ResizeTo, r.Interpolation = "exact", []int{8, 16}, "nearest" }, func(c, y, x int) int { return c*n + y*4 + x },
			map[[3]int]float32{{0, 0, 0}: 255, {0, 0, 1}: 255, {2, 0, 2}: 255, {0, 0, 2}: 0}},
		{"shorter, BGR", func(r *Recipe) { r.Resize, r.ResizeTo, r.Channels = "shorter", []int{4}, "BGR" }, func(c, y, x int) int { return c*n + y*4 + x },
			map[[3]int]float32{{2, 0, 0}: 255, {0, 0, 0}: 0, {0, 0, 3}: 255}},
		{"gray", func(r *Recipe) { r.Channels = "GRAY" }, func(_, y, x int) int { return y*4 + x },
			map[[3]int]float32{{0, 0, 0}: 76, {0, 0, 3}: 29}},
		{"without antialias", func(r *Recipe) { r.Resize, r.NoAntialias = "exact", true }, func(c, y, x int) int { return c*n + y*4 + x },
			map[[3]int]float32{{0, 0, 1}: 255, {2, 0, 2}: 255}},
	} {
		r := base
		c.f(&r)
		shape := r.Shape()
		dst := make([]float32, shape[0]*shape[1]*shape[2])
		if err := r.Load(bytes.NewReader(file), dst); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for k, want := range c.want {
			if got := dst[c.at(k[0], k[1], k[2])]; got != want {
				t.Errorf("%s: channel, y, x %v: got %v, want %v", c.name, k, got, want)
			}
		}
		m, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		other := make([]float32, len(dst))
		if err := r.FromImage(m, other); err != nil || !slices.Equal(other, dst) {
			t.Errorf("%s: FromImage differs (%v)", c.name, err)
		}
		if err := r.Load(bytes.NewReader(file), dst[1:]); err == nil || !strings.Contains(err.Error(), "values, want") {
			t.Errorf("%s: short destination: %v", c.name, err)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	r, _ := RecipeByName("torchvision-v1")
	r = r.WithSize(8, 8)
	dst := make([]float32, 3*8*8)
	if err := r.Load(strings.NewReader("hello"), dst); !errors.Is(err, ErrNotImage) {
		t.Errorf("text: %v", err)
	}
	if err := r.LoadAugmented(strings.NewReader("hello"), dst, Augment{}, 1); !errors.Is(err, ErrNotImage) {
		t.Errorf("text, augmented: %v", err)
	}
	if _, err := Decode(bytes.NewReader(pngFile(t, 8, 8)), DecodeOptions{MaxPixels: 63}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("64 pixels of 63: %v", err)
	}
	if err := r.FromImage(image.NewGray(image.Rectangle{}), dst); err == nil {
		t.Error("empty image: no error")
	}
}

func TestAugmented(t *testing.T) {
	r, _ := RecipeByName("unit")
	r = r.WithSize(16, 16)
	file := pngFile(t, 40, 30)
	load := func(spec string, seed uint64) []float32 {
		a, err := ParseAugment(spec)
		if err != nil {
			t.Fatal(err)
		}
		if a.IsNone() != (spec == "none") {
			t.Errorf("%s: IsNone is %v", spec, a.IsNone())
		}
		dst := make([]float32, 3*16*16)
		if err := r.LoadAugmented(bytes.NewReader(file), dst, a, seed); err != nil {
			t.Fatal(err)
		}
		return dst
	}
	plain := make([]float32, 3*16*16)
	if err := r.Load(bytes.NewReader(file), plain); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(load("none", 1), plain) {
		t.Error("no augmentation changes the picture")
	}
	one := load("standard", ViewSeed(1, "a.png", 0))
	if !slices.Equal(one, load("standard", ViewSeed(1, "a.png", 0))) {
		t.Error("the same view differs")
	}
	if slices.Equal(one, load("standard", ViewSeed(1, "a.png", 1))) {
		t.Error("two views are the same")
	}
	if f := load("hflip=1", 1); f[0] != 0 || f[3*15] != 1 {
		t.Errorf("mirrored: red from %v to %v, want 0 to 1", f[0], f[3*15])
	}
	if _, err := ParseAugment("spin=3"); err == nil {
		t.Error("unknown key: no error")
	}
}

// A recipe and a picture may be used by many goroutines at once.
func TestConcurrentUse(t *testing.T) {
	r, _ := RecipeByName("torchvision-v1")
	r = r.WithSize(32, 32)
	p, err := Decode(bytes.NewReader(pngFile(t, 90, 70)), DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w, h := p.Size(); w != 90 || h != 70 {
		t.Errorf("size %dx%d", w, h)
	}
	a, err := ParseAugment("standard,jitter=0.3,blur=0.5")
	if err != nil {
		t.Fatal(err)
	}
	want, aug := make([]float32, 3*32*32), make([]float32, 3*32*32)
	if err := errors.Join(r.Render(p, want), r.RenderAugmented(p, aug, a, 5)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got := make([]float32, len(want))
			for range 20 {
				if err := r.Render(p, got); err != nil || !slices.Equal(got, want) {
					t.Errorf("Render differs (%v)", err)
				}
				if err := r.RenderAugmented(p, got, a, 5); err != nil || !slices.Equal(got, aug) {
					t.Errorf("RenderAugmented differs (%v)", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestMetadata(t *testing.T) {
	m := &onnx.Model{}
	if _, ok, err := RecipeOf(m); ok || err != nil {
		t.Errorf("no recipe: %v, %v", ok, err)
	}
	if l, err := LabelsOf(m); l != nil || err != nil {
		t.Errorf("no labels: %v, %v", l, err)
	}
	r, _ := RecipeByName("keras-caffe")
	labels := []string{"cat", `do"g`, "ひつじ"}
	if err := errors.Join(SetRecipe(m, r), SetLabels(m, labels)); err != nil {
		t.Fatal(err)
	}
	back, ok, err := RecipeOf(m)
	if err != nil || !ok || back.Name != "keras-caffe" || back.Mean != r.Mean {
		t.Errorf("recipe: %+v, %v, %v", back, ok, err)
	}
	if l, err := LabelsOf(m); err != nil || !slices.Equal(l, labels) {
		t.Errorf("labels: %q, %v", l, err)
	}
	if err := SetRecipe(m, Recipe{}); err == nil {
		t.Error("an invalid recipe was stored")
	}
	if err := SetLabels(m, nil); err == nil {
		t.Error("no labels were stored")
	}
	m.SetMeta(RecipeKey, `{"resize":"sideways"}`)
	if _, ok, err := RecipeOf(m); ok || err == nil || !strings.Contains(err.Error(), RecipeKey) {
		t.Errorf("bad recipe: %v, %v", ok, err)
	}
	for _, bad := range []string{"cat,dog", "[]", `{"0":"cat"}`} {
		m.SetMeta(LabelsKey, bad)
		if _, err := LabelsOf(m); err == nil || !strings.Contains(err.Error(), LabelsKey) {
			t.Errorf("labels %q: %v", bad, err)
		}
	}
}

// case 19: an NHWC input is seen from its shape.
func TestForInput(t *testing.T) {
	dim := func(sizes ...int) *onnx.Type {
		ty := &onnx.Type{HasShape: true}
		for _, s := range sizes {
			ty.Shape = append(ty.Shape, onnx.Dim{Size: s})
		}
		return ty
	}
	for _, c := range []struct {
		name   string
		recipe string
		typ    *onnx.Type
		shape  []int
		err    string
	}{
		{"no type", "torchvision-v1", nil, []int{3, 224, 224}, ""},
		{"no shape", "torchvision-v1", &onnx.Type{}, []int{3, 224, 224}, ""},
		{"NCHW", "torchvision-v1", dim(-1, 3, 299, 299), []int{3, 299, 299}, ""},
		{"NHWC", "torchvision-v1", dim(1, 224, 224, 3), []int{224, 224, 3}, ""},
		{"NCHW of Keras", "keras-tf", dim(1, 3, 224, 224), []int{3, 224, 224}, ""},
		{"open size", "keras-tf", dim(-1, -1, -1, 3), []int{224, 224, 3}, ""},
		{"all open", "keras-tf", dim(-1, -1, -1, -1), []int{224, 224, 3}, ""},
		{"one side open", "keras-tf", dim(-1, 96, -1, 3), []int{96, 224, 3}, ""},
		{"both could be, NCHW stays", "torchvision-v1", dim(1, 3, 3, 3), []int{3, 3, 3}, ""},
		{"rank 2", "torchvision-v1", dim(1, 150528), nil, "want rank 4 for images, got 2"},
		{"one channel", "torchvision-v1", dim(1, 1, 28, 28), nil, "3 channels of RGB"},
		{"channels open in NCHW", "torchvision-v1", dim(1, -1, 28, 28), []int{3, 28, 28}, ""},
		{"four channels", "keras-tf", dim(1, 28, 28, 4), nil, "nor the last (4)"},
	} {
		r, _ := RecipeByName(c.recipe)
		got, err := r.ForInput(&onnx.Value{Name: "x", Type: c.typ})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), `input "x"`) {
				t.Errorf("%s: got %v, want an error with %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got.Shape(), c.shape) {
			t.Errorf("%s: shape %v (%v), want %v", c.name, got.Shape(), err, c.shape)
		}
	}
}

func TestImageNetLabels(t *testing.T) {
	l := ImageNetLabels()
	if len(l) != 1000 || l[0] != "tench" || l[207] != "golden retriever" || l[999] != "toilet tissue" {
		t.Fatalf("%d labels: %q, ..., %q", len(l), l[0], l[len(l)-1])
	}
	sorted := slices.Clone(l)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != 1000 {
		t.Error("some labels are the same")
	}
}

func ExampleRecipe_WithSize() {
	r, _ := RecipeByName("torchvision-v1")
	small := r.WithSize(150, 150)
	fmt.Println(r.ResizeTo, r.Shape())
	fmt.Println(small.ResizeTo, small.Shape())
	// Output:
	// [256] [3 224 224]
	// [171] [3 150 150]
}

func ExampleParseAugment() {
	a, err := ParseAugment("standard,rotate=15")
	fmt.Println(a, err)
	// Output:
	// crop=0.8..1,rotate=15,shear=10,hflip=0.5 <nil>
}
