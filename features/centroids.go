package features

import (
	"errors"
	"fmt"
	"math"
)

// Centroids is the nearest-centroid rule: a row of features belongs to the class whose mean direction it is nearest to
// by angle. Every row is scaled to length 1, the mean of each class's rows is scaled to length 1 again, and what counts
// is the cosine between a row and a class. A handful of rows a class is enough, and there is nothing to train or to tune.
//
// Because the length of a row changes all its cosines alike, the rule is a linear layer without bias: the class is the
// largest of Weight times row. It is safe for concurrent use as long as nobody writes to it.
type Centroids struct {
	Classes int       // K
	Dim     int       // D, the number of features of a row
	Weight  []float32 // [K,D]: each class's mean direction, of length 1
}

// FitCentroids computes the centroids of classes 0 to classes-1 from rows of features, one after the other as
// [Batch.Features] has them, with a label for each. Rows with label -1, which have no class, do not count. It is an
// error if a class has no row, or rows whose mean has no direction.
func FitCentroids(features []float32, labels []int, classes int) (*Centroids, error) {
	dim, err := labelledRows(features, labels, classes)
	if err != nil {
		return nil, err
	}
	if classes > len(labels) {
		return nil, fmt.Errorf("%d rows cannot cover %d classes", len(labels), classes)
	}
	sums, counts := make([]float64, classes*dim), make([]int, classes)
	for i, label := range labels {
		if label == -1 {
			continue
		}
		row := features[i*dim : (i+1)*dim]
		length, err := rowLength(row)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		counts[label]++
		if length == 0 {
			continue // no direction
		}
		sum := sums[label*dim : (label+1)*dim]
		for j, v := range row {
			sum[j] += float64(v) / length
		}
	}
	c := &Centroids{Classes: classes, Dim: dim, Weight: make([]float32, classes*dim)}
	for k, n := range counts {
		sum := sums[k*dim : (k+1)*dim]
		length := 0.0
		for _, v := range sum {
			length += v * v
		}
		length = math.Sqrt(length)
		switch {
		case n == 0:
			return nil, fmt.Errorf("class %d has no rows", k)
		case length == 0:
			return nil, fmt.Errorf("class %d: the mean of its %s has no direction", k, plural(n, "row"))
		}
		for j, v := range sum {
			c.Weight[k*dim+j] = float32(v / length)
		}
	}
	return c, nil
}

// labelledRows checks that features are rows of equal length with a label each, -1 or one of the classes, and returns
// that length.
func labelledRows(features []float32, labels []int, classes int) (dim int, err error) {
	switch {
	case classes < 1:
		return 0, fmt.Errorf("rows of %d classes", classes)
	case len(labels) == 0:
		return 0, errors.New("no rows to learn from")
	case len(features) == 0 || len(features)%len(labels) != 0:
		return 0, fmt.Errorf("%d features are not %d rows of equal length", len(features), len(labels))
	}
	for i, label := range labels {
		if label < -1 || label >= classes {
			return 0, fmt.Errorf("row %d: label %d is not one of %d classes", i, label, classes)
		}
	}
	return len(features) / len(labels), nil
}

// Scores returns the cosine between one row and each class: 1 for the same direction, 0 for nothing in common. They
// are all 0 for a row of zeros.
func (c *Centroids) Scores(row []float32) ([]float64, error) {
	if len(row) != c.Dim {
		return nil, fmt.Errorf("%d features, want %d", len(row), c.Dim)
	}
	length, err := rowLength(row)
	if err != nil {
		return nil, err
	}
	scores := make([]float64, c.Classes)
	if length == 0 {
		return scores, nil
	}
	for k := range scores {
		dot := 0.0
		for j, w := range c.Weight[k*c.Dim : (k+1)*c.Dim] {
			dot += float64(w) * float64(row[j])
		}
		scores[k] = dot / length
	}
	return scores, nil
}

// Predict returns the class of each of some rows, which lie one after the other. Of classes that are equally near, the
// first is taken.
func (c *Centroids) Predict(features []float32) ([]int, error) {
	if len(features)%c.Dim != 0 {
		return nil, fmt.Errorf("%d features are not rows of %d", len(features), c.Dim)
	}
	classes := make([]int, len(features)/c.Dim)
	for i := range classes {
		scores, err := c.Scores(features[i*c.Dim : (i+1)*c.Dim])
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		for k, s := range scores {
			if s > scores[classes[i]] {
				classes[i] = k
			}
		}
	}
	return classes, nil
}

// rowLength returns the Euclidean length of a row of finite numbers.
func rowLength(row []float32) (float64, error) {
	sum := 0.0
	for j, v := range row {
		sum += float64(v) * float64(v)
		if math.IsNaN(sum) || math.IsInf(sum, 0) {
			return 0, fmt.Errorf("feature %d is %v", j, v)
		}
	}
	return math.Sqrt(sum), nil
}
