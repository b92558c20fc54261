package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "BitCast", Since: 26, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		to := onnx.DataType(s.Int("to", 0))
		if !to.Known() || to == onnx.String {
			return nil, fmt.Errorf(`attribute "to": type %v is not supported`, to)
		}
		return bitCast{to}, nil
	}})
}

// bitCast takes the bits of elements for those of another type of the same width. A truth value is true where any bit
// is set.
type bitCast struct{ to onnx.DataType }

func (b bitCast) InPlace() []int { return []int{0} }

func (b bitCast) Infer(in []Info) ([]Info, error) {
	if in[0].Type == onnx.String || in[0].Type.Bits() != b.to.Bits() {
		return nil, fmt.Errorf("elements of %v cannot be taken for %v: they are not of one width", in[0].Type, b.to)
	}
	return []Info{{Type: b.to, Shape: in[0].Shape}}, nil
}

func (b bitCast) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	copyAll(out[0], in[0])
	if b.to == onnx.Bool {
		for i, v := range out[0].Raw {
			out[0].Raw[i] = min(v, 1)
		}
	}
	return nil
}
