package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "Dot", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(*Spec) (Op, error) {
		return dotOp{}, nil
	}})
	registerGrad(Internal, "Dot", func(g *Grad) error {
		for i := range 2 {
			if g.Wanted(i) {
				g.Set(i, g.Add("Mul", []string{g.Input(1 - i), g.Up[0]}))
			}
		}
		return nil
	})
}

// dotOp is the sum of the products of the elements of two tensors of one shape, a scalar. Gradient checks make losses of
// it: their value by any output is then a fixed tensor.
type dotOp struct{}

func (dotOp) Infer(in []Info) ([]Info, error) {
	if in[0].Type != in[1].Type || !sameShape(in[0].Shape, in[1].Shape) {
		return nil, fmt.Errorf("operands %v%v and %v%v differ", in[0].Type, in[0].Shape, in[1].Type, in[1].Shape)
	}
	if in[0].Type != onnx.Float && in[0].Type != onnx.Double {
		return nil, fmt.Errorf("operands of type %v are not supported", in[0].Type)
	}
	return []Info{{Type: in[0].Type, Shape: []int{}}}, nil
}

func (dotOp) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		sum := 0.0
		b := in[1].Float32s()
		for i, a := range in[0].Float32s() {
			sum += float64(a) * float64(b[i])
		}
		out[0].Float32s()[0] = float32(sum)
		return nil
	}
	sum := 0.0
	b := onnx.Data[float64](in[1])
	for i, a := range onnx.Data[float64](in[0]) {
		sum += a * b[i]
	}
	onnx.Data[float64](out[0])[0] = sum
	return nil
}
