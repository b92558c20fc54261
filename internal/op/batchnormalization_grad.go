package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "BatchNormInputGrad", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return batchNormInputGrad{epsilon: float64(s.Float("epsilon", 1e-5))}, nil
	}})
	register(Def{Domain: Internal, Type: "BatchNormGrad", Since: 1, MinIn: 3, MaxIn: 5, MaxOut: 5, New: func(s *Spec) (Op, error) {
		return batchNormGrad{epsilon: float64(s.Float("epsilon", 1e-5)), batch: s.Bool("batch", false)}, nil
	}})
	registerGrad("", "BatchNormalization", gradOfBatchNormalization)
}

// gradOfBatchNormalization: with stored statistics the normalisation is a scale and a shift of each channel, and the
// gradient by the input does not need the input. In training the statistics depend on it too.
func gradOfBatchNormalization(g *Grad) error {
	o, err := newBatchNormalization(g.Spec)
	if err != nil {
		return err
	}
	b := o.(batchNormalization)
	for i, up := range g.Up {
		if i > 0 && up != "" {
			return gradientError("a batch statistic as an output")
		}
	}
	up, x, shape := g.Up[0], g.Input(0), g.In[0].Shape
	stats := []string{g.Input(1), g.Input(2), g.Input(3), g.Input(4)}
	wide := b.elementwise(shape, g.In[1].Shape)
	if wide { // every element is a channel of its own
		flat := []int{shape[0], prod(shape[1:])}
		up, x = g.Reshape(up, flat), g.Reshape(x, flat)
		for i, s := range stats {
			stats[i] = g.Reshape(s, flat[1:])
		}
	}
	set := func(i int, value string) {
		g.setIfWanted(i, func() string {
			if wide {
				return g.Reshape(value, g.In[i].Shape)
			}
			return value
		})
	}
	epsilon := Attr("epsilon", float32(b.epsilon))
	if b.training {
		d := g.AddInternal("BatchNormGrad", 3, []string{up, x, stats[0]}, epsilon, Attr("batch", 1))
		for i := range 3 {
			set(i, d[i])
		}
		return nil
	}
	if g.Wanted(1) || g.Wanted(2) || g.Wanted(3) || g.Wanted(4) {
		d := g.AddInternal("BatchNormGrad", 5, []string{up, x, stats[0], stats[2], stats[3]}, epsilon)
		for i := range 5 {
			set(i, d[i])
		}
		return nil
	}
	set(0, g.AddInternal("BatchNormInputGrad", 1, []string{up, stats[0], stats[3]}, epsilon)[0])
	return nil
}

// batchNormInputGrad is the gradient of BatchNormalization by its input where the statistics are constants:
// dy * scale / sqrt(var + epsilon). Inputs are dy, scale and var.
type batchNormInputGrad struct{ epsilon float64 }

func (batchNormInputGrad) InPlace() []int { return []int{0} }

func (b batchNormInputGrad) Infer(in []Info) ([]Info, error) {
	if err := wantChannels(in, 0, 1, 2); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

// wantChannels checks that the inputs are floats and that those in lists have a value for each channel of input x.
func wantChannels(in []Info, x int, lists ...int) error {
	if err := wantFloats(in, append(lists, x)...); err != nil {
		return err
	}
	_, c, _ := batchNormalization{}.channels(in[x].Shape)
	for _, i := range lists {
		if !in[i].Absent() && !sameShape(in[i].Shape, []int{c}) {
			return fmt.Errorf("input %d: want shape [%d] for an input of shape %v, got %v", i, c, in[x].Shape, in[i].Shape)
		}
	}
	return nil
}

func (b batchNormInputGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	scale, variance := toFloat64s(in[1]), toFloat64s(in[2])
	for i := range scale {
		scale[i] /= math.Sqrt(variance[i] + b.epsilon)
	}
	shift := make([]float64, len(scale))
	if in[0].Type == onnx.Double {
		scaleChannels[float64](rt, in[0], out[0], scale, shift)
	} else {
		scaleChannels[float32](rt, in[0], out[0], scale, shift)
	}
	return nil
}

// batchNormGrad is the gradient of BatchNormalization and TrainBatchNorm. Inputs are dy, x, scale, mean and var, outputs
// the gradients by them. With the attribute batch, mean and var are those of the batch and depend on x, so they have no
// gradient; they are computed where they are absent, and var is the unbiased one where it is given.
//
// With m elements a channel, h = (x-mean)/sqrt(var+epsilon): dbias = sum(dy), dscale = sum(dy*h), and
// dx = scale/sqrt(var+epsilon) * dy, of batch statistics less the same times (dbias + h*dscale)/m.
type batchNormGrad struct {
	epsilon float64
	batch   bool
}

func (b batchNormGrad) Infer(in []Info) ([]Info, error) {
	if err := wantChannels(in, 1, 2, 3, 4); err != nil {
		return nil, err
	}
	if in[0].Type != in[1].Type || !sameShape(in[0].Shape, in[1].Shape) {
		return nil, fmt.Errorf("the gradient is %v%v, the input %v%v", in[0].Type, in[0].Shape, in[1].Type, in[1].Shape)
	}
	if in[3].Absent() != in[4].Absent() || in[3].Absent() && !b.batch {
		return nil, errors.New("want both mean and var")
	}
	list := Info{Type: in[2].Type, Shape: in[2].Shape}
	out := []Info{{Type: in[1].Type, Shape: in[1].Shape}, list, list}
	if !b.batch {
		list.Type = in[3].Type
		out = append(out, list, list)
	}
	return out, nil
}

func (b batchNormGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[1].Type == onnx.Double {
		batchNormBackward[float64](rt, b, in, out)
	} else {
		batchNormBackward[float32](rt, b, in, out)
	}
	return nil
}

func batchNormBackward[T float](rt *Runtime, b batchNormGrad, in, out []*onnx.Tensor) {
	dy, x := onnx.Data[T](in[0]), onnx.Data[T](in[1])
	n, c, hw := batchNormalization{}.channels(in[1].Shape)
	scale := toFloat64s(in[2])
	m := float64(n * hw)
	mean, variance := make([]float64, c), make([]float64, c)
	if in[3] == nil {
		channelMoments(rt, x, n, c, hw, mean, variance)
	} else {
		mean, variance = toFloat64s(in[3]), toFloat64s(in[4])
		for i := range variance {
			if b.batch {
				variance[i] *= (m - 1) / m
			}
		}
	}
	inv := variance
	for i, v := range variance {
		inv[i] = 1 / math.Sqrt(v+b.epsilon)
	}
	dscale, dbias := make([]float64, c), make([]float64, c)
	channelProducts(rt, dy, x, n, c, hw, mean, dbias, dscale)
	for i, f := range inv {
		dscale[i] *= f
	}
	if out[0] != nil {
		// dx = a*dy + k*x + s.
		a, k, s := make([]float64, c), make([]float64, c), make([]float64, c)
		for i, f := range inv {
			a[i] = scale[i] * f
			if b.batch {
				k[i] = -a[i] * f * dscale[i] / m
				s[i] = -a[i]*dbias[i]/m - k[i]*mean[i]
			}
		}
		if b.batch {
			combineChannels[T](rt, in[0], in[1], out[0], a, k, s)
		} else {
			scaleChannels[T](rt, in[0], out[0], a, s)
		}
	}
	store := func(i int, v func(c int) float64) {
		if i < len(out) && out[i] != nil {
			list := make([]float64, c)
			for k := range list {
				list[k] = v(k)
			}
			fromFloat64s(out[i], list)
		}
	}
	store(1, func(i int) float64 { return dscale[i] })
	store(2, func(i int) float64 { return dbias[i] })
	store(3, func(i int) float64 { return -dbias[i] * scale[i] * inv[i] })
	store(4, func(i int) float64 { return -dscale[i] * scale[i] * inv[i] * inv[i] / 2 })
}

// channelProducts computes, for each channel, the sums of dy and of dy*(x-mean).
func channelProducts[T float](rt *Runtime, dy, x []T, n, c, hw int, mean, sums, products []float64) {
	rt.Pool.For(c, max(1, 1<<14/max(n*hw, 1)), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			var s, p float64
			for i := range n {
				at := (i*c + k) * hw
				ds, dp := productRuns(dy[at:][:hw], x[at:][:hw], mean[k])
				s += ds
				p += dp
			}
			sums[k], products[k] = s, p
		}
	})
}

// productRuns returns the sums of dy and of dy*(x-m). It keeps two of each, so that an addition need not wait for the
// one before.
func productRuns[T float](dy, x []T, m float64) (sum, product float64) {
	var s0, s1, p0, p1 float64
	for len(dy) >= 2 && len(x) >= 2 {
		a, b := float64(dy[0]), float64(dy[1])
		s0 += a
		s1 += b
		p0 += a * (float64(x[0]) - m)
		p1 += b * (float64(x[1]) - m)
		dy, x = dy[2:], x[2:]
	}
	for i, v := range dy {
		s0 += float64(v)
		p0 += float64(v) * (float64(x[i]) - m)
	}
	return s0 + s1, p0 + p1
}

// combineChannels computes dx = a*dy + k*x + s with factors for each channel.
func combineChannels[T float](rt *Runtime, dyT, xT, dxT *onnx.Tensor, a, k, s []float64) {
	n, c, hw := batchNormalization{}.channels(xT.Shape)
	dy, x, dx := onnx.Data[T](dyT), onnx.Data[T](xT), onnx.Data[T](dxT)
	if hw == 1 {
		rt.Pool.For(n, max(1, 1<<14/max(c, 1)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				up, from, to := dy[i*c:][:c], x[i*c:][:c], dx[i*c:][:c]
				for j := range to {
					to[j] = T(a[j]*float64(up[j]) + k[j]*float64(from[j]) + s[j])
				}
			}
		})
		return
	}
	apply := combineRows[T]()
	rt.Pool.For(n*c, max(1, 1<<14/max(hw, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			at, ch := i*hw, i%c
			apply(dx[at:][:hw], dy[at:][:hw], x[at:][:hw], T(a[ch]), T(k[ch]), T(s[ch]))
		}
	})
}

// combineRows returns the loop dst = a*u + k*v + s; dst is neither u nor v.
func combineRows[T float]() func(dst, u, v []T, a, k, s T) {
	t := kernel.Default()
	if f, ok := any(func(dst, u, v []float32, a, k, s float32) {
		t.ScaleShift(dst, v, k, s)
		t.Axpy4(dst, u, 0, &[4]float32{a})
	}).(func(dst, u, v []T, a, k, s T)); ok {
		return f
	}
	return func(dst, u, v []T, a, k, s T) {
		u, v = u[:len(dst)], v[:len(dst)]
		for i := range dst {
			dst[i] = a*u[i] + k*v[i] + s
		}
	}
}
