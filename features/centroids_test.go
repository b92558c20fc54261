package features

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestCentroids(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	half := float32(math.Sqrt(0.5))
	tests := []struct {
		name     string
		features []float32
		labels   []int
		classes  int
		weight   []float32
		err      string
	}{
		{"one row a class", []float32{3, 4, 0, 2}, []int{0, 1}, 2, []float32{0.6, 0.8, 0, 1}, ""},
		{"lengths do not count", []float32{100, 0, 0, 1, -7, 0}, []int{0, 0, 1}, 2, []float32{half, half, -1, 0}, ""},
		{"labels in any order", []float32{0, 1, 1, 0, 0, 3}, []int{1, 0, 1}, 2, []float32{1, 0, 0, 1}, ""},
		{"rows without label", []float32{5, 5, 1, 0, nan, inf}, []int{-1, 0, -1}, 1, []float32{1, 0}, ""},
		{"rows of zeros", []float32{0, 0, 1, 0}, []int{0, 0}, 1, []float32{1, 0}, ""},
		{"small and large numbers", []float32{1e-30, 0, 0, 3e38}, []int{0, 1}, 2, []float32{1, 0, 0, 1}, ""},
		{"no classes", []float32{1}, []int{0}, 0, nil, "0 classes"},
		{"no rows", nil, nil, 1, nil, "no rows"},
		{"no features", nil, []int{0}, 1, nil, "0 features are not 1 rows"},
		{"uneven rows", []float32{1, 2, 3}, []int{0, 1}, 2, nil, "3 features are not 2 rows"},
		{"fewer rows than classes", []float32{1}, []int{0}, math.MaxInt, nil, "1 rows cannot cover"},
		{"label too large", []float32{1, 2}, []int{0, 2}, 2, nil, "row 1: label 2"},
		{"label too small", []float32{1, 2}, []int{0, -2}, 2, nil, "row 1: label -2"},
		{"class without rows", []float32{1, 2}, []int{0, 0}, 2, nil, "class 1 has no rows"},
		{"class without direction", []float32{1, 0, -1, 0}, []int{0, 0}, 1, nil, "class 0: the mean of its 2 rows has no direction"},
		{"not a number", []float32{1, 2, 3, nan}, []int{0, 0}, 1, nil, "row 1: feature 1 is NaN"},
		{"infinite", []float32{-inf, 2}, []int{0}, 1, nil, "row 0: feature 0 is -Inf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := FitCentroids(tt.features, tt.labels, tt.classes)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Classes != tt.classes || c.Dim != len(tt.features)/len(tt.labels) || len(c.Weight) != len(tt.weight) {
				t.Fatalf("%d classes, %d features, %d weights", c.Classes, c.Dim, len(c.Weight))
			}
			for i, w := range c.Weight {
				if math.Abs(float64(w-tt.weight[i])) > 1e-7 {
					t.Errorf("weights %v, want %v", c.Weight, tt.weight)
					break
				}
			}
		})
	}
}

func TestCentroidsPredict(t *testing.T) {
	c, err := FitCentroids([]float32{1, 0, 0, 1, -1, 0}, []int{0, 1, 2}, 3)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		row    []float32
		scores []float64
		class  int
	}{
		{"a centroid", []float32{0, 1}, []float64{0, 1, 0}, 1},
		{"its length does not count", []float32{-1e6, 0}, []float64{-1, 0, 1}, 2},
		{"between", []float32{4, 3}, []float64{0.8, 0.6, -0.8}, 0},
		{"a tie goes to the first", []float32{2, 2}, []float64{math.Sqrt(0.5), math.Sqrt(0.5), -math.Sqrt(0.5)}, 0},
		{"zeros", []float32{0, 0}, []float64{0, 0, 0}, 0},
		{"tiny", []float32{0, 1e-30}, []float64{0, 1, 0}, 1},
	}
	var all []float32
	var want []int
	for _, tt := range tests {
		scores, err := c.Scores(tt.row)
		if err != nil {
			t.Fatal(err)
		}
		for k, s := range scores {
			if math.Abs(s-tt.scores[k]) > 1e-7 {
				t.Errorf("%s: scores %v, want %v", tt.name, scores, tt.scores)
				break
			}
		}
		all, want = append(all, tt.row...), append(want, tt.class)
	}
	if got, err := c.Predict(all); err != nil || !slices.Equal(got, want) {
		t.Errorf("classes %v, %v, want %v", got, err, want)
	}
	if got, err := c.Predict(nil); err != nil || len(got) != 0 {
		t.Errorf("no rows: %v, %v", got, err)
	}
	if _, err := c.Scores([]float32{1}); err == nil {
		t.Error("a short row was scored")
	}
	if _, err := c.Predict([]float32{1, 2, 3}); err == nil {
		t.Error("one and a half rows were classified")
	}
	if _, err := c.Predict([]float32{1, 2, float32(math.NaN()), 1}); err == nil || !strings.Contains(err.Error(), "row 1: feature 0") {
		t.Errorf("not a number: %v", err)
	}
}
