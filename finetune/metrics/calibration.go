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

// calibrate puts the samples into bins of equal width. A probability of 0 is in the first.
func (r *Report) calibrate(p *Predictions, bins int) {
	confidence, right := make([]float64, bins), make([]int, bins)
	r.Calibration = make([]Bin, bins)
	for b := range r.Calibration {
		r.Calibration[b].From, r.Calibration[b].To = float64(b)/float64(bins), float64(b+1)/float64(bins)
	}
	for i, label := range p.Labels {
		got := p.Predicted(i)
		v := p.Row(i)[got]
		b := min(max(int(math.Ceil(v*float64(bins)))-1, 0), bins-1)
		// The product may be rounded across a border.
		if b > 0 && v <= r.Calibration[b].From {
			b--
		} else if b < bins-1 && v > r.Calibration[b].To {
			b++
		}
		r.Calibration[b].Count++
		confidence[b] += v
		if got == label {
			right[b]++
		}
	}
	for i := range r.Calibration {
		b := &r.Calibration[i]
		if b.Count == 0 {
			b.Confidence, b.Accuracy = Value(math.NaN()), Value(math.NaN())
			continue
		}
		n := float64(b.Count)
		b.Confidence, b.Accuracy = Value(confidence[i]/n), Value(share(right[i], b.Count))
		r.CalibrationError += n / float64(r.Samples) * math.Abs(float64(b.Accuracy-b.Confidence))
	}
}
