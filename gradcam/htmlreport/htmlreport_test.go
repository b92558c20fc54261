package htmlreport

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// tiny is a network of three classes, which get these names.
func tiny(t *testing.T, classes ...string) *onnx.Model {
	t.Helper()
	m, err := onnx.Open("../../testdata/models/tiny_described.onnx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := zoo.SetLabels(m, classes); err != nil {
		t.Fatal(err)
	}
	return m
}

// folder is a data set of drawn images, of which class k has the name names[i] in its file's.
func folder(t *testing.T, classes, names []string) *features.Dataset {
	t.Helper()
	fsys := fstest.MapFS{}
	d := &features.Dataset{Classes: classes}
	for i, name := range names {
		k := i % len(classes)
		img := image.NewNRGBA(image.Rect(0, 0, 20, 16))
		for p := range 20 * 16 {
			x, y := p%20, p/20
			img.SetNRGBA(x, y, color.NRGBA{uint8(40*i + 9*x), uint8(160*k + 5*y), uint8(11 * (x + y) * (i + 1)), 255})
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		path := fmt.Sprintf("c%d/%s.png", k, name)
		fsys[path] = &fstest.MapFile{Data: b.Bytes()}
		d.Items = append(d.Items, features.NewItem(fsys, path, k))
	}
	return d
}

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("image %d", i)
	}
	return out
}

func evaluate(t *testing.T, m *onnx.Model, d *features.Dataset) *metrics.Evaluation {
	t.Helper()
	e, err := metrics.Evaluate(context.Background(), m, d, metrics.EvaluateOptions{AllowMissing: true, Report: metrics.Options{Mistakes: 20}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// write writes the page and returns it.
func write(t *testing.T, m *onnx.Model, e *metrics.Evaluation, o Options) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := Write(context.Background(), file, m, e, o); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var uris = regexp.MustCompile(`data:image/[a-z]+;base64,[^" ]*`)

// Names of classes and files are text on the page, whatever is in them.
func TestHostileNames(t *testing.T) {
	bad := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(2)>`, `{{.Title}} & 'it' `}
	m := tiny(t, bad...)
	d := folder(t, bad, []string{`"><svg onload=alert(3)>`, `'><b>b`, "&lt;i&gt;", "new\nline", "javascript:alert(4)", "ü\u202e\x01"})
	e := evaluate(t, m, d)
	e.Model, e.Data, e.Split = `<u>.onnx`, `<s>"`, `<q>`
	e.Skipped = []metrics.SkippedImage{{Path: `<em>skipped`, Reason: `<strong>no`}}
	if len(e.Mistakes) == 0 {
		t.Fatal("there is no mistake to show")
	}
	page := uris.ReplaceAllString(write(t, m, e, Options{
		Train: d, Nearest: 2, Worst: 6, Summary: "</pre><script>alert(5)</script>",
		History: []metrics.Epoch{{Epoch: 1, TrainLoss: 1, ValLoss: 1}},
	}), "data:")
	for _, tag := range []string{"<script", "<img src=x", "<svg", "<b>b", "<i>", "<u>", "<s>", "<q>", "<em>", "<strong>no", "</pre><s"} {
		if strings.Contains(page, tag) {
			t.Errorf("%q came through", tag)
		}
	}
	// All attributes are the template's own.
	for _, tag := range regexp.MustCompile(`<[a-z][^>]*>`).FindAllString(page, -1) {
		if regexp.MustCompile(`\son[a-z]+\s*=|javascript:[^"]*"[^>]*(href|src)`).MatchString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(tag, `""`)) {
			t.Errorf("a tag with an event handler: %s", tag)
		}
	}
	for _, name := range append(bad, d.Items[0].Path, d.Items[2].Path) {
		if !strings.Contains(html.UnescapeString(page), name) {
			t.Errorf("the page does not show %q", name)
		}
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
}

// The table of the classes has the numbers of finetune/metrics.
func TestNumbersOfClasses(t *testing.T) {
	classes := []string{"a", "b", "c"}
	m := tiny(t, classes...)
	e := evaluate(t, m, folder(t, classes, names(12)))
	page := write(t, m, e, Options{Worst: 3})
	number := func(v float64) string { return fmt.Sprintf("%.4f", v) }
	value := func(v metrics.Value) string {
		if !v.Defined() {
			return "–"
		}
		return number(float64(v))
	}
	want := map[string][]string{
		"Macro average":    {"12", "12", number(e.Macro.Precision), number(e.Macro.Recall), number(e.Macro.F1), value(e.AUC), value(e.AveragePrecision)},
		"Weighted average": {"12", "12", number(e.Weighted.Precision), number(e.Weighted.Recall), number(e.Weighted.F1), "", ""},
	}
	for _, c := range e.Classes {
		want[c.Name] = []string{fmt.Sprint(c.Support), fmt.Sprint(c.Predicted), number(c.Precision), number(c.Recall), number(c.F1), value(c.AUC), value(c.AveragePrecision)}
	}
	_, table, _ := strings.Cut(page, `id="classes"`)
	table, _, _ = strings.Cut(table, "</table>")
	got := map[string][]string{}
	for _, row := range regexp.MustCompile(`(?s)<tr>(<th scope="row">.*?)</tr>`).FindAllStringSubmatch(table, -1) {
		var cells []string
		for _, c := range regexp.MustCompile(`(?s)<t[hd][^>]*>(.*?)</t[hd]>`).FindAllStringSubmatch(row[1], -1) {
			text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(c[1], "")
			cells = append(cells, strings.TrimSpace(html.UnescapeString(text)))
		}
		got[cells[0]] = cells[1:]
	}
	if len(got) != len(want) {
		t.Errorf("rows %q", got)
	}
	for name, cells := range want {
		if !slices.Equal(got[name], cells) {
			t.Errorf("%s: %q, want %q", name, got[name], cells)
		}
	}
	if !strings.Contains(page, fmt.Sprintf("%.1f %%<small>%d of %d", 100*e.Accuracy, e.Correct, e.Samples)) {
		t.Error("the accuracy is not that of the evaluation")
	}
}

func TestParts(t *testing.T) {
	classes := []string{"a", "b", "c"}
	all := []string{`id="training"`, `id="worst"`, `id="mistakes"`, `id="network"`, `class="nearest"`, `alt="Grad-CAM of `}
	for _, c := range []struct {
		name    string
		classes []string // of the data
		right   bool     // every image is labelled with what the network says
		train   bool
		o       Options
		want    []string // of all; the others are missing
	}{
		{"everything", classes, false, true, Options{Worst: 3, Nearest: 2, Summary: "layers", History: []metrics.Epoch{{Epoch: 1}, {Epoch: 2}}}, all},
		{"no history", classes, false, true, Options{Worst: 3, Nearest: 2, Summary: "layers"}, all[1:]},
		{"no training images", classes, false, false, Options{Worst: 3, Nearest: 2}, []string{all[1], all[2], all[5]}},
		{"none wanted", classes, false, true, Options{Worst: 3}, []string{all[1], all[2], all[5]}},
		{"nothing but numbers", classes, true, true, Options{Worst: 3, Nearest: 2}, nil},
		{"a class", []string{"a"}, false, true, Options{Worst: 3, Nearest: 1}, []string{all[1], all[2], all[4], all[5]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := tiny(t, classes...)
			d := folder(t, c.classes, names(9))
			e := evaluate(t, m, d)
			if c.right {
				for i := range d.Items {
					d.Items[i].Label = e.Predictions.Predicted(i)
				}
				e = evaluate(t, m, d)
			}
			if (len(e.Mistakes) == 0) != c.right {
				t.Fatalf("%d mistakes", len(e.Mistakes))
			}
			if c.train {
				c.o.Train = d
			}
			page := uris.ReplaceAllString(write(t, m, e, c.o), "data:")
			for _, part := range all {
				if strings.Contains(page, part) != slices.Contains(c.want, part) {
					t.Errorf("%s: it is there, or is not: %v", part, strings.Contains(page, part))
				}
			}
			if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || !strings.Contains(page, "</html>") {
				t.Error("a number is none, or the page is cut")
			}
		})
	}
}

// The nearest images are those with the largest cosine between the features before the head, the earlier one first of
// equals; an image is the nearest to itself. Training images that cannot be read, or have no class, do no harm.
func TestNearest(t *testing.T) {
	classes := []string{"a", "b", "c"}
	m := tiny(t, classes...)
	d := folder(t, classes, names(7))
	e := evaluate(t, m, d)
	train := &features.Dataset{Classes: classes, Items: slices.Concat(d.Items, d.Items)}
	broken := fstest.MapFS{"text.png": &fstest.MapFile{Data: []byte("no image")}}
	train.Items = append([]features.Item{features.NewItem(broken, "text.png", 0)}, train.Items...)
	train.Items[len(train.Items)-1].Label = -1
	samples := []int{0, 3, 6}
	details := map[int]metrics.Detail{}
	if err := nearest(context.Background(), m, e, samples, Options{Train: train, Nearest: 3}, details); err != nil {
		t.Fatal(err)
	}
	x, err := features.New(m, features.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var rows [][]float64
	for row, err := range x.Rows(context.Background(), d) {
		if err != nil {
			t.Fatal(err)
		}
		var v []float64
		for _, f := range row.Features {
			v = append(v, float64(f))
		}
		rows = append(rows, v)
	}
	cosine := func(a, b []float64) float64 { return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b)) }
	for _, s := range samples {
		got := details[s].Nearest
		if len(got) != 3 || got[0].Item.Path != d.Items[s].Path || math.Abs(got[0].Similarity-1) > 1e-9 {
			t.Fatalf("sample %d: %+v", s, got)
		}
		second := -1.0
		for i := range rows {
			if i != s {
				second = max(second, cosine(rows[s], rows[i]))
			}
		}
		if math.Abs(got[2].Similarity-second) > 1e-9 {
			t.Errorf("sample %d: the third is at %v, want %v", s, got[2].Similarity, second)
		}
	}
	// Image 6 is there twice, first with its class.
	if got := details[6].Nearest; got[0].Class != "a" || got[1].Class != "" || got[1].Item.Path != d.Items[6].Path {
		t.Errorf("of equals: %+v", got)
	}
	if u := unit([]float32{0, 0}); !slices.Equal(u, []float64{0, 0}) {
		t.Errorf("nothing, scaled: %v", u)
	}
	if u := unit([]float32{3, 4}); math.Abs(u[0]-0.6) > 1e-15 || math.Abs(u[1]-0.8) > 1e-15 {
		t.Errorf("3, 4 scaled: %v", u)
	}
}

// A network without maps has a page without heat maps, and one is told.
func TestNetworkWithoutMaps(t *testing.T) {
	m := tiny(t, "a", "b", "c")
	g := m.Graph
	w := make([]float32, 3*16*16*3)
	for i := range w {
		w[i] = float32(i%7) - 3
	}
	g.Nodes = []*onnx.Node{
		{OpType: "Flatten", Inputs: []string{g.Inputs[0].Name}, Outputs: []string{"flat"}},
		{OpType: "MatMul", Inputs: []string{"flat", "w"}, Outputs: []string{g.Outputs[0].Name}},
	}
	g.Initializers = []*onnx.Tensor{{Name: "w", Type: onnx.Float, Shape: []int{3 * 16 * 16, 3}, Raw: onnx.Of([]int{3 * 16 * 16, 3}, w).Raw}}
	d := folder(t, []string{"a", "b", "c"}, names(9))
	e := evaluate(t, m, d)
	var told []string
	page := write(t, m, e, Options{Worst: 2, Train: d, Nearest: 1, Warn: func(s string) { told = append(told, s) }})
	if len(told) != 1 || !strings.HasPrefix(told[0], "the page has no heat maps: ") || strings.Contains(page, "Grad-CAM of") || !strings.Contains(page, `class="nearest"`) {
		t.Errorf("told %q", told)
	}
	write(t, m, e, Options{Worst: 2})
}

// What goes wrong leaves no page behind.
func TestFailures(t *testing.T) {
	classes := []string{"a", "b", "c"}
	m := tiny(t, classes...)
	d := folder(t, classes, names(9))
	e := evaluate(t, m, d)
	gone := *e
	gone.Items = slices.Clone(e.Items)
	for i := range gone.Items {
		gone.Items[i] = features.NewItem(fstest.MapFS{"bad.png": &fstest.MapFile{Data: []byte("no image")}}, []string{"bad.png", "gone.png"}[i%2], 0)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		ctx  context.Context
		e    *metrics.Evaluation
		file string
		want string
	}{
		{"the images are gone", context.Background(), &gone, filepath.Join(dir, "a.html"), ".png: "},
		{"stopped", stopped, e, filepath.Join(dir, "b.html"), "context canceled"},
		{"no folder", context.Background(), e, filepath.Join(dir, "none", "c.html"), "no such file"},
	} {
		if err := Write(c.ctx, c.file, m, c.e, Options{Worst: 2, Train: d, Nearest: 1}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := nearest(stopped, m, e, []int{0}, Options{Train: d, Nearest: 1}, map[int]metrics.Detail{}); err == nil {
		t.Error("stopped, and the nearest images were found")
	}
}
