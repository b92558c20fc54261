package op

import (
	"fmt"
	"sync"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Gemm", Since: 1, MinIn: 2, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		g := &gemm{
			alpha: s.Float("alpha", 1), beta: s.Float("beta", 1),
			transA: s.Bool("transA", false), transB: s.Bool("transB", false),
			old: s.Opset < 7, broadcast: true, warn: s.Warn,
		}
		if g.old {
			g.broadcast = s.Bool("broadcast", false)
		}
		return g, nil
	}})
}

// gemm is y = alpha*a'*b' + beta*c, where a' and b' are a and b or their transposes, and c is broadcast to y's shape.
//
// Files of opset 1 to 6 are read leniently, with a warning: an input a of rank above 2 is taken as a matrix with the
// first dimension as rows, and c is broadcast although the attribute broadcast is not set.
type gemm struct {
	alpha, beta    float32
	transA, transB bool
	old, broadcast bool
	warn           func(string, ...any)
	flat, spread   sync.Once // each leniency is told of once
}

// matrices returns the sizes of y = [m,n] and of the sums, k.
func (g *gemm) matrices(a, b []int) (m, n, k int, err error) {
	if len(a) > 2 && g.old {
		a = []int{a[0], prod(a[1:])}
		g.flat.Do(func() { g.warn("the first input is not a matrix; it is taken as one of %v", a) })
	}
	if len(a) != 2 || len(b) != 2 {
		return 0, 0, 0, fmt.Errorf("inputs %v and %v: want matrices", a, b)
	}
	m, k = a[0], a[1]
	if g.transA {
		m, k = k, m
	}
	kb, n := b[0], b[1]
	if g.transB {
		kb, n = n, kb
	}
	if k != kb {
		return 0, 0, 0, fmt.Errorf("inputs %v (transA=%v) and %v (transB=%v): inner sizes %d and %d differ", a, g.transA, b, g.transB, k, kb)
	}
	return m, n, k, nil
}

func (g *gemm) Infer(in []Info) ([]Info, error) {
	typ := in[0].Type
	switch typ {
	case onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64:
	default:
		return nil, fmt.Errorf("input of type %v is not supported", typ)
	}
	for i, v := range in {
		if i < 2 && v.Absent() {
			return nil, fmt.Errorf("input %d is absent", i)
		}
		if !v.Absent() && v.Type != typ {
			return nil, fmt.Errorf("input %d is of type %v, input 0 of %v", i, v.Type, typ)
		}
	}
	m, n, _, err := g.matrices(in[0].Shape, in[1].Shape)
	if err != nil {
		return nil, err
	}
	shape := []int{m, n}
	if err := checkSize(shape); err != nil {
		return nil, err
	}
	if c := in[2]; !c.Absent() {
		if _, _, err := addend(c.Shape, m, n); err != nil {
			return nil, err
		}
		if !g.broadcast && !sameShape(c.Shape, shape) {
			g.spread.Do(func() { g.warn("input C %v is broadcast to %v although broadcast is not set", c.Shape, shape) })
		}
	}
	return []Info{{Type: typ, Shape: shape}}, nil
}

// addend returns the distances of c's elements along the rows and columns of an [m,n] matrix that it is broadcast to.
func addend(c []int, m, n int) (row, col int, err error) {
	wrong := fmt.Errorf("input C %v cannot be broadcast to [%d %d]", c, m, n)
	if len(c) > 2 {
		return 0, 0, wrong
	}
	if len(c) > 0 {
		switch last := c[len(c)-1]; {
		case last == n:
			col = 1
		case last != 1:
			return 0, 0, wrong
		}
	}
	if len(c) == 2 {
		switch c[0] {
		case m:
			row = c[1]
		case 1:
		default:
			return 0, 0, wrong
		}
	}
	return row, col, nil
}

func (g *gemm) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	m, n, k, err := g.matrices(in[0].Shape, in[1].Shape)
	if err != nil {
		return err
	}
	switch in[0].Type {
	case onnx.Float:
		g.float(rt, in, out[0], m, n, k)
	case onnx.Double:
		gemmOf[float64](rt, g, in, out[0], m, n, k)
	case onnx.Int32:
		gemmOf[int32](rt, g, in, out[0], m, n, k)
	case onnx.Int64:
		gemmOf[int64](rt, g, in, out[0], m, n, k)
	case onnx.Uint32:
		gemmOf[uint32](rt, g, in, out[0], m, n, k)
	case onnx.Uint64:
		gemmOf[uint64](rt, g, in, out[0], m, n, k)
	}
	return nil
}

// matrixSteps returns the distances of the elements of a' or b' along rows and columns, for a matrix of that width.
func matrixSteps(width int, trans bool) (row, col int) {
	if trans {
		return 1, width
	}
	return width, 1
}

// widths returns the row lengths of a and b as they are stored.
func (g *gemm) widths(m, n, k int) (a, b int) {
	a, b = k, n
	if g.transA {
		a = m
	}
	if g.transB {
		b = k
	}
	return a, b
}

func (g *gemm) float(rt *Runtime, in []*onnx.Tensor, out *onnx.Tensor, m, n, k int) {
	wa, wb := g.widths(m, n, k)
	a, b := kernel.Matrix{Data: in[0].Float32s()}, kernel.Matrix{Data: in[1].Float32s()}
	a.Row, a.Col = matrixSteps(wa, g.transA)
	b.Row, b.Col = matrixSteps(wb, g.transB)
	o := kernel.Output{C: out.Float32s(), LD: n, Cols: n, Image: m * n}
	var ep kernel.Epilogue
	if c := in[2]; c != nil && g.beta != 0 && m > 0 && n > 0 {
		v := c.Float32s()
		if g.beta != 1 {
			scaled := rt.Scratch(len(v))
			for i, x := range v {
				scaled[i] = g.beta * x
			}
			v = scaled
		}
		switch row, col, _ := addend(c.Shape, m, n); {
		case row > 0 && col > 0:
			o.Res = v
		case col > 0:
			ep.ColBias = v
		case row > 0:
			ep.RowBias = v
		default:
			ep.RowBias = rt.Scratch(m)
			for i := range ep.RowBias {
				ep.RowBias[i] = v[0]
			}
		}
	}
	kernel.Default().Gemm(rt.Pool, rt.Scratch, m, n, k, g.alpha, a, b, &o, &ep)
}

// gemmOf is gemm for the types without kernels.
func gemmOf[T matmulNumber](rt *Runtime, g *gemm, in []*onnx.Tensor, out *onnx.Tensor, m, n, k int) {
	wa, wb := g.widths(m, n, k)
	ra, ca := matrixSteps(wa, g.transA)
	rb, cb := matrixSteps(wb, g.transB)
	a, b, y := onnx.Data[T](in[0]), onnx.Data[T](in[1]), onnx.Data[T](out)
	matmulOf(rt, matrixOf[T]{a, ra, ca}, matrixOf[T]{b, rb, cb}, y, m, n, k)
	var c []T
	var row, col int
	if in[2] != nil {
		c = onnx.Data[T](in[2])
		row, col, _ = addend(in[2].Shape, m, n)
	}
	if c == nil && g.alpha == 1 {
		return
	}
	for i := range m {
		for j := range n {
			v := scaleBy(y[i*n+j], g.alpha)
			if c != nil {
				v += scaleBy(c[i*row+j*col], g.beta)
			}
			y[i*n+j] = v
		}
	}
}

// scaleBy is f*v; 1 leaves integers above 2^53 exact.
func scaleBy[T matmulNumber](v T, f float32) T {
	if f == 1 {
		return v
	}
	return T(float64(f) * float64(v))
}
