package features

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// learned are nine rows of three classes.
var (
	learned = []float32{0.5, -1.25, 1.5, 0.25, 2, -0.5, -1, 1.5, -0.75, 0.5, 0.25, 2, -2, -1, -1.5, -2.25, 3, -1.75}
	classOf = []int{0, 0, 0, 1, 1, 1, 2, 2, 0}
)

// The weights are those of scikit-learn's LogisticRegression(multi_class="multinomial", tol=1e-12).
func TestLogistic(t *testing.T) {
	shifted, rest := make([]float32, len(learned)), make([]int, len(classOf))
	for i, v := range learned {
		shifted[i] = v + 10
	}
	for i, k := range classOf {
		if k == 0 {
			rest[i] = 1
		}
	}
	// Three copies of each feature share the weight of one, and the penalty on it.
	var copies []float32
	for i := 0; i < len(learned); i += 2 {
		for range 3 {
			copies = append(copies, learned[i], learned[i+1])
		}
	}
	var shared []float64
	for _, k := range [][2]float64{{0.962106, -0.322623}, {-0.24922, 0.914009}, {-0.712886, -0.591385}} {
		shared = append(shared, k[0]/3, k[1]/3, k[0]/3, k[1]/3, k[0]/3, k[1]/3)
	}
	counts := []float64{9.0 / 12, 9.0 / 9, 9.0 / 6} // scikit-learn's class_weight="balanced"
	for _, c := range []struct {
		name   string
		rows   []float32
		labels []int
		o      LogisticOptions
		weight []float64
		bias   []float64
		at     []float64 // probabilities of the row 1, 1
	}{
		{"as it is", learned, classOf, LogisticOptions{}, []float64{0.962106, -0.322623, -0.24922, 0.914009, -0.712886, -0.591385}, []float64{0.393805, 0.336277, -0.730082}, []float64{0.496321, 0.480584, 0.023094}},
		{"C = 0.1", learned, classOf, LogisticOptions{C: 0.1}, []float64{0.338133, -0.111681, -0.098054, 0.30444, -0.240079, -0.192758}, []float64{0.252329, 0.143063, -0.395392}, []float64{0.465266, 0.40882, 0.125914}},
		{"C = 100", learned, classOf, LogisticOptions{C: 100}, []float64{2.995241, -0.954511, -0.630614, 2.723132, -2.364627, -1.768621}, []float64{1.273707, 1.162482, -2.436189}, []float64{0.514841, 0.485132, 0.000026}},
		{"balanced", learned, classOf, LogisticOptions{ClassWeights: counts}, []float64{0.938644, -0.284084, -0.191472, 0.925255, -0.747172, -0.641171}, []float64{0.25034, 0.346339, -0.59668}, []float64{0.44502, 0.530246, 0.024734}},
		{"two classes, far from 0", shifted, rest, LogisticOptions{}, []float64{-0.842173, 0.345624, 0.842173, -0.345624}, []float64{5.311663, -5.311663}, nil},
		{"three of each feature", copies, classOf, LogisticOptions{C: 1.0 / 3}, shared, []float64{0.393805, 0.336277, -0.730082}, nil},
		{"rows without label", append(slices.Clone(learned), 7, 7), append(slices.Clone(classOf), -1), LogisticOptions{}, []float64{0.962106, -0.322623, -0.24922, 0.914009, -0.712886, -0.591385}, []float64{0.393805, 0.336277, -0.730082}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var first *Logistic
			for _, threads := range []int{1, 2} {
				c.o.Threads = threads
				l, err := FitLogistic(context.Background(), c.rows, c.labels, len(c.bias), c.o)
				if err != nil {
					t.Fatal(err)
				}
				near(t, "weights", l.Weight, c.weight, 2e-5)
				near(t, "biases", l.Bias, c.bias, 2e-4)
				if first != nil && (!slices.Equal(l.Weight, first.Weight) || !slices.Equal(l.Bias, first.Bias)) {
					t.Error("another result on two threads")
				}
				first = l
			}
			if c.at == nil {
				return
			}
			s, err := first.Scores([]float32{1, 1})
			if err != nil {
				t.Fatal(err)
			}
			softmaxLoss(s, 0)
			s[0]++
			for k, p := range s {
				if math.Abs(p-c.at[k]) > 1e-5 {
					t.Errorf("probabilities %v, want %v", s, c.at)
				}
			}
		})
	}
}

func near(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d %s, want %d", len(got), what, len(want))
	}
	for i, v := range want {
		if math.Abs(float64(got[i])-v) > tolerance*max(1, math.Abs(v)) {
			t.Fatalf("%s %v, want %v", what, got, want)
		}
	}
}

func TestLogisticRefused(t *testing.T) {
	nan := float32(math.NaN())
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		rows   []float32
		labels []int
		k      int
		o      LogisticOptions
		err    string
	}{
		{"no rows", nil, nil, nil, 2, LogisticOptions{}, "no rows"},
		{"one class", nil, []float32{1}, []int{0}, 1, LogisticOptions{}, "1 class"},
		{"negative C", nil, []float32{1, 2}, []int{0, 1}, 2, LogisticOptions{C: -1}, "C = -1"},
		{"too few weights", nil, []float32{1, 2}, []int{0, 1}, 2, LogisticOptions{ClassWeights: []float64{1}}, "1 weights for 2 classes"},
		{"not a number", nil, []float32{1, nan}, []int{0, 1}, 2, LogisticOptions{}, "row 1: feature 0 is NaN"},
		{"no labels", nil, []float32{1, 2}, []int{-1, -1}, 2, LogisticOptions{}, "no rows of a class"},
		{"features of very different sizes", nil, []float32{3e38, 1e-30, -3e38, 3e37}, []int{0, 1, 0, 1}, 2, LogisticOptions{C: 1e30}, "logistic regression"},
		{"cancelled", gone, learned, classOf, 3, LogisticOptions{}, "canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.ctx == nil {
				c.ctx = context.Background()
			}
			if _, err := FitLogistic(c.ctx, c.rows, c.labels, c.k, c.o); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
		})
	}
	l := &Logistic{Classes: 1, Dim: 2, Weight: make([]float32, 2), Bias: make([]float32, 1)}
	if _, err := l.Scores([]float32{1}); err == nil {
		t.Error("a row of another length is taken")
	}
	if _, err := FitLogistic(gone, learned, classOf, 3, LogisticOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// The shares are those of scikit-learn's KNeighborsClassifier.
func TestNeighbours(t *testing.T) {
	third := 1.0 / 3
	for _, c := range []struct {
		k      int
		at     []float32
		shares []float64
	}{
		{1, []float32{1, 1}, []float64{1, 0, 0}},
		{3, []float32{1, 1}, []float64{2 * third, third, 0}},
		{3, []float32{-1.2, -0.3}, []float64{0, 2 * third, third}},
		{5, []float32{1, 1}, []float64{0.4, 0.6, 0}},
		{5, []float32{-1.2, -0.3}, []float64{0.2, 0.4, 0.4}},
		{9, []float32{-1.2, -0.3}, []float64{4.0 / 9, third, 2.0 / 9}},
	} {
		n, err := FitNeighbours(append([]float32{0, 0}, learned...), append([]int{-1}, classOf...), 3, c.k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.Scores(c.at)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range c.shares {
			if math.Abs(got[i]-v) > 1e-12 {
				t.Errorf("%d neighbours of %v: %v, want %v", c.k, c.at, got, c.shares)
			}
		}
	}
	n, err := FitNeighbours([]float32{1, 1, 1}, []int{1, 0, 0}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := n.Scores([]float32{5}); err != nil || s[1] != 1 {
		t.Errorf("of rows that are equally near the first counts: %v, %v", s, err)
	}
	for _, row := range [][]float32{{1, 2}, {float32(math.Inf(1))}} {
		if _, err := n.Scores(row); err == nil {
			t.Errorf("row %v is taken", row)
		}
	}
	for _, c := range []struct {
		rows   []float32
		labels []int
		k      int
		err    string
	}{
		{nil, nil, 1, "no rows"},
		{[]float32{1}, []int{0}, 0, "0 nearest neighbours"},
		{[]float32{1, 2}, []int{0, -1}, 2, "2 nearest neighbours of 1 row"},
		{[]float32{float32(math.NaN())}, []int{0}, 1, "row 0"},
	} {
		if _, err := FitNeighbours(c.rows, c.labels, 1, c.k); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v, want %q", err, c.err)
		}
	}
}
