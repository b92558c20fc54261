package metrics

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
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
		{"samples of b", float64(b.Support), 1}, {"taken for b", float64(b.Predicted), 1}, {"of these right", float64(b.Correct), 0},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
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
