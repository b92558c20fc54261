package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// The gradients of the activations, dx = dy*f'(x). Each is an internal operator named after the activation (ReluGrad for
// Relu) of two inputs: dy, and the activation's output where that is enough to tell the derivative, so that the
// activation may be computed in place; else its input. At a kink the derivative is the one that PyTorch takes.
func init() {
	fromOutput := func(*Spec) bool { return true }
	fromInput := func(*Spec) bool { return false }
	plain := func(d derivative) func(*Spec) derivative { return func(*Spec) derivative { return d } }
	// Relu: 1 above 0, else 0; the output tells.
	registerDerivative("", "Relu", fromOutput, nil, plain(derivative{reluGrad32, reluGrad64}))
	// LeakyRelu: 1 above 0, else alpha; the output tells where alpha is not negative.
	registerDerivative("", "LeakyRelu", func(s *Spec) bool { return s.Float("alpha", 0.01) >= 0 }, []string{"alpha"}, func(s *Spec) derivative {
		alpha := s.Float("alpha", 0.01)
		return derivative{stepGrad(alpha), stepGrad(float64(alpha))}
	})
	// ThresholdedRelu: 1 above alpha, else 0.
	registerDerivative("", "ThresholdedRelu", fromInput, []string{"alpha"}, func(s *Spec) derivative {
		alpha := s.Float("alpha", 1)
		return derivative{outsideGrad(float32(math.Inf(-1)), alpha), outsideGrad(math.Inf(-1), float64(alpha))}
	})
	// Shrink: 1 outside of [-lambd,lambd], else 0.
	registerDerivative("", "Shrink", fromInput, []string{"lambd"}, func(s *Spec) derivative {
		l := s.Float("lambd", 0.5)
		return derivative{outsideGrad(-l, l), outsideGrad(-float64(l), float64(l))}
	})
	// Sigmoid: y*(1-y).
	registerDerivative("", "Sigmoid", fromOutput, nil, plain(derivative{sigmoidGrad[float32], sigmoidGrad[float64]}))
	// Tanh: 1-y².
	registerDerivative("", "Tanh", fromOutput, nil, plain(derivative{tanhGrad[float32], tanhGrad[float64]}))
	// HardSigmoid: alpha where the output lies between 0 and 1, else 0.
	registerDerivative("", "HardSigmoid", fromOutput, []string{"alpha"}, func(s *Spec) derivative {
		alpha := s.Float("alpha", 0.2)
		return derivative{hardSigmoidGrad(alpha), hardSigmoidGrad(float64(alpha))}
	})
	// HardSwish: 0 up to -3, 1 from 3 on, x/3+1/2 between.
	registerDerivative("", "HardSwish", fromInput, nil, plain(derivative{hardSwishGrad[float32], hardSwishGrad[float64]}))
	// Softplus: 1/(1+e^-x), which is 1-e^-y.
	registerDerivative("", "Softplus", fromOutput, nil, plain(derivative{func(dx, dy, y []float32) {
		for i, v := range y {
			dx[i] = -dy[i] * kernel.Expm1F(-v)
		}
	}, slope64(func(y float64) float64 { return -math.Expm1(-y) })}))
	// Softsign: 1/(1+|x|)².
	registerDerivative("", "Softsign", fromInput, nil, plain(derivative{softsignGrad[float32], softsignGrad[float64]}))
	// Erf: 2/sqrt(pi)*e^(-x²).
	registerDerivative("", "Erf", fromInput, nil, plain(derivative{func(dx, dy, x []float32) {
		for i, v := range x {
			dx[i] = dy[i] * (2 / math.SqrtPi) * kernel.ExpF(-v*v)
		}
	}, slope64(func(x float64) float64 { return 2 / math.SqrtPi * math.Exp(-x*x) })}))
	// Swish: s + alpha*x*s*(1-s) with s = sigmoid(alpha*x).
	for _, w := range []struct {
		domain, name string
		alpha        float32
	}{{"", "Swish", 1}, {"com.microsoft", "QuickGelu", 1.702}} {
		registerDerivative(w.domain, w.name, fromInput, []string{"alpha"}, func(s *Spec) derivative {
			return swishGrad(s.Float("alpha", w.alpha))
		})
	}
	registerDerivative("", "Mish", fromInput, nil, plain(derivative{func(dx, dy, x []float32) {
		for i, v := range x {
			d := float32(1)
			if v < 20 {
				d = mishSlope(v, kernel.ExpF(v))
			}
			dx[i] = dy[i] * d
		}
	}, slope64(func(x float64) float64 {
		if x >= 20 {
			return 1
		}
		return mishSlope(x, math.Exp(x))
	})}))
	// Gelu: the normal distribution function plus x times its density, or the derivative of the approximation.
	registerDerivative("", "Gelu", fromInput, []string{"approximate"}, func(s *Spec) derivative {
		if s.String("approximate", "none") == "tanh" {
			return fastGeluGrad
		}
		return geluGrad
	})
	registerGrad("com.microsoft", "Gelu", func(g *Grad) error {
		g.Set(0, g.AddInternal("GeluGrad", 1, []string{g.Up[0], g.Input(0)})[0])
		return nil
	})
	registerEluGrads()
}

// derivative computes dx = dy*f' in both types from runs of one length; dx may be the memory of either.
type derivative struct {
	single loop2[float32, float32]
	double loop2[float64, float64]
}

// registerDerivative registers the gradient of an operator y = f(x): the internal operator NAMEGrad(dy, v), where v is
// y or x as fromOutput says, with the listed attributes of the node.
func registerDerivative(domain, name string, fromOutput func(*Spec) bool, attrs []string, make func(*Spec) derivative) {
	registerElementwiseGrad(name+"Grad", make)
	registerGrad(domain, name, func(g *Grad) error {
		v := g.Input(0)
		if fromOutput(g.Spec) {
			v = g.Output(0)
		}
		var list []*onnx.Attribute
		for _, a := range attrs {
			if at := g.Node.Attr(a); at != nil {
				list = append(list, at)
			}
		}
		g.Set(0, g.AddInternal(name+"Grad", 1, []string{g.Up[0], v}, list...)[0])
		return nil
	})
}

// registerElementwiseGrad registers an internal operator of a gradient and a value of the same shape.
func registerElementwiseGrad(name string, make func(*Spec) derivative) {
	register(Def{Domain: Internal, Type: name, Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return elementwiseGrad{make(s)}, nil
	}})
}

// elementwiseGrad is the gradient of an operator y = f(x) of each element by itself: dy*f', from dy and x or y.
type elementwiseGrad struct{ derivative }

func (elementwiseGrad) InPlace() []int { return []int{0, 1} }

func (elementwiseGrad) Infer(in []Info) ([]Info, error) { return sameFloats(in, 2) }

// sameFloats checks that the first n inputs are Float or Double of one type and shape, and returns that for the output.
func sameFloats(in []Info, n int) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	for i := 1; i < n; i++ {
		if in[i].Type != in[0].Type || !sameShape(in[i].Shape, in[0].Shape) {
			return nil, fmt.Errorf("inputs %v%v and %v%v differ", in[0].Type, in[0].Shape, in[i].Type, in[i].Shape)
		}
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (o elementwiseGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		dy, v, dx := in[0].Float32s(), in[1].Float32s(), out[0].Float32s()
		rt.Pool.For(len(dx), cheapGrain/2, func(lo, hi int) { o.single(dx[lo:hi], dy[lo:hi], v[lo:hi]) })
		return nil
	}
	dy, v, dx := onnx.Data[float64](in[0]), onnx.Data[float64](in[1]), onnx.Data[float64](out[0])
	rt.Pool.For(len(dx), costlyGrain, func(lo, hi int) { o.double(dx[lo:hi], dy[lo:hi], v[lo:hi]) })
	return nil
}

// slope64 makes the double precision loop of a derivative.
func slope64(f func(float64) float64) loop2[float64, float64] {
	return func(dx, dy, v []float64) {
		for i, x := range v {
			dx[i] = dy[i] * f(x)
		}
	}
}

// viaDouble is a derivative that float32 computes in float64, too.
func viaDouble(f func(float64) float64) derivative {
	return derivative{func(dx, dy, v []float32) {
		for i, x := range v {
			dx[i] = float32(float64(dy[i]) * f(float64(x)))
		}
	}, slope64(f)}
}

// reluGrad32 works on the bits: a positive float32 is a positive int32. A branch would go wrong half of the time.
func reluGrad32(dx, dy, y []float32) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	for i, v := range y {
		b := math.Float32bits(dy[i])
		if int32(math.Float32bits(v)) <= 0 {
			b = 0
		}
		dx[i] = math.Float32frombits(b)
	}
}

func reluGrad64(dx, dy, y []float64) {
	for i, v := range y {
		d := dy[i]
		if v <= 0 {
			d = 0
		}
		dx[i] = d
	}
}

// bit is 1 for true, without a branch.
func bit(b bool) int {
	n := 0
	if b {
		n = 1
	}
	return n
}

func stepGrad[T float](alpha T) loop2[T, T] {
	factor := [2]T{alpha, 1}
	return func(dx, dy, v []T) {
		dx, dy = dx[:len(v)], dy[:len(v)]
		for i, x := range v {
			dx[i] = dy[i] * factor[bit(x > 0)&1]
		}
	}
}

// outsideGrad hands on what lies below lo or above hi.
func outsideGrad[T float](lo, hi T) loop2[T, T] {
	factor := [2]T{0, 1}
	return func(dx, dy, x []T) {
		dx, dy = dx[:len(x)], dy[:len(x)]
		for i, v := range x {
			dx[i] = dy[i] * factor[(bit(v < lo)|bit(v > hi))&1]
		}
	}
}

func sigmoidGrad[T float](dx, dy, y []T) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	for i, v := range y {
		dx[i] = dy[i] * (v * (1 - v))
	}
}

func tanhGrad[T float](dx, dy, y []T) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	for i, v := range y {
		dx[i] = dy[i] * (1 - v*v)
	}
}

func hardSigmoidGrad[T float](alpha T) loop2[T, T] {
	factor := [2]T{0, alpha}
	return func(dx, dy, y []T) {
		dx, dy = dx[:len(y)], dy[:len(y)]
		for i, v := range y {
			dx[i] = dy[i] * factor[bit(v > 0)&bit(v < 1)]
		}
	}
}

// hardSwishGrad has no branch: both ends are a product with 0.
func hardSwishGrad[T float](dx, dy, x []T) {
	within, above := [2]T{0, 1}, [2]T{0, 1}
	dx, dy = dx[:len(x)], dy[:len(x)]
	for i, v := range x {
		inner := bit(v > -3) & bit(v < 3)
		dx[i] = dy[i] * (within[inner&1]*(v*(1./3)+0.5) + above[bit(v >= 3)&1])
	}
}

func softsignGrad[T float](dx, dy, x []T) {
	dx, dy = dx[:len(x)], dy[:len(x)]
	for i, v := range x {
		d := 1 + magnitude(v)
		dx[i] = dy[i] / (d * d)
	}
}

func swishGrad(alpha float32) derivative {
	a := float64(alpha)
	return derivative{func(dx, dy, x []float32) {
		dx, dy = dx[:len(x)], dy[:len(x)]
		for i, v := range x {
			s := kernel.SigmoidF(alpha * v)
			dx[i] = dy[i] * (s + alpha*v*s*(1-s))
		}
	}, slope64(func(x float64) float64 {
		s := 1 / (1 + math.Exp(-a*x))
		return s + a*x*s*(1-s)
	})}
}

// mishSlope is the derivative of x*t, t = tanh(ln(1+e)) with e = e^x: t + x*(1-t²)*e/(1+e).
func mishSlope[T float](x, e T) T {
	n := e * (e + 2)
	t := n / (n + 2)
	return t + x*(2/(n+2))*(1+t)*(e/(1+e))
}

var geluGrad = derivative{func(dx, dy, x []float32) {
	const density = 0.3989422804 // 1/sqrt(2*pi)
	dx, dy = dx[:len(x)], dy[:len(x)]
	for i, v := range x {
		var below float32 // the distribution function; by the complement where 1+erf would cancel
		if v < -1.4142135 {
			below = 0.5 * kernel.ErfcTailF(v*-0.70710678)
		} else {
			below = 0.5 * (1 + kernel.ErfF(v*0.70710678))
		}
		dx[i] = dy[i] * (below + v*density*kernel.ExpF(-0.5*v*v))
	}
}, slope64(func(x float64) float64 {
	return 0.5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
})}

// fastGeluGrad differentiates x*s, s = sigmoid(2u), u = c*(x+k*x³). Beyond 10 it is a step to all digits, where powers
// of x could overflow.
var fastGeluGrad = derivative{func(dx, dy, x []float32) {
	dx, dy = dx[:len(x)], dy[:len(x)]
	for i, v := range x {
		d := float32(bit(v > 0))
		if v > -10 && v < 10 {
			s := kernel.SigmoidF(2 * geluC * (v + geluK*v*v*v))
			d = s + v*s*(1-s)*(2*geluC)*(1+3*geluK*v*v)
		}
		dx[i] = dy[i] * d
	}
}, slope64(func(x float64) float64 {
	if x <= -10 || x >= 10 {
		return float64(bit(x > 0))
	}
	s := 1 / (1 + math.Exp(-2*geluC*(x+geluK*x*x*x)))
	return s + x*s*(1-s)*(2*geluC)*(1+3*geluK*x*x)
})}

const (
	geluC = 0.79788456080286535588 // sqrt(2/pi)
	geluK = 0.044715
)

// registerEluGrads registers the gradients of Elu, Selu and Celu, which all are gain*x, and gain*alpha*(e^(x/width)-1)
// for negative x: there the derivative is (y+gain*alpha)/width, or gain where x is positive. The output tells where its
// sign is that of x.
func registerEluGrads() {
	register(Def{Domain: Internal, Type: "EluGrad", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		gain, width, alpha := s.Float("gain", 1), s.Float("width", 1), s.Float("alpha", 1)
		if s.Bool("from_input", false) {
			return elementwiseGrad{viaDouble(func(x float64) float64 {
				if x > 0 {
					return float64(gain)
				}
				return float64(gain) * float64(alpha) / float64(width) * math.Exp(x/float64(width))
			})}, nil
		}
		return elementwiseGrad{derivative{eluGrad(gain, gain*alpha, width), eluGrad(float64(gain), float64(gain)*float64(alpha), float64(width))}}, nil
	}})
	for name, params := range map[string]func(s *Spec) (gain, width, alpha float32){
		"Elu": func(s *Spec) (float32, float32, float32) { return 1, 1, s.Float("alpha", 1) },
		"Selu": func(s *Spec) (float32, float32, float32) {
			gamma, alpha := seluParams(s)
			return gamma, 1, alpha
		},
		"Celu": func(s *Spec) (float32, float32, float32) { return 1, s.Float("alpha", 1), s.Float("alpha", 1) },
	} {
		registerGrad("", name, func(g *Grad) error {
			gain, width, alpha := params(g.Spec)
			attrs := []*onnx.Attribute{Attr("gain", gain), Attr("width", width), Attr("alpha", alpha)}
			v := g.Output(0)
			if !(gain > 0 && alpha/width >= 0) {
				v = g.Input(0)
				attrs = append(attrs, Attr("from_input", 1))
			}
			g.Set(0, g.AddInternal("EluGrad", 1, []string{g.Up[0], v}, attrs...)[0])
			return nil
		})
	}
}

func eluGrad[T float](gain, bottom, width T) loop2[T, T] {
	scale := 1 / width
	return func(dx, dy, y []T) {
		dx, dy = dx[:len(y)], dy[:len(y)]
		for i, v := range y {
			d := gain
			if v <= 0 {
				d = (v + bottom) * scale
			}
			dx[i] = dy[i] * d
		}
	}
}
