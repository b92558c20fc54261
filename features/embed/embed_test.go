package embed

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// clusters are three groups of points around far corners of 20 dimensions.
func clusters(each int) (features []float32, labels []int) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 3 * each {
		k := i % 3
		labels = append(labels, k)
		for d := range 20 {
			v := r.NormFloat64()
			if d%3 == k {
				v += 12
			}
			features = append(features, float32(v))
		}
	}
	return features, labels
}

func TestPCA(t *testing.T) {
	// Points on a line of slope 3/4 with a little across: the components are (4,3)/5 and (-3,4)/5.
	var f []float32
	along, across := []float64{-10, -5, 0, 5, 10}, []float64{1, -1, 0, -1, 1}
	for i := range along {
		f = append(f, float32(7+0.8*along[i]-0.6*across[i]), float32(-2+0.6*along[i]+0.8*across[i]))
	}
	p, share, err := PCA(f, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range p {
		if math.Abs(at.X-along[i]) > 1e-5 || math.Abs(at.Y-across[i]) > 1e-5 {
			t.Errorf("point %d is %v, want %v %v", i, at, along[i], across[i])
		}
	}
	if want := 250. / 254; math.Abs(share[0]-want) > 1e-5 || math.Abs(share[0]+share[1]-1) > 1e-9 {
		t.Errorf("shares %v, want %v", share, want)
	}
	if p, share, err := PCA([]float32{1, 5, 3}, 3); err != nil || len(share) != 1 || p[1].X != 2 || p[1].Y != 0 {
		t.Errorf("one dimension: %v, %v, %v", p, share, err)
	}
	if _, share, err := PCA([]float32{1, 1, 1, 1}, 2); err != nil || share[0] != 0 {
		t.Errorf("equal rows: %v, %v", share, err)
	}
}

// t-SNE keeps every point's five nearest neighbours in its group, and has the same bits for any number of threads.
func TestTSNE(t *testing.T) {
	f, labels := clusters(25)
	n := len(labels)
	var first []Point
	for threads := 1; threads <= 3; threads++ {
		last := 0
		p, err := TSNE(context.Background(), f, n, TSNEOptions{Perplexity: 10, Iterations: 400, Threads: threads, Progress: func(done, total int) { last = done + total }})
		if err != nil || last != 800 {
			t.Fatal(err, last)
		}
		if first == nil {
			first = p
		} else if !slices.Equal(first, p) {
			t.Errorf("%d threads give other places", threads)
		}
	}
	for i := range n {
		order := make([]int, 0, n-1)
		for j := range n {
			if j != i {
				order = append(order, j)
			}
		}
		d := func(j int) float64 { return math.Hypot(first[i].X-first[j].X, first[i].Y-first[j].Y) }
		slices.SortFunc(order, func(a, b int) int {
			if d(a) < d(b) {
				return -1
			}
			return 1
		})
		for _, j := range order[:5] {
			if labels[j] != labels[i] {
				t.Fatalf("a neighbour of point %d is of another group", i)
			}
		}
	}
}

// The bells are as wide as the perplexity asks for.
func TestPerplexity(t *testing.T) {
	f, labels := clusters(20)
	x, d, _, err := components(f, len(labels), 50)
	if err != nil {
		t.Fatal(err)
	}
	n := len(labels)
	s := &tsne{n: n, p: make([]float64, n*n)}
	s.affinities(x, d, 7)
	sum := 0.0
	for i := range n {
		for j := range n {
			if s.p[i*n+j] != s.p[j*n+i] {
				t.Fatal("not symmetric")
			}
			sum += s.p[i*n+j]
		}
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("probabilities add up to %v", sum)
	}
}

func TestErrors(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f, labels := clusters(5)
	if _, err := TSNE(ctx, f, len(labels), TSNEOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	nan := slices.Clone(f)
	nan[45] = float32(math.NaN())
	for _, c := range []struct {
		f    []float32
		n    int
		o    TSNEOptions
		want string
	}{
		{f, 1, TSNEOptions{}, "at least 2"}, {f[:7], 2, TSNEOptions{}, "are no 2 rows"}, {nil, 3, TSNEOptions{}, "are no 3 rows"},
		{nan, len(labels), TSNEOptions{}, "row 2"}, {f, len(labels), TSNEOptions{Perplexity: 100}, "want 1 to 14"},
		{f, len(labels), TSNEOptions{Iterations: -1}, "at least 1"}, {make([]float32, maxTSNE+1), maxTSNE + 1, TSNEOptions{}, "at most 6000"},
	} {
		if _, err := TSNE(context.Background(), c.f, c.n, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if _, _, err := PCA(nan, len(labels)); err == nil {
		t.Error("PCA of what is no number")
	}
}

func TestPlot(t *testing.T) {
	f, labels := clusters(5)
	p, _, err := PCA(f, len(labels))
	if err != nil {
		t.Fatal(err)
	}
	labels[0] = -1
	many := make([]string, 45)
	for i := range many {
		many[i] = "class"
	}
	width := 0
	for _, classes := range [][]string{nil, {"a", "b", "c"}, many} {
		var b bytes.Buffer
		of := labels
		if classes == nil {
			of = nil
		}
		if err := Plot(&b, p, of, classes, "title", "x", "y"); err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		// A legend makes the picture wider: it covers no points.
		if w := img.Bounds().Dx(); classes == nil {
			width = w
		} else if w <= width {
			t.Errorf("%d pixels without legend, %d with one", width, w)
		}
		// Nothing touches the border: the outermost points are drawn whole.
		for x := range img.Bounds().Dx() {
			for _, y := range []int{0, img.Bounds().Dy() - 1} {
				if r, g, b, _ := img.At(x, y).RGBA(); r+g+b != 3*0xffff {
					t.Fatalf("something is drawn at %d,%d", x, y)
				}
			}
		}
	}
	if err := Plot(&bytes.Buffer{}, p, nil, nil, "", "", ""); err != nil {
		t.Error(err)
	}
	if err := Plot(&bytes.Buffer{}, p, labels[1:], nil, "", "", ""); err == nil {
		t.Error("too few labels")
	}
	if err := Plot(&bytes.Buffer{}, p, labels, []string{"a"}, "", "", ""); err == nil {
		t.Error("labels without classes")
	}
}
