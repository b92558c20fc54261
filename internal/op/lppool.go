package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "LpPool", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		p, err := s.normOrder()
		return lpPool{window: s.window(), p: p}, err
	}})
}

// normOrder reads the order of an Lp norm, which was a float attribute in opset 1. Orders below 1 are an error.
func (s *Spec) normOrder() (float64, error) {
	var p float64
	if a := s.Node.Attr("p"); s.Opset < 2 && (a == nil || a.Type == onnx.AttrFloat) {
		p = float64(s.Float("p", 2))
	} else {
		p = float64(s.Int("p", 2))
	}
	if !(p >= 1) || math.IsInf(p, 0) {
		return 0, fmt.Errorf(`attribute "p" is %v, want a norm of order 1 or more`, p)
	}
	return p, nil
}

// lpPool is the Lp norm (sum |x|^p)^(1/p) of each window that slides over one to three spatial axes.
type lpPool struct {
	window window
	p      float64
}

func (l lpPool) Infer(in []Info) ([]Info, error) {
	return averagePool{window: l.window}.Infer(in)
}

func (l lpPool) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	p, _, err := l.window.poolShape(in[0].Shape)
	if err != nil {
		return err
	}
	if in[0].Type == onnx.Double {
		lpPoolOf[float64](rt, l, &p, in[0], out[0])
	} else {
		lpPoolOf[float32](rt, l, &p, in[0], out[0])
	}
	return nil
}

func lpPoolOf[T float](rt *Runtime, l lpPool, p *poolShape, in, out *onnx.Tensor) {
	add := func(dst, acc, row []T) {
		acc, row = acc[:len(dst)], row[:len(dst)]
		switch l.p {
		case 1:
			for i, v := range row {
				dst[i] = acc[i] + magnitude(v)
			}
		case 2:
			for i, v := range row {
				dst[i] = acc[i] + v*v
			}
		default:
			for i, v := range row {
				dst[i] = acc[i] + T(math.Pow(float64(magnitude(v)), l.p))
			}
		}
	}
	load := func(acc, row []T) {
		clear(acc)
		add(acc, acc, row)
	}
	sum := plus[T]()
	rowPool(rt, p, onnx.Data[T](in), onnx.Data[T](out), 0, load, add, func(acc, room, y []T, _, _ int) {
		poolAlong(p, acc, room, y, 0, sum)
		for i, v := range y {
			y[i] = T(rootOf(float64(v), l.p))
		}
	})
}

// rootOf returns the p-th root.
func rootOf(v, p float64) float64 {
	switch p {
	case 1:
		return v
	case 2:
		return math.Sqrt(v)
	}
	return math.Pow(v, 1/p)
}
