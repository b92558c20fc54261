package op

import (
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "MeanVarianceNormalization", Since: 9, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		axes := []int{0, 2, 3}
		if a := s.Ints("axes"); a != nil {
			axes = a
		}
		return meanVarianceNormalization{axes: axes}, nil
	}})
}

// meanVarianceNormalization is y = (x - mean) / (deviation + 1e-9), where mean and deviation are those of all elements
// along the axes.
type meanVarianceNormalization struct{ axes []int }

func (meanVarianceNormalization) InPlace() []int { return []int{0} }

func (m meanVarianceNormalization) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if _, err := reducedAxes(m.axes, len(in[0].Shape)); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (m meanVarianceNormalization) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	flags, err := reducedAxes(m.axes, len(in[0].Shape))
	if err != nil {
		return err
	}
	p := planReduce(in[0].Shape, flags)
	if in[0].Type == onnx.Double {
		normalizeAxes(rt, p, onnx.Data[float64](in[0]), onnx.Data[float64](out[0]))
	} else {
		normalizeAxes(rt, p, onnx.Data[float32](in[0]), onnx.Data[float32](out[0]))
	}
	return nil
}

// normalizeAxes works on one group of elements at a time. Where neighbours lie in one group it takes them as a run.
func normalizeAxes[T float](rt *Runtime, p reducePlan, x, y []T) {
	red, stride, length := p.red, p.redStride, 1
	if last := len(red) - 1; last >= 0 && p.innerReduced {
		red, stride, length = red[:last], stride[:last], red[last]
	}
	if p.results*p.count == 0 {
		return
	}
	runs := p.count / length
	rt.Pool.For(p.results, max(1, 1<<13/p.count), func(lo, hi int) {
		out, in := odometerAt(p.out, p.outStride, lo), odometerAt(red, stride, 0)
		for g := lo; g < hi; g++ {
			sum := 0.0
			in.reset()
			for range runs {
				sum = sumRun(sum, x[out.offset+in.offset:][:length])
				in.next()
			}
			mean := sum / float64(p.count)
			sum = 0
			for range runs {
				sum += squaredDistance(x[out.offset+in.offset:][:length], mean)
				in.next()
			}
			f := 1 / (math.Sqrt(sum/float64(p.count)) + 1e-9)
			for range runs {
				at := out.offset + in.offset
				to := y[at:][:length]
				for i, v := range x[at:][:length] {
					to[i] = T((float64(v) - mean) * f)
				}
				in.next()
			}
			out.next()
		}
	})
}
