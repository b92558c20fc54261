package op

import (
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// resizeNearest copies elements to where they are nearest.
func resizeNearest(rt *Runtime, s sampling, plan []resizeAxis, in, out *onnx.Tensor) {
	tables := make([][]int, len(plan))
	for i, a := range plan {
		if !a.same() {
			tables[i] = s.nearestTable(a)
		}
	}
	switch elemSize(in.Type) {
	case 1:
		nearestWords(rt, plan, tables, words[uint8](out), words[uint8](in))
	case 2:
		nearestWords(rt, plan, tables, words[uint16](out), words[uint16](in))
	case 4:
		nearestWords(rt, plan, tables, words[uint32](out), words[uint32](in))
	case 8:
		nearestWords(rt, plan, tables, words[uint64](out), words[uint64](in))
	case 16:
		nearestWords(rt, plan, tables, words[[2]uint64](out), words[[2]uint64](in))
	default:
		nearestWords(rt, plan, tables, out.Strings, in.Strings)
	}
}

// nearestWords works row by row: a row is the last dimension that changes together with those behind it. A table that
// is nil stands for a dimension that stays.
func nearestWords[T word](rt *Runtime, plan []resizeAxis, tables [][]int, dst, src []T) {
	block := 1
	for len(plan) > 0 && tables[len(plan)-1] == nil {
		block *= plan[len(plan)-1].in
		plan = plan[:len(plan)-1]
	}
	if len(plan) == 0 {
		copy(dst, src)
		return
	}
	last := len(plan) - 1
	inner := tables[last]
	rowIn, rowOut := plan[last].in*block, plan[last].out*block
	rows := 1
	for _, a := range plan[:last] {
		rows *= a.out
	}
	source := func(r int) int { // the input's row for a row of the output
		from, n := 0, 1
		for i := last - 1; i >= 0; i-- {
			k := r % plan[i].out
			r /= plan[i].out
			if tables[i] != nil {
				k = tables[i][k]
			}
			from += k * n
			n *= plan[i].in
		}
		return from
	}
	rt.Pool.For(rows, max(1, moveGrain/rowOut), func(lo, hi int) {
		before := -1
		for r := lo; r < hi; r++ {
			to := dst[r*rowOut : (r+1)*rowOut]
			k := source(r)
			if k == before {
				copy(to, dst[(r-1)*rowOut:r*rowOut])
				continue
			}
			before = k
			from := src[k*rowIn : (k+1)*rowIn]
			if block == 1 {
				for i, s := range inner {
					to[i] = from[s]
				}
				continue
			}
			for i, s := range inner {
				copy(to[i*block:(i+1)*block], from[s*block:(s+1)*block])
			}
		}
	})
}

// interpolate resamples one axis after the other, those first that shrink most.
func interpolate[T float32 | float64](rt *Runtime, s sampling, plan []resizeAxis, src, dst []T) {
	var axes []int
	shape := make([]int, len(plan))
	for i, a := range plan {
		shape[i] = a.in
		if !a.same() {
			axes = append(axes, i)
		}
	}
	if len(axes) == 0 {
		copy(dst, src)
		return
	}
	slices.SortStableFunc(axes, func(i, j int) int {
		// Compares out/in of both; of equal ones the inner axis goes first.
		if c := plan[i].out*plan[j].in - plan[j].out*plan[i].in; c != 0 {
			return c
		}
		return j - i
	})
	for n, axis := range axes {
		a := plan[axis]
		l := lines{outer: prod(shape[:axis]), n: a.in, inner: prod(shape[axis+1:])}
		shape[axis] = a.out
		to := dst
		if n < len(axes)-1 {
			to = make([]T, prod(shape))
		}
		resample(rt, s.filterFor(a), l, T(s.extrapolation), a.out, src, to)
		src = to
	}
}

// resample applies a filter along lines, which become n elements long.
func resample[T float32 | float64](rt *Runtime, f filter, l lines, outside T, n int, src, dst []T) {
	weight := make([]T, len(f.weight))
	for i, w := range f.weight {
		weight[i] = T(w)
	}
	if l.inner == 1 {
		rt.Pool.For(l.outer, max(1, moveGrain/(n*f.taps)), func(lo, hi int) {
			for o := lo; o < hi; o++ {
				resampleLine(f, weight, outside, src[o*l.n:(o+1)*l.n], dst[o*n:(o+1)*n])
			}
		})
		return
	}
	rt.Pool.For(l.outer*n, max(1, moveGrain/(l.inner*f.taps)), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			o, i := r/n, r%n
			to := dst[r*l.inner : (r+1)*l.inner]
			if f.outside != nil && f.outside[i] {
				for j := range to {
					to[j] = outside
				}
				continue
			}
			plane := src[o*l.n*l.inner : (o+1)*l.n*l.inner]
			mixRows(to, plane, f.index[i*f.taps:(i+1)*f.taps], weight[i*f.taps:(i+1)*f.taps])
		}
	})
}

func resampleLine[T float32 | float64](f filter, weight []T, outside T, from, to []T) {
	if f.taps == 2 && f.outside == nil {
		index := f.index[:2*len(to)]
		weight = weight[:2*len(to)]
		for i := range to {
			to[i] = T(weight[2*i]*from[index[2*i]]) + T(weight[2*i+1]*from[index[2*i+1]])
		}
		return
	}
	for i := range to {
		if f.outside != nil && f.outside[i] {
			to[i] = outside
			continue
		}
		var sum T
		index := f.index[i*f.taps : (i+1)*f.taps]
		for t, w := range weight[i*f.taps : (i+1)*f.taps] {
			sum += T(w * from[index[t]])
		}
		to[i] = sum
	}
}

// mixRows sets to to the weighted sum of rows of a plane.
func mixRows[T float32 | float64](to, plane []T, index []int, weight []T) {
	n := len(to)
	row := func(t int) []T { return plane[index[t]*n:][:n] }
	if len(index) == 2 {
		w0, w1 := weight[0], weight[1]
		a, b := row(0), row(1)
		for j := range to {
			to[j] = T(w0*a[j]) + T(w1*b[j])
		}
		return
	}
	w := weight[0]
	for j, v := range row(0) {
		to[j] = w * v
	}
	for t := 1; t < len(index); t++ {
		w := weight[t]
		if w == 0 {
			continue
		}
		for j, v := range row(t) {
			to[j] += T(w * v)
		}
	}
}

// interpolateInts interpolates in float64. Means are cut off to whole numbers, or rounded where antialias is set, and
// kept within lo and hi; that is what ONNX Runtime does, the specification does not say.
func interpolateInts[T interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
	onnx.Element
}](rt *Runtime, s sampling, plan []resizeAxis, in, out *onnx.Tensor, lo, hi float64) {
	src := make([]float64, in.Len())
	for i, v := range onnx.Data[T](in) {
		src[i] = float64(v)
	}
	dst := make([]float64, out.Len())
	interpolate(rt, s, plan, src, dst)
	y := onnx.Data[T](out)
	for i, v := range dst {
		if s.antialias {
			v = math.Floor(v + 0.5)
		} else if r := math.Round(v); math.Abs(v-r) > 1e-6 { // else it is whole but for rounding
			v = math.Trunc(v)
		} else {
			v = r
		}
		y[i] = T(min(max(v, lo), hi))
	}
}
