package finetune_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// marked is n pictures and a table of what is on them: a red square, a green one, both, or nothing.
func marked(n int) (fstest.MapFS, string) {
	fsys, table := fstest.MapFS{}, "path,labels\n"
	for i := range n {
		img := image.NewRGBA(image.Rect(0, 0, 16, 16))
		draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{B: uint8(30 + 7*i%50), A: 255}), image.Point{}, draw.Src)
		var names []string
		for k, c := range []struct {
			name string
			c    color.RGBA
		}{{"red", color.RGBA{R: 220, A: 255}}, {"green", color.RGBA{G: 220, A: 255}}} {
			if i>>k&1 == 1 {
				draw.Draw(img, image.Rect(8*k, 2, 8*k+8, 14), image.NewUniform(c.c), image.Point{}, draw.Src)
				names = append(names, c.name)
			}
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			panic(err)
		}
		name := fmt.Sprintf("p/%02d.png", i)
		fsys[name] = &fstest.MapFile{Data: b.Bytes()}
		table += name + "," + strings.Join(names, "|") + "\n"
	}
	return fsys, table
}

func markedData(t *testing.T, n int) *features.Dataset {
	t.Helper()
	fsys, table := marked(n)
	set, err := features.ReadTable(strings.NewReader(table), fsys, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestMultiLabel learns what is on pictures that show any number of things; the file says so, and tells each on its own.
func TestMultiLabel(t *testing.T) {
	set := markedData(t, 32)
	d, err := finetune.NewData(set, nil, 0.25, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*finetune.Options){
		"plain":    func(*finetune.Options) {},
		"balanced": func(o *finetune.Options) { o.ClassWeights = "balanced" },
		"weighted": func(o *finetune.Options) { o.PosWeight = []float64{2} },
		"mixed":    func(o *finetune.Options) { o.Mix.Mixup, o.LabelSmoothing = 0.2, 0.05 },
	} {
		o := small()
		o.Epochs, o.LR, o.Pool = 15, 0.02, "flatten"
		change(&o)
		res := train(t, d, t.TempDir(), o)
		if best := res.History[res.Best-1]; best.ValAcc < 0.8 {
			t.Errorf("%s: accuracy %v", name, best.ValAcc)
		}
		if res.Multi == nil || res.Report != nil || res.Multi.AveragePrecision < 0.9 || res.Multi.Accuracy != res.History[res.Best-1].ValAcc {
			t.Errorf("%s: %+v", name, res.Multi)
		}
		m := open(t, res.Model)
		if !zoo.IsMultiLabel(m) {
			t.Errorf("%s: the file does not say that it has several labels", name)
		}
		c, err := features.NewClassifier(m, nil, features.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for p, err := range c.Predict(context.Background(), &features.Dataset{Items: set.Items[3:4]}, 0) {
			if err != nil || len(p.Scores) != 2 || p.Scores[1].Probability < 0.5 {
				t.Errorf("%s: a picture of both is %+v, %v", name, p.Scores, err)
			}
		}
	}
}

func TestMultiLabelRefuses(t *testing.T) {
	d, err := finetune.NewData(markedData(t, 16), nil, 0.25, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, message string
		change        func(*finetune.Options)
	}{
		{"ce", "use bce", func(o *finetune.Options) { o.Loss = "ce" }},
		{"both weights", "give one of them", func(o *finetune.Options) { o.ClassWeights, o.PosWeight = "balanced", []float64{2} }},
		{"number of weights", "3 weights of what is there for 2 outputs", func(o *finetune.Options) { o.PosWeight = []float64{1, 2, 3} }},
	} {
		o := small()
		c.change(&o)
		if _, err := finetune.Run(context.Background(), backbone(t), d, t.TempDir(), o); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %q", c.name, err, c.message)
		}
	}
	o := small()
	o.PosWeight = []float64{2}
	if _, err := finetune.Run(context.Background(), backbone(t), dataOf(t, pictures(4, "blue", "red")), t.TempDir(), o); err == nil || !strings.Contains(err.Error(), "is for loss bce") {
		t.Errorf("pos_weight with ce: %v", err)
	}
}

// TestMultiLabelSplit holds images of every class, also the rare ones, in both parts.
func TestMultiLabelSplit(t *testing.T) {
	var table strings.Builder
	table.WriteString("path,often,seldom,split\n")
	for i := range 40 {
		fmt.Fprintf(&table, "%d.png,%d,%d,\n", i, i%2, max(0, i-35)>>1&1)
	}
	set, err := features.ReadTable(strings.NewReader(table.String()), fstest.MapFS{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := finetune.NewData(set, nil, 0.5, 7)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Train)+len(a.Val) != 40 || len(a.Val) < 15 {
		t.Errorf("%d and %d images", len(a.Train), len(a.Val))
	}
	for _, part := range [][]features.Item{a.Train, a.Val} {
		if !slices.ContainsFunc(part, func(it features.Item) bool { return slices.Contains(it.Labels, 1) }) {
			t.Error("the rare class is in one part only")
		}
	}
	b, err := finetune.NewData(set, nil, 0.5, 7)
	if err != nil || b.Val[0].Path != a.Val[0].Path {
		t.Errorf("another split by the same seed, %v", err)
	}
	for _, c := range []struct{ name, val, message string }{
		{"another class", "path,labels\nx.png,often|never\n", `class "never" is in the validation data but not in the training data`},
		{"fine", "path,labels\nx.png,seldom\n", ""},
	} {
		val, err := features.ReadTable(strings.NewReader(c.val), fstest.MapFS{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := finetune.NewData(set, val, 0, 0)
		switch {
		case c.message != "":
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("%s: %v", c.name, err)
			}
		case err != nil || len(d.Val) != 1 || !slices.Equal(d.Val[0].Labels, []int{1}):
			t.Errorf("%s: %+v, %v", c.name, d, err)
		}
	}
	single, err := features.Folder(pictures(2, "often", "seldom"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := finetune.NewData(set, single, 0, 0); err == nil || !strings.Contains(err.Error(), "any number in the other") {
		t.Errorf("mixed kinds: %v", err)
	}
	none, err := features.ReadTable(strings.NewReader("path,a,b\nx.png,1,0\ny.png,1,0\n"), fstest.MapFS{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := finetune.NewData(none, nil, 0.5, 0); err == nil || !strings.Contains(err.Error(), `no training images of class "b"`) {
		t.Errorf("empty class: %v", err)
	}
}

// TestEvaluateMulti evaluates the file of a run: images that cannot be read are skipped, and classes are matched by name.
func TestEvaluateMulti(t *testing.T) {
	set := markedData(t, 16)
	d, err := finetune.NewData(set, nil, 0.25, 1)
	if err != nil {
		t.Fatal(err)
	}
	o := small()
	o.Epochs = 1
	m := open(t, train(t, d, t.TempDir(), o).Model)
	ctx := context.Background()

	broken := features.NewItem(fstest.MapFS{"x.png": &fstest.MapFile{Data: []byte("no image")}}, "x.png", -1)
	broken.Labels = []int{1}
	skipped := 0
	e, err := metrics.EvaluateMulti(ctx, m, &features.Dataset{Classes: set.Classes, Items: append([]features.Item{broken}, set.Items...)},
		metrics.EvaluateOptions{Skip: func(*features.Skip) { skipped++ }})
	if err != nil {
		t.Fatal(err)
	}
	if e.Samples != 16 || skipped != 1 || len(e.Skipped) != 1 || e.Skipped[0].Path != "x.png" || e.Classes[0].Name != "green" || e.Classes[0].Support != 8 {
		t.Errorf("%d samples, %d skipped: %+v", e.Samples, skipped, e.Classes)
	}
	dir := t.TempDir()
	if err := e.WriteFolder(dir); err != nil {
		t.Fatal(err)
	}
	exists(t, dir, "report.json", "predictions.csv")
	for _, c := range []struct {
		name, message string
		set           *features.Dataset
		o             metrics.EvaluateOptions
	}{
		{"another class", `does not know "blue"`, &features.Dataset{Classes: []string{"blue"}, Items: set.Items[:1]}, metrics.EvaluateOptions{AllowMissing: true}},
		{"none can be read", "none of the 1 images could be read", &features.Dataset{Classes: set.Classes, Items: []features.Item{broken}}, metrics.EvaluateOptions{}},
		{"strict", "x.png", &features.Dataset{Classes: set.Classes, Items: []features.Item{broken}}, metrics.EvaluateOptions{Features: features.Options{Strict: true}}},
		{"other names", "not those that the model stores", set, metrics.EvaluateOptions{Labels: []string{"red", "green"}}},
	} {
		if _, err := metrics.EvaluateMulti(ctx, m, c.set, c.o); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %q", c.name, err, c.message)
		}
	}
	if _, err := metrics.EvaluateMulti(ctx, backbone(t), &features.Dataset{Classes: []string{"Bag"}, Items: set.Items[:1]}, metrics.EvaluateOptions{}); err == nil {
		t.Error("a network of one class an image is taken")
	}
}
