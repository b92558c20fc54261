package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Trilu", Since: 14, MinIn: 1, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return trilu{upper: s.Bool("upper", true)}, nil
	}})
}

// trilu keeps the upper or lower triangle of matrices and zeroes the rest. The second input shifts the diagonal, which
// belongs to the triangle: k places to the right.
type trilu struct{ upper bool }

func (trilu) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	if len(in[0].Shape) < 2 {
		return nil, fmt.Errorf("want rank 2 or more, got shape %v", in[0].Shape)
	}
	if !in[1].Absent() && (in[1].Type != onnx.Int64 || prod(in[1].Shape) != 1) {
		return nil, fmt.Errorf("k: want one int64, got %v%v", in[1].Type, in[1].Shape)
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (t trilu) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	shape := in[0].Shape
	rows, cols := shape[len(shape)-2], shape[len(shape)-1]
	k := 0
	if in[1] != nil {
		k = int(in[1].Int64s()[0])
	}
	k = min(max(k, -rows-1), cols+1) // no further shift changes anything
	zero := onnx.New(in[0].Type, 1)
	for r := range rows {
		// Columns [a,b) are kept.
		a, b := min(max(r+k, 0), cols), cols
		if !t.upper {
			a, b = 0, min(max(r+k+1, 0), cols)
		}
		copyColumns(rt, shape, r, a, b, out[0], in[0], true)
		copyColumns(rt, shape, r, 0, a, out[0], zero, false)
		copyColumns(rt, shape, r, b, cols, out[0], zero, false)
	}
	return nil
}

// copyColumns writes columns [a,b) of row r of every matrix: from the same place in src, or its only element.
func copyColumns(rt *Runtime, shape []int, r, a, b int, dst, src *onnx.Tensor, same bool) {
	cols := shape[len(shape)-1]
	size := shape[len(shape)-2] * cols
	block, to, from, off := []int{prod(shape[:len(shape)-2]), b - a}, []int{size, 1}, []int{0, 0}, 0
	if same {
		from, off = to, r*cols+a
	}
	copyStrided(rt, block, dst, r*cols+a, to, src, off, from)
}
