package op

import (
	"errors"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "GlobalAveragePool", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(*Spec) (Op, error) {
		return globalPool{kind: globalAverage}, nil
	}})
	register(Def{Type: "GlobalMaxPool", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(*Spec) (Op, error) {
		return globalPool{kind: globalMax}, nil
	}})
	register(Def{Type: "GlobalLpPool", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		p, err := s.normOrder()
		return globalPool{kind: globalLp, p: p}, err
	}})
}

type globalKind int

const (
	globalAverage globalKind = iota
	globalMax
	globalLp
)

// globalPool is the mean (GlobalAveragePool), the largest element (GlobalMaxPool) or the Lp norm (GlobalLpPool) of all
// spatial positions of each channel: [N, C, D1, D2, ...] becomes [N, C, 1, 1, ...].
type globalPool struct {
	kind globalKind
	p    float64 // order of the norm
}

func (g globalPool) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if len(in[0].Shape) < 2 {
		return nil, errors.New("want an input of rank 2 or more")
	}
	shape := append([]int{}, in[0].Shape...)
	for i := 2; i < len(shape); i++ {
		shape[i] = 1
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

func (g globalPool) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		globalPoolOf[float64](rt, g, in[0], out[0])
	} else {
		globalPoolOf[float32](rt, g, in[0], out[0])
	}
	return nil
}

func globalPoolOf[T float](rt *Runtime, g globalPool, in, out *onnx.Tensor) {
	planes := prod(in.Shape[:2])
	plan := planReduce([]int{planes, prod(in.Shape[2:])}, []bool{false, true})
	switch g.kind {
	case globalAverage:
		reduceFloats[T](rt, reduceMean, plan, in, out)
	case globalMax:
		reduceFloats[T](rt, reduceMax, plan, in, out)
	case globalLp:
		switch g.p {
		case 1:
			reduceFloats[T](rt, reduceL1, plan, in, out)
			return
		case 2:
			reduceFloats[T](rt, reduceL2, plan, in, out)
			return
		}
		x, y := onnx.Data[T](in), onnx.Data[T](out)
		runFold(rt, plan, fold[T, float64]{
			run: func(acc float64, x []T) float64 {
				for _, v := range x {
					acc += math.Pow(float64(magnitude(v)), g.p)
				}
				return acc
			},
			row: func(acc []float64, x []T) {
				for i, v := range x[:len(acc)] {
					acc[i] += math.Pow(float64(magnitude(v)), g.p)
				}
			},
			done: func(acc []float64, y []T) {
				for i, v := range acc {
					y[i] = T(rootOf(v, g.p))
				}
			},
		}, x, y)
	}
}
