package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// The activations, y = f(x) for each element. Float32 runs in float32 arithmetic; float64 goes through package math.
func init() {
	// Relu is max(x, 0); NaN stays NaN.
	registerUnaryPlain("Relu", 1, kernels1{
		onnx.Float: loop1(cheapGrain, relu32), onnx.Double: loop1(cheapGrain, relu[float64]),
		onnx.Int8: loop1(cheapGrain, relu[int8]), onnx.Int16: loop1(cheapGrain, relu[int16]),
		onnx.Int32: loop1(cheapGrain, relu[int32]), onnx.Int64: loop1(cheapGrain, relu[int64]),
	})
	// LeakyRelu is x, alpha*x for negative x.
	registerUnary("LeakyRelu", 1, func(s *Spec) (kernels1, error) {
		alpha := s.Float("alpha", 0.01)
		return kernels1{
			onnx.Float:  loop1(cheapGrain, func(y, x []float32) { kernel.Default().LeakyRelu(y[:len(x)], x, alpha) }),
			onnx.Double: loop1(cheapGrain, leakyRelu(float64(alpha))),
		}, nil
	})
	// Elu is x, alpha*(e^x-1) for negative x.
	registerUnary("Elu", 1, func(s *Spec) (kernels1, error) {
		return eluFamily(1, 1, s.Float("alpha", 1)), nil
	})
	// Selu is gamma*x, gamma*alpha*(e^x-1) for negative x. Opset 1 has shorter defaults.
	registerUnary("Selu", 1, func(s *Spec) (kernels1, error) {
		gamma, alpha := seluParams(s)
		return eluFamily(gamma, 1, alpha), nil
	})
	// Celu is max(0,x) + min(0, alpha*(e^(x/alpha)-1)).
	registerUnary("Celu", 12, func(s *Spec) (kernels1, error) {
		alpha := s.Float("alpha", 1)
		if alpha == 0 {
			return nil, fmt.Errorf(`attribute "alpha": must not be 0`)
		}
		return eluFamily(1, alpha, alpha), nil
	})
	// ThresholdedRelu is x where x > alpha, else 0.
	registerUnary("ThresholdedRelu", 10, func(s *Spec) (kernels1, error) {
		alpha := s.Float("alpha", 1)
		return kernels1{
			onnx.Float:  loop1(cheapGrain, thresholdedRelu(alpha)),
			onnx.Double: loop1(cheapGrain, thresholdedRelu(float64(alpha))),
		}, nil
	})
	// Sigmoid is 1/(1+e^-x).
	registerUnaryPlain("Sigmoid", 1, floats1(func(y, x []float32) { kernel.Default().Sigmoid(y[:len(x)], x) }, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }))
	// HardSigmoid is max(0, min(1, alpha*x+beta)).
	registerUnary("HardSigmoid", 1, func(s *Spec) (kernels1, error) {
		alpha, beta := s.Float("alpha", 0.2), s.Float("beta", 0.5)
		return kernels1{
			onnx.Float: loop1(cheapGrain, func(y, x []float32) {
				t := kernel.Default()
				t.ScaleShift(y, x, alpha, beta)
				t.Clamp(y, y, 0, 1)
			}),
			onnx.Double: loop1(cheapGrain, func(y, x []float64) {
				for i, v := range x {
					y[i] = max(0, min(1, float64(alpha)*v+float64(beta)))
				}
			}),
		}, nil
	})
	// HardSwish is x*max(0, min(1, x/6+1/2)).
	registerUnaryPlain("HardSwish", 14, kernels1{
		onnx.Float:  loop1(cheapGrain, func(y, x []float32) { kernel.Default().HardSwish(y[:len(x)], x, 1./6, 0.5) }),
		onnx.Double: loop1(cheapGrain, hardSwish),
	})
	// Mish is x*tanh(ln(1+e^x)); with e = e^x that is x*(e²+2e)/(e²+2e+2).
	registerUnaryPlain("Mish", 18, floats1(func(y, x []float32) {
		for i, v := range x {
			w := v
			if v < 20 { // beyond, the factor is 1
				e := kernel.ExpF(v)
				n := e * (e + 2)
				w = v * (n / (n + 2))
			}
			y[i] = w
		}
	}, func(x float64) float64 { return x * math.Tanh(softplus(x)) }))
	// Gelu is x times the normal distribution function of x, or its approximation with tanh.
	registerUnary("Gelu", 20, func(s *Spec) (kernels1, error) {
		switch a := s.String("approximate", "none"); a {
		case "none":
			return geluKernels, nil
		case "tanh":
			return fastGeluKernels, nil
		default:
			return nil, fmt.Errorf(`attribute "approximate": %q is not "none" or "tanh"`, a)
		}
	})
	// com.microsoft.Gelu and QuickGelu (x*sigmoid(alpha*x)) are what ONNX Runtime's optimiser writes.
	register(Def{Domain: "com.microsoft", Type: "Gelu", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1,
		New: func(*Spec) (Op, error) { return unary{kernels: geluKernels}, nil }})
	register(Def{Domain: "com.microsoft", Type: "QuickGelu", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1,
		New: func(s *Spec) (Op, error) { return unary{kernels: swish(s.Float("alpha", 1.702))}, nil }})
	// Swish is x*sigmoid(alpha*x).
	registerUnary("Swish", 24, func(s *Spec) (kernels1, error) { return swish(s.Float("alpha", 1)), nil })
	registerUnaryPlain("Tanh", 1, floats1(func(y, x []float32) { kernel.Default().Tanh(y[:len(x)], x) }, math.Tanh))
	// Softplus is ln(1+e^x).
	registerUnaryPlain("Softplus", 1, floats1(func(y, x []float32) {
		for i, v := range x {
			y[i] = float32(softplus(float64(v)))
		}
	}, softplus))
	// Softsign is x/(1+|x|).
	registerUnaryPlain("Softsign", 1, floats1(func(y, x []float32) {
		for i, v := range x {
			y[i] = float32(softsign(float64(v)))
		}
	}, softsign))
	// Shrink is x+bias below -lambd, x-bias above lambd, and 0 between.
	registerUnary("Shrink", 9, func(s *Spec) (kernels1, error) {
		bias, lambd := float64(s.Float("bias", 0)), float64(s.Float("lambd", 0.5))
		return kernels1{
			onnx.Float: shrink[float32](bias, lambd), onnx.Double: shrink[float64](bias, lambd),
			onnx.Int8: shrink[int8](bias, lambd), onnx.Int16: shrink[int16](bias, lambd),
			onnx.Int32: shrink[int32](bias, lambd), onnx.Int64: shrink[int64](bias, lambd),
			onnx.Uint8: shrink[uint8](bias, lambd), onnx.Uint16: shrink[uint16](bias, lambd),
			onnx.Uint32: shrink[uint32](bias, lambd), onnx.Uint64: shrink[uint64](bias, lambd),
		}, nil
	})
}

// signed are the numbers that can be negative.
type signed interface {
	float32 | float64 | int8 | int16 | int32 | int64
}

func relu32(y, x []float32) { kernel.Default().Relu(y, x) }

func relu[T signed](y, x []T) {
	for i, v := range x {
		y[i] = max(v, 0)
	}
}

// leakyRelu has no branch, which would go wrong half of the time.
func leakyRelu(alpha float64) func(y, x []float64) {
	return func(y, x []float64) {
		for i, v := range x {
			y[i] = max(v, 0) + alpha*min(v, 0)
		}
	}
}

func thresholdedRelu[T float](alpha T) func(y, x []T) {
	return func(y, x []T) {
		for i, v := range x {
			if v <= alpha {
				v = 0
			}
			y[i] = v
		}
	}
}

func hardSwish(y, x []float64) {
	for i, v := range x {
		y[i] = v * max(0, min(1, v*(1./6)+0.5))
	}
}

// eluFamily computes gain*x for x >= 0 and gain*alpha*(e^(x/width)-1) below.
func eluFamily(gain, width, alpha float32) kernels1 {
	return floats1(func(y, x []float32) {
		for i, v := range x {
			if v < 0 {
				v = alpha * kernel.Expm1F(v/width)
			}
			y[i] = gain * v
		}
	}, func(v float64) float64 {
		if v < 0 {
			v = float64(alpha) * math.Expm1(v/float64(width))
		}
		return float64(gain) * v
	})
}

// seluParams reads the attributes of Selu.
func seluParams(s *Spec) (gamma, alpha float32) {
	alpha, gamma = 1.67326319217681884765625, 1.05070102214813232421875
	if s.Opset < 6 {
		alpha, gamma = 1.6732, 1.0507
	}
	return s.Float("gamma", gamma), s.Float("alpha", alpha)
}

func softplus(x float64) float64 {
	if x > 0 {
		return x + math.Log1p(math.Exp(-x))
	}
	return math.Log1p(math.Exp(x))
}

func softsign(x float64) float64 {
	if math.IsInf(x, 0) {
		return math.Copysign(1, x)
	}
	return x / (1 + math.Abs(x))
}

var geluKernels = floats1(func(y, x []float32) { kernel.Default().Gelu(y[:len(x)], x) }, func(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) })

var fastGeluKernels = floats1(func(y, x []float32) {
	for i, v := range x {
		// 0.5*(1+tanh(u)) is sigmoid(2u), which does not cancel for negative u.
		y[i] = v * kernel.SigmoidF(2*0.7978845608*(v+0.044715*v*v*v))
	}
}, func(x float64) float64 {
	return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
})

func swish(alpha float32) kernels1 {
	return kernels1{onnx.Float: loop1(costlyGrain, swish32(alpha)), onnx.Double: loop1(costlyGrain, swish64(alpha))}
}

func swish32(alpha float32) func(y, x []float32) {
	return func(y, x []float32) {
		if alpha == 1 {
			kernel.Default().Silu(y[:len(x)], x)
			return
		}
		for i, v := range x {
			y[i] = v * kernel.SigmoidF(alpha*v)
		}
	}
}

func swish64(alpha float32) func(y, x []float64) {
	return each1(func(x float64) float64 { return x / (1 + math.Exp(-float64(alpha)*x)) })
}

func shrink[T real](bias, lambd float64) kernel1 {
	return loop1(cheapGrain, func(y, x []T) {
		for i, v := range x {
			switch f := float64(v); {
			case f < -lambd:
				y[i] = T(f + bias)
			case f > lambd:
				y[i] = T(f - bias)
			case f != f:
				y[i] = v
			default:
				y[i] = 0
			}
		}
	})
}
