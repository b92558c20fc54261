// Package conv computes convolutions with the kernels of package kernel: which algorithm suits a shape, how weights
// are packed for it, and the algorithms themselves.
//
// Tensors are in NCHW order (any number of spatial axes), weights in ONNX's order [M, C/groups, kernel...].
package conv

import (
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// Shape describes a convolution. The lists have one entry a spatial axis.
type Shape struct {
	N, C, M  int // images, input channels, output channels
	Groups   int
	In, Out  []int // spatial sizes
	Kernel   []int
	Stride   []int
	Dilation []int
	Pad      []int // zeros before each axis; those after follow from Out
}

// MultAdds returns the number of multiply-adds.
func (s *Shape) MultAdds() int { return s.N * s.M * size(s.Out) * (s.C / s.Groups) * size(s.Kernel) }

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Algorithm is a way to compute a convolution.
type Algorithm int

// The algorithms.
const (
	Direct    Algorithm = iota // plain loops, for what the others do not cover
	GEMM                       // a matrix product whose right operand is packed straight from the input
	Pointwise                  // GEMM with a 1x1 kernel: the input is the right operand
	Depthwise                  // one input channel a group, row by row
)

// String names the algorithm.
func (a Algorithm) String() string {
	return [...]string{"direct", "gemm", "pointwise", "depthwise"}[a]
}

// Choose is the cost model: it returns the algorithm that is fastest for a shape.
func Choose(s *Shape) Algorithm {
	rank := len(s.In)
	perGroup := s.C / max(s.Groups, 1)
	switch {
	case rank > axes, perGroup == 0, tooFar(s):
		return Direct
	case perGroup == 1 && s.M/s.Groups <= depthwiseMultiplier:
		return Depthwise
	case isPointwise(s):
		return Pointwise
	}
	return GEMM
}

// depthwiseMultiplier is how many outputs of one input channel are still computed apart: with more of them a product
// of matrices reuses the packed input often enough.
const depthwiseMultiplier = 8

// tooFar reports whether elements of one panel may lie further apart than 32-bit indices reach.
func tooFar(s *Shape) bool {
	n := float64(s.C) * kernel.MaxNR
	for _, d := range s.In {
		n *= float64(d)
	}
	return n > math.MaxInt32
}

func isPointwise(s *Shape) bool {
	for i := range s.In {
		if s.Kernel[i] != 1 || s.Stride[i] != 1 || s.Pad[i] != 0 || s.In[i] != s.Out[i] {
			return false
		}
	}
	return true
}

// Filter holds a convolution's weights, packed for the algorithms that its shape may take.
type Filter struct {
	table  *kernel.Table
	m, c   int // outputs, inputs of one group
	groups int
	taps   int
	raw    []float32
	packed []kernel.PackedA // one a group
}

// NewFilter packs weights of shape [m, c, kernel...]. The slice w is kept and must not change. Memory comes from
// alloc, work is divided over pool.
func NewFilter(t *kernel.Table, pool *par.Pool, alloc func(int) []float32, w []float32, m, c, groups int, ker []int) *Filter {
	f := &Filter{table: t, m: m, c: c, groups: groups, taps: size(ker), raw: w}
	if groups == 0 || m == 0 || c == 0 {
		return f
	}
	rows, k := m/groups, c*f.taps
	if c == 1 && rows <= depthwiseMultiplier || len(ker) > axes {
		return f
	}
	f.packed = make([]kernel.PackedA, groups)
	each := t.PackedSize(rows, k)
	data := alloc(groups * each)
	for g := range f.packed {
		f.packed[g] = t.PackA(pool, data[g*each:][:each], w[g*rows*k:], rows, k, k, 1, f.taps, 1)
	}
	return f
}

// Args are the operands of a convolution: Y = act(conv(X) + Bias + Res).
type Args struct {
	X, Y []float32
	Bias []float32 // one an output channel, or nil
	Res  []float32 // of Y's shape, or nil
	Act  kernel.Activation
}

// Run computes the convolution. alloc gives scratch memory that is the caller's until Run returns.
func (f *Filter) Run(pool *par.Pool, alloc func(int) []float32, s *Shape, a *Args) {
	if s.N == 0 || s.M == 0 || size(s.Out) == 0 {
		return
	}
	switch alg := Choose(s); alg {
	case GEMM, Pointwise:
		f.gemm(pool, alloc, s, a, alg == Pointwise)
	case Depthwise:
		f.depthwise(pool, alloc, s, a)
	default:
		Plain(pool, s, a.X, f.raw, a.Bias, a.Y)
		f.table.Finish(pool, a.Y, a.Res, a.Act)
	}
}
