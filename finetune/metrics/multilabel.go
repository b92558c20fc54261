package metrics

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// MultiPredictions are what a classifier said about samples that have any number of classes each, and what they are.
type MultiPredictions struct {
	Classes       []string  // the name of each class
	Truth         []bool    // whether a sample has a class, sample after sample: rows of len(Classes)
	Probabilities []float64 // of each class, likewise
	Paths         []string  // where each sample is from; may be nil
}

// MultiReport is how good a classifier is on samples that have any number of classes each. A class is said to be there
// where its probability is above 0.5.
type MultiReport struct {
	Samples  int     `json:"samples"`
	Accuracy float64 `json:"accuracy"` // the share of right answers, over all samples and classes: 1 less the Hamming loss
	Exact    float64 `json:"exact"`    // the share of samples of which every class is right (subset accuracy)

	Micro Averages `json:"micro"` // of all answers together
	Macro Averages `json:"macro"` // over the classes that occur among truth or answers

	AUC              Value `json:"auc"`               // macro average of the area under the ROC curve
	AveragePrecision Value `json:"average_precision"` // macro average: mAP

	LogLoss float64 `json:"log_loss"` // mean of -ln p of what is true, over all samples and classes; p is at least 2.2e-16

	// CalibrationError is the expected calibration error of all answers: how far, on average, probabilities are from how
	// often the class is there.
	CalibrationError float64 `json:"calibration_error"`

	Classes     []MultiClass   `json:"classes"`
	ROC         Curve          `json:"roc"`         // mean of the classes' curves
	Calibration []Bin          `json:"calibration"` // of all probabilities: Confidence is their mean, Accuracy the share that is there
	Mistakes    []MultiMistake `json:"mistakes"`    // the 20 answers that are furthest from the truth, of those that are wrong
}

// multiBins and multiMistakes are how much of these a report has.
const multiBins, multiMistakes = 15, 20

// MultiClass is how well one class is told. Predicted are the samples that are said to have it.
type MultiClass struct {
	Class

	// Threshold is the probability from which on a class should be said to be there for the best F1, which is BestF1: the
	// highest where there are several. It is undefined where no sample has the class.
	Threshold Value   `json:"best_threshold"`
	BestF1    Value   `json:"best_f1"`
	PR        PRCurve `json:"precision_recall"` // empty where no sample has the class
}

// PRCurve is, for falling thresholds, how many of the class's samples pass (recall), and how many of those that pass are the
// class's (precision). Points that are less than 0.01 from the one before are left out.
type PRCurve struct {
	Recall    []float64 `json:"recall"`
	Precision []float64 `json:"precision"`
}

// MultiMistake is a class that is said to be there though it is not, or is not seen.
type MultiMistake struct {
	Sample      int     `json:"sample"` // its index
	Path        string  `json:"path,omitempty"`
	Class       string  `json:"class"`
	Present     bool    `json:"present"` // whether the sample has the class
	Probability float64 `json:"probability"`
}

// half is the probability above which a class is said to be there.
const half = 0.5

// check returns what is wrong with the predictions.
func (p *MultiPredictions) check() error {
	k := len(p.Classes)
	switch {
	case k == 0:
		return errors.New("metrics: no classes")
	case len(p.Truth) == 0:
		return errors.New("metrics: no samples")
	case len(p.Truth)%k != 0 || len(p.Probabilities) != len(p.Truth):
		return fmt.Errorf("metrics: %d probabilities and %d answers for %d classes", len(p.Probabilities), len(p.Truth), k)
	case p.Paths != nil && len(p.Paths) != len(p.Truth)/k:
		return fmt.Errorf("metrics: %d paths for %d samples", len(p.Paths), len(p.Truth)/k)
	}
	for i, v := range p.Probabilities {
		if !(v >= -tolerance && v <= 1+tolerance) { // NaN is neither
			return fmt.Errorf("metrics: %s: the probability of class %q is %v", p.name(i/k), p.Classes[i%k], v)
		}
	}
	return nil
}

func (p *MultiPredictions) name(i int) string {
	if p.Paths != nil {
		return p.Paths[i]
	}
	return fmt.Sprintf("sample %d", i)
}

// ComputeMulti computes all measures of samples that have any number of classes each. It is an error if there are no
// samples, or if a probability is out of range or not a number.
func ComputeMulti(p MultiPredictions) (*MultiReport, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	k := len(p.Classes)
	r := &MultiReport{Samples: len(p.Truth) / k}
	right, exact := 0, 0
	for i := range r.Samples {
		whole := true
		for j := i * k; j < (i+1)*k; j++ {
			q := p.Probabilities[j]
			if !p.Truth[j] {
				q = 1 - q
			}
			r.LogLoss -= math.Log(min(max(q, smallest), 1))
			if p.Truth[j] == (p.Probabilities[j] > half) {
				right++
			} else {
				whole = false
			}
		}
		if whole {
			exact++
		}
	}
	r.LogLoss = max(r.LogLoss/float64(len(p.Truth)), 0)
	r.Accuracy, r.Exact = share(right, len(p.Truth)), share(exact, r.Samples)
	var all MultiClass
	occur, defined, ranked := 0, 0, 0
	auc, precision := 0.0, 0.0
	mean := newMeanCurve()
	for c, name := range p.Classes {
		m, grid := p.class(c)
		m.Name = name
		r.Classes = append(r.Classes, m)
		all.Support, all.Predicted, all.Correct = all.Support+m.Support, all.Predicted+m.Predicted, all.Correct+m.Correct
		if m.Support+m.Predicted > 0 {
			occur++
			r.Macro.Precision += m.Precision
			r.Macro.Recall += m.Recall
			r.Macro.F1 += m.F1
		}
		if m.AveragePrecision.Defined() {
			precision += float64(m.AveragePrecision)
			defined++
		}
		if m.AUC.Defined() {
			auc += float64(m.AUC)
			ranked++
			mean.add(grid)
		}
	}
	for _, v := range []*float64{&r.Macro.Precision, &r.Macro.Recall, &r.Macro.F1} {
		*v /= float64(max(occur, 1))
	}
	r.Micro = Averages{share(all.Correct, all.Predicted), share(all.Correct, all.Support), share(2*all.Correct, all.Predicted+all.Support)}
	r.AUC, r.AveragePrecision, r.ROC = Value(auc/float64(ranked)), Value(precision/float64(defined)), mean.curve()
	bins := newBinning(multiBins)
	for i, v := range p.Probabilities {
		bins.add(v, p.Truth[i])
	}
	r.Calibration, r.CalibrationError = bins.finish()
	r.Mistakes = p.mistakes(multiMistakes)
	return r, nil
}

// mistakes returns the n wrong answers that are furthest from the truth.
func (p *MultiPredictions) mistakes(n int) []MultiMistake {
	all := []MultiMistake{}
	k := len(p.Classes)
	for i, v := range p.Probabilities {
		if (v > half) == p.Truth[i] {
			continue
		}
		m := MultiMistake{Sample: i / k, Class: p.Classes[i%k], Present: p.Truth[i], Probability: v}
		if p.Paths != nil {
			m.Path = p.Paths[i/k]
		}
		all = append(all, m)
	}
	slices.SortStableFunc(all, func(a, b MultiMistake) int {
		return cmp.Compare(math.Abs(b.Probability-half), math.Abs(a.Probability-half))
	})
	return all[:min(n, len(all))]
}

// class computes what is to be said of one class, and its ROC curve at the points of the grid.
func (p *MultiPredictions) class(c int) (m MultiClass, grid []float64) {
	k := len(p.Classes)
	keys := make([]uint64, 0, len(p.Truth)/k)
	for i := c; i < len(p.Truth); i += k {
		v := p.Probabilities[i]
		keys = append(keys, sortKey(v, p.Truth[i]))
		if p.Truth[i] {
			m.Support++
		}
		if v > half {
			m.Predicted++
			if p.Truth[i] {
				m.Correct++
			}
		}
	}
	slices.Sort(keys)
	grid = m.rank(keys)
	m.Precision, m.Recall, m.F1 = share(m.Correct, m.Predicted), share(m.Correct, m.Support), share(2*m.Correct, m.Predicted+m.Support)
	m.Threshold, m.BestF1, m.PR = thresholds(keys, m.Support)
	return m, grid
}

// thresholds finds the threshold of the best F1 in sorted keys, and precision and recall at all of them.
func thresholds(keys []uint64, support int) (threshold, f1 Value, pr PRCurve) {
	threshold, f1 = Value(math.NaN()), Value(math.NaN())
	pr = PRCurve{Recall: []float64{}, Precision: []float64{}}
	if support == 0 {
		return threshold, f1, pr
	}
	best, hits := -1.0, 0
	for i := len(keys) - 1; i >= 0; i-- {
		hits += int(keys[i] & 1)
		if i > 0 && keys[i-1]>>1 == keys[i]>>1 {
			continue // samples of one probability pass together
		}
		pr.add(share(hits, support), share(hits, len(keys)-i), i == 0)
		if f := share(2*hits, len(keys)-i+support); f > best {
			best, threshold = f, Value(math.Float64frombits(keys[i]>>1))
		}
	}
	return threshold, Value(best), pr
}

func (c *PRCurve) add(recall, precision float64, last bool) {
	if n := len(c.Recall); n == 0 || last || recall-c.Recall[n-1] >= 0.01 || math.Abs(precision-c.Precision[n-1]) >= 0.01 {
		c.Recall, c.Precision = append(c.Recall, recall), append(c.Precision, precision)
	}
}

// WriteJSON writes the report as JSON.
func (r *MultiReport) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// WriteCSV writes a line for each sample: its path, and for each class the truth (1 or 0) and the probability.
func (p *MultiPredictions) WriteCSV(w io.Writer) error {
	line := []string{"path"}
	for _, c := range p.Classes {
		line = append(line, c, "p("+c+")")
	}
	out := csv.NewWriter(w)
	_ = out.Write(line) // the error stays, and Error returns it
	k := len(p.Classes)
	for i := range len(p.Truth) / k {
		line = append(line[:0], p.name(i))
		for j := i * k; j < (i+1)*k; j++ {
			yes := "0"
			if p.Truth[j] {
				yes = "1"
			}
			line = append(line, yes, strconv.FormatFloat(p.Probabilities[j], 'g', 8, 64))
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}
