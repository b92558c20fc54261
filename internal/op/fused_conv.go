package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
)

func init() {
	register(Def{Domain: "com.microsoft", Type: "FusedConv", Since: 1, MinIn: 2, MaxIn: 4, MaxOut: 1, New: newFusedConv})
}

// newFusedConv makes FusedConv of the domain com.microsoft: Conv with a summand z of the output's shape and an
// activation, y = act(conv(x, w) + b + z). activation names an operator, activation_params are its attributes in the
// order of the specification's text (LeakyRelu, Elu: alpha; Clip: min, max; HardSigmoid: alpha, beta).
func newFusedConv(s *Spec) (Op, error) {
	c, err := newConvolution(s)
	if err != nil {
		return nil, err
	}
	c.fused = true
	c.act, err = activation(s.String("activation", ""), s.Floats("activation_params"))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// activations lists what an activation may be called, with its parameters' default values.
var activations = map[string]struct {
	kind   kernel.ActivationKind
	params []float32
}{
	"":            {kernel.Identity, nil},
	"Identity":    {kernel.Identity, nil},
	"Relu":        {kernel.Relu, nil},
	"Clip":        {kernel.Clip, []float32{-maxFloat32, maxFloat32}},
	"LeakyRelu":   {kernel.LeakyRelu, []float32{0.01}},
	"Elu":         {kernel.Elu, []float32{1}},
	"Sigmoid":     {kernel.Sigmoid, nil},
	"Tanh":        {kernel.Tanh, nil},
	"HardSigmoid": {kernel.HardSigmoid, []float32{0.2, 0.5}},
	"HardSwish":   {kernel.HardSwish, nil},
	"Silu":        {kernel.Silu, nil},
	"Gelu":        {kernel.Gelu, nil},
}

const maxFloat32 = 0x1p127 * (1 + (1 - 0x1p-23))

// activation returns the activation of that name, with these parameters or, where there are none, the default ones.
func activation(name string, params []float32) (kernel.Activation, error) {
	known, ok := activations[name]
	if !ok {
		return kernel.Activation{}, fmt.Errorf("activation %q is not supported", name)
	}
	if len(params) > len(known.params) {
		return kernel.Activation{}, fmt.Errorf("activation %s: has %d parameters, wants at most %d", name, len(params), len(known.params))
	}
	p := append(append([]float32{}, params...), known.params[len(params):]...)
	a := kernel.Activation{Kind: known.kind}
	if len(p) > 0 {
		a.A = p[0]
	}
	if len(p) > 1 {
		a.B = p[1]
	}
	if name == "HardSwish" {
		a.A, a.B = 1.0/6, 0.5
	}
	return a, nil
}
