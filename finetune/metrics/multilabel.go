package metrics

import (
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

	Classes []MultiClass `json:"classes"`
}

// MultiClass is how well one class is told.
type MultiClass struct {
	Name             string  `json:"name"`
	Support          int     `json:"support"`   // samples that have it
	Predicted        int     `json:"predicted"` // samples that are said to have it
	Correct          int     `json:"correct"`   // both
	Precision        float64 `json:"precision"`
	Recall           float64 `json:"recall"`
	F1               float64 `json:"f1"`
	AUC              Value   `json:"auc"`
	AveragePrecision Value   `json:"average_precision"`

	// Threshold is the probability from which on a class should be said to be there for the best F1, which is BestF1: the
	// highest where there are several. It is undefined where no sample has the class.
	Threshold Value `json:"best_threshold"`
	BestF1    Value `json:"best_f1"`
	ROC       Curve `json:"roc"` // empty where AUC is undefined
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
	for c, name := range p.Classes {
		m := p.class(c)
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
		}
	}
	for _, v := range []*float64{&r.Macro.Precision, &r.Macro.Recall, &r.Macro.F1} {
		*v /= float64(max(occur, 1))
	}
	r.Micro = Averages{share(all.Correct, all.Predicted), share(all.Correct, all.Support), share(2*all.Correct, all.Predicted+all.Support)}
	r.AUC, r.AveragePrecision = Value(auc/float64(ranked)), Value(precision/float64(defined))
	return r, nil
}

// class computes what is to be said of one class.
func (p *MultiPredictions) class(c int) MultiClass {
	k := len(p.Classes)
	keys := make([]uint64, 0, len(p.Truth)/k)
	var m MultiClass
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
	one := Class{Support: m.Support}
	one.rank(keys)
	m.AUC, m.AveragePrecision, m.ROC = one.AUC, one.AveragePrecision, one.ROC
	m.Precision, m.Recall, m.F1 = share(m.Correct, m.Predicted), share(m.Correct, m.Support), share(2*m.Correct, m.Predicted+m.Support)
	m.Threshold, m.BestF1 = bestThreshold(keys, m.Support)
	return m
}

// bestThreshold finds the threshold of the best F1 in sorted keys.
func bestThreshold(keys []uint64, support int) (threshold, f1 Value) {
	threshold, f1 = Value(math.NaN()), Value(math.NaN())
	if support == 0 {
		return threshold, f1
	}
	best, hits := -1.0, 0
	for i := len(keys) - 1; i >= 0; i-- {
		hits += int(keys[i] & 1)
		if i > 0 && keys[i-1]>>1 == keys[i]>>1 {
			continue // samples of one probability pass together
		}
		if f := share(2*hits, len(keys)-i+support); f > best {
			best, threshold = f, Value(math.Float64frombits(keys[i]>>1))
		}
	}
	return threshold, Value(best)
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
