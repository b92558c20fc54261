package finetune

import (
	"math"
	"testing"
)

// The scale of cosines is where the softmax is right as often as it says: nine of ten give ln(9).
func TestBestScale(t *testing.T) {
	many := func(right, wrong int) (rows [][]float64, labels []int) {
		for range right {
			rows, labels = append(rows, []float64{1, 0}), append(labels, 0)
		}
		for range wrong {
			rows, labels = append(rows, []float64{1, 0}), append(labels, 1)
		}
		return rows, labels
	}
	for _, c := range []struct {
		right, wrong int
		want         float64
	}{{9, 1, math.Log(9)}, {99, 1, math.Log(99)}, {1, 0, maxScale}, {2, 1, 1}, {0, 1, 1}} {
		if got := bestScale(many(c.right, c.wrong)); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%d right, %d wrong: scale %v, want %v", c.right, c.wrong, got, c.want)
		}
	}
}

// Two classes whose logits are closer than rounding lets them be may change places; others may not.
func TestUndecided(t *testing.T) {
	for _, c := range []struct {
		kind      string
		got, want []float32
		agree     int
	}{
		{"ce", []float32{1.0001, 1}, []float32{1, 1.0001}, 1},
		{"ce", []float32{2, 1, 0}, []float32{2.5, 1, 0}, 1},
		{"ce", []float32{2, 1, 0}, []float32{1.4, 1.5, 0}, 0},
		{"ce", []float32{2, 1, 0}, []float32{0, 9, 0}, 0},
		{"bce", []float32{0.001, 5}, []float32{-0.001, 5}, 1},
		{"bce", []float32{0.1, 5}, []float32{-0.1, 5}, 0},
		{"ce", []float32{0, 1e-7}, []float32{1e-7, 0}, 1},
		{"bce", []float32{1, -5}, []float32{2, -1}, 1},
	} {
		check := Check{}
		check.compare(c.got, c.want, target{kind: c.kind, outputs: len(c.want)}, 1e-3)
		if check.Images != 1 || check.Agree != c.agree {
			t.Errorf("%v for %v: %+v", c.got, c.want, check)
		}
	}
}
