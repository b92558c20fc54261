package op

import "github.com/onnxcnn/onnxcnn/internal/par"

// A broadcast walks operands of different shapes as numpy does: shapes are aligned at their last dimension, and
// dimensions of 1 stretch. Neighbouring dimensions that no operand treats differently are walked as one, so that the
// usual cases are few long runs: equal shapes and a scalar operand one run, a value per channel one run a channel,
// a vector along the last dimension one run a row.
type broadcast struct {
	inner  int    // length of a run in the output
	vary   []bool // per operand: whether it advances along a run, or has one element for the whole of it
	outer  []int  // dimensions outside of the run
	stride [][]int
	rows   int // number of runs
}

// newBroadcast plans for an output of that shape, to which all operands' shapes broadcast.
func newBroadcast(out []int, operands ...[]int) broadcast {
	type dim struct {
		n      int
		stride []int
	}
	var dims []dim // innermost first
	pitch := make([]int, len(operands))
	for k := range pitch {
		pitch[k] = 1
	}
	for i := range out {
		n := out[len(out)-1-i]
		if n == 1 {
			continue
		}
		d := dim{n: n, stride: make([]int, len(operands))}
		joins := len(dims) > 0
		for k, s := range operands {
			if j := len(s) - 1 - i; j >= 0 && s[j] != 1 {
				d.stride[k] = pitch[k]
				pitch[k] *= s[j]
			}
			if joins {
				last := dims[len(dims)-1]
				joins = d.stride[k] == last.stride[k]*last.n
			}
		}
		if joins {
			dims[len(dims)-1].n *= n
		} else {
			dims = append(dims, d)
		}
	}
	b := broadcast{inner: 1, rows: 1, vary: make([]bool, len(operands))}
	if len(dims) > 0 {
		b.inner = dims[0].n
		for k, s := range dims[0].stride {
			b.vary[k] = s != 0
		}
		dims = dims[1:]
	}
	for i := len(dims) - 1; i >= 0; i-- {
		b.outer = append(b.outer, dims[i].n)
		b.stride = append(b.stride, dims[i].stride)
		b.rows *= dims[i].n
	}
	return b
}

// maxOperands is the most operands that a broadcast has.
const maxOperands = 3

// run calls body for pieces of runs that together cover the output: n elements from index y on, with at holding the
// index of each operand's first one. An operand that does not vary has one element for all n.
func (b *broadcast) run(pool *par.Pool, grain int, body func(y, n int, at *[maxOperands]int)) {
	if b.inner == 0 || b.rows == 0 {
		return
	}
	seg := min(b.inner, max(grain, 1))
	segs := (b.inner + seg - 1) / seg
	pool.For(b.rows*segs, max(1, grain/seg), func(lo, hi int) {
		pos := make([]int, len(b.outer))
		var base, at [maxOperands]int
		row, s := lo/segs, lo%segs
		for d, r := len(b.outer)-1, row; d >= 0; d-- {
			pos[d] = r % b.outer[d]
			r /= b.outer[d]
			for k, st := range b.stride[d] {
				base[k] += pos[d] * st
			}
		}
		for i := lo; i < hi; i++ {
			from := s * seg
			for k, v := range b.vary {
				at[k] = base[k]
				if v {
					at[k] += from
				}
			}
			body(row*b.inner+from, min(seg, b.inner-from), &at)
			if s++; s < segs {
				continue
			}
			s = 0
			row++
			for d := len(b.outer) - 1; d >= 0; d-- {
				pos[d]++
				wrap := pos[d] == b.outer[d]
				for k, st := range b.stride[d] {
					if wrap {
						base[k] -= st * (b.outer[d] - 1)
					} else {
						base[k] += st
					}
				}
				if !wrap {
					break
				}
				pos[d] = 0
			}
		}
	})
}

// operand returns the part of an operand's elements that belongs to a piece of run: n of them, or one.
func operand[T any](x []T, vary bool, at, n int) []T {
	if vary {
		return x[at : at+n]
	}
	return x[at : at+1]
}
