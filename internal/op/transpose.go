package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Transpose", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return transpose{perm: s.Ints("perm")}, nil
	}})
}

// transpose reorders dimensions: dimension i of the output is dimension perm[i] of the input. Without perm the order is
// reversed.
type transpose struct{ perm []int }

// order returns perm for an input of that rank.
func (t transpose) order(rank int) ([]int, error) {
	if t.perm == nil {
		perm := make([]int, rank)
		for i := range perm {
			perm[i] = rank - 1 - i
		}
		return perm, nil
	}
	if len(t.perm) != rank {
		return nil, fmt.Errorf("perm %v has %d entries, the input has rank %d", t.perm, len(t.perm), rank)
	}
	return normAxes(t.perm, rank)
}

func (t transpose) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	perm, err := t.order(len(in[0].Shape))
	if err != nil {
		return nil, err
	}
	out := make([]int, len(perm))
	for i, p := range perm {
		out[i] = in[0].Shape[p]
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (t transpose) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	perm, err := t.order(len(in[0].Shape))
	if err != nil {
		return err
	}
	transposeInto(rt, out[0], in[0], in[0].Shape, perm)
	return nil
}

// transposeInto writes src, taken as having that shape, to dst with dimensions in the order of perm.
func transposeInto(rt *Runtime, dst, src *onnx.Tensor, shape, perm []int) {
	from := rowMajor(shape)
	out, strides := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		out[i], strides[i] = shape[p], from[p]
	}
	copyStrided(rt, out, dst, 0, rowMajor(out), src, 0, strides)
}
