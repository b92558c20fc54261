package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "GroupNormGrad", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 3, New: func(s *Spec) (Op, error) {
		g := groupNormGrad{epsilon: float64(s.Float("epsilon", 1e-5)), groups: s.Int("num_groups", 0), perGroup: s.Bool("per_group", false)}
		if g.groups < 1 {
			return nil, fmt.Errorf(`attribute "num_groups" is %d, want 1 or more`, g.groups)
		}
		return g, nil
	}})
	registerGrad("", "InstanceNormalization", func(g *Grad) error {
		addGroupNormGrad(g, max(1, g.In[0].Shape[1]), 0)
		return nil
	})
	registerGrad("", "GroupNormalization", func(g *Grad) error {
		perGroup := 0
		if g.Opset < 21 {
			perGroup = 1
		}
		addGroupNormGrad(g, g.Int("num_groups", 1), perGroup)
		return nil
	})
}

func addGroupNormGrad(g *Grad, groups, perGroup int) {
	d := g.AddInternal("GroupNormGrad", 3, []string{g.Up[0], g.Input(0), g.Input(1)},
		Attr("num_groups", groups), Attr("per_group", perGroup), Attr("epsilon", g.Float("epsilon", 1e-5)))
	for i := range 3 {
		g.setIfWanted(i, func() string { return d[i] })
	}
}

// groupNormGrad is the gradient of GroupNormalization and of InstanceNormalization, whose groups are single channels.
// Inputs are dy, x and scale; outputs are the gradients by x, scale and bias.
//
// With h the normalised x and g = dy*scale: dscale = sum(dy*h), dbias = sum(dy), and for each group of a picture
// dx = (g - mean(g) - h*mean(g*h)) / sqrt(variance + epsilon).
type groupNormGrad struct {
	epsilon  float64
	groups   int
	perGroup bool // scale and bias have a value a group, not a channel
}

func (g groupNormGrad) Infer(in []Info) ([]Info, error) {
	x := in[1].Shape
	if len(x) < 2 {
		return nil, errors.New("want an input of rank 2 or more")
	}
	if in[0].Type != in[1].Type || !sameShape(in[0].Shape, x) {
		return nil, fmt.Errorf("the gradient is %v%v, the input %v%v", in[0].Type, in[0].Shape, in[1].Type, x)
	}
	forward, err := groupNormalization{groups: g.groups, perGroup: g.perGroup}.Infer([]Info{in[1], in[2], in[2]})
	if err != nil {
		return nil, err
	}
	return append(forward, in[2], in[2]), nil
}

func (g groupNormGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[1].Type == onnx.Double {
		groupNormBackward[float64](rt, g, in, out)
	} else {
		groupNormBackward[float32](rt, g, in, out)
	}
	return nil
}

func groupNormBackward[T float](rt *Runtime, o groupNormGrad, in, out []*onnx.Tensor) {
	shape := in[1].Shape
	n, c, hw := shape[0], shape[1], prod(shape[2:])
	dy, x, scale := onnx.Data[T](in[0]), onnx.Data[T](in[1]), toFloat64s(in[2])
	var dx []T
	if out[0] != nil {
		dx = onnx.Data[T](out[0])
	}
	size := c / o.groups // channels a group
	param := func(group, k int) int {
		if o.perGroup {
			return group
		}
		return group*size + k
	}
	// By picture and channel: the sums of dy*h and of dy.
	dscale, dbias := make([]float64, n*c), make([]float64, n*c)
	apply := combineRows[T]()
	if len(x) > 0 {
		rt.Pool.For(n*o.groups, max(1, 1<<14/(size*hw)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				first, group := i*size, i%o.groups
				mean, inv := meanAndScale(x[first*hw:][:size*hw], o.epsilon)
				var sum, product float64
				for k := range size {
					at := first + k
					dbias[at], dscale[at] = productRuns(dy[at*hw:][:hw], x[at*hw:][:hw], mean)
					dscale[at] *= inv
					s := scale[param(group, k)]
					sum += s * dbias[at]
					product += s * dscale[at]
				}
				if dx == nil {
					continue
				}
				m := float64(size * hw)
				kx := -inv * inv * product / m
				shift := -inv*sum/m - kx*mean
				for k := range size {
					at := (first + k) * hw
					apply(dx[at:][:hw], dy[at:][:hw], x[at:][:hw], T(scale[param(group, k)]*inv), T(kx), T(shift))
				}
			}
		})
	}
	for i, parts := range [][]float64{dscale, dbias} {
		if out[1+i] == nil {
			continue
		}
		total := make([]float64, len(scale))
		for at, v := range parts {
			total[param(at%c/size, at%size)] += v
		}
		fromFloat64s(out[1+i], total)
	}
}
