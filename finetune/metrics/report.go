package metrics

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// Options say what [Compute] computes. The zero value takes the defaults.
type Options struct {
	TopK     []int // the k of top-k accuracy; nil for 5, where there are more than 5 classes
	Bins     int   // of the calibration, 0 for 15
	Mistakes int   // how many mistakes and confused pairs are listed, 0 for 20, negative for none
}

// Value is a measure that may be undefined: NaN, which is null in JSON.
type Value float64

// Defined reports whether there is a value.
func (v Value) Defined() bool { return !math.IsNaN(float64(v)) }

// MarshalJSON writes the number, or null.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.Defined() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(v))
}

// UnmarshalJSON reads a number, or null.
func (v *Value) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*v = Value(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(v))
}

// Report is how good a classifier is on some samples.
type Report struct {
	Samples  int     `json:"samples"`
	Correct  int     `json:"correct"`
	Accuracy float64 `json:"accuracy"` // the share of samples whose predicted class is right

	// The accuracy on all samples of the kind lies between these with 95 % confidence (Wilson's score interval).
	AccuracyLow  float64 `json:"accuracy_low"`
	AccuracyHigh float64 `json:"accuracy_high"`

	BalancedAccuracy float64  `json:"balanced_accuracy"` // the mean recall of the classes that have samples
	TopK             []TopK   `json:"top_k"`
	Macro            Averages `json:"macro"`
	Weighted         Averages `json:"weighted"`

	AUC              Value `json:"auc"`               // macro average of the area under the ROC curve
	AveragePrecision Value `json:"average_precision"` // macro average

	// LogLoss is the mean of -ln p of the true class, where rows are divided by their sum and p is at least 2.2e-16.
	LogLoss float64 `json:"log_loss"`
	// Brier is the mean squared distance between the probabilities and the truth: for two classes (p-y)² of the second,
	// else the sum over the classes.
	Brier float64 `json:"brier"`
	// CalibrationError is the expected calibration error (Guo et al. 2017): how far, on average over the samples,
	// confidence and accuracy are apart in the bins of Calibration.
	CalibrationError float64 `json:"calibration_error"`

	Classes     []Class   `json:"classes"`
	Confusion   [][]int   `json:"confusion"`   // [true class][predicted class], counts
	ROC         Curve     `json:"roc"`         // mean of the classes' curves
	Calibration []Bin     `json:"calibration"` // of the predicted class's probability, bins of equal width
	Confused    []Pair    `json:"confused"`    // the most frequent mistakes
	Mistakes    []Mistake `json:"mistakes"`    // the wrong predictions with the highest probability
}

// Class is how well one class is told from the others.
type Class struct {
	Name             string  `json:"name"`
	Support          int     `json:"support"`   // samples of the class
	Predicted        int     `json:"predicted"` // samples taken for it
	Correct          int     `json:"correct"`   // both
	Precision        float64 `json:"precision"`
	Recall           float64 `json:"recall"`
	F1               float64 `json:"f1"`
	AUC              Value   `json:"auc"`
	AveragePrecision Value   `json:"average_precision"`
	ROC              Curve   `json:"roc"` // empty where AUC is undefined
}

// TopK is the share of samples whose true class is among the K most probable ones.
type TopK struct {
	K        int     `json:"k"`
	Accuracy float64 `json:"accuracy"`
}

// Averages are means over the classes.
type Averages struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Compute computes all measures. It is an error if there are no samples, or if a label or probability is out of range
// or not a number.
func Compute(p Predictions, o Options) (*Report, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if o.Bins == 0 {
		o.Bins = 15
	}
	if o.Mistakes == 0 {
		o.Mistakes = 20
	}
	k := len(p.Classes)
	if o.TopK == nil && k > 5 {
		o.TopK = []int{5}
	}
	if o.Bins < 0 || slices.ContainsFunc(o.TopK, func(k int) bool { return k < 1 }) {
		return nil, fmt.Errorf("metrics: %d bins, top %v: want at least 1", o.Bins, o.TopK)
	}
	r := &Report{Samples: len(p.Labels)}
	r.count(&p)
	r.topK(&p, o.TopK)
	r.losses(&p)
	r.calibrate(&p, o.Bins)
	r.rankClasses(&p)
	r.Confused = r.confusedPairs(o.Mistakes)
	all := mistakes(&p)
	r.Mistakes = all[:min(max(o.Mistakes, 0), len(all))]
	return r, nil
}

func (r *Report) topK(p *Predictions, ks []int) {
	r.TopK = []TopK{}
	right := make([]int, len(ks))
	for i := range p.Labels {
		rank := p.rank(i)
		for j, k := range ks {
			if rank < k {
				right[j]++
			}
		}
	}
	for j, k := range ks {
		r.TopK = append(r.TopK, TopK{k, share(right[j], r.Samples)})
	}
}

// smallest is the least probability that a logarithm is taken of: the step of a float64 at 1.
const smallest = 0x1p-52

func (r *Report) losses(p *Predictions) {
	logs, squares := 0.0, 0.0
	for i, label := range p.Labels {
		row, sum := p.Row(i), 0.0
		for j, v := range row {
			sum += max(v, smallest)
			y := 0.0
			if j == label {
				y = 1
			}
			if len(row) != 2 || j == 1 {
				squares += (v - y) * (v - y)
			}
		}
		logs -= math.Log(max(row[label], smallest) / sum)
	}
	r.LogLoss = max(logs/float64(r.Samples), 0)
	r.Brier = squares / float64(r.Samples)
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// share is a part of a whole, 0 where there is no whole.
func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
