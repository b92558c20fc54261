package op

import (
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "LpPoolGrad", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		g := lpPoolGrad{window: s.window(), p: float64(s.Float("order", 2))}
		if !(g.p >= 1) || math.IsInf(g.p, 0) {
			return nil, gradientError("a norm of an order below 1")
		}
		return g, nil
	}})
	registerGrad("", "LpPool", func(g *Grad) error {
		p, err := g.normOrder()
		if err != nil {
			return err
		}
		attrs := append(g.windowAttrs(), Attr("order", float32(p)))
		g.setIfWanted(0, func() string {
			return g.AddInternal("LpPoolGrad", 1, []string{g.Up[0], g.Input(0), g.Output(0)}, attrs...)[0]
		})
		return nil
	})
	registerGrad("", "GlobalLpPool", func(g *Grad) error {
		p, err := g.normOrder()
		if err != nil {
			return err
		}
		g.setIfWanted(0, func() string { return g.globalPoolGrad("LpPoolGrad", Attr("order", float32(p))) })
		return nil
	})
}

// lpPoolGrad is the gradient of LpPool: dy * sign(x) * (|x|/y)^(p-1) for each window that x is in. Where the norm y is
// 0 it is 0. Inputs are the gradient of the output, the input and the output of the pool.
type lpPoolGrad struct {
	window window
	p      float64
}

func (l lpPoolGrad) Infer(in []Info) ([]Info, error) { return inferPoolGrad(l.window, in) }

func (l lpPoolGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	p, _, err := l.window.poolShape(in[1].Shape)
	if err != nil {
		return err
	}
	if in[1].Type == onnx.Double {
		lpPoolBackward(rt, l.p, &p, onnx.Data[float64](in[0]), onnx.Data[float64](in[1]), onnx.Data[float64](in[2]), onnx.Data[float64](out[0]))
	} else {
		lpPoolBackward(rt, l.p, &p, in[0].Float32s(), in[1].Float32s(), in[2].Float32s(), out[0].Float32s())
	}
	return nil
}

func lpPoolBackward[T float](rt *Runtime, order float64, p *poolShape, dy, x, y, dx []T) {
	spreadWindows(rt, p, dx, func(share []T, at, _, _ int) {
		norm := y[at:][:len(share)]
		for i, d := range dy[at:][:len(share)] {
			switch n := norm[i]; {
			case n == 0:
				share[i] = 0
			case order == 1:
				share[i] = d
			case order == 2:
				share[i] = d / n
			default:
				share[i] = d / T(math.Pow(float64(n), order-1))
			}
		}
	})
	rt.Pool.For(len(dx), 1<<14, func(lo, hi int) {
		to := dx[lo:hi]
		for i, v := range x[lo:hi] {
			switch {
			case order == 2:
				to[i] *= v
			case v == 0:
				to[i] = 0
			default:
				f := T(1)
				if order != 1 {
					f = T(math.Pow(float64(magnitude(v)), order-1))
				}
				if v < 0 {
					f = -f
				}
				to[i] *= f
			}
		}
	})
}
