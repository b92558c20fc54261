package op

import "github.com/onnxcnn/onnxcnn/onnx"

func init() {
	register(Def{Type: "Identity", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(*Spec) (Op, error) {
		return identity{}, nil
	}})
}

// identity gives its input.
type identity struct{}

func (identity) Aliases() bool { return true }

func (identity) Infer(in []Info) ([]Info, error) { return []Info{in[0]}, nil }

func (identity) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	copy(out[0].Raw, in[0].Raw)
	copy(out[0].Strings, in[0].Strings)
	return nil
}
