package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "InstanceNormalization", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		s.Ignore("consumed_inputs") // opset 1
		return instanceNormalization{epsilon: float64(s.Float("epsilon", 1e-5))}, nil
	}})
	register(Def{Type: "GroupNormalization", Since: 18, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		g := groupNormalization{epsilon: float64(s.Float("epsilon", 1e-5)), groups: s.Int("num_groups", 0), perGroup: s.Opset < 21}
		s.Ignore("stash_type") // sums are kept in float64 whatever it says
		if g.groups < 1 {
			return nil, fmt.Errorf(`attribute "num_groups" is %d, want 1 or more`, g.groups)
		}
		return g, nil
	}})
}

// instanceNormalization is y = (x - mean) / sqrt(variance + epsilon) * scale + B, where mean and variance are those of
// the channel of the picture that x belongs to, and scale and B have a value a channel.
type instanceNormalization struct{ epsilon float64 }

// groupNormalization is y = (x - mean) / sqrt(variance + epsilon) * scale + bias, where mean and variance are those of a
// group of neighbouring channels of the picture that x belongs to. Scale and bias have a value a channel; before
// opset 21 they have one a group.
type groupNormalization struct {
	epsilon  float64
	groups   int
	perGroup bool
}

func (instanceNormalization) InPlace() []int { return []int{0} }

func (groupNormalization) InPlace() []int { return []int{0} }

func (instanceNormalization) Infer(in []Info) ([]Info, error) {
	if len(in[0].Shape) < 2 {
		return nil, errors.New("want an input of rank 2 or more")
	}
	return inferGroups(in, in[0].Shape[1])
}

func (g groupNormalization) Infer(in []Info) ([]Info, error) {
	if len(in[0].Shape) < 2 {
		return nil, errors.New("want an input of rank 2 or more")
	}
	c := in[0].Shape[1]
	if c%g.groups != 0 {
		return nil, fmt.Errorf("%d channels do not make %d groups", c, g.groups)
	}
	if g.perGroup {
		c = g.groups
	}
	return inferGroups(in, c)
}

// inferGroups checks that scale and bias have that many values.
func inferGroups(in []Info, values int) ([]Info, error) {
	if err := wantFloats(in, 0, 1, 2); err != nil {
		return nil, err
	}
	for i, name := range []string{"scale", "bias"} {
		if in[i+1].Type != in[0].Type || !sameShape(in[i+1].Shape, []int{values}) {
			return nil, fmt.Errorf("%s: want %v of shape [%d], got %v of shape %v", name, in[0].Type, values, in[i+1].Type, in[i+1].Shape)
		}
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (o instanceNormalization) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	normalizeGroups(rt, in, out, in[0].Shape[1], false, o.epsilon)
	return nil
}

func (g groupNormalization) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	normalizeGroups(rt, in, out, g.groups, g.perGroup, g.epsilon)
	return nil
}

func normalizeGroups(rt *Runtime, in, out []*onnx.Tensor, groups int, perGroup bool, epsilon float64) {
	if in[0].Type == onnx.Double {
		normalizeGroupsOf[float64](rt, in, out, groups, perGroup, epsilon)
	} else {
		normalizeGroupsOf[float32](rt, in, out, groups, perGroup, epsilon)
	}
}

func normalizeGroupsOf[T float](rt *Runtime, in, out []*onnx.Tensor, groups int, perGroup bool, epsilon float64) {
	shape := in[0].Shape
	n, c, hw := shape[0], shape[1], prod(shape[2:])
	if n*c*hw == 0 {
		return
	}
	x, y := onnx.Data[T](in[0]), onnx.Data[T](out[0])
	scale, bias := onnx.Data[T](in[1]), onnx.Data[T](in[2])
	size := c / groups
	apply := scaleShift[T]()
	rt.Pool.For(n*groups, max(1, 1<<14/(size*hw)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from := i * size * hw
			mean, inv := meanAndScale(x[from:from+size*hw], epsilon)
			for k := range size {
				at := i % groups
				if !perGroup {
					at = at*size + k
				}
				a := float64(scale[at]) * inv
				s := float64(bias[at]) - mean*a
				apply(y[from+k*hw:][:hw], x[from+k*hw:][:hw], T(a), T(s))
			}
		}
	})
}
