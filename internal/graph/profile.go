package graph

import (
	"time"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Timing is how long one step of a run took.
type Timing struct {
	Step     int           // place in the order in which steps run
	Node     *onnx.Node    // as it is computed: fused nodes are not in the file
	Kernel   string        // the algorithm, where the operator has several
	Shape    []int         // of the first output
	MultAdds int           // multiply-adds of products and convolutions; 0 for everything else
	Time     time.Duration // steps of sub-graphs are told apart, and counted here too
}

// timeStep is runStep for a program with a profile.
func (p *Program) timeStep(sp *spec, f *frame, k int) error {
	t, err := p.timed(sp, f, k)
	if err == nil {
		p.profile(t)
	}
	return err
}

// timed runs a step and tells how long it took.
func (p *Program) timed(sp *spec, f *frame, k int) (Timing, error) {
	s := &p.steps[k]
	t := Timing{Step: k, Node: s.node}
	vals := make([]*onnx.Tensor, len(s.in))
	for j, i := range s.in {
		if i >= 0 {
			vals[j] = f.vals[i]
		}
	}
	if d, ok := s.raw.(op.Describer); ok {
		t.Kernel = d.Algorithm(vals)
	}
	start := time.Now()
	err := p.runStep(sp, f, k)
	t.Time = time.Since(start)
	if err != nil {
		return t, err
	}
	if len(s.out) > 0 && s.out[0] >= 0 && f.vals[s.out[0]] != nil {
		t.Shape = f.vals[s.out[0]].Shape
		t.MultAdds = multAdds(s.node, vals, t.Shape)
	}
	return t, nil
}

// multAdds counts the multiply-adds of a product or a convolution with output y.
func multAdds(n *onnx.Node, in []*onnx.Tensor, y []int) int {
	if len(in) < 2 || in[0] == nil || in[1] == nil {
		return 0
	}
	x, w := in[0].Shape, in[1].Shape
	switch {
	case n.OpType == "Conv" || n.OpType == "FusedConv" || n.OpType == "ScaledConv":
		return onnx.NumElements(y) * onnx.NumElements(w[1:])
	case n.OpType == "ConvTranspose":
		return onnx.NumElements(x) * onnx.NumElements(w[1:])
	case n.OpType == "MatMul" && len(x) > 0:
		return onnx.NumElements(y) * x[len(x)-1]
	case n.OpType == "Gemm" && y[0] > 0:
		return onnx.NumElements(x) / y[0] * onnx.NumElements(y)
	}
	return 0
}
