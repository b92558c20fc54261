package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "LRN", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		l := lrn{
			size: s.Int("size", 0), alpha: float64(s.Float("alpha", 1e-4)),
			beta: float64(s.Float("beta", 0.75)), bias: float64(s.Float("bias", 1)),
		}
		if l.size < 1 {
			return nil, fmt.Errorf(`attribute "size" is %d, want 1 or more`, l.size)
		}
		return l, nil
	}})
}

// lrn is local response normalisation across channels: y = x / (bias + alpha/size * sum)^beta, where the sum is of x^2
// over the channels c-floor((size-1)/2) to c+ceil((size-1)/2) that exist.
type lrn struct {
	size              int
	alpha, beta, bias float64
}

func (l lrn) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if len(in[0].Shape) < 2 {
		return nil, errors.New("want an input of rank 2 or more")
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (l lrn) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	shape := in[0].Shape
	n, c, hw := shape[0], shape[1], prod(shape[2:])
	if in[0].Type == onnx.Double {
		lrnOf(rt, l, n, c, hw, onnx.Data[float64](in[0]), onnx.Data[float64](out[0]))
	} else {
		lrnOf(rt, l, n, c, hw, onnx.Data[float32](in[0]), onnx.Data[float32](out[0]))
	}
	return nil
}

func lrnOf[T float](rt *Runtime, l lrn, n, c, hw int, x, y []T) {
	blocks := (hw + foldBlock - 1) / foldBlock
	before, after := (l.size-1)/2, l.size/2
	alpha, bias := T(l.alpha/float64(l.size)), T(l.bias)
	rt.Pool.For(n*c*blocks, max(1, 1<<13/min(max(hw, 1), foldBlock)), func(lo, hi int) {
		var block [foldBlock]T
		for i := lo; i < hi; i++ {
			from := i % blocks * foldBlock
			plane := i / blocks
			ch := plane % c
			sum := block[:min(foldBlock, hw-from)]
			clear(sum)
			for k := max(ch-before, 0); k <= min(ch+after, c-1); k++ {
				row := x[(plane-ch+k)*hw+from:][:len(sum)]
				for j, v := range row {
					sum[j] += v * v
				}
			}
			at := plane*hw + from
			row, to := x[at:][:len(sum)], y[at:][:len(sum)]
			switch l.beta {
			case 0.75:
				for j, v := range row {
					root := math.Sqrt(float64(bias + alpha*sum[j]))
					to[j] = v / T(root*math.Sqrt(root))
				}
			case 0.5:
				for j, v := range row {
					to[j] = v / T(math.Sqrt(float64(bias+alpha*sum[j])))
				}
			default:
				for j, v := range row {
					to[j] = v / T(math.Pow(float64(bias+alpha*sum[j]), l.beta))
				}
			}
		}
	})
}
