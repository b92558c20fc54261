package metrics

import (
	"errors"
	"fmt"
)

// Predictions are what a classifier said about samples, and what they are.
type Predictions struct {
	Classes       []string  // the name of each class
	Labels        []int     // the true class of each sample
	Probabilities []float64 // of each class, sample after sample: len(Labels) rows of len(Classes)
	Paths         []string  // where each sample is from; may be nil
}

// Binary returns the rows of two classes for the probabilities of class 1, as networks with a single output give them.
func Binary(p []float64) []float64 {
	rows := make([]float64, 0, 2*len(p))
	for _, v := range p {
		rows = append(rows, 1-v, v)
	}
	return rows
}

// tolerance is how far beyond 0 and 1 a probability may be: quantised networks step over 1 by a part of a step.
const tolerance = 0.01

// check returns what is wrong with the predictions.
func (p *Predictions) check() error {
	n, k := len(p.Labels), len(p.Classes)
	switch {
	case k == 0:
		return errors.New("metrics: no classes")
	case n == 0:
		return errors.New("metrics: no samples")
	case len(p.Probabilities)%k != 0 || len(p.Probabilities)/k != n:
		return fmt.Errorf("metrics: %d probabilities for %d samples of %d classes: want %d", len(p.Probabilities), n, k, n*k)
	case p.Paths != nil && len(p.Paths) != n:
		return fmt.Errorf("metrics: %d paths for %d samples", len(p.Paths), n)
	}
	for i, label := range p.Labels {
		if label < 0 || label >= k {
			return fmt.Errorf("metrics: %s: label %d is not one of %d classes", p.name(i), label, k)
		}
		for j, v := range p.Row(i) {
			if !(v >= -tolerance && v <= 1+tolerance) { // NaN is neither
				return fmt.Errorf("metrics: %s: the probability of class %q is %v", p.name(i), p.Classes[j], v)
			}
		}
	}
	return nil
}

// Row returns the probabilities of sample i.
func (p *Predictions) Row(i int) []float64 {
	k := len(p.Classes)
	return p.Probabilities[i*k : (i+1)*k : (i+1)*k]
}

// Predicted returns the class that is predicted for sample i: the first of the most probable ones.
func (p *Predictions) Predicted(i int) int {
	row, best := p.Row(i), 0
	for j, v := range row {
		if v > row[best] {
			best = j
		}
	}
	return best
}

// name says which sample i is.
func (p *Predictions) name(i int) string {
	if p.Paths != nil {
		return p.Paths[i]
	}
	return fmt.Sprintf("sample %d", i)
}

// rank returns how many classes stand before the true one of sample i, where the first of equally probable ones
// stands first.
func (p *Predictions) rank(i int) int {
	row, label, before := p.Row(i), p.Labels[i], 0
	for j, v := range row {
		if v > row[label] || v == row[label] && j < label {
			before++
		}
	}
	return before
}
