// Package optim updates weights by their gradients: the rules of torch.optim, and the loops that ONNX's operators
// Momentum, Adam and Adagrad share with them.
//
// Everything works in place on slices of equal length, element by element, and allocates nothing: a caller may cut them
// into pieces and update these in parallel, with the same result.
package optim

import "math"

// Float lists the element types of weights.
type Float interface{ float32 | float64 }

// State is what a rule remembers of each weight from step to step: slices as long as the weights, zero before the first
// step where [Rule.Start] says nothing else. Those beyond [Rule.States] are nil.
type State [MaxStates][]float32

// MaxStates is the most slices that a rule remembers.
const MaxStates = 3

// Slice returns the part of the state that belongs to the weights from lo up to hi.
func (s State) Slice(lo, hi int) State {
	for i, v := range s {
		if v != nil {
			s[i] = v[lo:hi]
		}
	}
	return s
}

// A Rule makes weights follow their gradients.
type Rule interface {
	// States is the number of slices that it remembers.
	States() int
	// Start is what a new state's slice i is filled with.
	Start(i int) float32
	// Step does a step: w are the weights, g the gradients (which stay as they are), lr is the learning rate and step
	// counts from 1.
	Step(lr float64, step int, w, g []float32, s State)
}

// SGD is gradient descent with momentum v, as torch.optim.SGD has it:
//
//	g += WeightDecay*w;  v = Momentum*v + (1-Dampening)*g (in the first step g);  w -= lr*v
//
// Nesterov makes it w -= lr*(g+Momentum*v). Without momentum it is w -= lr*g, and nothing is remembered.
type SGD struct {
	Momentum, Dampening, WeightDecay float64
	Nesterov                         bool
}

// States implements [Rule].
func (o SGD) States() int {
	if o.Momentum == 0 {
		return 0
	}
	return 1
}

// Start implements [Rule].
func (SGD) Start(int) float32 { return 0 }

// Step implements [Rule].
func (o SGD) Step(lr float64, step int, w, g []float32, s State) {
	if o.Momentum == 0 {
		descend(w, g, float32(lr), float32(o.WeightDecay))
		return
	}
	share := 1 - o.Dampening
	if step <= 1 {
		share = 1
	}
	Momentum(w, g, s[0], float32(lr), float32(o.Momentum), float32(share), float32(o.WeightDecay), o.Nesterov)
}

func descend[T Float](w, g []T, lr, decay T) {
	g = g[:len(w)]
	for i, x := range w {
		w[i] = x - lr*(g[i]+decay*x)
	}
}

// Momentum does v = momentum*v + share*(g+decay*w), and w -= lr*v or, with nesterov, w -= lr*(g+decay*w+momentum*v).
func Momentum[T Float](w, g, v []T, lr, momentum, share, decay T, nesterov bool) {
	g, v = g[:len(w)], v[:len(w)]
	if nesterov {
		for i, x := range w {
			d := g[i] + decay*x
			m := momentum*v[i] + share*d
			v[i] = m
			w[i] = x - lr*(d+momentum*m)
		}
		return
	}
	for i, x := range w {
		m := momentum*v[i] + share*(g[i]+decay*x)
		v[i] = m
		w[i] = x - lr*m
	}
}

// Adam is torch.optim.Adam, or with Decoupled torch.optim.AdamW. Its state are the running means m of the gradient and v
// of its square:
//
//	m = Beta1*m + (1-Beta1)*g;  v = Beta2*v + (1-Beta2)*g²
//	w -= lr/(1-Beta1^step) * m / (sqrt(v/(1-Beta2^step)) + Epsilon)
//
// WeightDecay is added to the gradient, g += WeightDecay*w, or where Decoupled is set taken from the weights before
// anything else: w *= 1 - lr*WeightDecay.
type Adam struct {
	Beta1, Beta2, Epsilon, WeightDecay float64
	Decoupled                          bool
}

// NewAdam returns torch's defaults: 0.9, 0.999, 1e-8.
func NewAdam() Adam { return Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8} }

// States implements [Rule].
func (Adam) States() int { return 2 }

// Start implements [Rule].
func (Adam) Start(int) float32 { return 0 }

// Step implements [Rule].
func (o Adam) Step(lr float64, step int, w, g []float32, s State) {
	root := math.Sqrt(1 - math.Pow(o.Beta2, float64(step)))
	p := AdamParams[float32]{
		Beta1: float32(o.Beta1), Rest1: float32(1 - o.Beta1), Beta2: float32(o.Beta2), Rest2: float32(1 - o.Beta2),
		Rate: float32(lr * root / (1 - math.Pow(o.Beta1, float64(step)))), Epsilon: float32(o.Epsilon * root),
		Decay: float32(o.WeightDecay), Before: 1, After: 1,
	}
	if o.Decoupled {
		p.Decay, p.Before = 0, float32(1-lr*o.WeightDecay)
	}
	StepAdam(w, g, s[0], s[1], p)
}

// AdamParams are the numbers of [StepAdam]. Rest1 and Rest2 are 1-Beta1 and 1-Beta2.
type AdamParams[T Float] struct{ Beta1, Rest1, Beta2, Rest2, Rate, Epsilon, Decay, Before, After T }

// StepAdam does, with d = g+Decay*w: m = Beta1*m + Rest1*d; v = Beta2*v + Rest2*d²;
// w = After * (Before*w - Rate*m/(sqrt(v)+Epsilon)).
func StepAdam[T Float](w, g, m, v []T, p AdamParams[T]) {
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i, x := range w {
		d := g[i] + p.Decay*x
		a := p.Beta1*m[i] + p.Rest1*d
		b := p.Beta2*v[i] + p.Rest2*(d*d)
		m[i], v[i] = a, b
		w[i] = p.After * (p.Before*x - p.Rate*a/(root(b)+p.Epsilon))
	}
}

// root is the square root: of a float32 the machine's instruction for it.
func root[T Float](x T) T { return T(math.Sqrt(float64(x))) }

// RMSprop is torch.optim.RMSprop. Its state are the running mean v of the gradient's square, then the momentum buffer
// where there is momentum, then the running mean of the gradient where it is Centered:
//
//	v = Alpha*v + (1-Alpha)*g²;  w -= lr*g/(sqrt(v)+Epsilon)
//
// With momentum b = Momentum*b + g/(sqrt(v)+Epsilon) and w -= lr*b; centred, v - mean² stands in place of v under the
// root. WeightDecay is added to the gradient.
type RMSprop struct {
	Alpha, Epsilon, Momentum, WeightDecay float64
	Centered                              bool
}

// NewRMSprop returns torch's defaults: 0.99, 1e-8.
func NewRMSprop() RMSprop { return RMSprop{Alpha: 0.99, Epsilon: 1e-8} }

// States implements [Rule].
func (o RMSprop) States() int {
	n := 1
	if o.Momentum != 0 {
		n++
	}
	if o.Centered {
		n++
	}
	return n
}

// Start implements [Rule].
func (RMSprop) Start(int) float32 { return 0 }

// Step implements [Rule].
func (o RMSprop) Step(lr float64, _ int, w, g []float32, s State) {
	v, buffer, mean := s[0], s[1], s[2]
	if o.Momentum == 0 {
		buffer, mean = nil, s[1]
	}
	if !o.Centered {
		mean = nil
	}
	alpha, rest, eps := float32(o.Alpha), float32(1-o.Alpha), float32(o.Epsilon)
	rate, momentum, decay := float32(lr), float32(o.Momentum), float32(o.WeightDecay)
	g, v = g[:len(w)], v[:len(w)]
	for i, x := range w {
		d := g[i] + decay*x
		b := alpha*v[i] + rest*(d*d)
		v[i] = b
		if mean != nil {
			c := alpha*mean[i] + rest*d
			mean[i] = c
			b = max(b-c*c, 0)
		}
		d /= root(b) + eps
		if buffer != nil {
			d += momentum * buffer[i]
			buffer[i] = d
		}
		w[i] = x - rate*d
	}
}

// Adagrad is torch.optim.Adagrad. Its state is the sum h of the gradient's squares, from InitialSum on:
//
//	h += g²;  w -= lr/(1+(step-1)*LRDecay) * g/(sqrt(h)+Epsilon)
//
// WeightDecay is added to the gradient.
type Adagrad struct{ LRDecay, Epsilon, WeightDecay, InitialSum float64 }

// NewAdagrad returns torch's default: 1e-10.
func NewAdagrad() Adagrad { return Adagrad{Epsilon: 1e-10} }

// States implements [Rule].
func (Adagrad) States() int { return 1 }

// Start implements [Rule].
func (o Adagrad) Start(int) float32 { return float32(o.InitialSum) }

// Step implements [Rule].
func (o Adagrad) Step(lr float64, step int, w, g []float32, s State) {
	rate := lr / (1 + float64(step-1)*o.LRDecay)
	StepAdagrad(w, g, s[0], float32(rate), float32(o.Epsilon), float32(o.WeightDecay))
}

// StepAdagrad does, with d = g+decay*w: h += d²; w -= rate*d/(sqrt(h)+eps).
func StepAdagrad[T Float](w, g, h []T, rate, eps, decay T) {
	g, h = g[:len(w)], h[:len(w)]
	for i, x := range w {
		d := g[i] + decay*x
		b := h[i] + d*d
		h[i] = b
		w[i] = x - rate*d/(root(b)+eps)
	}
}
