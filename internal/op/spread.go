package op

import "slices"

// spread is the opposite of a filter along one axis: place i of the input is the sum, over k from start[i] to
// start[i+1], of weight[k] times place index[k] of the output. The places are in rising order.
type spread struct {
	start  []int
	index  []int
	weight []float64
}

// spreadOf turns a filter around, for an axis of n elements.
func spreadOf(f filter, n int) spread {
	s := spread{start: make([]int, n+1)}
	used := func(i int) bool { return (f.outside == nil || !f.outside[i/f.taps]) && f.weight[i] != 0 }
	for i, k := range f.index {
		if used(i) {
			s.start[k+1]++
		}
	}
	for i := range n {
		s.start[i+1] += s.start[i]
	}
	s.index, s.weight = make([]int, s.start[n]), make([]float64, s.start[n])
	next := slices.Clone(s.start[:n])
	for i, k := range f.index {
		if used(i) {
			s.index[next[k]], s.weight[next[k]] = i/f.taps, f.weight[i]
			next[k]++
		}
	}
	return s
}

// spreadAxis is one axis of a separable spread: in elements of the input came from, out went to.
type spreadAxis struct {
	in, out int
	table   func() spread // nil: the axis stays as it is
}

// spreadAll turns the gradient of an output into that of the input, one axis after the other; those first that shrink
// most.
func spreadAll[T float](rt *Runtime, plan []spreadAxis, src, dst []T) {
	var axes []int
	shape := make([]int, len(plan))
	for i, a := range plan {
		shape[i] = a.out
		if a.table != nil {
			axes = append(axes, i)
		}
	}
	if len(axes) == 0 {
		copy(dst, src)
		return
	}
	slices.SortStableFunc(axes, func(i, j int) int { return plan[i].in*plan[j].out - plan[j].in*plan[i].out })
	for n, axis := range axes {
		a := plan[axis]
		outer, inner := prod(shape[:axis]), prod(shape[axis+1:])
		shape[axis] = a.in
		to := dst
		if n < len(axes)-1 {
			to = make([]T, prod(shape))
		}
		spreadLines(rt, a.table(), outer, a.out, inner, src, to)
		src = to
	}
}

// spreadLines applies s along lines of out elements that lie inner apart.
func spreadLines[T float](rt *Runtime, s spread, outer, out, inner int, src, dst []T) {
	in := len(s.start) - 1
	if in == 0 || inner == 0 {
		return
	}
	weight := make([]T, len(s.weight))
	for i, w := range s.weight {
		weight[i] = T(w)
	}
	each := max(1, len(s.index)/in) // sources of an element, on average
	if inner == 1 {
		rt.Pool.For(outer, max(1, moveGrain/(in*each)), func(lo, hi int) {
			for o := lo; o < hi; o++ {
				from, to := src[o*out:][:out], dst[o*in:][:in]
				for i := range to {
					var sum T
					for k := s.start[i]; k < s.start[i+1]; k++ {
						sum += T(weight[k] * from[s.index[k]])
					}
					to[i] = sum
				}
			}
		})
		return
	}
	rt.Pool.For(outer*in, max(1, moveGrain/(inner*each)), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			o, i := r/in, r%in
			to := dst[r*inner:][:inner]
			clear(to)
			for k := s.start[i]; k < s.start[i+1]; k++ {
				w := weight[k]
				for j, v := range src[(o*out+s.index[k])*inner:][:inner] {
					to[j] += T(w * v)
				}
			}
		}
	})
}
