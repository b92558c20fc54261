package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "If", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: Variadic, Half: true, New: func(s *Spec) (Op, error) {
		for _, name := range []string{"then_branch", "else_branch"} {
			g := s.Graph(name)
			if g == nil {
				return nil, fmt.Errorf("attribute %q: want a graph", name)
			}
			if len(g.Outputs) != len(s.Node.Outputs) {
				return nil, fmt.Errorf("attribute %q: has %d outputs, the node has %d", name, len(g.Outputs), len(s.Node.Outputs))
			}
		}
		return ifOp{len(s.Node.Outputs)}, nil
	}})
}

// ifOp runs one of two sub-graphs.
type ifOp struct{ outputs int }

func (o ifOp) Infer(in []Info) ([]Info, error) {
	if in[0].Type != onnx.Bool || prod(in[0].Shape) != 1 {
		return nil, fmt.Errorf("condition: want one bool, got %v%v", in[0].Type, in[0].Shape)
	}
	return dynamic(o.outputs), nil
}

func (o ifOp) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	branch := "else_branch"
	if onnx.Data[bool](in[0])[0] {
		branch = "then_branch"
	}
	res, err := rt.Sub(branch, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", branch, err)
	}
	for i, t := range out {
		if t != nil {
			*t = *res[i]
		}
	}
	return nil
}

// dynamic returns n outputs of which nothing is known before they are computed.
func dynamic(n int) []Info {
	out := make([]Info, n)
	for i := range out {
		out[i].Dynamic = true
	}
	return out
}
