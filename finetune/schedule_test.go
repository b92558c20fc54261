package finetune

import (
	"math"
	"testing"
)

// TestSchedule has the values of the formulas; those of onecycle are torch's OneCycleLR(max_lr=1, total_steps=10), and
// "halved by step" is case 27's, with a tenth for a half.
func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		kind             string
		epochs, perEpoch int
		warmup           float64
		at               map[int]float64
	}{
		{"constant", 2, 5, 0, map[int]float64{0: 1, 9: 1}},
		{"constant", 2, 5, 1, map[int]float64{0: 0.2, 1: 0.4, 4: 1, 9: 1}},
		{"cosine", 2, 5, 0, map[int]float64{0: 1, 5: 0.5, 9: (1 + math.Cos(0.9*math.Pi)) / 2}},
		{"cosine", 4, 5, 2, map[int]float64{9: 1, 10: 1, 15: 0.5}},
		{"step", 15, 2, 0, map[int]float64{0: 1, 13: 1, 14: 0.1, 27: 0.1, 28: 0.01}},
		{"onecycle", 1, 10, 0, map[int]float64{0: 0.04, 1: 0.52, 2: 1, 9: 4e-6}},
		{"plateau", 3, 5, 0, map[int]float64{0: 1, 14: 1}},
	} {
		s := NewSchedule(c.kind, c.epochs, c.perEpoch, c.warmup)
		for i, want := range c.at {
			if got := s.Factor(i); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s, warm-up %v: step %d: %v, want %v", c.kind, c.warmup, i, got, want)
			}
		}
	}
}

func TestPlateau(t *testing.T) {
	s := NewSchedule("plateau", 10, 1, 0)
	for i, c := range []struct{ v, want float64 }{{1, 1}, {0.9, 1}, {0.9, 1}, {0.95, 1}, {0.9, 0.1}, {0.5, 0.1}, {0.6, 0.1}, {0.6, 0.1}, {0.6, 0.01}} {
		s.Observe(c.v)
		if got := s.Factor(i); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("after %d epochs: %v, want %v", i+1, got, c.want)
		}
	}
}
