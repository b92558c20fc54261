package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "BatchNormalization", Since: 1, MinIn: 5, MaxIn: 5, MaxOut: 5, New: newBatchNormalization})
}

// batchNormalization is Y = (X - mean) / sqrt(var + epsilon) * scale + B for each channel of X [N, C, ...].
//
// In inference mean and var are inputs. In training they are those of the batch (var divides by the number of elements,
// not by one less), and the running statistics that go out are old*momentum + batch*(1-momentum). Training is asked for
// by training_mode from opset 14 on; before, by outputs besides Y (and by is_test being 0, up to opset 6).
//
// Up to opset 8 spatial=0 asks for statistics for each element of [C, ...] instead of each channel. Where the statistics
// have one value a channel all the same, as in files that MXNet wrote, they are applied to channels.
type batchNormalization struct {
	epsilon  float64
	momentum float64
	training bool
	spatial  bool
	saved    bool // outputs are Y, mean, var, saved_mean, saved_var: before opset 14
}

func newBatchNormalization(s *Spec) (Op, error) {
	b := batchNormalization{
		epsilon:  float64(s.Float("epsilon", 1e-5)),
		momentum: float64(s.Float("momentum", 0.9)),
		spatial:  true,
		saved:    s.Opset < 14,
	}
	s.Ignore("consumed_inputs") // opset 1
	extra := 0                  // outputs besides Y
	for i, name := range s.Node.Outputs {
		if i > 0 && name != "" {
			extra++
		}
	}
	switch {
	case s.Opset >= 14:
		b.training = s.Bool("training_mode", false)
		if len(s.Node.Outputs) > 3 {
			return nil, fmt.Errorf("has %d outputs, wants at most 3", len(s.Node.Outputs))
		}
		if !b.training && extra > 0 {
			return nil, errors.New("running statistics are outputs only with training_mode=1")
		}
	case s.Opset < 7:
		b.training = !s.Bool("is_test", false) && extra > 0
	default:
		s.Ignore("is_test") // left over in files that were raised from older opsets
		b.training = extra > 0
	}
	if s.Opset < 9 {
		b.spatial = s.Bool("spatial", true)
		if !b.spatial {
			s.Warn("spatial=0: statistics with one value a channel are applied to whole channels, as spatial=1 has it")
		}
	}
	if b.training {
		s.Warn("training mode: normalises with the mean and variance of the batch, not with the stored ones")
	}
	return b, nil
}

func (b batchNormalization) InPlace() []int { return []int{0} }

// channels returns how X lies: n batches of c channels of hw elements each.
func (b batchNormalization) channels(shape []int) (n, c, hw int) {
	switch len(shape) {
	case 0:
		return 1, 1, 1
	case 1:
		return shape[0], 1, 1
	}
	return shape[0], shape[1], prod(shape[2:])
}

// elementwise reports whether the statistics have a value for each element of [C, ...].
func (b batchNormalization) elementwise(x, scale []int) bool {
	return !b.spatial && len(x) > 2 && !sameShape(scale, []int{x[1]})
}

func (b batchNormalization) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0, 1, 2, 3, 4); err != nil {
		return nil, err
	}
	x := in[0].Shape
	_, c, _ := b.channels(x)
	want := []int{c}
	if b.elementwise(x, in[1].Shape) {
		want = x[1:]
		if b.training {
			return nil, errors.New("training with spatial=0 is not supported")
		}
	}
	for i, name := range []string{"scale", "B", "mean", "var"} {
		if got := in[i+1].Shape; !sameShape(got, want) {
			return nil, fmt.Errorf("%s: want shape %v for an input of shape %v, got %v", name, want, x, got)
		}
	}
	out := []Info{{Type: in[0].Type, Shape: x}}
	stats := Info{Type: in[3].Type, Shape: want}
	out = append(out, stats, stats)
	if b.saved {
		out = append(out, stats, stats)
	}
	return out, nil
}

func (b batchNormalization) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		batchNormalize[float64](rt, b, in, out)
	} else {
		batchNormalize[float32](rt, b, in, out)
	}
	return nil
}

func batchNormalize[T float](rt *Runtime, b batchNormalization, in, out []*onnx.Tensor) {
	scale, shift, mean, variance := toFloat64s(in[1]), toFloat64s(in[2]), toFloat64s(in[3]), toFloat64s(in[4])
	if b.training {
		b.batchStatistics(rt, in, out, mean, variance)
	}
	if out[0] == nil {
		return
	}
	// y = a*x + s, with the constants rounded only once.
	for i := range scale {
		f := scale[i] / math.Sqrt(variance[i]+b.epsilon)
		scale[i], shift[i] = f, shift[i]-mean[i]*f
	}
	if !b.elementwise(in[0].Shape, in[1].Shape) {
		scaleChannels[T](rt, in[0], out[0], scale, shift)
		return
	}
	// Every element of a picture is a channel of its own.
	n, c := in[0].Shape[0], len(scale)
	scaleRows(rt, onnx.Data[T](in[0]), onnx.Data[T](out[0]), n, c, scale, shift)
}

// scaleChannels computes y = a*x + s with an a and an s for each channel of x [N, C, ...].
func scaleChannels[T float](rt *Runtime, in, out *onnx.Tensor, scale, shift []float64) {
	n, c, hw := batchNormalization{}.channels(in.Shape)
	x, y := onnx.Data[T](in), onnx.Data[T](out)
	if hw == 1 {
		scaleRows(rt, x, y, n, c, scale, shift)
		return
	}
	apply := scaleShift[T]()
	rt.Pool.For(n*c, max(1, 1<<14/max(hw, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			apply(y[i*hw:][:hw], x[i*hw:][:hw], T(scale[i%c]), T(shift[i%c]))
		}
	})
}

// scaleRows computes y = a*x + s for n rows of c elements, with an a and an s for each column.
func scaleRows[T float](rt *Runtime, x, y []T, n, c int, scale, shift []float64) {
	a, s := make([]T, c), make([]T, c)
	for i := range a {
		a[i], s[i] = T(scale[i]), T(shift[i])
	}
	rt.Pool.For(n, max(1, 1<<14/max(c, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to := y[i*c:][:c]
			for j, v := range x[i*c:][:c] {
				to[j] = v*a[j] + s[j]
			}
		}
	})
}

// scaleShift returns the loop y = a*x + s.
func scaleShift[T float]() func(y, x []T, a, s T) {
	if f, ok := any(kernel.Default().ScaleShift).(func(y, x []T, a, s T)); ok {
		return f
	}
	return func(y, x []T, a, s T) {
		x = x[:len(y)]
		for i, v := range x {
			y[i] = v*a + s
		}
	}
}

// batchStatistics replaces mean and variance by those of the batch and fills in the outputs besides Y.
func (b batchNormalization) batchStatistics(rt *Runtime, in, out []*onnx.Tensor, mean, variance []float64) {
	batchMean, batchVar := make([]float64, len(mean)), make([]float64, len(mean))
	n, c, hw := b.channels(in[0].Shape)
	if in[0].Type == onnx.Double {
		channelMoments(rt, onnx.Data[float64](in[0]), n, c, hw, batchMean, batchVar)
	} else {
		channelMoments(rt, onnx.Data[float32](in[0]), n, c, hw, batchMean, batchVar)
	}
	running := func(i int, old, batch []float64) {
		if i < len(out) && out[i] != nil {
			v := make([]float64, len(old))
			for k := range v {
				v[k] = old[k]*b.momentum + batch[k]*(1-b.momentum)
			}
			fromFloat64s(out[i], v)
		}
	}
	running(1, mean, batchMean)
	running(2, variance, batchVar)
	for i, v := range [][]float64{batchMean, batchVar} {
		if 3+i < len(out) && out[3+i] != nil {
			fromFloat64s(out[3+i], v)
		}
	}
	copy(mean, batchMean)
	copy(variance, batchVar)
}

// channelMoments computes mean and variance (over the number of elements) of each channel of x [n, c, hw].
func channelMoments[T float](rt *Runtime, x []T, n, c, hw int, mean, variance []float64) {
	count := float64(n * hw)
	rt.Pool.For(c, max(1, 1<<14/max(n*hw, 1)), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			sum := 0.0
			for i := range n {
				sum = sumRun(sum, x[(i*c+k)*hw:][:hw])
			}
			m := sum / count
			sum = 0
			for i := range n {
				sum += squaredDistance(x[(i*c+k)*hw:][:hw], m)
			}
			mean[k], variance[k] = m, sum/count
		}
	})
}
