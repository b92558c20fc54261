package features

import (
	"cmp"
	"fmt"
	"slices"
)

// Neighbours is the rule of the K nearest neighbours: the probability of a class is its share among the K rows, of those
// that are known, that are nearest to a row by Euclidean distance. Of rows that are equally near, those that come first
// count. It is scikit-learn's KNeighborsClassifier with uniform weights. It is safe for concurrent use as long as nobody
// writes to it.
type Neighbours struct {
	K       int
	Classes int
	Dim     int       // D, the number of features of a row
	Rows    []float32 // [M,D], those that are known
	Labels  []int     // [M]
}

// FitNeighbours keeps rows of features, one after the other as [Batch.Features] has them, with a label for each of the
// classes 0 to classes-1. Rows with label -1 are left out. It is an error if there are fewer than k.
func FitNeighbours(features []float32, labels []int, classes, k int) (*Neighbours, error) {
	dim, err := labelledRows(features, labels, classes)
	if err != nil {
		return nil, err
	}
	n := &Neighbours{K: k, Classes: classes, Dim: dim}
	for i, label := range labels {
		if label < 0 {
			continue
		}
		row := features[i*dim : (i+1)*dim]
		if _, err := rowLength(row); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		n.Rows, n.Labels = append(n.Rows, row...), append(n.Labels, label)
	}
	if k < 1 || k > len(n.Labels) {
		return nil, fmt.Errorf("%d nearest neighbours of %s", k, plural(len(n.Labels), "row"))
	}
	return n, nil
}

// Scores returns each class's share among the nearest neighbours of one row.
func (n *Neighbours) Scores(row []float32) ([]float64, error) {
	if len(row) != n.Dim {
		return nil, fmt.Errorf("%d features, want %d", len(row), n.Dim)
	}
	if _, err := rowLength(row); err != nil {
		return nil, err
	}
	type neighbour struct {
		at       int
		distance float64
	}
	near := make([]neighbour, len(n.Labels))
	for i := range near {
		d := 0.0
		for j, v := range n.Rows[i*n.Dim : (i+1)*n.Dim] {
			x := float64(v) - float64(row[j])
			d += x * x
		}
		near[i] = neighbour{i, d}
	}
	slices.SortStableFunc(near, func(a, b neighbour) int { return cmp.Compare(a.distance, b.distance) })
	scores := make([]float64, n.Classes)
	for _, b := range near[:n.K] {
		scores[n.Labels[b.at]] += 1 / float64(n.K)
	}
	return scores, nil
}
