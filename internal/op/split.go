package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Split", Since: 1, MinIn: 1, MaxIn: 2, MaxOut: Variadic, Half: true, New: newSplit})
}

// split cuts its input along axis into one piece an output: of the given sizes, or of equal ones. Sizes are an
// attribute up to opset 12 and an input later (opset 1 has both). From opset 18 on, equal pieces are as many as
// num_outputs says, and the last one may be smaller.
type split struct {
	axis    int
	sizes   []int // the attribute; nil where there is none
	outputs int
	uneven  bool
}

func newSplit(s *Spec) (Op, error) {
	o := split{axis: s.Int("axis", 0), sizes: s.Ints("split"), outputs: len(s.Node.Outputs), uneven: s.Opset >= 18}
	if o.outputs == 0 {
		return nil, fmt.Errorf("has no outputs")
	}
	given := len(s.Node.Inputs) > 1 && s.Node.Inputs[1] != ""
	if s.Has("num_outputs") {
		if n := s.Int("num_outputs", 0); n != o.outputs {
			return nil, fmt.Errorf("num_outputs is %d, but the node has %d outputs", n, o.outputs)
		}
		if given {
			return nil, fmt.Errorf("has both num_outputs and sizes")
		}
	}
	if o.sizes != nil && s.Opset >= 13 {
		s.Warn("the sizes are an attribute, which opset %d does not have", s.Opset)
	}
	if given {
		o.sizes = nil
	}
	return o, nil
}

// pieces returns the sizes along axis; known is false where they are an input that is not known.
func (s split) pieces(in []Info, axis int) (sizes []int, known bool, err error) {
	sizes = s.sizes
	if !in[1].Absent() {
		if sizes, known, err = intsInfo("split", in[1]); err != nil || !known {
			return nil, false, err
		}
	}
	dim := in[0].Shape[axis]
	if sizes == nil {
		chunk := (dim + s.outputs - 1) / s.outputs
		sizes = make([]int, s.outputs)
		for i := range sizes {
			sizes[i] = chunk
		}
		last := dim - chunk*(s.outputs-1)
		if last < 0 || (last != chunk && !s.uneven) {
			return nil, false, fmt.Errorf("dimension %d of size %d cannot be split into %d pieces", axis, dim, s.outputs)
		}
		sizes[s.outputs-1] = last
		return sizes, true, nil
	}
	if len(sizes) != s.outputs {
		return nil, false, fmt.Errorf("%d sizes for %d outputs", len(sizes), s.outputs)
	}
	left := dim
	for _, n := range sizes {
		if n < 0 || n > left {
			return nil, false, fmt.Errorf("sizes %v do not add up to %d, the size of dimension %d", sizes, dim, axis)
		}
		left -= n
	}
	if left != 0 {
		return nil, false, fmt.Errorf("sizes %v do not add up to %d, the size of dimension %d", sizes, dim, axis)
	}
	return sizes, true, nil
}

func (s split) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	axis, err := normAxis(s.axis, len(in[0].Shape))
	if err != nil {
		return nil, err
	}
	sizes, known, err := s.pieces(in, axis)
	if err != nil {
		return nil, err
	}
	out := make([]Info, s.outputs)
	for i := range out {
		out[i] = Info{Type: in[0].Type, Dynamic: true}
		if known {
			shape := append([]int{}, in[0].Shape...)
			shape[axis] = sizes[i]
			out[i] = Info{Type: in[0].Type, Shape: shape}
		}
	}
	return out, nil
}

func (s split) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	x := in[0]
	axis, err := normAxis(s.axis, len(x.Shape))
	if err != nil {
		return err
	}
	sizes, _, err := s.pieces(infoOf(in), axis)
	if err != nil {
		return err
	}
	outer, row, inner := prod(x.Shape[:axis]), prod(x.Shape[axis:]), prod(x.Shape[axis+1:])
	at := 0
	for i, y := range out {
		n := sizes[i] * inner
		if y != nil && (outer > 1 || !liesIn(y, x, at)) {
			copyStrided(rt, []int{outer, n}, y, 0, []int{n, 1}, x, at, []int{row, 1})
		}
		at += n
	}
	return nil
}

// Cuts implements [Cutter].
func (s split) Cuts(rank int) int {
	axis, _ := normAxis(s.axis, rank) // Infer has seen it
	return axis
}
