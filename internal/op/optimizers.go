package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/optim"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TrainingDomain is the domain of ONNX's optimisers.
const TrainingDomain = "ai.onnx.preview.training"

func init() {
	registerOptimizer("Momentum", 3, func(s *Spec) (updateRule, error) {
		m := momentumRule{alpha: s.needFloat("alpha"), beta: s.needFloat("beta"), norm: s.needFloat("norm_coefficient")}
		switch mode := s.String("mode", ""); mode {
		case "standard":
		case "nesterov":
			m.nesterov = true
		default:
			return nil, fmt.Errorf(`attribute "mode": %q is not "standard" or "nesterov"`, mode)
		}
		return m, nil
	})
	registerOptimizer("Adam", 4, func(s *Spec) (updateRule, error) {
		return adamRule{alpha: float64(s.Float("alpha", 0.9)), beta: float64(s.Float("beta", 0.999)), epsilon: float64(s.Float("epsilon", 1e-6)),
			norm: float64(s.Float("norm_coefficient", 0)), normPost: float64(s.Float("norm_coefficient_post", 0))}, nil
	})
	registerOptimizer("Adagrad", 3, func(s *Spec) (updateRule, error) {
		return adagradRule{decay: float64(s.Float("decay_factor", 0)), epsilon: float64(s.Float("epsilon", 1e-6)),
			norm: float64(s.Float("norm_coefficient", 0))}, nil
	})
}

// needFloat is Float for an attribute that has no default.
func (s *Spec) needFloat(name string) float64 {
	if !s.Has(name) {
		s.errs = append(s.errs, fmt.Errorf("attribute %q is missing", name))
	}
	return float64(s.Float(name, 0))
}

// registerOptimizer registers an optimiser whose inputs are the rate R, the count of updates T, and then of each of
// these kinds as many tensors as there are weights: the weights, their gradients, and what it remembers of them.
func registerOptimizer(name string, kinds int, make func(*Spec) (updateRule, error)) {
	register(Def{Domain: TrainingDomain, Type: name, Since: 1, MinIn: 2 + kinds, MaxIn: Variadic, MaxOut: Variadic, New: func(s *Spec) (Op, error) {
		rule, err := make(s)
		if err == nil && (len(s.Node.Inputs)-2)%kinds != 0 {
			err = fmt.Errorf("has %d inputs, wants 2 and %d for each tensor that is updated", len(s.Node.Inputs), kinds)
		}
		return optimizer{kinds: kinds, rule: rule}, err
	}})
}

// updateRule updates weights w by their gradients g, and what is remembered of them, at rate r, after t updates.
type updateRule interface {
	single(r float64, t int64, w, g []float32, state [][]float32)
	double(r float64, t int64, w, g []float64, state [][]float64)
}

// optimizer is the family Momentum, Adam and Adagrad of ai.onnx.preview.training: one update of any number of weights.
// The outputs are the new weights, then the new state, in the order of the inputs.
type optimizer struct {
	kinds int
	rule  updateRule
}

func (o optimizer) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, fmt.Errorf("learning rate: %w", err)
	}
	if prod(in[0].Shape) != 1 || in[1].Type != onnx.Int64 || prod(in[1].Shape) != 1 {
		return nil, fmt.Errorf("learning rate and count are %v%v and %v%v, want a float and an int64", in[0].Type, in[0].Shape, in[1].Type, in[1].Shape)
	}
	n := (len(in) - 2) / o.kinds
	var out []Info
	for k := range o.kinds {
		for i, v := range in[2+k*n : 2+(k+1)*n] {
			w := in[2+i]
			if w.Absent() {
				return nil, fmt.Errorf("weights %d are left out", i)
			}
			if err := wantFloats([]Info{w}, 0); err != nil {
				return nil, fmt.Errorf("weights %d: %w", i, err)
			}
			if v.Type != w.Type || !sameShape(v.Shape, w.Shape) {
				return nil, fmt.Errorf("input %d is %v%v, the weights it belongs to %v%v", 2+k*n+i, v.Type, v.Shape, w.Type, w.Shape)
			}
			if k != 1 {
				out = append(out, Info{Type: w.Type, Shape: w.Shape})
			}
		}
	}
	return out, nil
}

func (o optimizer) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	rate, t := toFloat64s(in[0])[0], onnx.Data[int64](in[1])[0]
	n := (len(in) - 2) / o.kinds
	for i := range n {
		group := make([]*onnx.Tensor, o.kinds) // as the inputs, but those that change are copies
		for k := range group {
			group[k] = in[2+k*n+i]
			if k == 1 {
				continue
			}
			at := k*n + i
			if k > 1 {
				at -= n
			}
			var to *onnx.Tensor
			if at < len(out) {
				to = out[at]
			}
			if to == nil {
				group[k] = group[k].Clone()
				continue
			}
			copy(to.Raw, group[k].Raw)
			group[k] = to
		}
		if group[0].Type == onnx.Float {
			updatePieces(rt, group, func(w, g []float32, state [][]float32) { o.rule.single(rate, t, w, g, state) })
		} else {
			updatePieces(rt, group, func(w, g []float64, state [][]float64) { o.rule.double(rate, t, w, g, state) })
		}
	}
	return nil
}

func updatePieces[T float](rt *Runtime, group []*onnx.Tensor, update func(w, g []T, state [][]T)) {
	rt.Pool.For(group[0].Len(), costlyGrain, func(lo, hi int) {
		pieces := make([][]T, len(group))
		for k, t := range group {
			pieces[k] = onnx.Data[T](t)[lo:hi]
		}
		update(pieces[0], pieces[1], pieces[2:])
	})
}

// momentumRule is Momentum: d = g+norm*w; v = alpha*v + beta*d (d alone in the first update, t = 0); w -= r*v, or by
// Nesterov's w -= r*(d+alpha*v).
type momentumRule struct {
	alpha, beta, norm float64
	nesterov          bool
}

func (o momentumRule) single(r float64, t int64, w, g []float32, state [][]float32) {
	optim.Momentum(w, g, state[0], float32(r), float32(o.alpha), float32(o.share(t)), float32(o.norm), o.nesterov)
}

func (o momentumRule) double(r float64, t int64, w, g []float64, state [][]float64) {
	optim.Momentum(w, g, state[0], r, o.alpha, o.share(t), o.norm, o.nesterov)
}

func (o momentumRule) share(t int64) float64 {
	if t > 0 {
		return o.beta
	}
	return 1
}

// adamRule is Adam: d = g+norm*w; v = alpha*v+(1-alpha)*d; h = beta*h+(1-beta)*d²;
// w = (1-normPost)*(w - r*v/(sqrt(h)+epsilon)), where r is corrected by sqrt(1-beta^t)/(1-alpha^t) unless t is 0.
type adamRule struct{ alpha, beta, epsilon, norm, normPost float64 }

func (o adamRule) single(r float64, t int64, w, g []float32, state [][]float32) {
	optim.StepAdam(w, g, state[0], state[1], adamParams[float32](o, r, t))
}

func (o adamRule) double(r float64, t int64, w, g []float64, state [][]float64) {
	optim.StepAdam(w, g, state[0], state[1], adamParams[float64](o, r, t))
}

func adamParams[T float](o adamRule, r float64, t int64) optim.AdamParams[T] {
	if t > 0 {
		r *= math.Sqrt(1-math.Pow(o.beta, float64(t))) / (1 - math.Pow(o.alpha, float64(t)))
	}
	return optim.AdamParams[T]{Beta1: T(o.alpha), Rest1: T(1 - o.alpha), Beta2: T(o.beta), Rest2: T(1 - o.beta),
		Rate: T(r), Epsilon: T(o.epsilon), Decay: T(o.norm), Before: 1, After: T(1 - o.normPost)}
}

// adagradRule is Adagrad: d = g+norm*w; h += d²; w -= r/(1+t*decay)*d/(sqrt(h)+epsilon).
type adagradRule struct{ decay, epsilon, norm float64 }

func (o adagradRule) single(r float64, t int64, w, g []float32, state [][]float32) {
	optim.StepAdagrad(w, g, state[0], float32(r/(1+float64(t)*o.decay)), float32(o.epsilon), float32(o.norm))
}

func (o adagradRule) double(r float64, t int64, w, g []float64, state [][]float64) {
	optim.StepAdagrad(w, g, state[0], r/(1+float64(t)*o.decay), o.epsilon, o.norm)
}
