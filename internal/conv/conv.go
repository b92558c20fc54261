// Package conv computes convolutions with the kernels of package kernel: which algorithm suits a shape, how weights
// are packed for it, and the algorithms themselves.
//
// Tensors are in NCHW order (any number of spatial axes), weights in ONNX's order [M, C/groups, kernel...].
package conv

import (
	"math"
	"sync"

	"github.com/onnxcnn/onnxcnn/internal/filemap"
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
	Winograd                   // 3x3 with stride 1 by F(4x4, 3x3), a quarter of the multiplications
)

// String names the algorithm.
func (a Algorithm) String() string {
	return [...]string{"direct", "gemm", "pointwise", "depthwise", "winograd"}[a]
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
	case winogradFits(s) && winogradPays(s, false):
		return Winograd
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

// Filter holds a convolution's weights, packed for the algorithms that its shapes take. It is safe for concurrent use.
type Filter struct {
	table  *kernel.Table
	alloc  func(int) []float32
	m, c   int // outputs, inputs of one group
	groups int
	ker    []int
	taps   int
	raw    []float32
	keep   bool

	packOnce      sync.Once
	packed        []kernel.PackedA // one a group, for GEMM
	transformOnce sync.Once
	transformed   *winogradFilter
}

// NewFilter makes a filter of weights of shape [m, c, kernel...]. The slice w is kept and must not change. Weights are
// packed by the first run, in memory that alloc gives. keep says that the filter is for many runs, so that more work on
// the weights is worth it.
func NewFilter(t *kernel.Table, alloc func(int) []float32, keep bool, w []float32, m, c, groups int, ker []int) *Filter {
	return &Filter{table: t, alloc: alloc, keep: keep, m: m, c: c, groups: groups, ker: ker, taps: size(ker), raw: w}
}

// Pack packs the weights ahead of the first run, where the algorithm does not depend on the input's size.
func (f *Filter) Pack(pool *par.Pool) {
	small := f.groups == 0 || f.m == 0 || f.c == 0 || len(f.ker) > axes
	if small || f.c == 1 && f.m/f.groups <= depthwiseMultiplier || f.keep && f.taps == 9 && f.groups == 1 {
		return
	}
	f.pack(pool)
}

// pack packs the weights for matrix products.
func (f *Filter) pack(pool *par.Pool) {
	f.packOnce.Do(func() {
		rows, k := f.m/f.groups, f.c*f.taps
		f.packed = make([]kernel.PackedA, f.groups)
		each := f.table.PackedSize(rows, k)
		data := f.alloc(f.groups * each)
		for g := range f.packed {
			f.packed[g] = f.table.PackA(pool, data[g*each:][:each], f.raw[g*rows*k:], rows, k, k, 1, f.taps, 1)
		}
		f.release()
	})
}

// release gives the memory of weights in a mapped file back, of which there is a packed copy now.
func (f *Filter) release() {
	if f.keep {
		filemap.Release(f.raw)
	}
}

// Args are the operands of a convolution: Y = act(conv(pre(X)) + Bias + Res).
type Args struct {
	X, Y []float32
	Pre  *Affine   // nil for none
	Bias []float32 // one an output channel, or nil
	Res  []float32 // of Y's shape, or nil
	Act  kernel.Activation
}

// Run computes the convolution. alloc gives scratch memory that is the caller's until Run returns.
func (f *Filter) Run(pool *par.Pool, alloc func(int) []float32, s *Shape, a *Args) {
	if s.N == 0 || s.M == 0 || size(s.Out) == 0 {
		return
	}
	alg := Choose(s)
	if alg == Winograd && !f.keep && !winogradPays(s, true) {
		alg = GEMM
	}
	if a.Pre != nil && (alg != Pointwise || f.groups > 1) {
		b := *a
		b.X, b.Pre = alloc(s.N*s.C*size(s.In)), nil
		a.Pre.apply(f.table, pool, b.X, a.X, s)
		a = &b
	}
	switch alg {
	case GEMM, Pointwise:
		if alg == Pointwise && f.column(pool, alloc, s, a) {
			return
		}
		f.pack(pool)
		f.gemm(pool, alloc, s, a, alg == Pointwise)
	case Winograd:
		f.transformOnce.Do(func() {
			w := &filters{w: f.raw, m: f.m, c: f.c, row: 9 * f.c, col: 9}
			f.transformed = newWinogradFilter(f.table, pool, f.alloc, w)
			f.release()
		})
		f.winograd(pool, alloc, s, a)
	case Depthwise:
		f.depthwise(pool, alloc, s, a)
	default:
		Plain(pool, s, a.X, f.raw, a.Bias, a.Y)
		f.table.Finish(pool, a.Y, a.Res, a.Act)
	}
}
