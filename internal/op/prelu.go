package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "PRelu", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		if s.Opset < 6 {
			s.Ignore("consumed_inputs")
		}
		return prelu{shared: s.Opset < 7}, nil
	}})
}

// prelu is x, slope*x for negative x. The slope is broadcast to the input's shape. Before opset 7 it is one number, or
// one for each channel (dimension 1), as it was in Caffe2; slopes that numpy's rule accepts are accepted, too.
type prelu struct{ shared bool }

func (prelu) InPlace() []int { return []int{0} }

var preluKernels = kernels2{
	onnx.Float: runs(cheapGrain, slope[float32]), onnx.Double: runs(cheapGrain, slope[float64]),
	onnx.Int32: runs(cheapGrain, slope[int32]), onnx.Int64: runs(cheapGrain, slope[int64]),
	onnx.Uint32: runs(cheapGrain, slope[uint32]), onnx.Uint64: runs(cheapGrain, slope[uint64]),
}

func (o prelu) Infer(in []Info) ([]Info, error) {
	if in[0].Type != in[1].Type {
		return nil, fmt.Errorf("input is of type %v, slope of type %v", in[0].Type, in[1].Type)
	}
	if preluKernels[in[0].Type] == nil {
		return nil, fmt.Errorf("input of type %v is not supported", in[0].Type)
	}
	x := in[0].Shape
	out, err := broadcastShape(x, o.slopeShape(x, in[1].Shape))
	if err != nil || !sameShape(out, x) {
		return nil, fmt.Errorf("slope of shape %v does not broadcast to the input's shape %v", in[1].Shape, x)
	}
	return []Info{{Type: in[0].Type, Shape: x}}, nil
}

// slopeShape is the slope's shape as numpy's rule wants it.
func (o prelu) slopeShape(x, slope []int) []int {
	if o.shared && len(slope) == 1 && len(x) > 2 && slope[0] == x[1] {
		s := make([]int, len(x)-1)
		for i := range s {
			s[i] = 1
		}
		s[0] = slope[0]
		return s
	}
	return slope
}

func (o prelu) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	x := in[0]
	plan := newBroadcast(x.Shape, x.Shape, o.slopeShape(x.Shape, in[1].Shape))
	preluKernels[x.Type](rt, &plan, out[0], x, in[1])
	return nil
}

// slope has no branch, which would go wrong half of the time; one of the two terms is 0.
func slope[T real](y, x, s []T) {
	if len(s) < len(y) {
		k := s[0]
		for i, v := range x {
			y[i] = max(v, 0) + k*min(v, 0)
		}
		return
	}
	for i, v := range x {
		y[i] = max(v, 0) + s[i]*min(v, 0)
	}
}
