package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Reshape", Since: 1, MinIn: 1, MaxIn: 2, MaxOut: 1, Half: true, New: newReshape})
}

// reshape gives its input another shape. In the target, 0 copies the input's dimension (unless allowzero is set) and
// one -1 stands for what is left over. Up to opset 4 the target is an attribute, later an input.
type reshape struct {
	shape     []int // the attribute; nil where the shape is an input
	allowZero bool
}

func newReshape(s *Spec) (Op, error) {
	s.Ignore("consumed_inputs") // opset 1
	r := reshape{shape: s.Ints("shape"), allowZero: s.Bool("allowzero", false)}
	if len(s.Node.Inputs) == 2 {
		r.shape = nil
		return r, nil
	}
	if r.shape == nil {
		return nil, errors.New("shape is missing")
	}
	if s.Opset >= 5 {
		s.Warn("the shape is an attribute, which opset %d does not have", s.Opset)
	}
	return r, nil
}

func (reshape) Aliases() bool { return true }

func (r reshape) Infer(in []Info) ([]Info, error) {
	target := r.shape
	if target == nil {
		v, known, err := intsInfo("shape", in[1])
		if err != nil {
			return nil, err
		}
		if !known {
			return []Info{{Type: in[0].Type, Dynamic: true}}, nil
		}
		target = v
	}
	shape, err := reshaped(in[0].Shape, target, r.allowZero)
	if err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

// reshaped works out 0 and -1 in the target of a Reshape.
func reshaped(shape, target []int, allowZero bool) ([]int, error) {
	out := make([]int, len(target))
	infer := -1
	// left is the product of the dimensions that are not copied, given that of those that are spelled out: so -1 is
	// found beside a copied 0 too.
	left, given := 1, 1
	copied := make([]bool, len(shape))
	for i, d := range target {
		switch {
		case d == -1 && infer >= 0:
			return nil, fmt.Errorf("target shape %v has more than one -1", target)
		case d == -1:
			infer = i
		case d < 0:
			return nil, fmt.Errorf("target shape %v has dimension %d", target, d)
		case d == 0 && !allowZero:
			if i >= len(shape) {
				return nil, fmt.Errorf("target shape %v copies dimension %d, but the input has shape %v", target, i, shape)
			}
			out[i] = shape[i]
			copied[i] = true
		default:
			out[i] = d
			given = mulSat(given, d)
		}
	}
	for i, d := range shape {
		if !copied[i] {
			left *= d
		}
	}
	if infer >= 0 {
		if given == 0 {
			return nil, fmt.Errorf("target shape %v has both 0 and -1", target)
		}
		if left%given != 0 {
			return nil, fmt.Errorf("an input of shape %v does not fit the target shape %v", shape, target)
		}
		out[infer] = left / given
	}
	if err := checkSize(out); err != nil {
		return nil, err
	}
	if a, b := prod(shape), prod(out); a != b {
		return nil, fmt.Errorf("an input of shape %v (%d elements) does not fit shape %v (%d elements)", shape, a, out, b)
	}
	return out, nil
}

func (reshape) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	copyAll(out[0], in[0])
	return nil
}
