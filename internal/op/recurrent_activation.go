package op

import (
	"fmt"
	"math"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
)

// gateFunc is an activation of a recurrent layer.
type gateFunc struct {
	name        string // lower case
	alpha, beta float32
}

// gateDefaults are the activations with the values that alpha and beta have where the node gives none, and which of
// them there are.
var gateDefaults = map[string]struct {
	alpha, beta       float32
	hasAlpha, hasBeta bool
}{
	"relu": {}, "tanh": {}, "sigmoid": {}, "softsign": {}, "softplus": {},
	"affine":          {1, 0, true, true},
	"leakyrelu":       {alpha: 0.01, hasAlpha: true},
	"thresholdedrelu": {alpha: 1, hasAlpha: true},
	"scaledtanh":      {1, 1, true, true},
	"hardsigmoid":     {0.2, 0.5, true, true},
	"elu":             {alpha: 1, hasAlpha: true},
}

// gateFuncs returns the activations of all directions. Lists of alpha and beta that are as long as that of the
// activations belong to them one by one; shorter ones have values for those only that use them.
func gateFuncs(names []string, alpha, beta []float32) ([]gateFunc, error) {
	take := func(list []float32, i, used int) (float32, bool) {
		if len(list) != len(names) {
			i = used
		}
		if i < len(list) {
			return list[i], true
		}
		return 0, false
	}
	if len(alpha) > len(names) || len(beta) > len(names) {
		return nil, fmt.Errorf("activation_alpha and activation_beta have %d and %d values for %d activations", len(alpha), len(beta), len(names))
	}
	out := make([]gateFunc, len(names))
	alphas, betas := 0, 0
	for i, name := range names {
		key := strings.ToLower(name)
		d, ok := gateDefaults[key]
		if !ok {
			return nil, fmt.Errorf("activation %q is not known", name)
		}
		out[i] = gateFunc{key, d.alpha, d.beta}
		if d.hasAlpha {
			if v, ok := take(alpha, i, alphas); ok {
				out[i].alpha = v
			}
			alphas++
		}
		if d.hasBeta {
			if v, ok := take(beta, i, betas); ok {
				out[i].beta = v
			}
			betas++
		}
	}
	return out, nil
}

// apply computes x = f(x) for each element.
func applyGate[T float](f gateFunc, x []T) {
	if x, ok := any(x).([]float32); ok {
		t := kernel.Default()
		switch f.name {
		case "sigmoid":
			t.Sigmoid(x, x)
			return
		case "tanh":
			t.Tanh(x, x)
			return
		case "relu":
			t.Relu(x, x)
			return
		}
	}
	a, b := float64(f.alpha), float64(f.beta)
	for i, v := range x {
		x[i] = T(f.of(float64(v), a, b))
	}
}

func (f gateFunc) of(x, a, b float64) float64 {
	switch f.name {
	case "sigmoid":
		return 1 / (1 + math.Exp(-x))
	case "tanh":
		return math.Tanh(x)
	case "relu":
		return max(x, 0)
	case "softsign":
		return x / (1 + math.Abs(x))
	case "softplus":
		return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
	case "affine":
		return a*x + b
	case "scaledtanh":
		return a * math.Tanh(b*x)
	case "hardsigmoid":
		return min(max(a*x+b, 0), 1)
	case "leakyrelu":
		if x < 0 {
			return a * x
		}
	case "elu":
		if x < 0 {
			return a * math.Expm1(x)
		}
	case "thresholdedrelu":
		if x < a {
			return 0
		}
	}
	return x
}
