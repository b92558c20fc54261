package kernel

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/par"
)

// Activation is a function that follows a product, applied to each element while it is still in the cache. The zero
// value is the identity.
type Activation struct {
	Kind ActivationKind
	A, B float32 // Clip: bounds; LeakyRelu, Elu, ThresholdedRelu: A is alpha; HardSigmoid, HardSwish: A*x + B
}

// ActivationKind is the formula of an [Activation].
type ActivationKind int

// The formulas.
const (
	Identity    ActivationKind = iota
	Relu                       // max(x, 0)
	Clip                       // min(max(x, A), B)
	LeakyRelu                  // x < 0: A*x
	Elu                        // x < 0: A*(exp(x)-1)
	Sigmoid                    // 1/(1+exp(-x))
	Tanh                       // tanh(x)
	HardSigmoid                // min(max(A*x+B, 0), 1)
	HardSwish                  // x * min(max(A*x+B, 0), 1)
	Silu                       // x/(1+exp(-x))
	Gelu                       // x/2*erfc(-x/sqrt(2))
)

// Limits returns the bounds of an activation that is a mere limit; of the identity they are infinite.
func (a Activation) Limits() (lo, hi float32, ok bool) {
	switch a.Kind {
	case Identity:
		return -inf32, inf32, true
	case Relu:
		return 0, inf32, true
	case Clip:
		return a.A, a.B, true
	}
	return 0, 0, false
}

var inf32 = float32(math.Inf(1))

// String names the activation.
func (a Activation) String() string {
	names := [...]string{"Identity", "Relu", "Clip", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Silu", "Gelu"}
	if a.Kind < 0 || int(a.Kind) >= len(names) {
		return fmt.Sprintf("activation(%d)", int(a.Kind))
	}
	return names[a.Kind]
}

// Apply computes x = f(x) for each element.
func (t *Table) Apply(a Activation, x []float32) {
	switch a.Kind {
	case Relu:
		t.Relu(x, x)
	case Clip:
		t.Clamp(x, x, a.A, a.B)
	case LeakyRelu:
		t.LeakyRelu(x, x, a.A)
	case Elu:
		for i, v := range x {
			if v < 0 {
				x[i] = a.A * Expm1F(v)
			}
		}
	case Sigmoid:
		t.Sigmoid(x, x)
	case Tanh:
		t.Tanh(x, x)
	case HardSigmoid:
		t.ScaleShift(x, x, a.A, a.B)
		t.Clamp(x, x, 0, 1)
	case HardSwish:
		t.HardSwish(x, x, a.A, a.B)
	case Silu:
		t.Silu(x, x)
	case Gelu:
		t.Gelu(x, x)
	}
}

// Finish computes y = f(y + res) for whole arrays; res may be nil.
func (t *Table) Finish(pool *par.Pool, y, res []float32, a Activation) {
	if res == nil && a.Kind == Identity {
		return
	}
	pool.For(len(y), 1<<14, func(lo, hi int) {
		if res != nil {
			t.Add(y[lo:hi], y[lo:hi], res[lo:hi])
		}
		t.Apply(a, y[lo:hi])
	})
}
