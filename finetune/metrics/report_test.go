package metrics_test

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onnxcnn/onnxcnn/finetune/metrics"
)

// three are predictions for three classes with ties within classes and within rows.
func three() metrics.Predictions {
	return metrics.Predictions{
		Classes: []string{"a", "b", "c"},
		Labels:  []int{0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2},
		Probabilities: []float64{
			.7, .2, .1, .5, .3, .2, .3, .4, .3, .6, .3, .1,
			.2, .6, .2, .1, .8, .1, .5, .3, .2, .2, .7, .1, .25, .25, .5,
			.1, .1, .8, .2, .5, .3, .3, .1, .6,
		},
	}
}

// The numbers are those of scikit-learn 1.2.1 for y and P as in three:
//
//	accuracy_score(y, P.argmax(1)); balanced_accuracy_score(y, P.argmax(1)); top_k_accuracy_score(y, P, k=2)
//	precision_recall_fscore_support(y, P.argmax(1)), and with average="macro" and "weighted"
//	confusion_matrix(y, P.argmax(1)); log_loss(y, P); ((P - np.eye(3)[y])**2).sum(1).mean()
//	[roc_auc_score(y == k, P[:, k]) for k in range(3)]; roc_auc_score(y, P, multi_class="ovr")
//	[average_precision_score(y == k, P[:, k]) for k in range(3)]; average_precision_score(np.eye(3)[y], P)
//
// and 95 % bounds of Wilson's interval by its formula.
func TestAgainstScikitLearn(t *testing.T) {
	r := compute(t, three(), metrics.Options{TopK: []int{1, 2, 3, 9}, Mistakes: -1})
	near(t, "accuracy", r.Accuracy, 0.6666666666666666)
	near(t, "balanced accuracy", r.BalancedAccuracy, 0.6722222222222222)
	near(t, "low", r.AccuracyLow, 0.39062208887279953)
	near(t, "high", r.AccuracyHigh, 0.8618799089087867)
	near(t, "log loss", r.LogLoss, 0.6986228180384583)
	near(t, "brier", r.Brier, 0.39291666666666664)
	near(t, "auc", float64(r.AUC), 0.8939814814814815)
	near(t, "average precision", float64(r.AveragePrecision), 0.8439814814814816)
	for i, want := range []float64{0.6666666666666666, 0.9166666666666666, 1, 1} {
		near(t, "top k", r.TopK[i].Accuracy, want)
	}
	near(t, "macro f1", r.Macro.F1, 0.6722222222222222)
	near(t, "macro precision", r.Macro.Precision, 0.6722222222222222)
	near(t, "macro recall", r.Macro.Recall, 0.6722222222222222)
	near(t, "weighted f1", r.Weighted.F1, 0.6666666666666666)
	near(t, "weighted precision", r.Weighted.Precision, 0.6666666666666666)
	near(t, "weighted recall", r.Weighted.Recall, 0.6666666666666666)
	for i, want := range []struct{ precision, auc, ap float64 }{
		{0.75, 0.9375, 0.8541666666666666}, {0.6, 0.8, 0.8111111111111111}, {0.6666666666666666, 0.9444444444444444, 0.8666666666666667},
	} {
		c := r.Classes[i]
		near(t, c.Name+" precision", c.Precision, want.precision)
		near(t, c.Name+" recall", c.Recall, want.precision) // they happen to be the same here
		near(t, c.Name+" f1", c.F1, want.precision)
		near(t, c.Name+" auc", float64(c.AUC), want.auc)
		near(t, c.Name+" average precision", float64(c.AveragePrecision), want.ap)
	}
	if want := [][]int{{3, 1, 0}, {1, 3, 1}, {0, 1, 2}}; !cmp.Equal(r.Confusion, want) {
		t.Errorf("confusion %v, want %v", r.Confusion, want)
	}
	// roc_curve(y == 0, P[:, 0], drop_intermediate=False)
	want := metrics.Curve{FPR: []float64{0, 0, 0, .125, .25, .375, .75, 1}, TPR: []float64{0, .25, .5, .75, 1, 1, 1, 1}}
	if d := cmp.Diff(want, r.Classes[0].ROC, cmpopts.EquateApprox(0, 1e-12)); d != "" {
		t.Errorf("curve: %s", d)
	}
	if len(r.Mistakes)+len(r.Confused) != 0 {
		t.Errorf("%d mistakes and %d pairs listed, want none", len(r.Mistakes), len(r.Confused))
	}
}

// scikit-learn 1.2.1 for yb = [0,0,0,0,1,1,1,1] and the probabilities p below:
// accuracy_score(yb, p > .5), roc_auc_score(yb, p), average_precision_score(yb, p) and (1-yb, 1-p), log_loss(yb, p),
// brier_score_loss(yb, p).
func TestBinaryAgainstScikitLearn(t *testing.T) {
	r := compute(t, metrics.Predictions{
		Classes: []string{"no", "yes"}, Labels: []int{0, 0, 0, 0, 1, 1, 1, 1},
		Probabilities: metrics.Binary([]float64{.1, .4, .35, .8, .35, .9, .6, 1}),
	}, metrics.Options{})
	near(t, "accuracy", r.Accuracy, 0.75)
	near(t, "auc", float64(r.AUC), 0.78125)
	near(t, "auc of no", float64(r.Classes[0].AUC), 0.78125)
	near(t, "average precision", float64(r.Classes[1].AveragePrecision), 0.8303571428571428)
	near(t, "average precision of no", float64(r.Classes[0].AveragePrecision), 0.7708333333333333)
	near(t, "log loss", r.LogLoss, 0.5403019039841084)
	near(t, "brier", r.Brier, 0.190625)
	if len(r.TopK) != 0 {
		t.Errorf("top k of two classes: %v", r.TopK)
	}
}

// Classes without samples, of which one is predicted and one never: precision_recall_fscore_support([0,0,1,1],
// [0,2,1,1]) with average="macro" and "weighted", and balanced_accuracy_score.
func TestClassesWithoutSamples(t *testing.T) {
	r := compute(t, metrics.Predictions{Classes: []string{"a", "b", "c", "d"}, Labels: []int{0, 0, 1, 1},
		Probabilities: []float64{.7, .1, .1, .1, .1, .1, .7, .1, .1, .7, .1, .1, .1, .7, .1, .1}}, metrics.Options{})
	near(t, "macro precision", r.Macro.Precision, 2.0/3)
	near(t, "macro recall", r.Macro.Recall, 0.5)
	near(t, "macro f1", r.Macro.F1, 0.5555555555555555)
	near(t, "weighted precision", r.Weighted.Precision, 1)
	near(t, "weighted recall", r.Weighted.Recall, 0.75)
	near(t, "weighted f1", r.Weighted.F1, 0.8333333333333333)
	near(t, "balanced", r.BalancedAccuracy, 0.75)
	near(t, "auc", float64(r.AUC), (0.75+1)/2)
	for _, c := range r.Classes[2:] {
		if c.AUC.Defined() || c.AveragePrecision.Defined() || len(c.ROC.FPR) != 0 || c.Recall != 0 {
			t.Errorf("class without samples: %+v", c)
		}
	}
}

func TestOneClassAmongTheLabels(t *testing.T) {
	r := compute(t, metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0, 0}, Probabilities: []float64{.9, .1, .4, .6}}, metrics.Options{})
	near(t, "accuracy", r.Accuracy, 0.5)
	near(t, "balanced", r.BalancedAccuracy, 0.5)
	near(t, "average precision", float64(r.Classes[0].AveragePrecision), 1)
	if r.AUC.Defined() || len(r.ROC.FPR) != 0 {
		t.Errorf("auc %v with nothing to tell apart", r.AUC)
	}
}

func TestOnlyClass(t *testing.T) {
	r := compute(t, metrics.Predictions{Classes: []string{"a"}, Labels: []int{0, 0}, Probabilities: []float64{1, 1}}, metrics.Options{})
	near(t, "accuracy", r.Accuracy, 1)
	near(t, "log loss", r.LogLoss, 0)
}

func TestAllWrong(t *testing.T) {
	r := compute(t, metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0, 1}, Probabilities: []float64{0, 1, 1, 0}}, metrics.Options{})
	near(t, "accuracy", r.Accuracy, 0)
	near(t, "low", r.AccuracyLow, 0)
	near(t, "macro f1", r.Macro.F1, 0)
	near(t, "auc", float64(r.AUC), 0)
	near(t, "brier", r.Brier, 1)
	near(t, "calibration error", r.CalibrationError, 1)
	near(t, "log loss", r.LogLoss, 52*math.Ln2) // not infinite
}

// All probabilities are the same: nothing is known, and the first class is predicted.
func TestConstant(t *testing.T) {
	r := compute(t, metrics.Predictions{Classes: []string{"a", "b", "c", "d"}, Labels: []int{0, 1, 2, 3},
		Probabilities: slices.Repeat([]float64{.25}, 16)}, metrics.Options{TopK: []int{1, 2}})
	near(t, "accuracy", r.Accuracy, 0.25)
	near(t, "top 1", r.TopK[0].Accuracy, 0.25)
	near(t, "top 2", r.TopK[1].Accuracy, 0.5)
	near(t, "auc", float64(r.AUC), 0.5)
	near(t, "average precision", float64(r.AveragePrecision), 0.25)
	near(t, "log loss", r.LogLoss, math.Log(4))
}

func TestCalibration(t *testing.T) {
	// Confidences on the borders of bins belong to the bin below; 0.6 = 9/15, 0.8 = 12/15.
	r := compute(t, metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0, 1, 0, 0, 0},
		Probabilities: []float64{.6, .4, .6, .4, .8, .2, 1, 0, .81, .19}}, metrics.Options{})
	want := map[int]metrics.Bin{8: {Count: 2, Confidence: .6, Accuracy: .5}, 11: {Count: 1, Confidence: .8, Accuracy: 1},
		12: {Count: 1, Confidence: .81, Accuracy: 1}, 14: {Count: 1, Confidence: 1, Accuracy: 1}}
	for i, b := range r.Calibration {
		w, ok := want[i]
		if !ok {
			w.Confidence, w.Accuracy = metrics.Value(math.NaN()), metrics.Value(math.NaN())
		}
		w.From, w.To = float64(i)/15, float64(i+1)/15
		if d := cmp.Diff(w, b, sameValues); d != "" {
			t.Errorf("bin %d: %s", i, d)
		}
	}
	near(t, "calibration error", r.CalibrationError, (2*.1+.2+.19)/5)
	// Every border of some numbers of bins, as computed in another way than the bins are.
	for bins := 1; bins < 60; bins++ {
		for i := 1; i <= bins; i++ {
			v := float64(i) / float64(bins)
			r := compute(t, metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0}, Probabilities: []float64{v, 0}}, metrics.Options{Bins: bins})
			if b := r.Calibration[i-1]; b.Count != 1 {
				t.Errorf("%v of %d bins is not in bin %d", v, bins, i-1)
			}
		}
	}
}

func TestListsOfMistakes(t *testing.T) {
	p := three()
	p.Paths = strings.Split("0 1 2 3 4 5 6 7 8 9 10 11", " ")
	r := compute(t, p, metrics.Options{Mistakes: 3})
	want := []metrics.Mistake{ // of equal probabilities, first the one that is surer of its mistake
		{Sample: 8, Path: "8", Actual: "b", Predicted: "c", Probability: .5, ActualProbability: .25},
		{Sample: 6, Path: "6", Actual: "b", Predicted: "a", Probability: .5, ActualProbability: .3},
		{Sample: 10, Path: "10", Actual: "c", Predicted: "b", Probability: .5, ActualProbability: .3},
	}
	if d := cmp.Diff(want, r.Mistakes); d != "" {
		t.Error(d)
	}
	pairs := []metrics.Pair{{"c", "b", 1, 1.0 / 3}, {"a", "b", 1, .25}, {"b", "a", 1, .2}}
	if d := cmp.Diff(pairs, r.Confused); d != "" {
		t.Error(d)
	}
}

func TestRefuses(t *testing.T) {
	ok := []float64{.5, .5, .5, .5}
	for name, c := range map[string]struct {
		p    metrics.Predictions
		o    metrics.Options
		want string
	}{
		"no classes":     {p: metrics.Predictions{Labels: []int{0}}, want: "no classes"},
		"no samples":     {p: metrics.Predictions{Classes: []string{"a"}}, want: "no samples"},
		"row too short":  {p: metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0, 1}, Probabilities: ok[:3]}, want: "3 probabilities for 2 samples"},
		"rows missing":   {p: metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0, 1}, Probabilities: ok[:2]}, want: "want 4"},
		"paths":          {p: metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0, 1}, Probabilities: ok, Paths: []string{"x"}}, want: "1 paths for 2"},
		"label too high": {p: metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0, 2}, Probabilities: ok}, want: "sample 1: label 2"},
		"label negative": {p: metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{-1, 0}, Probabilities: ok, Paths: []string{"x", "y"}}, want: "x: label -1"},
		"NaN":            {p: metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0}, Probabilities: []float64{.5, math.NaN()}}, want: `"b" is NaN`},
		"logits":         {p: metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0}, Probabilities: []float64{3.5, -2}}, want: `"a" is 3.5`},
		"infinite":       {p: metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0}, Probabilities: []float64{.5, math.Inf(-1)}}, want: "-Inf"},
		"top 0":          {p: three(), o: metrics.Options{TopK: []int{0}}, want: "at least 1"},
		"bins":           {p: three(), o: metrics.Options{Bins: -1}, want: "at least 1"},
	} {
		_, err := metrics.Compute(c.p, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
}

// A quantised Softmax may say 256/255.
func TestQuantisedProbabilities(t *testing.T) {
	r := compute(t, metrics.Predictions{Classes: []string{"a", "b"}, Labels: []int{0, 1}, Probabilities: []float64{256.0 / 255, 0, -0.001, 1}}, metrics.Options{})
	near(t, "accuracy", r.Accuracy, 1)
	near(t, "auc", float64(r.AUC), 1)
}

// Curves of many samples are thinned; the area is that of all points.
func TestLongCurves(t *testing.T) {
	var p metrics.Predictions
	p.Classes = []string{"a", "b"}
	var ones []float64
	for i := range 20000 {
		v := float64(i) / 20000
		ones = append(ones, v)
		label := 0
		if float64(i*7919%20000)/20000 < v { // the share of class 1 rises with the probability
			label = 1
		}
		p.Labels = append(p.Labels, label)
	}
	p.Probabilities = metrics.Binary(ones)
	r := compute(t, p, metrics.Options{})
	c := r.Classes[1].ROC
	if n := len(c.FPR); n < 100 || n > 202 || c.FPR[0] != 0 || c.TPR[0] != 0 || c.FPR[n-1] != 1 || c.TPR[n-1] != 1 {
		t.Errorf("curve of %d points", n)
	}
	area := 0.0
	for i := 1; i < len(c.FPR); i++ {
		area += (c.FPR[i] - c.FPR[i-1]) * (c.TPR[i] + c.TPR[i-1]) / 2
	}
	if math.Abs(area-5.0/6) > 0.01 || math.Abs(float64(r.AUC)-5.0/6) > 0.01 { // of densities 2(1-v) and 2v
		t.Errorf("area %v, auc %v, want about 5/6", area, r.AUC)
	}
}

func TestMeanCurve(t *testing.T) {
	r := compute(t, three(), metrics.Options{})
	if n := len(r.ROC.FPR); n != 102 || r.ROC.FPR[n-1] != 1 || r.ROC.TPR[n-1] != 1 {
		t.Fatalf("%d points that end at %v, %v", n, r.ROC.FPR[n-1], r.ROC.TPR[n-1])
	}
	for i, x := range r.ROC.FPR {
		if x == 0.5 { // the mean over k of np.interp(.5, *roc_curve(y == k, P[:, k], drop_intermediate=False)[:2])
			near(t, "mean curve", r.ROC.TPR[i], 0.9166666666666666)
		}
	}
}

func TestJSON(t *testing.T) {
	r := compute(t, metrics.Predictions{Classes: []string{"<a>", `b [1,  2] \ "`}, Labels: []int{0}, Probabilities: []float64{1, 0}}, metrics.Options{})
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"auc": null`, `"name": "<a>"`, `"accuracy": 1,`, `"mistakes": []`, `"top_k": []`, "\"confusion\": [\n    [1, 0],\n    [0, 0]\n  ],", `"name": "b [1,  2] \\ \""`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
	var back metrics.Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, &back, sameValues); d != "" {
		t.Errorf("read back: %s", d)
	}
}

// sameValues takes undefined values for equal.
var sameValues = cmp.Comparer(func(a, b metrics.Value) bool {
	return math.Abs(float64(a-b)) < 1e-12 || !a.Defined() && !b.Defined()
})

func compute(t *testing.T, p metrics.Predictions, o metrics.Options) *metrics.Report {
	t.Helper()
	r, err := metrics.Compute(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9) {
		t.Errorf("%s: %.16g, want %.16g", what, got, want)
	}
}
