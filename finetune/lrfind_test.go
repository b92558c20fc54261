package finetune

import (
	"math"
	"testing"
)

// TestSuggest has curves whose steepest place and smallest value are known.
func TestSuggest(t *testing.T) {
	curve := func(loss func(x float64) float64) *LRFind {
		l := &LRFind{}
		for i := range 81 {
			x := -7 + float64(i)/10
			l.Points = append(l.Points, LRPoint{LR: math.Pow(10, x), Smoothed: loss(x)})
		}
		l.suggest()
		return l
	}
	near := func(got, want float64) bool { return math.Abs(math.Log10(got)-math.Log10(want)) < 0.051 }
	// It falls like a step at 1e-3, and grows from 0.1 on.
	l := curve(func(x float64) float64 { return 1/(1+math.Exp(4*(x+3))) + max(0, x+1) })
	if !near(l.Suggested, 1e-3) || !near(l.Smallest, 0.1) {
		t.Errorf("suggested %v, smallest at %v", l.Suggested, l.Smallest)
	}
	// It never falls.
	l = curve(func(x float64) float64 { return x + 8 })
	if !near(l.Smallest, 1e-7) || !near(l.Suggested, 1e-8) {
		t.Errorf("suggested %v, smallest at %v", l.Suggested, l.Smallest)
	}
}
