package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// SwiGLU is the second input times the Swish of the first, a*sigmoid(alpha*a)*b (Shazeer, GLU Variants Improve
// Transformer, 2020). Both have one shape.
func init() {
	register(Def{Type: "SwiGLU", Since: 28, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		alpha := s.Float("alpha", 1)
		return swiGLU{binary{kernels: kernels2{
			onnx.Float:  runs(costlyGrain, gated(swish32(alpha))),
			onnx.Double: runs(costlyGrain, gated(swish64(alpha))),
		}}}, nil
	}})
	registerGrad("", "SwiGLU", func(g *Grad) error {
		alpha := Attr("alpha", g.Float("alpha", 1))
		g.setIfWanted(0, func() string {
			return g.AddInternal("SwishGrad", 1, []string{g.Add("Mul", []string{g.Up[0], g.Input(1)}), g.Input(0)}, alpha)[0]
		})
		g.setIfWanted(1, func() string {
			return g.Add("Mul", []string{g.Up[0], g.Add("Swish", []string{g.Input(0)}, alpha)})
		})
		return nil
	})
}

type swiGLU struct{ binary }

func (o swiGLU) Infer(in []Info) ([]Info, error) {
	if !sameShape(in[0].Shape, in[1].Shape) {
		return nil, fmt.Errorf("inputs have shapes %v and %v, want one shape", in[0].Shape, in[1].Shape)
	}
	return o.binary.Infer(in)
}

// gated makes a loop of y = f(a)*b. y may be the memory of b: f goes through a block of its own.
func gated[T float](f func(y, x []T)) loop2[T, T] {
	return func(y, a, b []T) {
		var block [256]T
		for len(y) > 0 {
			n := min(len(y), len(block))
			f(block[:n], a[:n])
			for i, v := range b[:n] {
				y[i] = block[i] * v
			}
			y, a, b = y[n:], a[n:], b[n:]
		}
	}
}
