package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "LpNormalization", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		p := s.Int("p", 2)
		if p != 1 && p != 2 {
			return nil, fmt.Errorf(`attribute "p" is %d, want 1 or 2`, p)
		}
		return lpNormalization{axis: s.Int("axis", -1), p: p}, nil
	}})
}

// lpNormalization divides x by the L1 or L2 norm of the elements along the axis; where that is 0 the result is 0.
type lpNormalization struct{ axis, p int }

func (l lpNormalization) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if _, err := normAxis(l.axis, len(in[0].Shape)); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (l lpNormalization) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		lpNormalize[float64](rt, l, in[0], out[0])
	} else {
		lpNormalize[float32](rt, l, in[0], out[0])
	}
	return nil
}

func lpNormalize[T float](rt *Runtime, l lpNormalization, in, out *onnx.Tensor) {
	axis := l.axis
	if axis < 0 {
		axis += len(in.Shape)
	}
	outer, n, inner := outerInner(in.Shape, axis)
	norms := onnx.New(in.Type, outer, inner)
	kind := reduceL2
	if l.p == 1 {
		kind = reduceL1
	}
	reduceFloats[T](rt, kind, planReduce([]int{outer, n, inner}, []bool{false, true, false}), in, norms)
	x, y, norm := onnx.Data[T](in), onnx.Data[T](out), onnx.Data[T](norms)
	rt.Pool.For(outer*n, max(1, 1<<14/max(inner, 1)), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			to, by := y[r*inner:][:inner], norm[r/n*inner:][:inner]
			for i, v := range x[r*inner:][:inner] {
				if by[i] == 0 {
					to[i] = 0
				} else {
					to[i] = v / by[i]
				}
			}
		}
	})
}
