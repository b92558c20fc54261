package finetune

import (
	"math"

	"github.com/onnxcnn/onnxcnn/internal/optim"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// optimiser changes weights by their gradients, each group of weights by a rule of its own.
type optimiser struct {
	o     OptimOptions
	pool  *par.Pool
	steps int           // done so far
	rules [2]optim.Rule // of weights, and of biases and normalisations
	state []optim.State // by parameter
}

const (
	updateGrain  = 1 << 15
	sumOfSquares = 1 << 12 // elements summed at once: the order of a sum must not depend on threads
	clipEpsilon  = 1e-6
)

// rule returns the optimiser's rule, with PyTorch's defaults for what cannot be chosen.
func (o OptimOptions) rule(decay float64) optim.Rule {
	switch o.Optimizer {
	case "sgd":
		return optim.SGD{Momentum: o.Momentum, WeightDecay: decay, Nesterov: o.Nesterov}
	case "rmsprop":
		r := optim.NewRMSprop()
		r.WeightDecay = decay
		return r
	case "adagrad":
		r := optim.NewAdagrad()
		r.WeightDecay = decay
		return r
	}
	r := optim.NewAdam()
	r.WeightDecay, r.Decoupled = decay, o.Optimizer == "adamw"
	return r
}

func newOptimiser(o OptimOptions, params []*Param, pool *par.Pool) *optimiser {
	op := &optimiser{o: o, pool: pool}
	op.rules = [2]optim.Rule{o.rule(o.WeightDecay), o.rule(o.WeightDecay)}
	if o.NoDecayBias {
		op.rules[1] = o.rule(0)
	}
	for _, p := range params {
		var s optim.State
		for i := range op.rules[0].States() {
			s[i] = make([]float32, p.Value.Len())
			if v := op.rules[0].Start(i); v != 0 {
				for k := range s[i] {
					s[i][k] = v
				}
			}
		}
		op.state = append(op.state, s)
	}
	return op
}

// step changes all parameters once.
func (op *optimiser) step(params []*Param, grads [][]float32, rate float64) {
	op.steps++
	for i, p := range params {
		lr, rule := rate*op.o.rate(p), op.rules[0]
		if p.Norm {
			rule = op.rules[1]
		}
		w, g, s := p.Value.Float32s(), grads[i], op.state[i]
		op.pool.For(len(w), updateGrain, func(lo, hi int) {
			rule.Step(lr, op.steps, w[lo:hi], g[lo:hi], s.Slice(lo, hi))
		})
	}
}

// norm returns the Euclidean norm of all gradients together, in the same order of sums for any number of threads.
func (op *optimiser) norm(grads [][]float32) float64 {
	total := 0.0
	for _, g := range grads {
		parts := make([]float64, (len(g)+sumOfSquares-1)/sumOfSquares)
		op.pool.For(len(parts), updateGrain/sumOfSquares, func(lo, hi int) {
			for k := lo; k < hi; k++ {
				s := 0.0
				for _, v := range g[k*sumOfSquares : min((k+1)*sumOfSquares, len(g))] {
					s += float64(v) * float64(v)
				}
				parts[k] = s
			}
		})
		for _, s := range parts {
			total += s
		}
	}
	return math.Sqrt(total)
}

// clip scales gradients of that norm down to a limit, as torch.nn.utils.clip_grad_norm_ does.
func (op *optimiser) clip(grads [][]float32, norm float64) {
	if op.o.GradClip <= 0 || norm <= op.o.GradClip-clipEpsilon {
		return
	}
	f := float32(op.o.GradClip / (norm + clipEpsilon))
	for _, g := range grads {
		op.pool.For(len(g), updateGrain, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				g[i] *= f
			}
		})
	}
}

// average moves averaged weights towards the present ones: a = decay*a + (1-decay)*w.
func average(pool *par.Pool, params []*Param, averaged [][]float32, decay float64) {
	d := float32(decay)
	for i, p := range params {
		a, w := averaged[i], p.Value.Float32s()
		pool.For(len(w), updateGrain, func(lo, hi int) {
			for k := lo; k < hi; k++ {
				a[k] = d*a[k] + (1-d)*w[k]
			}
		})
	}
}
