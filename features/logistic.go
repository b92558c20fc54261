package features

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/optimize"

	"github.com/onnxcnn/onnxcnn/internal/par"
)

// Logistic is multinomial logistic regression: the probabilities of a row's classes are the softmax of Weight times row
// plus Bias. It is safe for concurrent use as long as nobody writes to it.
type Logistic struct {
	Classes int       // K
	Dim     int       // D, the number of features of a row
	Weight  []float32 // [K,D]
	Bias    []float32 // [K]
}

// LogisticOptions say how [FitLogistic] weighs things. The zero value is scikit-learn's default.
type LogisticOptions struct {
	C            float64   // inverse strength of the penalty on large weights, 0 for 1
	ClassWeights []float64 // how much the rows of each class count; nil: all the same
	Threads      int       // 0: one a processor; the result is the same for any number
}

const (
	logisticIterations = 2000
	logisticGradient   = 1e-9 // of the mean loss, where the minimum is reached
	logisticAccepted   = 1e-4 // where rounding lets it come no closer
)

// FitLogistic finds the weights and biases for classes 0 to classes-1 that minimise
//
//	C * sum_i w[y_i] * -log p_i[y_i]  +  1/2 * sum of the squares of Weight
//
// by L-BFGS with a line search that satisfies the strong Wolfe conditions. This is the objective of scikit-learn's
// LogisticRegression with multi_class="multinomial", for two classes as well. Rows with label -1 do not count.
func FitLogistic(ctx context.Context, features []float32, labels []int, classes int, o LogisticOptions) (*Logistic, error) {
	dim, err := labelledRows(features, labels, classes)
	switch {
	case err != nil:
		return nil, err
	case classes < 2:
		return nil, fmt.Errorf("logistic regression of %d class", classes)
	case o.C < 0 || math.IsNaN(o.C) || math.IsInf(o.C, 0):
		return nil, fmt.Errorf("C = %v is not a number of at least 0", o.C)
	case o.ClassWeights != nil && len(o.ClassWeights) != classes:
		return nil, fmt.Errorf("%d weights for %d classes", len(o.ClassWeights), classes)
	case o.C == 0:
		o.C = 1
	}
	p := &logisticProblem{classes: classes, dim: dim, pool: par.Shared(o.Threads)}
	total := 0.0
	for i, label := range labels {
		if label < 0 {
			continue
		}
		row := features[i*dim : (i+1)*dim]
		if _, err := rowLength(row); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		w := 1.0
		if o.ClassWeights != nil {
			w = o.ClassWeights[label]
		}
		total += w
		p.rows, p.labels, p.weights = append(p.rows, row), append(p.labels, label), append(p.weights, w)
	}
	if !(total > 0) {
		return nil, fmt.Errorf("no rows of a class that counts")
	}
	for i := range p.weights {
		p.weights[i] /= total
	}
	p.penalty = 1 / (o.C * total)
	p.centre()
	x, err := p.minimise(ctx)
	if err != nil {
		return nil, fmt.Errorf("logistic regression: %w", err)
	}
	return p.solution(x), nil
}

// logisticProblem is the objective divided by C and the sum of the rows' weights, over x = [Weight, Bias], where the
// features are taken relative to their mean: that changes the biases only, and brings L-BFGS to the end in fewer steps.
type logisticProblem struct {
	classes, dim int
	rows         [][]float32
	labels       []int
	weights      []float64 // of the rows; their sum is 1
	penalty      float64
	mean         []float64
	pool         *par.Pool
}

func (p *logisticProblem) centre() {
	p.mean = make([]float64, p.dim)
	for i, row := range p.rows {
		for j, v := range row {
			p.mean[j] += p.weights[i] * float64(v)
		}
	}
}

// residuals fills r [rows, classes] with w_i*(p_ik - [k=y_i]) and returns the loss.
func (p *logisticProblem) residuals(x []float64, r []float64) float64 {
	weight, bias := x[:p.classes*p.dim], x[p.classes*p.dim:]
	shift := make([]float64, p.classes)
	for k := range shift {
		shift[k] = bias[k]
		for j, m := range p.mean {
			shift[k] -= weight[k*p.dim+j] * m
		}
	}
	losses := make([]float64, len(p.rows))
	p.pool.For(len(p.rows), 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out := r[i*p.classes : (i+1)*p.classes]
			for k := range out {
				out[k] = shift[k] + dot(weight[k*p.dim:(k+1)*p.dim], p.rows[i])
			}
			losses[i] = p.weights[i] * softmaxLoss(out, p.labels[i])
			for k := range out {
				out[k] *= p.weights[i]
			}
		}
	})
	loss := 0.0
	for _, l := range losses {
		loss += l
	}
	sum := 0.0
	for _, w := range weight {
		sum += w * w
	}
	return loss + p.penalty/2*sum
}

// softmaxLoss returns -log of the softmax at a label, and makes the logits the gradient of that.
func softmaxLoss(logits []float64, label int) float64 {
	top := math.Inf(-1)
	for _, v := range logits {
		top = max(top, v)
	}
	sum, at := 0.0, logits[label]
	for k, v := range logits {
		logits[k] = math.Exp(v - top)
		sum += logits[k]
	}
	for k := range logits {
		logits[k] /= sum
	}
	logits[label]--
	return top + math.Log(sum) - at
}

func dot(w []float64, x []float32) float64 {
	w = w[:len(x)]
	var a, b, c, d float64 // four sums: one would wait for itself at each step
	for len(x) >= 4 {
		a += w[0] * float64(x[0])
		b += w[1] * float64(x[1])
		c += w[2] * float64(x[2])
		d += w[3] * float64(x[3])
		w, x = w[4:], x[4:]
	}
	for j, v := range x {
		a += w[j] * float64(v)
	}
	return (a + b) + (c + d)
}

// gradient fills in the gradient at x of residuals r.
func (p *logisticProblem) gradient(x, r, grad []float64) {
	bias := grad[p.classes*p.dim:]
	clear(bias)
	for i := range p.rows {
		for k := range bias {
			bias[k] += r[i*p.classes+k]
		}
	}
	p.pool.For(p.classes, 1, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			g, w := grad[k*p.dim:(k+1)*p.dim], x[k*p.dim:(k+1)*p.dim]
			for j := range g {
				g[j] = p.penalty*w[j] - bias[k]*p.mean[j]
			}
			for i, row := range p.rows {
				v := r[i*p.classes+k]
				for j, f := range row {
					g[j] += v * float64(f)
				}
			}
		}
	})
}

// minimise finds the minimum from zero weights on.
func (p *logisticProblem) minimise(ctx context.Context) ([]float64, error) {
	start := make([]float64, p.classes*(p.dim+1))
	r := make([]float64, len(p.rows)*p.classes)
	problem := optimize.Problem{
		Func: func(x []float64) float64 { return p.residuals(x, r) },
		Grad: func(grad, x []float64) {
			p.residuals(x, r)
			p.gradient(x, r, grad)
		},
		Status: func() (optimize.Status, error) {
			if err := ctx.Err(); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}
	settings := &optimize.Settings{GradientThreshold: logisticGradient, MajorIterations: logisticIterations, Converger: optimize.NeverTerminate{}}
	res, err := optimize.Minimize(problem, start, settings, &optimize.LBFGS{Linesearcher: &optimize.MoreThuente{}})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if res == nil || len(res.Gradient) != len(start) {
		return nil, err
	}
	worst := 0.0
	for _, g := range res.Gradient {
		worst = max(worst, math.Abs(g))
	}
	if !(worst <= logisticAccepted) {
		return nil, fmt.Errorf("no minimum after %d steps (largest gradient %.2g): scale the features, or take a smaller C", res.MajorIterations, worst)
	}
	return res.X, nil
}

// solution gives the weights and biases for features as they are.
func (p *logisticProblem) solution(x []float64) *Logistic {
	l := &Logistic{Classes: p.classes, Dim: p.dim, Weight: make([]float32, p.classes*p.dim), Bias: make([]float32, p.classes)}
	for k := range p.classes {
		b := x[p.classes*p.dim+k]
		for j, w := range x[k*p.dim : (k+1)*p.dim] {
			l.Weight[k*p.dim+j] = float32(w)
			b -= w * p.mean[j]
		}
		l.Bias[k] = float32(b)
	}
	return l
}

// Scores returns the logits of one row.
func (l *Logistic) Scores(row []float32) ([]float64, error) {
	if len(row) != l.Dim {
		return nil, fmt.Errorf("%d features, want %d", len(row), l.Dim)
	}
	scores := make([]float64, l.Classes)
	for k := range scores {
		scores[k] = float64(l.Bias[k])
		for j, w := range l.Weight[k*l.Dim : (k+1)*l.Dim] {
			scores[k] += float64(w) * float64(row[j])
		}
	}
	return scores, nil
}
