package metrics

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Curve is a ROC curve: for falling thresholds, the share of the other classes' samples that pass (the false positive
// rate) and the share of the class's own (the true positive rate). It starts at (0,0) and ends at (1,1). Points that
// are less than 0.01 from the one before are left out; areas are computed from all of them.
type Curve struct {
	FPR []float64 `json:"fpr"`
	TPR []float64 `json:"tpr"`
}

// rankClasses fills in, for each class against all others, what depends on the order of the probabilities alone.
func (r *Report) rankClasses(p *Predictions) {
	k := len(p.Classes)
	grids := make([][]float64, k) // the curve of each class at the points of grid
	var next atomic.Int64
	var done sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), k) {
		done.Go(func() {
			// Some classes at a time: a row's probabilities lie side by side, those of a class far from each other.
			const together = 8
			keys := make([][]uint64, together)
			for i := range keys {
				keys[i] = make([]uint64, len(p.Labels))
			}
			for {
				from := int(next.Add(together)) - together
				if from >= k {
					return
				}
				some := keys[:min(together, k-from)]
				p.sortKeys(from, some)
				for i, sorted := range some {
					grids[from+i] = r.Classes[from+i].rank(sorted)
				}
			}
		})
	}
	done.Wait()

	mean := newMeanCurve()
	auc, precision, withSamples := 0.0, 0.0, 0
	for c := range r.Classes {
		if v := r.Classes[c].AveragePrecision; v.Defined() {
			precision += float64(v)
			withSamples++
		}
		if v := r.Classes[c].AUC; v.Defined() {
			auc += float64(v)
			mean.add(grids[c])
		}
	}
	r.AUC, r.AveragePrecision, r.ROC = Value(auc/float64(mean.n)), Value(precision/float64(withSamples)), mean.curve()
}

// meanCurve adds up curves at the points of the grid.
type meanCurve struct {
	sum []float64
	n   int
}

func newMeanCurve() *meanCurve { return &meanCurve{sum: make([]float64, gridPoints)} }

func (m *meanCurve) add(grid []float64) {
	m.n++
	for i, t := range grid {
		m.sum[i] += t
	}
}

// curve returns the mean, which is empty of none.
func (m *meanCurve) curve() Curve {
	c := Curve{FPR: []float64{}, TPR: []float64{}}
	if m.n > 0 {
		c.add(0, 0)
		for i, t := range m.sum {
			c.add(gridAt(i), t/float64(m.n))
		}
	}
	return c
}

// The mean curve is taken at false positive rates 0, 0.01, ... 1.
const gridPoints = 101

func gridAt(i int) float64 { return float64(i) / (gridPoints - 1) }

// sortKey makes a number of a probability that sorts as it does: without a sign, bits do. The lowest says whether the sample
// is one of the class.
func sortKey(p float64, isOne bool) uint64 {
	v := math.Float64bits(max(p, 0)) << 1
	if isOne {
		v++
	}
	return v
}

// sortKeys fills each list of keys with the probabilities of a class, from class from on, in rising order.
func (p *Predictions) sortKeys(from int, keys [][]uint64) {
	for i, label := range p.Labels {
		row := p.Row(i)[from:]
		for k, list := range keys {
			list[i] = sortKey(row[k], label == from+k)
		}
	}
	for _, list := range keys {
		slices.Sort(list)
	}
}

// rank computes the curve, the area under it and the average precision of a class from its sorted keys, and returns the
// true positive rates at the points of the grid.
func (c *Class) rank(keys []uint64) []float64 {
	c.ROC = Curve{FPR: []float64{}, TPR: []float64{}}
	c.AUC, c.AveragePrecision = Value(math.NaN()), Value(math.NaN())
	positives := c.Support
	negatives := len(keys) - positives
	if positives == 0 {
		return nil
	}
	area, precision := 0.0, 0.0
	tp, fp := 0, 0
	all := Curve{FPR: []float64{0}, TPR: []float64{0}}
	for i := len(keys) - 1; i >= 0; {
		// Samples of one probability pass the threshold together: half of their pairs count as ordered right.
		t, f := 0, 0
		for same := keys[i] >> 1; i >= 0 && keys[i]>>1 == same; i-- {
			if keys[i]&1 == 1 {
				t++
			} else {
				f++
			}
		}
		area += float64(f) * (float64(tp) + float64(t)/2)
		tp, fp = tp+t, fp+f
		precision += float64(t) / float64(positives) * float64(tp) / float64(tp+fp)
		if negatives > 0 {
			all.FPR = append(all.FPR, float64(fp)/float64(negatives))
			all.TPR = append(all.TPR, float64(tp)/float64(positives))
		}
	}
	c.AveragePrecision = Value(precision)
	if negatives == 0 {
		return nil
	}
	c.AUC = Value(area / float64(positives) / float64(negatives))
	last := len(all.FPR) - 1
	for i := range all.FPR {
		n := len(c.ROC.FPR)
		if n == 0 || i == last || all.FPR[i]-c.ROC.FPR[n-1] >= 0.01 || all.TPR[i]-c.ROC.TPR[n-1] >= 0.01 {
			c.ROC.add(all.FPR[i], all.TPR[i])
		}
	}
	return all.grid()
}

func (c *Curve) add(fpr, tpr float64) {
	c.FPR, c.TPR = append(c.FPR, fpr), append(c.TPR, tpr)
}

// grid interpolates the curve at the points of the grid. Where it rises straight up, the top counts.
func (c *Curve) grid() []float64 {
	at := make([]float64, gridPoints)
	j := 0 // the last point that is not to the right
	for i := range at {
		x := gridAt(i)
		for j+1 < len(c.FPR) && c.FPR[j+1] <= x {
			j++
		}
		at[i] = c.TPR[j]
		if j+1 < len(c.FPR) {
			at[i] += (c.TPR[j+1] - c.TPR[j]) * (x - c.FPR[j]) / (c.FPR[j+1] - c.FPR[j])
		}
	}
	return at
}
