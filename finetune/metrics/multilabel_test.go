package metrics

import (
	"bytes"
	"encoding/json"
	"html"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// small multi-label predictions whose measures are easily worked out by hand, with scikit-learn's definitions.
var multi = MultiPredictions{
	Classes:       []string{"a", "b"},
	Truth:         []bool{true, false, false, false, true, false, false, true},
	Probabilities: []float64{0.9, 0.2, 0.8, 0.6, 0.7, 0.4, 0.1, 0.45},
	Paths:         []string{"w", "x", "y", "z"},
}

func TestComputeMulti(t *testing.T) {
	r, err := ComputeMulti(multi)
	if err != nil {
		t.Fatal(err)
	}
	a, b := r.Classes[0], r.Classes[1]
	logs := 0.0
	for _, p := range []float64{0.9, 0.8, 0.2, 0.4, 0.7, 0.6, 0.9, 0.45} {
		logs -= math.Log(p) / 8
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"accuracy", r.Accuracy, 5.0 / 8}, {"exact", r.Exact, 0.5}, {"log loss", r.LogLoss, logs},
		{"micro precision", r.Micro.Precision, 0.5}, {"micro recall", r.Micro.Recall, 2.0 / 3}, {"micro F1", r.Micro.F1, 4.0 / 7},
		{"macro precision", r.Macro.Precision, 1.0 / 3}, {"macro recall", r.Macro.Recall, 0.5}, {"macro F1", r.Macro.F1, 0.4},
		{"AUC", float64(r.AUC), (0.75 + 2.0/3) / 2}, {"mAP", float64(r.AveragePrecision), (5.0/6 + 0.5) / 2},
		{"AP of a", float64(a.AveragePrecision), 5.0 / 6}, {"AUC of a", float64(a.AUC), 0.75}, {"F1 of a", a.F1, 0.8},
		{"threshold of a", float64(a.Threshold), 0.7}, {"best F1 of a", float64(a.BestF1), 0.8},
		{"AP of b", float64(b.AveragePrecision), 0.5}, {"AUC of b", float64(b.AUC), 2.0 / 3}, {"F1 of b", b.F1, 0},
		{"threshold of b", float64(b.Threshold), 0.45}, {"best F1 of b", float64(b.BestF1), 2.0 / 3},
		{"calibration error", r.CalibrationError, (0.1 + 0.2 + 0.8 + 0.6 + 0.3 + 0.4 + 0.1 + 0.55) / 8},
		{"mistakes", float64(len(r.Mistakes)), 3},
		{"samples of b", float64(b.Support), 1}, {"taken for b", float64(b.Predicted), 1}, {"of these right", float64(b.Correct), 0},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestMultiCurves has precision and recall at each threshold, and the mistakes in the order of how far off they are.
func TestMultiCurves(t *testing.T) {
	r, err := ComputeMulti(multi)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []PRCurve{
		{Recall: []float64{0.5, 0.5, 1, 1}, Precision: []float64{1, 0.5, 2.0 / 3, 0.5}},
		{Recall: []float64{0, 1, 1, 1}, Precision: []float64{0, 0.5, 1.0 / 3, 0.25}},
	} {
		if d := cmp.Diff(want, r.Classes[i].PR, cmpopts.EquateApprox(0, 1e-12)); d != "" {
			t.Errorf("%s: %s", r.Classes[i].Name, d)
		}
	}
	want := []MultiMistake{
		{Sample: 1, Path: "x", Class: "a", Probability: 0.8}, {Sample: 1, Path: "x", Class: "b", Probability: 0.6},
		{Sample: 3, Path: "z", Class: "b", Present: true, Probability: 0.45},
	}
	if d := cmp.Diff(want, r.Mistakes); d != "" {
		t.Error(d)
	}
	if n := len(r.ROC.FPR); n != gridPoints+1 || r.ROC.TPR[n-1] != 1 {
		t.Errorf("a mean curve of %d points up to %v", n, r.ROC.TPR[n-1])
	}
	if len(r.Calibration) != multiBins {
		t.Errorf("%d bins", len(r.Calibration))
	}
}

// TestMultiFolder writes a report of images that are there, and of classes that no image or every image has.
func TestMultiFolder(t *testing.T) {
	for _, p := range []MultiPredictions{multi, {Classes: []string{"never"}, Truth: []bool{false}, Probabilities: []float64{0.9}}, {Classes: []string{"<always>"}, Truth: []bool{true}, Probabilities: []float64{0.9}}} {
		r, err := ComputeMulti(p)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "report")
		e := &MultiEvaluation{Model: "somewhere/net.onnx", Data: "photos", Skipped: []SkippedImage{{"broken.png", "cut"}}, MultiReport: r, Predictions: p}
		for range 2 { // an older report is replaced
			if err := e.WriteFolder(dir); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"precision_recall.png", "roc.png", "calibration.png"} {
			f, err := os.Open(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if c, err := png.DecodeConfig(f); err != nil || c.Width < 400 || c.Height < 400 {
				t.Errorf("%s: %+v, %v", name, c, err)
			}
			f.Close()
		}
		page, err := os.ReadFile(Page(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"<title>Evaluation of net.onnx</title>", "Precision and recall", "broken.png", html.EscapeString(p.Classes[0]), "Mean average precision"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("the page has no %q", want)
			}
		}
		if n := strings.Count(string(page), "<li><span class=\"none soft\">no image</span>"); n != len(r.Mistakes) {
			t.Errorf("%d mistakes on the page, want %d", n, len(r.Mistakes))
		}
	}
}

// TestComputeMultiEdges are classes that nothing or everything has, and ties.
func TestComputeMultiEdges(t *testing.T) {
	r, err := ComputeMulti(MultiPredictions{
		Classes:       []string{"never", "always", "ties"},
		Truth:         []bool{false, true, true, false, true, false},
		Probabilities: []float64{0.1, 0.9, 0.6, 0, 1, 0.6},
	})
	if err != nil {
		t.Fatal(err)
	}
	never, always, ties := r.Classes[0], r.Classes[1], r.Classes[2]
	if never.AUC.Defined() || never.AveragePrecision.Defined() || never.Threshold.Defined() || never.BestF1.Defined() {
		t.Errorf("never: %+v", never)
	}
	if always.AUC.Defined() || always.AveragePrecision != 1 || always.Threshold != 0.9 || always.BestF1 != 1 {
		t.Errorf("always: %+v", always)
	}
	if ties.AUC != 0.5 || ties.AveragePrecision != 0.5 || ties.Threshold != 0.6 || math.Abs(float64(ties.BestF1)-2.0/3) > 1e-12 {
		t.Errorf("ties: %+v", ties)
	}
	if r.AUC != 0.5 || r.AveragePrecision != 0.75 || math.Abs(r.Macro.F1-(1+2.0/3)/2) > 1e-12 {
		t.Errorf("%+v", r)
	}
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil || !json.Valid(b.Bytes()) || !strings.Contains(b.String(), `"best_threshold": null`) {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestComputeMultiRefuses(t *testing.T) {
	for name, p := range map[string]MultiPredictions{
		"no classes":             {},
		"no samples":             {Classes: []string{"a"}},
		"do not fit":             {Classes: []string{"a", "b"}, Truth: []bool{true}, Probabilities: []float64{1}},
		"probabilities":          {Classes: []string{"a"}, Truth: []bool{true}, Probabilities: []float64{1, 1}},
		"paths":                  {Classes: []string{"a"}, Truth: []bool{true}, Probabilities: []float64{1}, Paths: []string{"x", "y"}},
		"not a number":           {Classes: []string{"a"}, Truth: []bool{true}, Probabilities: []float64{math.NaN()}},
		"beyond 1, of no sample": {Classes: []string{"a"}, Truth: []bool{true}, Probabilities: []float64{1.5}},
	} {
		if _, err := ComputeMulti(p); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestMultiCSV(t *testing.T) {
	var b bytes.Buffer
	if err := multi.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	want := "path,a,p(a),b,p(b)\nw,1,0.9,0,0.2\nx,0,0.8,0,0.6\ny,1,0.7,0,0.4\nz,0,0.1,1,0.45\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}
