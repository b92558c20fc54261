package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "TrainBatchNorm", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 3, New: func(s *Spec) (Op, error) {
		return trainBatchNorm{epsilon: float64(s.Float("epsilon", 1e-5))}, nil
	}})
	registerGrad(Internal, "TrainBatchNorm", func(g *Grad) error {
		for i, up := range g.Up {
			if i > 0 && up != "" {
				return gradientError("a batch statistic as an output")
			}
		}
		in := []string{g.Up[0], g.Input(0), g.Input(1)}
		if len(g.Node.Outputs) == 3 && g.Output(1) != "" && g.Output(2) != "" {
			in = append(in, g.Output(1), g.Output(2)) // they need not be computed again
		}
		d := g.AddInternal("BatchNormGrad", 3, in, Attr("epsilon", g.Float("epsilon", 1e-5)), Attr("batch", 1))
		for i := range 3 {
			g.setIfWanted(i, func() string { return d[i] })
		}
		return nil
	})
}

// trainBatchNorm is BatchNormalization as PyTorch trains it: Y = (X - mean) / sqrt(var + epsilon) * scale + bias with
// the mean and variance of the batch. Inputs are X, scale and bias; outputs are Y and what the running statistics are
// updated with: the mean and the unbiased variance (it divides by one less than the number of elements, where ONNX's
// training_mode divides by the number). The new running statistics are old + momentum*(batch - old), PyTorch's
// momentum, 0.1 by default, being 1 less ONNX's. A batch with a single element a channel has no variance and is
// refused.
type trainBatchNorm struct{ epsilon float64 }

func (b trainBatchNorm) Infer(in []Info) ([]Info, error) {
	if err := wantChannels(in, 0, 1, 2); err != nil {
		return nil, err
	}
	if n, c, hw := (batchNormalization{}).channels(in[0].Shape); n*hw == 1 && c > 0 {
		return nil, fmt.Errorf("an input of shape %v has one element a channel, which has no variance: use a larger batch or keep the statistics frozen", in[0].Shape)
	}
	list := Info{Type: in[1].Type, Shape: in[1].Shape}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}, list, list}, nil
}

func (b trainBatchNorm) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		trainBatchNormOf[float64](rt, b, in, out)
	} else {
		trainBatchNormOf[float32](rt, b, in, out)
	}
	return nil
}

func trainBatchNormOf[T float](rt *Runtime, b trainBatchNorm, in, out []*onnx.Tensor) {
	n, c, hw := batchNormalization{}.channels(in[0].Shape)
	mean, variance := make([]float64, c), make([]float64, c)
	channelMoments(rt, onnx.Data[T](in[0]), n, c, hw, mean, variance)
	if out[0] != nil {
		scale, shift := toFloat64s(in[1]), toFloat64s(in[2])
		for i, v := range variance {
			scale[i] /= math.Sqrt(v + b.epsilon)
			shift[i] -= mean[i] * scale[i]
		}
		scaleChannels[T](rt, in[0], out[0], scale, shift)
	}
	if out[1] != nil {
		fromFloat64s(out[1], mean)
	}
	if out[2] != nil {
		m := float64(n * hw)
		for i := range variance {
			variance[i] *= m / (m - 1)
		}
		fromFloat64s(out[2], variance)
	}
}
