package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "LayerNormGrad", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 3, New: func(s *Spec) (Op, error) {
		return layerNormGrad{layerNormalization{axis: s.Int("axis", -1), epsilon: float64(s.Float("epsilon", 1e-5)), rms: s.Bool("rms", false)}}, nil
	}})
	registerGrad("", "LayerNormalization", func(g *Grad) error { return gradOfLayerNormalization(g, 0) })
	registerGrad("", "RMSNormalization", func(g *Grad) error { return gradOfLayerNormalization(g, 1) })
}

func gradOfLayerNormalization(g *Grad, rms int) error {
	for i, up := range g.Up {
		if i > 0 && up != "" {
			return gradientError("a statistic as an output")
		}
	}
	axis, err := normAxis(g.Int("axis", -1), len(g.In[0].Shape))
	if err != nil {
		return err
	}
	d := g.AddInternal("LayerNormGrad", 3, []string{g.Up[0], g.Input(0), g.Input(1)},
		Attr("axis", axis), Attr("epsilon", g.Float("epsilon", 1e-5)), Attr("rms", rms))
	g.setIfWanted(0, func() string { return d[0] })
	for i := 1; i < len(g.In); i++ {
		g.setIfWanted(i, func() string { return g.unstretch(d[i], g.In[0].Shape[axis:], g.In[i].Shape) })
	}
	return nil
}

// unstretch is SumTo where to may also have more leading ones than from has dimensions.
func (g *Grad) unstretch(value string, from, to []int) string {
	if len(to) <= len(from) {
		return g.SumTo(value, from, to)
	}
	return g.Reshape(g.SumTo(value, from, to[len(to)-len(from):]), to)
}

// layerNormGrad is the gradient of LayerNormalization and RMSNormalization. Inputs are dy, x and scale; outputs are the
// gradients by x and, for all elements from the axis on, by scale and bias.
//
// With h the normalised x and g = dy*scale: dscale = sum(dy*h), dbias = sum(dy) over the rows, and
// dx = (g - mean(g) - h*mean(g*h)) / sqrt(variance + epsilon); RMSNormalization has no mean(g).
type layerNormGrad struct{ layerNormalization }

func (l layerNormGrad) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0, 1, 2); err != nil {
		return nil, err
	}
	x := in[1].Shape
	if in[0].Type != in[1].Type || !sameShape(in[0].Shape, x) {
		return nil, fmt.Errorf("the gradient is %v%v, the input %v%v", in[0].Type, in[0].Shape, in[1].Type, x)
	}
	if _, err := l.layerNormalization.Infer(in[1:]); err != nil {
		return nil, err
	}
	axis, err := normAxis(l.axis, len(x))
	if err != nil {
		return nil, err
	}
	all := Info{Type: in[2].Type, Shape: x[axis:]}
	return []Info{{Type: in[1].Type, Shape: x}, all, all}, nil
}

func (l layerNormGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[1].Type == onnx.Double {
		layerNormBackward[float64](rt, l.layerNormalization, in, out)
	} else {
		layerNormBackward[float32](rt, l.layerNormalization, in, out)
	}
	return nil
}

// layerNormParts is into how many parts the rows are cut for the sums over them. It is fixed, so that the sums do not
// depend on the number of threads.
const layerNormParts = 16

func layerNormBackward[T float](rt *Runtime, l layerNormalization, in, out []*onnx.Tensor) {
	shape := in[1].Shape
	axis := l.axis
	if axis < 0 {
		axis += len(shape)
	}
	rows, size := prod(shape[:axis]), prod(shape[axis:])
	dy, x := onnx.Data[T](in[0]), onnx.Data[T](in[1])
	scale := stretch(floatsAs[T](in[2]), in[2].Shape, shape[axis:])
	var dx []T
	if out[0] != nil {
		dx = onnx.Data[T](out[0])
	}
	each := max(1, (rows+layerNormParts-1)/layerNormParts)
	parts := (rows + each - 1) / each
	sums := make([]float64, 2*parts*size)
	rt.Pool.For(parts, 1, func(lo, hi int) {
		for part := lo; part < hi; part++ {
			dscale, dbias := sums[2*part*size:][:size], sums[(2*part+1)*size:][:size]
			for r := part * each; r < min((part+1)*each, rows); r++ {
				from, up := x[r*size:][:size], dy[r*size:][:size]
				var m, f float64
				if l.rms {
					f = 1 / math.Sqrt(squareRun(0, from)/float64(size)+l.epsilon)
				} else {
					m, f = meanAndScale(from, l.epsilon)
				}
				sum, product := layerNormSums(up, from, scale, dscale, dbias, m, f)
				if dx != nil {
					// dx = a*g + k*x + s.
					n := float64(size)
					k := -f * f * product / n
					s := -k * m
					if !l.rms {
						s -= f * sum / n
					}
					layerNormRow(dx[r*size:][:size], up, from, scale, T(f), T(k), T(s))
				}
			}
		}
	})
	for i := range 2 {
		if out[1+i] == nil {
			continue
		}
		total := make([]float64, size)
		for part := range parts {
			for j, v := range sums[(2*part+i)*size:][:size] {
				total[j] += v
			}
		}
		fromFloat64s(out[1+i], total)
	}
}

// layerNormSums adds a row to dscale and dbias and returns the sums of g = dy*scale and of g*h, where h = (x-m)*f.
func layerNormSums[T float](dy, x, scale []T, dscale, dbias []float64, m, f float64) (sum, product float64) {
	n := len(dy)
	x, scale, dscale, dbias = x[:n], scale[:n], dscale[:n], dbias[:n]
	for i, v := range dy {
		d := float64(v)
		h := (float64(x[i]) - m) * f
		dscale[i] += d * h
		dbias[i] += d
		g := d * float64(scale[i])
		sum += g
		product += g * h
	}
	return sum, product
}

// layerNormRow computes dx = a*dy*scale + k*x + s.
func layerNormRow[T float](dx, dy, x, scale []T, a, k, s T) {
	n := len(dx)
	dy, x, scale = dy[:n], x[:n], scale[:n]
	for i := range dx {
		dx[i] = a*dy[i]*scale[i] + (k*x[i] + s)
	}
}
