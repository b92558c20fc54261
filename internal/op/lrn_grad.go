package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "LRNGrad", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		o, err := Lookup("", "LRN").New(s)
		if err != nil {
			return nil, err
		}
		return lrnGrad{o.(lrn)}, nil
	}})
	registerGrad("", "LRN", func(g *Grad) error {
		g.setIfWanted(0, func() string {
			return g.AddInternal("LRNGrad", 1, []string{g.Up[0], g.Input(0)}, g.Node.Attrs...)[0]
		})
		return nil
	})
}

// lrnGrad is the gradient of LRN, y = x * s^-beta with s = bias + alpha/size * (sum of x^2 over the channels around):
// dx = dy * s^-beta - 2*alpha*beta/size * x * sum of dy*x*s^(-beta-1) over the channels that x is around. Inputs are dy
// and x.
type lrnGrad struct{ lrn }

func (l lrnGrad) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0, 1); err != nil {
		return nil, err
	}
	if in[0].Type != in[1].Type || !sameShape(in[0].Shape, in[1].Shape) {
		return nil, fmt.Errorf("the gradient is %v%v, the input %v%v", in[0].Type, in[0].Shape, in[1].Type, in[1].Shape)
	}
	if len(in[1].Shape) < 2 {
		return nil, errors.New("want an input of rank 2 or more")
	}
	return []Info{{Type: in[1].Type, Shape: in[1].Shape}}, nil
}

func (l lrnGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[1].Type == onnx.Double {
		lrnBackward[float64](rt, l.lrn, in, out[0])
	} else {
		lrnBackward[float32](rt, l.lrn, in, out[0])
	}
	return nil
}

// lrnBackward works through all channels of a stretch of positions at a time.
func lrnBackward[T float](rt *Runtime, l lrn, in []*onnx.Tensor, out *onnx.Tensor) {
	shape := in[1].Shape
	n, c, hw := shape[0], shape[1], prod(shape[2:])
	dy, x, dx := onnx.Data[T](in[0]), onnx.Data[T](in[1]), onnx.Data[T](out)
	blocks := (hw + foldBlock - 1) / foldBlock
	before, after := (l.size-1)/2, l.size/2
	alpha, bias := T(l.alpha/float64(l.size)), T(l.bias)
	factor := T(2 * l.alpha * l.beta / float64(l.size))
	power := make([]T, rt.Pool.Threads()*c*foldBlock)   // s^-beta
	through := make([]T, rt.Pool.Threads()*c*foldBlock) // dy*x*s^(-beta-1)
	rt.Pool.ForWorker(n*blocks, max(1, 1<<13/max(1, c*min(hw, foldBlock))), func(worker, lo, hi int) {
		var block [foldBlock]T
		power, through := power[worker*c*foldBlock:], through[worker*c*foldBlock:]
		for i := lo; i < hi; i++ {
			from := i % blocks * foldBlock
			sum := block[:min(foldBlock, hw-from)]
			w := len(sum)
			row := func(data []T, ch int) []T { return data[(i/blocks*c+ch)*hw+from:][:w] }
			for ch := range c {
				clear(sum)
				for k := max(ch-before, 0); k <= min(ch+after, c-1); k++ {
					for j, v := range row(x, k) {
						sum[j] += v * v
					}
				}
				up, own, pow, thr := row(dy, ch), row(x, ch), power[ch*w:][:w], through[ch*w:][:w]
				for j, v := range sum {
					sum[j] = bias + alpha*v
				}
				inversePower(pow, sum, l.beta)
				for j, v := range sum {
					thr[j] = up[j] * own[j] * pow[j] / v
				}
			}
			for ch := range c {
				clear(sum)
				for k := max(ch-after, 0); k <= min(ch+before, c-1); k++ {
					for j, v := range through[k*w:][:w] {
						sum[j] += v
					}
				}
				up, own, pow, to := row(dy, ch), row(x, ch), power[ch*w:][:w], row(dx, ch)
				for j, v := range sum {
					to[j] = up[j]*pow[j] - factor*own[j]*v
				}
			}
		}
	})
}

// inversePower computes y = x^-beta.
func inversePower[T float](y, x []T, beta float64) {
	y = y[:len(x)]
	switch beta {
	case 0.75:
		for i, v := range x {
			root := T(math.Sqrt(float64(v))) // in single precision where T is: that is faster
			y[i] = 1 / (root * T(math.Sqrt(float64(root))))
		}
	case 0.5:
		for i, v := range x {
			y[i] = 1 / T(math.Sqrt(float64(v)))
		}
	default:
		for i, v := range x {
			y[i] = T(math.Pow(float64(v), -beta))
		}
	}
}
