// Package embed places features in two dimensions, so that a person can see which images a network takes for alike.
package embed

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/onnxcnn/onnxcnn/internal/par"
)

// Point is a place in the plane.
type Point struct{ X, Y float64 }

// check makes sure that there are n rows of finite numbers.
func check(features []float32, n int) (d int, err error) {
	switch {
	case n < 2:
		return 0, fmt.Errorf("%d rows of features: at least 2 are needed", n)
	case len(features) == 0 || len(features)%n != 0:
		return 0, fmt.Errorf("%d numbers are no %d rows", len(features), n)
	}
	for i, v := range features {
		if v-v != 0 {
			return 0, fmt.Errorf("row %d of the features has a number that is not finite", i/(len(features)/n))
		}
	}
	return len(features) / n, nil
}

// components projects n rows of features on their first principal components, at most k: rows of k numbers. share is the
// part of the variance that each component has. The sign of a component is that of its largest weight.
func components(features []float32, n, k int) (rows []float64, used int, share []float64, err error) {
	d, err := check(features, n)
	if err != nil {
		return nil, 0, nil, err
	}
	x := mat.NewDense(n, d, nil)
	for i := range n {
		for j := range d {
			x.Set(i, j, float64(features[i*d+j]))
		}
	}
	var pc stat.PC
	if !pc.PrincipalComponents(x, nil) {
		return nil, 0, nil, errors.New("the singular value decomposition of the features does not converge")
	}
	variances := pc.VarsTo(nil)
	var vectors mat.Dense
	pc.VectorsTo(&vectors)
	total := 0.0
	for _, v := range variances {
		total += v
	}
	used = min(k, len(variances))
	for c := range used {
		largest := 0.0
		for j := range d {
			if v := vectors.At(j, c); math.Abs(v) > math.Abs(largest) {
				largest = v
			}
		}
		if largest < 0 {
			for j := range d {
				vectors.Set(j, c, -vectors.At(j, c))
			}
		}
		part := 0.0
		if total > 0 {
			part = variances[c] / total
		}
		share = append(share, part)
	}
	for j := range d { // around the mean
		mean := 0.0
		for i := range n {
			mean += x.At(i, j) / float64(n)
		}
		for i := range n {
			x.Set(i, j, x.At(i, j)-mean)
		}
	}
	var out mat.Dense
	out.Mul(x, vectors.Slice(0, d, 0, used))
	return out.RawMatrix().Data, used, share, nil
}

// PCA projects n rows of features on their first two principal components (Pearson 1901). share is the part of the variance
// that each of them has; features of one dimension have one component, and Y is 0.
func PCA(features []float32, n int) (points []Point, share []float64, err error) {
	rows, k, share, err := components(features, n, 2)
	if err != nil {
		return nil, nil, err
	}
	points = make([]Point, n)
	for i := range points {
		points[i].X = rows[i*k]
		if k > 1 {
			points[i].Y = rows[i*k+1]
		}
	}
	return points, share, nil
}

// TSNEOptions say how [TSNE] works. The zero value is what the literature recommends.
type TSNEOptions struct {
	Perplexity float64 // about how many neighbours count; 0 for 30, or less where there are few rows
	Iterations int     // 0 for 1000
	Threads    int     // 0: one a processor
	Progress   func(done, total int)
}

// maxTSNE bounds the rows that TSNE takes: its memory and time grow with their square.
const maxTSNE = 6000

// TSNE places n rows of features so that neighbours stay neighbours (van der Maaten and Hinton 2008, "Visualizing Data using
// t-SNE", JMLR 9). Features of many dimensions are reduced to 50 principal components before. It begins with the first two of
// them, so that there is nothing random in it (Kobak and Berens 2019, doi:10.1038/s41467-019-13056-x). Distances between groups
// and sizes of groups mean little.
func TSNE(ctx context.Context, features []float32, n int, o TSNEOptions) ([]Point, error) {
	if n > maxTSNE {
		return nil, fmt.Errorf("%d rows of features: t-SNE takes at most %d", n, maxTSNE)
	}
	if o.Iterations == 0 {
		o.Iterations = 1000
	}
	x, d, _, err := components(features, n, 50)
	if err != nil {
		return nil, err
	}
	if o.Perplexity == 0 {
		o.Perplexity = min(30, max(float64(n-1)/3, 1))
	}
	if !(o.Perplexity >= 1) || o.Perplexity > float64(n-1) || o.Iterations < 1 {
		return nil, fmt.Errorf("perplexity %v and %d iterations: want 1 to %d, and at least 1", o.Perplexity, o.Iterations, n-1)
	}
	t := &tsne{n: n, pool: par.Shared(o.Threads), p: make([]float64, n*n), y: make([]Point, n)}
	t.affinities(x, d, o.Perplexity)
	t.begin(x, d)
	for i := range o.Iterations {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		exaggeration, momentum := 1.0, 0.8
		if i < 250 {
			exaggeration, momentum = 12, 0.5
		}
		t.step(exaggeration, momentum)
		if o.Progress != nil {
			o.Progress(i+1, o.Iterations)
		}
	}
	return t.y, nil
}

// tsne is an embedding in the making.
type tsne struct {
	n    int
	pool *par.Pool
	p    []float64 // joint probabilities of neighbours
	y    []Point

	grad, speed, gain []Point
	sums              []float64 // of each row
}

// affinities computes how likely rows are neighbours of each other: each row's bell is as wide as the perplexity asks for.
func (t *tsne) affinities(x []float64, d int, perplexity float64) {
	n := t.n
	want := math.Log(perplexity)
	t.pool.For(n, 1, func(lo, hi int) {
		dist := make([]float64, n)
		for i := lo; i < hi; i++ {
			nearest := math.Inf(1)
			for j := range n {
				dist[j] = 0
				for k := range d {
					v := x[i*d+k] - x[j*d+k]
					dist[j] += v * v
				}
				if j != i {
					nearest = min(nearest, dist[j])
				}
			}
			row := t.p[i*n : (i+1)*n]
			// Bisection on the inverse width. What lies before is the distance to the nearest, which cancels out.
			beta, least, most := 1.0, 0.0, math.Inf(1)
			for range 100 {
				sum, weighted := 0.0, 0.0
				for j := range n {
					row[j] = 0
					if j != i {
						row[j] = math.Exp(-beta * (dist[j] - nearest))
						sum += row[j]
						weighted += row[j] * (dist[j] - nearest)
					}
				}
				entropy := math.Log(sum) + beta*weighted/sum
				for j := range n {
					row[j] /= sum
				}
				if math.Abs(entropy-want) < 1e-5 {
					break
				}
				if entropy > want {
					least = beta
				} else {
					most = beta
				}
				if beta = 2 * least; !math.IsInf(most, 1) {
					beta = (least + most) / 2
				} else if least == 0 {
					beta = 1
				}
			}
		}
	})
	for i := range n {
		for j := range i {
			v := (t.p[i*n+j] + t.p[j*n+i]) / float64(2*n)
			t.p[i*n+j], t.p[j*n+i] = v, v
		}
	}
}

// begin places the rows by their first two components, close together.
func (t *tsne) begin(x []float64, d int) {
	deviation := 0.0
	for i := range t.n {
		deviation += x[i*d] * x[i*d]
	}
	scale := 1e-2 / (math.Sqrt(deviation/float64(t.n)) + 1e-300)
	for i := range t.n {
		t.y[i].X = x[i*d] * scale
		if d > 1 {
			t.y[i].Y = x[i*d+1] * scale
		}
		// Rows that are equal would stay together for ever.
		t.y[i].X += 1e-6 * math.Cos(float64(i))
		t.y[i].Y += 1e-6 * math.Sin(float64(i))
	}
	t.grad, t.speed, t.gain = make([]Point, t.n), make([]Point, t.n), make([]Point, t.n)
	for i := range t.gain {
		t.gain[i] = Point{1, 1}
	}
	t.sums = make([]float64, t.n)
}

// step moves every row along the gradient of the Kullback-Leibler divergence.
func (t *tsne) step(exaggeration, momentum float64) {
	n := t.n
	near := func(i, j int) float64 {
		dx, dy := t.y[i].X-t.y[j].X, t.y[i].Y-t.y[j].Y
		return 1 / (1 + dx*dx + dy*dy)
	}
	t.pool.For(n, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sum := 0.0
			for j := range n {
				if j != i {
					sum += near(i, j)
				}
			}
			t.sums[i] = sum
		}
	})
	z := 0.0
	for _, s := range t.sums {
		z += s
	}
	t.pool.For(n, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			var g Point
			for j := range n {
				q := near(i, j)
				v := (exaggeration*t.p[i*n+j] - q/z) * q
				g.X += v * (t.y[i].X - t.y[j].X)
				g.Y += v * (t.y[i].Y - t.y[j].Y)
			}
			t.grad[i] = Point{4 * g.X, 4 * g.Y}
		}
	})
	rate := max(float64(n)/12, 50)
	move := func(y, speed, gain *float64, grad float64) {
		if (grad > 0) == (*speed > 0) {
			*gain = max(*gain*0.8, 0.01)
		} else {
			*gain += 0.2
		}
		*speed = momentum**speed - rate**gain*grad
		*y += *speed
	}
	for i := range t.y {
		move(&t.y[i].X, &t.speed[i].X, &t.gain[i].X, t.grad[i].X)
		move(&t.y[i].Y, &t.speed[i].Y, &t.gain[i].Y, t.grad[i].Y)
	}
}
