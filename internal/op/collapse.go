package op

// reducePlan says how a tensor is walked when some of its dimensions are reduced to one value. Dimensions of size 1 are
// left out, and neighbours that are both kept or both reduced are merged, so that most tensors have two or three left.
type reducePlan struct {
	out []int // dimensions that are kept, in order; their product is the number of results
	red []int // dimensions that are reduced; their product is count

	outStride, redStride []int // distances in the input, in elements

	results, count int  // number of results, and of elements that go into each
	innerReduced   bool // the last dimension, whose elements are neighbours, is a reduced one
}

// planReduce makes the plan for a shape whose dimensions i with reduced[i] go away.
func planReduce(shape []int, reduced []bool) reducePlan {
	p := reducePlan{results: 1, count: 1}
	stride := rowMajor(shape)
	last := -1 // 0: the dimension before is kept, 1: it is reduced
	for i, d := range shape {
		if reduced[i] {
			p.count *= d
		} else {
			p.results *= d
		}
		if d == 1 {
			continue
		}
		dims, strides, kind := &p.out, &p.outStride, 0
		if reduced[i] {
			dims, strides, kind = &p.red, &p.redStride, 1
		}
		if kind == last {
			n := len(*dims) - 1
			(*dims)[n] *= d
			(*strides)[n] = stride[i]
		} else {
			*dims, *strides = append(*dims, d), append(*strides, stride[i])
		}
		last = kind
	}
	p.innerReduced = last != 0
	return p
}

// odometer walks the offsets of a block of dimensions in row-major order.
type odometer struct {
	dims, stride, pos []int
	offset            int
}

// odometerAt returns an odometer that stands at the i-th position of the block.
func odometerAt(dims, stride []int, i int) odometer {
	o := odometer{dims: dims, stride: stride, pos: make([]int, len(dims))}
	for k := len(dims) - 1; k >= 0 && i > 0; k-- {
		o.pos[k] = i % dims[k]
		i /= dims[k]
		o.offset += o.pos[k] * stride[k]
	}
	return o
}

// reset goes back to the first position.
func (o *odometer) reset() {
	clear(o.pos)
	o.offset = 0
}

// next goes one on; after the last position it starts again.
func (o *odometer) next() {
	for k := len(o.dims) - 1; k >= 0; k-- {
		o.pos[k]++
		o.offset += o.stride[k]
		if o.pos[k] < o.dims[k] {
			return
		}
		o.offset -= o.pos[k] * o.stride[k]
		o.pos[k] = 0
	}
}

// reducedAxes turns a list of axes into one flag a dimension. No axes mean all of them.
func reducedAxes(axes []int, rank int) ([]bool, error) {
	flags := make([]bool, rank)
	if len(axes) == 0 {
		for i := range flags {
			flags[i] = true
		}
		return flags, nil
	}
	norm, err := normAxes(axes, rank)
	if err != nil {
		return nil, err
	}
	for _, a := range norm {
		flags[a] = true
	}
	return flags, nil
}

// reducedShape is the shape that remains: reduced dimensions are 1, or left out where keep is false.
func reducedShape(shape []int, reduced []bool, keep bool) []int {
	out := make([]int, 0, len(shape))
	for i, d := range shape {
		switch {
		case !reduced[i]:
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}

// outerInner cuts a shape at an axis: the product of the dimensions before, the axis itself, the product of those after.
func outerInner(shape []int, axis int) (outer, n, inner int) {
	return prod(shape[:axis]), shape[axis], prod(shape[axis+1:])
}
