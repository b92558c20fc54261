package metrics

import "math"

// Bin are the samples whose predicted class has a probability above From and up to To.
type Bin struct {
	From       float64 `json:"from"`
	To         float64 `json:"to"`
	Count      int     `json:"count"`
	Confidence Value   `json:"confidence"` // mean probability of the predicted class; undefined in an empty bin
	Accuracy   Value   `json:"accuracy"`   // share of right predictions; undefined in an empty bin
}

// binning puts probabilities into bins of equal width.
type binning struct {
	bins  []Bin
	sum   []float64 // of the probabilities in each bin
	right []int
}

func newBinning(bins int) *binning {
	b := &binning{make([]Bin, bins), make([]float64, bins), make([]int, bins)}
	for i := range b.bins {
		b.bins[i].From, b.bins[i].To = float64(i)/float64(bins), float64(i+1)/float64(bins)
	}
	return b
}

// add takes in a probability of what came true or did not. One of 0 is in the first bin.
func (b *binning) add(v float64, right bool) {
	n := len(b.bins)
	i := min(max(int(math.Ceil(v*float64(n)))-1, 0), n-1)
	// The product may be rounded across a border.
	if i > 0 && v <= b.bins[i].From {
		i--
	} else if i < n-1 && v > b.bins[i].To {
		i++
	}
	b.bins[i].Count++
	b.sum[i] += v
	if right {
		b.right[i]++
	}
}

// finish returns the bins, and the expected calibration error: how far, on average, probabilities are from the share of what
// came true.
func (b *binning) finish() (bins []Bin, ece float64) {
	total := 0
	for _, v := range b.bins {
		total += v.Count
	}
	for i := range b.bins {
		v := &b.bins[i]
		if v.Count == 0 {
			v.Confidence, v.Accuracy = Value(math.NaN()), Value(math.NaN())
			continue
		}
		n := float64(v.Count)
		v.Confidence, v.Accuracy = Value(b.sum[i]/n), Value(share(b.right[i], v.Count))
		ece += n / float64(total) * math.Abs(float64(v.Accuracy-v.Confidence))
	}
	return b.bins, ece
}

// calibrate compares the probability of the predicted class with how often it is right.
func (r *Report) calibrate(p *Predictions, bins int) {
	b := newBinning(bins)
	for i, label := range p.Labels {
		got := p.Predicted(i)
		b.add(p.Row(i)[got], got == label)
	}
	r.Calibration, r.CalibrationError = b.finish()
}
