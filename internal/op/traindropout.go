package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "TrainDropout", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		o := trainDropout{ratio: float64(s.Float("ratio", 0.5)), salt: uint64(s.Int("salt", 0))}
		return o, checkRatio(o.ratio)
	}})
	// The gradient is dropped by the same mask.
	registerGrad(Internal, "TrainDropout", func(g *Grad) error {
		g.Set(0, g.AddInternal("TrainDropout", 1, []string{g.Up[0], g.Input(1)}, g.Node.Attrs...)[0])
		return nil
	})
	// Dropout draws the same elements in each run, so that its gradient is Dropout, too; outside of training it is the
	// identity.
	registerGrad("", "Dropout", func(g *Grad) error {
		o, err := newDropout(g.Spec)
		if err != nil {
			return err
		}
		switch d := o.(dropout); {
		case d.still || g.Up[0] == "":
			g.Set(0, g.Up[0])
		case d.inputs:
			g.Set(0, g.Add("Dropout", []string{g.Up[0], g.Input(1), g.Input(2)}, Attr("seed", int(d.seed))))
		default:
			yes := g.Builder.Const(onnx.Of([]int{}, []bool{true}))
			g.Set(0, g.Add("Dropout", []string{g.Up[0], g.Scalar(d.ratio), yes}, Attr("seed", int(d.seed))))
		}
		return nil
	})
}

// trainDropout sets elements to 0 with probability ratio, and multiplies the others by 1/(1-ratio). Which ones is a
// function of the second input, a seed that changes from step to step, of the attribute salt, which tells the nodes of a
// network apart, and of the index of the element. So no mask is kept for the backward pass, and the number of threads
// has no influence.
type trainDropout struct {
	ratio float64
	salt  uint64
}

func (trainDropout) InPlace() []int { return []int{0} }

func (trainDropout) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if in[1].Type != onnx.Int64 || prod(in[1].Shape) != 1 {
		return nil, fmt.Errorf("seed: want one int64, got %v%v", in[1].Type, in[1].Shape)
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (o trainDropout) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	switch {
	case o.ratio == 0:
		copy(out[0].Raw, in[0].Raw)
		return nil
	case o.ratio == 1:
		clear(out[0].Raw)
		return nil
	}
	key := mix(uint64(onnx.Data[int64](in[1])[0]) ^ mix(o.salt+golden))
	if in[0].Type == onnx.Float {
		dropAtRandom(rt, onnx.Data[float32](in[0]), onnx.Data[float32](out[0]), o.ratio, key)
	} else {
		dropAtRandom(rt, onnx.Data[float64](in[0]), onnx.Data[float64](out[0]), o.ratio, key)
	}
	return nil
}

// dropAtRandom draws 32 bits for each element, 64 for a pair of them: those of the generator splitmix64 at the place
// that the index names. An element is kept where they are not below ratio*2^32.
func dropAtRandom[T float](rt *Runtime, x, y []T, ratio float64, key uint64) {
	limit := uint64(math.Round(ratio * (1 << 32)))
	factor := [2]T{0, T(1 / (1 - ratio))}
	rt.Pool.For((len(x)+1)/2, cheapGrain/4, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			r := mix(key + uint64(p+1)*golden)
			i := 2 * p
			y[i] = x[i] * factor[bit(r&math.MaxUint32 >= limit)&1]
			if i+1 < len(x) {
				y[i+1] = x[i+1] * factor[bit(r>>32 >= limit)&1]
			}
		}
	})
}

// golden is 2^64 divided by the golden ratio, splitmix64's step.
const golden = 0x9e3779b97f4a7c15

// mix is splitmix64's output function: every bit of z influences every bit of the result.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
