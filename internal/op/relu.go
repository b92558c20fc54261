package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Relu", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		s.Ignore("consumed_inputs") // opset 1
		return relu{}, nil
	}})
}

// relu is y = max(x, 0); NaN stays NaN.
type relu struct{}

func (relu) InPlace() []int { return []int{0} }

func (relu) Infer(in []Info) ([]Info, error) {
	switch in[0].Type {
	case onnx.Float, onnx.Double, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64:
		return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
	}
	return nil, fmt.Errorf("input of type %v is not supported", in[0].Type)
}

func (relu) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	switch in[0].Type {
	case onnx.Float:
		reluOf[float32](rt, in[0], out[0])
	case onnx.Double:
		reluOf[float64](rt, in[0], out[0])
	case onnx.Int8:
		reluOf[int8](rt, in[0], out[0])
	case onnx.Int16:
		reluOf[int16](rt, in[0], out[0])
	case onnx.Int32:
		reluOf[int32](rt, in[0], out[0])
	case onnx.Int64:
		reluOf[int64](rt, in[0], out[0])
	}
	return nil
}

func reluOf[T interface {
	float32 | float64 | int8 | int16 | int32 | int64
}](rt *Runtime, in, out *onnx.Tensor) {
	x, y := onnx.Data[T](in), onnx.Data[T](out)
	rt.Pool.For(len(x), 1<<15, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			v := x[i]
			if v < 0 {
				v = 0
			}
			y[i] = v
		}
	})
}
