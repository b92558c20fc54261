// Package ref holds the slow, obvious versions of what package kernel and its users compute; tests compare with them.
// Sums are taken in float64.
package ref

// MatMul returns the m x n product of a, m x k, and b, k x n, all row-major.
func MatMul(a, b []float32, m, n, k int) []float32 {
	y := make([]float32, m*n)
	for i := range m {
		for j := range n {
			sum := 0.0
			for l := range k {
				sum += float64(a[i*k+l]) * float64(b[l*n+j])
			}
			y[i*n+j] = float32(sum)
		}
	}
	return y
}

// Conv is a convolution. The lists have one entry a spatial axis.
type Conv struct {
	Groups                             int
	Stride, Dilation, PadBegin, PadEnd []int
}

// Run returns the convolution of x, of shape xs = [N, C, spatial...], with w, of shape ws = [M, C/Groups, kernel...],
// plus bias (nil for none), and its shape.
func (c Conv) Run(x []float32, xs []int, w []float32, ws []int, bias []float32) ([]float32, []int) {
	shape := []int{xs[0], ws[0]}
	for i := range c.Stride {
		room := xs[2+i] + c.PadBegin[i] + c.PadEnd[i] - (ws[2+i]-1)*c.Dilation[i] - 1
		shape = append(shape, room/c.Stride[i]+1)
	}
	y := make([]float32, size(shape))
	perGroup := xs[1] / c.Groups
	for i := range y {
		at := index(i, shape)
		m := at[1]
		sum := 0.0
		if bias != nil {
			sum = float64(bias[m])
		}
		for j := range size(ws[1:]) {
			tap := index(j, ws[1:])
			off := at[0]*xs[1] + m/(ws[0]/c.Groups)*perGroup + tap[0]
			ok := true
			for d := range c.Stride {
				p := at[2+d]*c.Stride[d] + tap[1+d]*c.Dilation[d] - c.PadBegin[d]
				ok = ok && p >= 0 && p < xs[2+d]
				off = off*xs[2+d] + p
			}
			if ok {
				sum += float64(x[off]) * float64(w[m*size(ws[1:])+j])
			}
		}
		y[i] = float32(sum)
	}
	return y, shape
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// index turns a position in row-major order into one index a dimension.
func index(i int, shape []int) []int {
	at := make([]int, len(shape))
	for d := len(shape) - 1; d >= 0; d-- {
		at[d] = i % shape[d]
		i /= shape[d]
	}
	return at
}
