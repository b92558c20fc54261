package metrics_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// square returns a picture of one colour as PNG.
func square(side int, c color.NRGBA) *fstest.MapFile {
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = c.R, c.G, c.B, 255
	}
	var b bytes.Buffer
	if png.Encode(&b, img) != nil {
		panic("a picture in memory")
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

var (
	red   = color.NRGBA{R: 255}
	green = color.NRGBA{G: 255}
	blue  = color.NRGBA{B: 255}
)

// colourNet is a network whose outputs are the means of the channels, times 4, and then what more nodes make of them.
// Labels are stored in it unless nil.
func colourNet(labels []string, more ...string) *onnx.Model {
	return net(zoo.Recipe{Resize: "exact", Size: [2]int{4, 4}, Channels: "RGB", Scale: 4.0 / 255, Std: [3]float64{1, 1, 1}, Layout: "NCHW"}, 3, labels, more)
}

// shadeNet is a network with one output: how much brighter than grey the picture is, from -4 to 4.
func shadeNet(labels []string, more ...string) *onnx.Model {
	return net(zoo.Recipe{Resize: "exact", Size: [2]int{4, 4}, Channels: "GRAY", Scale: 8.0 / 255, Mean: [3]float64{4}, Std: [3]float64{1, 1, 1}, Layout: "NCHW"}, 1, labels, more)
}

func net(recipe zoo.Recipe, channels int, labels, more []string) *onnx.Model {
	g := &onnx.Graph{Inputs: []*onnx.Value{{Name: "x", Type: &onnx.Type{Elem: onnx.Float, HasShape: true,
		Shape: []onnx.Dim{{Size: -1}, {Size: channels}, {Size: 4}, {Size: 4}}}}}}
	last := "x"
	for _, op := range append([]string{"GlobalAveragePool", "Flatten"}, more...) {
		out := "after_" + op
		g.Nodes = append(g.Nodes, &onnx.Node{Name: op, OpType: op, Inputs: []string{last}, Outputs: []string{out}})
		last = out
	}
	g.Outputs = []*onnx.Value{{Name: last}}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 13}}, Graph: g}
	err := zoo.SetRecipe(m, recipe)
	if labels != nil {
		err = errors.Join(err, zoo.SetLabels(m, labels))
	}
	if err != nil {
		panic(err)
	}
	return m
}

func folder(t *testing.T, files fstest.MapFS) *features.Dataset {
	t.Helper()
	d, err := features.Folder(files)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var rgb = []string{"red", "green", "blue"}

// colours has a picture of each colour in its folder, and a green one among the blue ones.
func colours() fstest.MapFS {
	return fstest.MapFS{"blue/1.png": square(8, blue), "blue/2.png": square(8, green), "green/1.png": square(8, green), "red/1.png": square(8, red)}
}

// Class folders come in byte order, outputs in the order of training.
func TestEvaluateMatchesByName(t *testing.T) {
	for name, more := range map[string][]string{"logits": nil, "probabilities": {"Softmax"}, "log probabilities": {"LogSoftmax"}} {
		e, err := metrics.Evaluate(t.Context(), colourNet(rgb, more...), folder(t, colours()), metrics.EvaluateOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := [][]int{{1, 0, 0}, {0, 1, 0}, {0, 1, 1}}; !cmp.Equal(e.Confusion, want) {
			t.Errorf("%s: confusion %v, want %v", name, e.Confusion, want)
		}
		near(t, name+": accuracy", e.Accuracy, 0.75)
		// exp(4)/(exp(4)+2) once, whether or not the network computes it
		if got := e.Mistakes[0]; got.Path != "blue/2.png" || got.Actual != "blue" || got.Predicted != "green" ||
			!(got.Probability > 0.96466 && got.Probability < 0.96467) {
			t.Errorf("%s: mistake %+v", name, got)
		}
		if e.Seconds <= 0 || e.PerSecond <= 0 || e.Items[1].Path != "blue/2.png" {
			t.Errorf("%s: %v s, %v images/s, %v", name, e.Seconds, e.PerSecond, e.Items[1].Path)
		}
	}
}

// case 25: the order of classes is part of the model.
func TestEvaluateRefusesOtherClasses(t *testing.T) {
	numbers := fstest.MapFS{"1/a.png": square(4, red), "10/a.png": square(4, green), "2/a.png": square(4, blue)}
	byteOrder := []string{"1", "10", "2"}
	for _, c := range []struct {
		name   string
		stored []string
		given  []string
		allow  bool
		files  fstest.MapFS
		want   string // "" where it is fine
		class  bool   // the error is a ClassError
	}{
		{"case 25, the stored names", byteOrder, nil, false, numbers, "", false},
		{"case 25, byte order", byteOrder, byteOrder, false, numbers, "", false},
		{"case 25, natural order", byteOrder, []string{"1", "2", "10"}, false, numbers, `output 1 is given as "2", but stored as "10"; the stored order is "1", "10", "2"`, false},
		{"case 25, too few", byteOrder, []string{"1", "2"}, false, numbers, "2 classes are given, but the model stores the names of 3", false},
		{"given for a model without", nil, byteOrder, false, numbers, "", false},
		{"too few for the outputs", nil, []string{"1", "10"}, true, fstest.MapFS{"1/a.png": square(4, red)}, "2 labels for 3 classes", false},
		{"too many for the outputs", []string{"1", "10", "2", "3"}, nil, true, numbers, "4 labels for 3 classes", false},
		{"another set", rgb, nil, false, numbers, `does not know "1", "10", "2"` + "\n" + `the data has no "red", "green", "blue"`, true},
		{"missing", rgb, nil, false, fstest.MapFS{"red/1.png": square(4, red), "blue/1.png": square(4, blue)}, `the data has no "green"`, true},
		{"missing, allowed", rgb, nil, true, fstest.MapFS{"red/1.png": square(4, red), "blue/1.png": square(4, blue)}, "", false},
		{"extra, missing allowed", rgb, nil, true, fstest.MapFS{"red/1.png": square(4, red), "Blue/1.png": square(4, blue)}, `does not know "Blue"`, true},
		{"named twice", []string{"red", "blue", "red"}, nil, false, colours(), `outputs 0 and 2 of the network are both named "red"`, false},
		{"more folders than outputs", nil, nil, false, fstest.MapFS{"a/1.png": square(4, red), "b/1.png": square(4, red), "c/1.png": square(4, red), "d/1.png": square(4, red)}, "tells 3 classes apart and does not store their names, and there are 4 class folders", false},
		{"flat", rgb, nil, false, fstest.MapFS{"1.png": square(4, red)}, "have no classes", false},
	} {
		e, err := metrics.Evaluate(t.Context(), colourNet(c.stored), folder(t, c.files), metrics.EvaluateOptions{Labels: c.given, AllowMissing: c.allow})
		var wrong *metrics.ClassError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want == "" && e.Accuracy != 1:
			t.Errorf("%s: accuracy %v, want 1", c.name, e.Accuracy)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		case errors.As(err, &wrong) != c.class:
			t.Errorf("%s: error %T, class error is %v", c.name, err, c.class)
		}
	}
}

func TestLongListsOfClasses(t *testing.T) {
	labels := strings.Split("a b c d e f g h i j k l m", " ")
	_, err := metrics.MatchClasses(labels, []string{"a"}, false)
	if want := `"j", "k" and 2 more`; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want %s at its end", err, want)
	}
}

// Without names, folders in byte order are outputs in order, and that is said.
func TestEvaluateByIndex(t *testing.T) {
	files := fstest.MapFS{"a/1.png": square(4, red), "b/1.png": square(4, green), "c/1.png": square(4, blue), "loose.png": square(4, blue)}
	var warned []string
	o := metrics.EvaluateOptions{Features: features.Options{Warn: func(s string) { warned = append(warned, s) }}}
	e, err := metrics.Evaluate(t.Context(), colourNet(nil), folder(t, files), o)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "accuracy", e.Accuracy, 1)
	if len(warned) != 2 || !strings.Contains(warned[0], "do not count: 1") || !strings.Contains(warned[1], `in byte order, "a", "b", "c"`) {
		t.Errorf("warnings %q", warned)
	}
}

// A single output is the second of two classes.
func TestEvaluateSingleOutput(t *testing.T) {
	grey := func(v uint8) *fstest.MapFile { return square(4, color.NRGBA{R: v, G: v, B: v}) }
	files := fstest.MapFS{"dark/1.png": grey(0), "dark/2.png": grey(200), "light/1.png": grey(255)}
	for name, m := range map[string]*onnx.Model{"logit": shadeNet([]string{"dark", "light"}), "probability": shadeNet([]string{"dark", "light"}, "Sigmoid"), "unnamed": shadeNet(nil)} {
		e, err := metrics.Evaluate(t.Context(), m, folder(t, files), metrics.EvaluateOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		near(t, name, e.Accuracy, 2.0/3)
		near(t, name, float64(e.AUC), 1)
		if p := e.Predictions.Row(2)[1]; !(p > 0.982 && p < 0.9821) { // 1/(1+exp(-4))
			t.Errorf("%s: probability %v", name, p)
		}
	}
}

// Networks for ImageNet are known by their 1000 outputs.
func TestEvaluateImageNet(t *testing.T) {
	names := zoo.ImageNetLabels()
	wide := colourNet(nil)
	weight := make([]float32, 3*1000)
	weight[0*1000+7], weight[1*1000+3], weight[2*1000+500] = 1, 1, 1
	w := onnx.Of([]int{3, 1000}, weight)
	w.Name = "w"
	wide.Graph.Initializers = append(wide.Graph.Initializers, w)
	wide.Graph.Nodes = append(wide.Graph.Nodes, &onnx.Node{Name: "fc", OpType: "MatMul", Inputs: []string{"after_Flatten", "w"}, Outputs: []string{"y"}})
	wide.Graph.Outputs[0].Name = "y"
	files := fstest.MapFS{names[7] + "/1.png": square(4, red), names[500] + "/1.png": square(4, blue)}
	e, err := metrics.Evaluate(t.Context(), wide, folder(t, files), metrics.EvaluateOptions{AllowMissing: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "accuracy", e.Accuracy, 1)
	if len(e.Classes) != 1000 || e.Classes[7].Support != 1 || e.TopK[0].K != 5 {
		t.Errorf("%d classes, %+v, top %v", len(e.Classes), e.Classes[7], e.TopK)
	}
	if _, err := metrics.Evaluate(t.Context(), wide, folder(t, files), metrics.EvaluateOptions{}); err == nil || !strings.Contains(err.Error(), "2 class folders") {
		t.Errorf("998 missing classes: %v", err)
	}
}

func TestEvaluateSkips(t *testing.T) {
	files := colours()
	files["red/0.png"] = &fstest.MapFile{Data: []byte("no picture")}
	var told []string
	o := metrics.EvaluateOptions{Skip: func(s *features.Skip) { told = append(told, s.Item.Path) }}
	e, err := metrics.Evaluate(t.Context(), colourNet(rgb), folder(t, files), o)
	if err != nil {
		t.Fatal(err)
	}
	if e.Samples != 4 || len(told) != 1 || len(e.Skipped) != 1 || e.Skipped[0].Path != "red/0.png" || e.Skipped[0].Reason == "" {
		t.Errorf("%d samples, told %q, skipped %+v", e.Samples, told, e.Skipped)
	}
	o.Features.Strict = true
	if _, err := metrics.Evaluate(t.Context(), colourNet(rgb), folder(t, files), o); !features.IsSkip(err) {
		t.Errorf("strict: error %v", err)
	}
	bad := fstest.MapFS{"red/0.png": files["red/0.png"], "green/0.png": files["red/0.png"], "blue/0.png": files["red/0.png"]}
	if _, err := metrics.Evaluate(t.Context(), colourNet(rgb), folder(t, bad), metrics.EvaluateOptions{}); err == nil || err.Error() != "none of the 3 images could be read" {
		t.Errorf("nothing readable: %v", err)
	}
}

func TestEvaluateErrors(t *testing.T) {
	data := folder(t, colours())
	for name, c := range map[string]struct {
		m    *onnx.Model
		d    *features.Dataset
		o    metrics.EvaluateOptions
		want string
	}{
		"labels":   {m: withMeta(colourNet(nil), zoo.LabelsKey, "{"), d: data, want: "onnxcnn.labels"},
		"recipe":   {m: withMeta(colourNet(rgb), zoo.RecipeKey, "{"), d: data, want: "onnxcnn.preprocess"},
		"operator": {m: colourNet(rgb, "Nonsense"), d: data, want: "Nonsense"},
		"no items": {m: colourNet(rgb), d: &features.Dataset{Classes: rgb}, want: "no images"},
		"options":  {m: colourNet(rgb), d: data, o: metrics.EvaluateOptions{Report: metrics.Options{Bins: -1}}, want: "-1 bins"},
	} {
		if _, err := metrics.Evaluate(t.Context(), c.m, c.d, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := metrics.Evaluate(ctx, colourNet(rgb), data, metrics.EvaluateOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A model from a file is named in the error.
func TestEvaluateNamesTheModel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "colours.onnx")
	if err := colourNet(rgb).Save(file, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, err = metrics.Evaluate(t.Context(), m, folder(t, fstest.MapFS{"a/1.png": square(4, red)}), metrics.EvaluateOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), file+": ") {
		t.Errorf("error %v", err)
	}
}

func withMeta(m *onnx.Model, key, value string) *onnx.Model {
	m.SetMeta(key, value)
	return m
}

// evaluated is an evaluation with mistakes, a skipped image, and a name that means something in HTML and CSV.
func evaluated(t *testing.T) *metrics.Evaluation {
	t.Helper()
	files := fstest.MapFS{`<b>,"x"/1.png`: square(300, green), "green/1.png": square(8, green), "red/1.png": square(8, red), "red/2.png": {Data: []byte("text")}}
	e, err := metrics.Evaluate(t.Context(), colourNet([]string{"red", "green", `<b>,"x"`}), folder(t, files), metrics.EvaluateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e.Model, e.Data, e.Split = "some/where/colours.onnx", "photos", "val"
	return e
}

func TestWriteFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "report")
	e := evaluated(t)
	for range 2 { // the second replaces the first
		if err := e.WriteFolder(dir); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range entries {
		names = append(names, f.Name())
	}
	if want := []string{"calibration.png", "confusion.png", "index.html", "predictions.csv", "report.json", "roc.png"}; !cmp.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	for _, name := range []string{"calibration.png", "confusion.png", "roc.png"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var back metrics.Evaluation
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.Model != e.Model || back.Split != "val" || back.Accuracy != e.Accuracy || len(back.Skipped) != 1 {
		t.Errorf("read back: %+v", back)
	}
	if metrics.Page(dir) != filepath.Join(dir, "index.html") {
		t.Errorf("page %s", metrics.Page(dir))
	}
}

func TestWriteFolderRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cat.jpg")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	e := evaluated(t)
	if err := e.WriteFolder(dir); err == nil || !strings.Contains(err.Error(), "not a report") {
		t.Errorf("folder of photos: %v", err)
	}
	if err := e.WriteFolder(file); err == nil {
		t.Error("a file: no error")
	}
	if err := e.WriteFolder(filepath.Join(file, "report")); err == nil {
		t.Error("below a file: no error")
	}
}

// A report whose writing was cut short, by a full disk or a kill, is written again; a folder that has anything else is left alone.
func TestWriteFolderAgain(t *testing.T) {
	e := evaluated(t)
	for _, c := range []struct {
		have    []string
		refused bool
	}{
		{[]string{"report.json"}, false},
		{[]string{"report.json", "predictions.csv", "confusion.png", ".roc.png.0123abcd.tmp"}, false},
		{[]string{"precision_recall.png"}, false},
		{[]string{"report.json", "index.html", "notes.txt"}, false}, // a whole one, with something beside it
		{[]string{"report.json", "notes.txt"}, true},
		{[]string{"report.json", "confusion.png", "model.onnx"}, true}, // the folder of a run
		{[]string{".roc.png.tmp"}, true},
	} {
		dir := t.TempDir()
		for _, name := range c.have {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		err := e.WriteFolder(dir)
		if refused := err != nil; refused != c.refused {
			t.Errorf("%q: %v", c.have, err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, ".*.tmp")); err != nil || !c.refused && len(left) > 0 {
			t.Errorf("%q: left %q, %v", c.have, left, err)
		}
	}
}

func TestWriteCSV(t *testing.T) {
	var b bytes.Buffer
	if err := evaluated(t).Predictions.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"path", "actual", "predicted", "correct", "probability", "actual_probability", "rank", "p(red)", "p(green)", `p(<b>,"x")`},
		{`<b>,"x"/1.png`, `<b>,"x"`, "green", "false", "0.96466316", "0.017668422", "2", "0.017668422", "0.96466316", "0.017668422"},
	}
	if d := cmp.Diff(want, lines[:2]); d != "" || len(lines) != 4 {
		t.Errorf("%d lines: %s", len(lines), d)
	}
	p := many(101)
	b.Reset()
	if err := p.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	if head, _, _ := strings.Cut(b.String(), "\n"); strings.Contains(head, "p(") || !strings.HasSuffix(head, ",rank") {
		t.Errorf("101 classes: %s", head)
	}
	if err := p.WriteCSV(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("broken writer: %v", err)
	}
}

func TestWritePage(t *testing.T) {
	var b bytes.Buffer
	if err := evaluated(t).WritePage(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"<title>Evaluation of colours.onnx</title>", "3 images of photos (val), 3 classes; 1 could not be read",
		"66.7 %", "&lt;b&gt;,&#34;x&#34;", `<img src="data:image/png;base64,`, `<img src="data:image/jpeg;base64,`, "red/2.png: ",
		"prefers-color-scheme: dark", `name="viewport"`, `tabindex="0"`, "The confusion matrix as a table",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	// Nothing is loaded, and nothing was taken for dangerous by the template.
	for _, no := range []string{"http://", "https://", "<script", "ZgotmplZ", "<b>,", "#ZgotmplZ"} {
		if strings.Contains(text, no) {
			t.Errorf("the page has %s", no)
		}
	}
}

// Pages of many classes, of none wrong, and of images that are gone.
func TestWritePageOfOthers(t *testing.T) {
	for name, p := range map[string]metrics.Predictions{
		"many":  many(21),
		"right": {Classes: []string{"a", "b"}, Labels: []int{0, 0}, Probabilities: []float64{1, 0, 1, 0}},
	} {
		e := &metrics.Evaluation{Report: compute(t, p, metrics.Options{}), Predictions: p}
		var b bytes.Buffer
		if err := e.WritePage(&b); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "Most confident mistakes"); got != (name == "many") {
			t.Errorf("%s: mistakes shown: %v", name, got)
		}
		if strings.Contains(b.String(), "as a table") != (name == "right") {
			t.Errorf("%s: matrix as a table", name)
		}
	}
	e := evaluated(t)
	for i, fsys := range []fs.FS{fstest.MapFS{}, fstest.MapFS{"x": {Data: []byte("no longer a picture")}}, fstest.MapFS{"x": square(20, red)}} {
		e.Items[0] = features.NewItem(fsys, "x", 0)
		var b bytes.Buffer
		if err := e.WritePage(&b); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "no image"); got != (i < 2) {
			t.Errorf("%d: said that there is no image: %v", i, got)
		}
	}
	if err := e.WritePage(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("broken writer: %v", err)
	}
}
