package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
)

func init() {
	// FusedConv: through the activation, whose derivative the output tells, then as Conv; the summand gets it as it is.
	registerGrad("com.microsoft", "FusedConv", func(g *Grad) error {
		act, err := activation(g.String("activation", ""), g.Floats("activation_params"))
		if err != nil {
			return err
		}
		d, err := g.throughActivation(act)
		if err != nil {
			return err
		}
		inner := *g
		inner.Up = []string{d}
		if err := convGradient(&inner); err != nil { // Down is shared
			return err
		}
		if g.Wanted(3) {
			g.Set(3, d)
		}
		return nil
	})
}

// throughActivation returns the gradient of what the activation was applied to.
func (g *Grad) throughActivation(a kernel.Activation) (string, error) {
	in := []string{g.Up[0], g.Output(0)}
	alpha := Attr("alpha", a.A)
	switch {
	case a.Kind == kernel.Identity:
		return g.Up[0], nil
	case a.Kind == kernel.Relu:
		return g.AddInternal("ReluGrad", 1, in)[0], nil
	case a.Kind == kernel.Clip:
		return g.AddInternal("ClipGrad", 1, append(in, g.Scalar(float64(a.A)), g.Scalar(float64(a.B))))[0], nil
	case a.Kind == kernel.LeakyRelu && a.A >= 0:
		return g.AddInternal("LeakyReluGrad", 1, in, alpha)[0], nil
	case a.Kind == kernel.Elu && a.A >= 0:
		return g.AddInternal("EluGrad", 1, in, alpha)[0], nil
	case a.Kind == kernel.Sigmoid:
		return g.AddInternal("SigmoidGrad", 1, in)[0], nil
	case a.Kind == kernel.Tanh:
		return g.AddInternal("TanhGrad", 1, in)[0], nil
	case a.Kind == kernel.HardSigmoid:
		return g.AddInternal("HardSigmoidGrad", 1, in, alpha)[0], nil
	}
	return "", fmt.Errorf("its activation %v does not tell its derivative by its output: train a model whose activations are nodes of their own", a)
}
