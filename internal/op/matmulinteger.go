package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "MatMulInteger", Since: 10, MinIn: 2, MaxIn: 4, MaxOut: 1,
		New: func(*Spec) (Op, error) { return matmulInteger{}, nil }})
	register(Def{Type: "QLinearMatMul", Since: 10, MinIn: 8, MaxIn: 8, MaxOut: 1, Half: true,
		New: func(*Spec) (Op, error) { return qlinearMatMul{}, nil }})
}

// matmulInteger is the int32 matrix product of two matrices of 8-bit numbers, each less its zero point: one for all, or
// one for each row of the first and each column of the second. Shapes follow MatMul.
type matmulInteger struct{}

func (matmulInteger) Infer(in []Info) ([]Info, error) {
	shape, err := integerMatMulShape(in[0], in[1], in[2], in[3])
	return []Info{{Type: onnx.Int32, Shape: shape}}, err
}

// integerMatMulShape checks operands and their zero points, which may be absent, and returns the product's shape.
func integerMatMulShape(a, b, zeroA, zeroB Info) ([]int, error) {
	for i, v := range []Info{a, b} {
		if !is8Bit(v.Type) {
			return nil, fmt.Errorf("operand %c is of type %v, want int8 or uint8", 'a'+i, v.Type)
		}
	}
	if err := wantZero("zero point of a", zeroA, a.Type); err != nil {
		return nil, err
	}
	if err := wantZero("zero point of b", zeroB, b.Type); err != nil {
		return nil, err
	}
	s, err := newMatmulShape(a.Shape, b.Shape)
	if err != nil {
		return nil, err
	}
	if _, err := alongRows(a.Shape, zeroA.Shape); err != nil {
		return nil, fmt.Errorf("zero point of a: %w", err)
	}
	if _, err := alongColumns(b.Shape, zeroB.Shape); err != nil {
		return nil, fmt.Errorf("zero point of b: %w", err)
	}
	shape := s.out()
	return shape, checkSize(shape)
}

// alongRows returns the shape in which values, one for all or one for each row, are broadcast to a matrix.
func alongRows(matrix, values []int) ([]int, error) {
	if prod(values) == 1 {
		return nil, nil
	}
	if n := len(matrix); n >= 2 && len(values) == 1 && values[0] == matrix[n-2] {
		return []int{values[0], 1}, nil
	}
	return alongMatrix(matrix, values, -1)
}

// alongColumns is alongRows for columns.
func alongColumns(matrix, values []int) ([]int, error) {
	if prod(values) == 1 {
		return nil, nil
	}
	return alongMatrix(matrix, values, -2)
}

// alongMatrix accepts values that broadcast to a matrix and are the same along the given of its last dimensions.
func alongMatrix(matrix, values []int, equal int) ([]int, error) {
	out, err := broadcastShape(matrix, values)
	if err != nil || !sameShape(out, matrix) || len(values) >= -equal && values[len(values)+equal] != 1 {
		return nil, fmt.Errorf("shape %v does not fit a matrix of shape %v", values, matrix)
	}
	return values, nil
}

func (matmulInteger) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	return integerMatMul(rt, in[0], in[1], in[2], in[3], onnx.Data[int32](out[0]))
}

func integerMatMul(rt *Runtime, a, b, zeroA, zeroB *onnx.Tensor, y []int32) error {
	s, err := newMatmulShape(a.Shape, b.Shape)
	if err != nil {
		return err
	}
	var shapeA, shapeB []int
	if zeroA != nil {
		if shapeA, err = alongRows(a.Shape, zeroA.Shape); err != nil {
			return err
		}
	}
	if zeroB != nil {
		if shapeB, err = alongColumns(b.Shape, zeroB.Shape); err != nil {
			return err
		}
	}
	as, bs := rt.Scratch(a.Len()), rt.Scratch(b.Len())
	centred(rt, as, a, zeroA, shapeA)
	centred(rt, bs, b, zeroB, shapeB)
	count, m, at := s.products()
	for i := range count {
		offA, offB, offY := at(i)
		integerProduct(rt, m, s.n, s.k, kernel.Matrix{Data: as[offA:], Row: s.k, Col: 1},
			kernel.Matrix{Data: bs[offB:], Row: s.n, Col: 1}, y[offY:], s.n)
	}
	return nil
}

// qlinearMatMul is the matrix product of quantised matrices, quantised: y = saturate(round(sum*sa*sb/sy) + zero point
// of y), the sum being that of MatMulInteger. Scales are one for all, or one for each row of a and each column of b.
type qlinearMatMul struct{}

// Inputs of QLinearMatMul.
const (
	qmmA = iota
	qmmScaleA
	qmmZeroA
	qmmB
	qmmScaleB
	qmmZeroB
	qmmScaleY
	qmmZeroY
)

func (qlinearMatMul) Infer(in []Info) ([]Info, error) {
	for i, v := range in {
		if v.Absent() {
			return nil, fmt.Errorf("input %d is left out", i)
		}
	}
	shape, err := integerMatMulShape(in[qmmA], in[qmmB], in[qmmZeroA], in[qmmZeroB])
	if err != nil {
		return nil, err
	}
	for _, i := range []int{qmmScaleA, qmmScaleB, qmmScaleY} {
		switch in[i].Type {
		case onnx.Float, onnx.Float16, onnx.BFloat16:
		default:
			return nil, typeError(i, in[i].Type)
		}
	}
	if !is8Bit(in[qmmZeroY].Type) {
		return nil, typeError(qmmZeroY, in[qmmZeroY].Type)
	}
	if err := errors.Join(wantScalar("scale of y", in[qmmScaleY]), wantScalar("zero point of y", in[qmmZeroY])); err != nil {
		return nil, err
	}
	if _, err := alongRows(in[qmmA].Shape, in[qmmScaleA].Shape); err != nil {
		return nil, fmt.Errorf("scale of a: %w", err)
	}
	if _, err := alongColumns(in[qmmB].Shape, in[qmmScaleB].Shape); err != nil {
		return nil, fmt.Errorf("scale of b: %w", err)
	}
	// Scales that differ from matrix to matrix need a matrix of a for each one of the result.
	s, err := newMatmulShape(in[qmmA].Shape, in[qmmB].Shape)
	if err != nil {
		return nil, err
	}
	if n := prod(in[qmmScaleA].Shape); n != 1 && n != s.m && n != s.m*prod(s.batch) {
		return nil, fmt.Errorf("scale of a has shape %v, want one or one for each row", in[qmmScaleA].Shape)
	}
	if n := prod(in[qmmScaleB].Shape); n != 1 && n != s.n {
		return nil, fmt.Errorf("scale of b has shape %v, want one or one for each column", in[qmmScaleB].Shape)
	}
	return []Info{{Type: in[qmmZeroY].Type, Shape: shape}}, nil
}

func (qlinearMatMul) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	y := out[0]
	s, err := newMatmulShape(in[qmmA].Shape, in[qmmB].Shape)
	if err != nil {
		return err
	}
	sums := make([]int32, y.Len())
	if err := integerMatMul(rt, in[qmmA], in[qmmB], in[qmmZeroA], in[qmmZeroB], sums); err != nil {
		return err
	}
	q := requantise{}
	var scale [3][]float32
	for i, k := range []int{qmmScaleA, qmmScaleB, qmmScaleY} {
		f, err := converted(rt, in[k], onnx.Float)
		if err != nil {
			return err
		}
		scale[i] = f.Float32s()
	}
	q.row = make([]float32, len(scale[0]))
	for i, v := range scale[0] {
		q.row[i] = v / scale[2][0]
	}
	q.col, q.zero = scale[1], zeroOf(in[qmmZeroY])
	q.run(rt, sums, s.n, y)
	return nil
}

// zeroOf returns an 8-bit zero point of one element.
func zeroOf(t *onnx.Tensor) float32 {
	if t.Type == onnx.Int8 {
		return float32(onnx.Data[int8](t)[0])
	}
	return float32(t.Raw[0])
}
