package op

import "github.com/onnxcnn/onnxcnn/onnx"

func init() {
	registerGrad("", "Gemm", gemmGradient)
	registerGrad("", "MatMul", matmulGradient)
}

// gemmGradient is the gradient of y = alpha*a'*b' + beta*c: da' = alpha*dy*b'^T and db' = alpha*a'^T*dy, transposed
// where a and b are, and dc is beta*dy, summed to c's shape.
func gemmGradient(g *Grad) error {
	alpha, beta := g.Float("alpha", 1), g.Float("beta", 1)
	transA, transB := g.Bool("transA", false), g.Bool("transB", false)
	up := g.Up[0]
	add := func(a, b string, transA, transB bool) string {
		flag := map[bool]int{true: 1}
		return g.Add("Gemm", []string{a, b}, Attr("alpha", alpha), Attr("transA", flag[transA]), Attr("transB", flag[transB]))
	}
	a := g.Input(0)
	flat := len(g.In[0].Shape) > 2 // old files: the first dimension is the rows
	if flat {
		a = g.Reshape(a, []int{g.In[0].Shape[0], prod(g.In[0].Shape[1:])})
	}
	if g.Wanted(0) {
		d := ""
		if transA {
			d = add(g.Input(1), up, transB, true)
		} else {
			d = add(up, g.Input(1), false, !transB)
		}
		if flat {
			d = g.Reshape(d, g.In[0].Shape)
		}
		g.Set(0, d)
	}
	if g.Wanted(1) {
		if transB {
			g.Set(1, add(up, a, true, transA))
		} else {
			g.Set(1, add(a, up, !transA, false))
		}
	}
	if g.Wanted(2) {
		d, shape := up, g.In[2].Shape
		if n := g.Out[0].Shape[1]; sameShape(shape, []int{n}) {
			d = g.AddInternal("ChannelSum", 1, []string{up})[0]
		} else {
			d = g.SumTo(d, g.Out[0].Shape, shape)
		}
		if beta != 1 {
			d = g.Add("Mul", []string{d, g.Scalar(float64(beta))})
		}
		g.Set(2, d)
	}
	return nil
}

// matmulGradient is the gradient of MatMul: da = dy*b^T and db = a^T*dy, over the same batch, summed where an operand
// was broadcast.
func matmulGradient(g *Grad) error {
	s, err := newMatmulShape(g.In[0].Shape, g.In[1].Shape)
	if err != nil {
		return err
	}
	// Operands and result as stacks of matrices, without the shortcuts of rank 1.
	shapeA := append(append([]int{}, s.batchA...), s.m, s.k)
	shapeB := append(append([]int{}, s.batchB...), s.k, s.n)
	shapeY := append(append([]int{}, s.batch...), s.m, s.n)
	as := func(value string, from, to []int) string {
		if sameShape(from, to) {
			return value
		}
		return g.Reshape(value, to)
	}
	a, b := as(g.Input(0), g.In[0].Shape, shapeA), as(g.Input(1), g.In[1].Shape, shapeB)
	up := as(g.Up[0], g.Out[0].Shape, shapeY)
	if len(s.batch) == 0 || prod(s.batchB) == 1 && prod(s.batchA) == prod(s.batch) {
		// One matrix on the right for all on the left: two products of two matrices.
		rows := prod(s.batch) * s.m
		a, b, up = as(a, shapeA, []int{rows, s.k}), as(b, shapeB, []int{s.k, s.n}), as(up, shapeY, []int{rows, s.n})
		if g.Wanted(0) {
			d := g.Add("Gemm", []string{up, b}, Attr("transB", 1))
			g.Set(0, as(d, []int{rows, s.k}, g.In[0].Shape))
		}
		if g.Wanted(1) {
			d := g.Add("Gemm", []string{a, up}, Attr("transA", 1))
			g.Set(1, as(d, []int{s.k, s.n}, g.In[1].Shape))
		}
		return nil
	}
	if g.Wanted(0) {
		full := append(append([]int{}, s.batch...), s.m, s.k)
		d := g.Add("MatMul", []string{up, g.Add("Transpose", []string{b}, swapLast(len(shapeB)))})
		g.Set(0, as(g.SumTo(d, full, shapeA), shapeA, g.In[0].Shape))
	}
	if g.Wanted(1) {
		full := append(append([]int{}, s.batch...), s.k, s.n)
		d := g.Add("MatMul", []string{g.Add("Transpose", []string{a}, swapLast(len(shapeA))), up})
		g.Set(1, as(g.SumTo(d, full, shapeB), shapeB, g.In[1].Shape))
	}
	return nil
}

// swapLast is Transpose's attribute perm that exchanges the last two of that many dimensions.
func swapLast(rank int) *onnx.Attribute {
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = i
	}
	perm[rank-2], perm[rank-1] = rank-1, rank-2
	return Attr("perm", perm)
}
