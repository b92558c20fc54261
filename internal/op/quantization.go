package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// What the operators on quantised tensors share: a quantised tensor q with scale s and zero point z stands for the real
// numbers (q-z)*s.

// granularity says which elements of a tensor share a scale: all of them, those with the same index along an axis, or
// blocks of neighbours along it.
type granularity struct {
	axis, block int
}

// operand returns the shape in which scales of that shape are broadcast to x, and whether that takes repeating each of
// them for the elements of its block first.
func (g granularity) operand(x, scale []int) (shape []int, blocked bool, err error) {
	if len(scale) <= 1 && prod(scale) == 1 {
		return nil, false, nil
	}
	axis, err := normAxis(g.axis, len(x))
	if err != nil {
		return nil, false, err
	}
	if g.block > 0 {
		want := append([]int{}, x...)
		want[axis] = (x[axis] + g.block - 1) / g.block
		if !sameShape(scale, want) {
			return nil, false, fmt.Errorf("scale has shape %v, an input %v in blocks of %d along axis %d wants %v", scale, x, g.block, axis, want)
		}
		return x, true, nil
	}
	if len(scale) != 1 || scale[0] != x[axis] {
		return nil, false, fmt.Errorf("scale has shape %v, want a scalar or, for axis %d of %v, [%d]", scale, axis, x, x[axis])
	}
	shape = make([]int, len(x)-axis)
	for i := range shape {
		shape[i] = 1
	}
	shape[0] = scale[0]
	return shape, false, nil
}

// values returns scales or zero points as float32 (exact for all types they have), each repeated for its block.
func (g granularity) values(rt *Runtime, t *onnx.Tensor, x []int, blocked bool) ([]float32, error) {
	f, err := converted(rt, t, onnx.Float)
	if err != nil {
		return nil, err
	}
	v := f.Float32s()
	if !blocked {
		return v, nil
	}
	axis, err := normAxis(g.axis, len(x))
	if err != nil {
		return nil, err
	}
	inner, n := prod(x[axis+1:]), x[axis]
	blocks := (n + g.block - 1) / g.block
	out := make([]float32, 0, prod(x))
	for o := range prod(x[:axis]) {
		for i := range n {
			from := (o*blocks + i/g.block) * inner
			out = append(out, v[from:from+inner]...)
		}
	}
	return out, nil
}

// scales returns the scales and the zero points of an operator's inputs, and the shape by which both broadcast to the first.
func (g granularity) scales(rt *Runtime, in []*onnx.Tensor) (shape []int, scale, zero []float32, err error) {
	shape, blocked, err := g.operand(in[0].Shape, in[1].Shape)
	if err != nil {
		return nil, nil, nil, err
	}
	if scale, err = g.values(rt, in[1], in[0].Shape, blocked); err != nil {
		return nil, nil, nil, err
	}
	if in[2] == nil {
		return shape, scale, make([]float32, len(scale)), nil
	}
	zero, err = g.values(rt, in[2], in[0].Shape, blocked)
	return shape, scale, zero, err
}

// quantRange returns the least and greatest number of a type that tensors are quantised to.
func quantRange(t onnx.DataType) (lo, hi float32, ok bool) {
	switch t {
	case onnx.Uint8:
		return 0, math.MaxUint8, true
	case onnx.Int8:
		return math.MinInt8, math.MaxInt8, true
	case onnx.Uint16:
		return 0, math.MaxUint16, true
	case onnx.Int16:
		return math.MinInt16, math.MaxInt16, true
	case onnx.Uint4:
		return 0, 15, true
	case onnx.Int4:
		return -8, 7, true
	case onnx.Uint2:
		return 0, 3, true
	case onnx.Int2:
		return -2, 1, true
	}
	return 0, 0, false
}

// isMini reports whether a type is a floating-point type of 8 bits or fewer that tensors are quantised to.
func isMini(t onnx.DataType) bool {
	return t != onnx.Float16 && t != onnx.BFloat16 && miniFloats[t] != nil
}

// quantised rounds v to the nearest whole number, ties to even, adds the zero point and bounds the sum. NaN becomes 0.
func quantised(v, zero, lo, hi float32) float32 {
	// Far outside of every type's range nothing changes any more, and within 2^22 adding and taking away 3*2^22 rounds.
	if v > 1<<18 {
		v = 1 << 18
	} else if v < -1<<18 {
		v = -1 << 18
	}
	const magic = 3 << 22
	v += magic
	v = v - magic + zero
	if v < lo {
		v = lo
	} else if v > hi {
		v = hi
	} else if v != v {
		v = 0
	}
	return v
}
