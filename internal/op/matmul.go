package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "MatMul", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return matmul{}, nil
	}})
}

// matmul is the matrix product with numpy's rules: dimensions before the last two are broadcast, and an operand of rank
// 1 is a row on the left, a column on the right, whose dimension the result does not have.
type matmul struct{}

// matmulShape is a product of matrices [m,k] and [k,n] over broadcast dimensions batch.
type matmulShape struct {
	m, n, k      int
	batch        []int
	batchA       []int // dimensions of a before the last two
	batchB       []int
	lineA, lineB bool // a, b has rank 1
}

func newMatmulShape(a, b []int) (*matmulShape, error) {
	if len(a) == 0 || len(b) == 0 {
		return nil, fmt.Errorf("inputs %v and %v: want rank 1 or more", a, b)
	}
	s := &matmulShape{lineA: len(a) == 1, lineB: len(b) == 1}
	if s.lineA {
		a = []int{1, a[0]}
	}
	if s.lineB {
		b = []int{b[0], 1}
	}
	s.m, s.k, s.n = a[len(a)-2], a[len(a)-1], b[len(b)-1]
	if kb := b[len(b)-2]; s.k != kb {
		return nil, fmt.Errorf("inputs %v and %v: inner sizes %d and %d differ", a, b, s.k, kb)
	}
	s.batchA, s.batchB = a[:len(a)-2], b[:len(b)-2]
	var err error
	s.batch, err = broadcastShape(s.batchA, s.batchB)
	return s, err
}

// out returns the shape of the result.
func (s *matmulShape) out() []int {
	shape := append([]int{}, s.batch...)
	if !s.lineA {
		shape = append(shape, s.m)
	}
	if !s.lineB {
		shape = append(shape, s.n)
	}
	return shape
}

func (matmul) Infer(in []Info) ([]Info, error) {
	switch in[0].Type {
	case onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64:
	default:
		return nil, fmt.Errorf("input of type %v is not supported", in[0].Type)
	}
	if in[1].Type != in[0].Type {
		return nil, fmt.Errorf("inputs are of types %v and %v, want the same", in[0].Type, in[1].Type)
	}
	s, err := newMatmulShape(in[0].Shape, in[1].Shape)
	if err != nil {
		return nil, err
	}
	shape := s.out()
	return []Info{{Type: in[0].Type, Shape: shape}}, checkSize(shape)
}

func (matmul) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	s, err := newMatmulShape(in[0].Shape, in[1].Shape)
	if err != nil {
		return err
	}
	switch in[0].Type {
	case onnx.Float:
		a, b, y := in[0].Float32s(), in[1].Float32s(), out[0].Float32s()
		t := kernel.Default()
		count, m, at := s.products()
		return rt.apart(count, mulSat(m, mulSat(s.n, s.k)), func(rt *Runtime, i int) {
			offA, offB, offY := at(i)
			t.Gemm(rt.Pool, rt.Scratch, m, s.n, s.k, 1,
				kernel.Matrix{Data: a[offA:], Row: s.k, Col: 1}, kernel.Matrix{Data: b[offB:], Row: s.n, Col: 1},
				&kernel.Output{C: y[offY:], LD: s.n, Cols: s.n}, &kernel.Epilogue{})
		})
	case onnx.Double:
		matmulAll[float64](rt, s, in, out[0])
	case onnx.Int32:
		matmulAll[int32](rt, s, in, out[0])
	case onnx.Int64:
		matmulAll[int64](rt, s, in, out[0])
	case onnx.Uint32:
		matmulAll[uint32](rt, s, in, out[0])
	case onnx.Uint64:
		matmulAll[uint64](rt, s, in, out[0])
	}
	return nil
}

// products returns how many products of two matrices there are, the rows of each, and a function that tells where the
// operands and the result of product i start. Where b is one matrix for all, the matrices of a are taken as one tall matrix.
func (s *matmulShape) products() (n, m int, at func(i int) (a, b, y int)) {
	n = prod(s.batch)
	if n == 0 || s.m == 0 || s.n == 0 {
		return 0, 0, nil
	}
	if prod(s.batchB) == 1 && prod(s.batchA) == n {
		return 1, n * s.m, func(int) (a, b, y int) { return 0, 0, 0 }
	}
	stepA, stepB := matmulSteps(s.batchA, s.batch), matmulSteps(s.batchB, s.batch)
	return n, s.m, func(i int) (a, b, y int) {
		for d, left := len(s.batch)-1, i; d >= 0; d-- {
			a += left % s.batch[d] * stepA[d]
			b += left % s.batch[d] * stepB[d]
			left /= s.batch[d]
		}
		return a * s.m * s.k, b * s.k * s.n, i * s.m * s.n
	}
}

// matmulSteps returns the distances between neighbours along each dimension of shape to, for a value of shape from that is
// broadcast to it: 0 along dimensions that stretch.
func matmulSteps(from, to []int) []int {
	steps := make([]int, len(to))
	off := len(to) - len(from)
	for i, step := range rowMajor(from) {
		if from[i] != 1 {
			steps[off+i] = step
		}
	}
	return steps
}

// matmulNumber lists the types that the specification has products of, without half precision.
type matmulNumber interface {
	float32 | float64 | int32 | int64 | uint32 | uint64
}

// matrixOf is a view of a slice: element (i,j) is data[i*row+j*col].
type matrixOf[T matmulNumber] struct {
	data     []T
	row, col int
}

func matmulAll[T matmulNumber](rt *Runtime, s *matmulShape, in []*onnx.Tensor, out *onnx.Tensor) {
	a, b, y := onnx.Data[T](in[0]), onnx.Data[T](in[1]), onnx.Data[T](out)
	count, m, at := s.products()
	for i := range count {
		offA, offB, offY := at(i)
		matmulOf(rt, matrixOf[T]{a[offA:], s.k, 1}, matrixOf[T]{b[offB:], s.n, 1}, y[offY:], m, s.n, s.k)
	}
}

// matmulOf computes y = a*b, row by row, for the types without kernels.
func matmulOf[T matmulNumber](rt *Runtime, a, b matrixOf[T], y []T, m, n, k int) {
	rt.Pool.For(m, max(1, 1<<14/max(1, n*k)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := y[i*n:][:n]
			clear(row)
			for l := range k {
				v := a.data[i*a.row+l*a.col]
				from := b.data[l*b.row:]
				for j := range row {
					row[j] += v * from[j*b.col]
				}
			}
		}
	})
}
