package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Det", Since: 11, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(*Spec) (Op, error) { return det{}, nil }})
}

// det is the determinant of each of the square matrices [..., M, M], computed in double precision.
type det struct{}

func (det) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	n := len(in[0].Shape)
	if n < 2 || in[0].Shape[n-1] != in[0].Shape[n-2] {
		return nil, fmt.Errorf("input of shape %v: want square matrices", in[0].Shape)
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape[:n-2]}}, nil
}

func (det) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		detOf(rt, in[0].Shape, onnx.Data[float64](in[0]), onnx.Data[float64](out[0]))
	} else {
		detOf(rt, in[0].Shape, in[0].Float32s(), out[0].Float32s())
	}
	return nil
}

func detOf[T float](rt *Runtime, shape []int, x, y []T) {
	n := shape[len(shape)-1]
	rt.Pool.For(len(y), max(1, moveGrain/max(1, mulSat(n, mulSat(n, n)))), func(lo, hi int) {
		a := make([]float64, n*n)
		for i := lo; i < hi; i++ {
			for k, v := range x[i*n*n:][:n*n] {
				a[k] = float64(v)
			}
			y[i] = T(determinant(a, n))
		}
	})
}

// determinant is that of the matrix a of n rows, which it writes over: Gaussian elimination, each time by the row with
// the largest element in the column.
func determinant(a []float64, n int) float64 {
	d := 1.0
	for c := range n {
		best := c
		for r := c + 1; r < n; r++ {
			if math.Abs(a[r*n+c]) > math.Abs(a[best*n+c]) {
				best = r
			}
		}
		if best != c {
			d = -d
			for k := c; k < n; k++ {
				a[c*n+k], a[best*n+k] = a[best*n+k], a[c*n+k]
			}
		}
		pivot := a[c*n+c]
		d *= pivot
		if pivot == 0 {
			return 0
		}
		for r := c + 1; r < n; r++ {
			f := a[r*n+c] / pivot
			for k := c + 1; k < n; k++ {
				a[r*n+k] -= f * a[c*n+k]
			}
		}
	}
	return d
}
