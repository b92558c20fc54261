package metrics

import (
	"cmp"
	"math"
	"slices"
)

// Pair is a class that is taken for another.
type Pair struct {
	Actual    string  `json:"actual"`
	Predicted string  `json:"predicted"`
	Count     int     `json:"count"`
	Share     float64 `json:"share"` // of the samples of the actual class
}

// count fills in what follows from the confusion matrix.
func (r *Report) count(p *Predictions) {
	k := len(p.Classes)
	cells := make([]int, k*k)
	r.Confusion = make([][]int, k)
	for i := range r.Confusion {
		r.Confusion[i] = cells[i*k : (i+1)*k : (i+1)*k]
	}
	r.Classes = make([]Class, k)
	for i, label := range p.Labels {
		got := p.Predicted(i)
		r.Confusion[label][got]++
		r.Classes[label].Support++
		r.Classes[got].Predicted++
		if got == label {
			r.Classes[label].Correct++
			r.Correct++
		}
	}
	present, seen := 0, 0 // classes with samples; those, and those that are predicted
	for i := range r.Classes {
		c := &r.Classes[i]
		c.Name = p.Classes[i]
		c.Precision = share(c.Correct, c.Predicted)
		c.Recall = share(c.Correct, c.Support)
		c.F1 = share(2*c.Correct, c.Support+c.Predicted)
		r.Macro.add(c, 1)
		r.Weighted.add(c, float64(c.Support))
		r.BalancedAccuracy += c.Recall // 0 without samples
		if c.Support > 0 {
			present++
		}
		if c.Support > 0 || c.Predicted > 0 {
			seen++
		}
	}
	r.Macro.divide(float64(seen))
	r.Weighted.divide(float64(r.Samples))
	r.BalancedAccuracy /= float64(present)
	r.Accuracy = share(r.Correct, r.Samples)
	r.AccuracyLow, r.AccuracyHigh = wilson(r.Correct, r.Samples)
}

func (a *Averages) add(c *Class, weight float64) {
	a.Precision += weight * c.Precision
	a.Recall += weight * c.Recall
	a.F1 += weight * c.F1
}

func (a *Averages) divide(by float64) {
	a.Precision /= by
	a.Recall /= by
	a.F1 /= by
}

// wilson returns Wilson's score interval of 95 % for a share (Wilson 1927), which unlike the normal approximation is
// good for few samples and for shares near 0 and 1.
func wilson(part, whole int) (low, high float64) {
	const z = 1.959963984540054 // the normal distribution's quantile of 97.5 %
	n := float64(whole)
	p := float64(part) / n
	middle := p + z*z/(2*n)
	spread := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max((middle-spread)/(1+z*z/n), 0), min((middle+spread)/(1+z*z/n), 1)
}

// confusedPairs returns the n most frequent mistakes.
func (r *Report) confusedPairs(n int) []Pair {
	pairs := []Pair{}
	for i, row := range r.Confusion {
		for j, count := range row {
			if i != j && count > 0 {
				pairs = append(pairs, Pair{r.Classes[i].Name, r.Classes[j].Name, count, share(count, r.Classes[i].Support)})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.Share, a.Share))
	})
	return pairs[:min(max(n, 0), len(pairs))]
}

// Mistake is a sample that is taken for something else.
type Mistake struct {
	Sample            int     `json:"sample"` // its index
	Path              string  `json:"path,omitempty"`
	Actual            string  `json:"actual"`
	Predicted         string  `json:"predicted"`
	Probability       float64 `json:"probability"`        // of the predicted class
	ActualProbability float64 `json:"actual_probability"` // of the right one
}

// mistakes returns the wrong predictions, those with the highest probability first.
func mistakes(p *Predictions) []Mistake {
	all := []Mistake{}
	for i, label := range p.Labels {
		got, row := p.Predicted(i), p.Row(i)
		if got == label {
			continue
		}
		m := Mistake{Sample: i, Actual: p.Classes[label], Predicted: p.Classes[got], Probability: row[got], ActualProbability: row[label]}
		if p.Paths != nil {
			m.Path = p.Paths[i]
		}
		all = append(all, m)
	}
	slices.SortStableFunc(all, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(b.Probability, a.Probability), cmp.Compare(a.ActualProbability, b.ActualProbability))
	})
	return all
}

// Worst returns up to n mistakes, those first whose true class was the least probable: they weigh most in the log loss.
func (p *Predictions) Worst(n int) []Mistake {
	all := mistakes(p)
	slices.SortStableFunc(all, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.ActualProbability, b.ActualProbability), cmp.Compare(b.Probability, a.Probability))
	})
	return all[:min(max(n, 0), len(all))]
}
