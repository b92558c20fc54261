package op

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "TopK", Since: 1, MinIn: 1, MaxIn: 2, MaxOut: 2, New: func(s *Spec) (Op, error) {
		o := topK{axis: s.Int("axis", -1), k: -1, smallest: !s.Bool("largest", true)}
		s.Ignore("sorted") // sorted is one of the orders that are allowed where it is not asked for
		if s.Opset < 10 {
			if !s.Has("k") {
				return nil, errors.New("attribute \"k\" is missing")
			}
			if o.k = s.Int("k", 0); o.k < 0 {
				return nil, fmt.Errorf("k is %d", o.k)
			}
		}
		return o, nil
	}})
}

// topK finds the k largest (or smallest) elements along axis, best first, and their indices; of equal ones those with
// lower indices. NaN counts as larger than every number. Up to opset 9 k is an attribute, later an input.
type topK struct {
	axis, k  int // k is -1 where it is an input
	smallest bool
}

func (o topK) Infer(in []Info) ([]Info, error) {
	if !isReal(in[0].Type) {
		return nil, fmt.Errorf("input of type %v is not supported", in[0].Type)
	}
	axis, err := normAxis(o.axis, len(in[0].Shape))
	if err != nil {
		return nil, err
	}
	k := o.k
	if k < 0 {
		if in[1].Absent() {
			return nil, errors.New("k is missing")
		}
		v, known, err := intScalar("k", in[1])
		if err != nil {
			return nil, err
		}
		if !known {
			return []Info{{Type: in[0].Type, Dynamic: true}, {Type: onnx.Int64, Dynamic: true}}, nil
		}
		k = v
	}
	if n := in[0].Shape[axis]; k < 0 || k > n {
		return nil, fmt.Errorf("k is %d, dimension %d has %d elements", k, axis, n)
	}
	shape := append([]int{}, in[0].Shape...)
	shape[axis] = k
	return []Info{{Type: in[0].Type, Shape: shape}, {Type: onnx.Int64, Shape: shape}}, nil
}

func (o topK) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	axis, err := normAxis(o.axis, len(in[0].Shape))
	if err != nil {
		return err
	}
	k := o.k
	if k < 0 {
		if k, _, err = intScalar("k", Info{Type: in[1].Type, Shape: in[1].Shape, Value: in[1]}); err != nil {
			return err
		}
	}
	l := lines{outer: prod(in[0].Shape[:axis]), n: in[0].Shape[axis], inner: prod(in[0].Shape[axis+1:])}
	topKKernels[in[0].Type](rt, o, l, k, in[0], out)
	return nil
}

var topKKernels = map[onnx.DataType]func(rt *Runtime, o topK, l lines, k int, in *onnx.Tensor, out []*onnx.Tensor){
	onnx.Float: topKOf[float32], onnx.Double: topKOf[float64],
	onnx.Int8: topKOf[int8], onnx.Int16: topKOf[int16], onnx.Int32: topKOf[int32], onnx.Int64: topKOf[int64],
	onnx.Uint8: topKOf[uint8], onnx.Uint16: topKOf[uint16], onnx.Uint32: topKOf[uint32], onnx.Uint64: topKOf[uint64],
}

// lines are the elements along one dimension: n of them, inner apart, outer*inner times.
type lines struct{ outer, n, inner int }

// ranked is an element with its place in the line.
type ranked[T real] struct {
	v T
	i int
}

func topKOf[T real](rt *Runtime, o topK, l lines, k int, in *onnx.Tensor, out []*onnx.Tensor) {
	if k == 0 {
		return
	}
	x := onnx.Data[T](in)
	var values []T
	var indices []int64
	if out[0] != nil {
		values = onnx.Data[T](out[0])
	}
	if out[1] != nil {
		indices = out[1].Int64s()
	}
	// order puts the better element first; cmp.Compare has NaN below all numbers.
	order := func(a, b ranked[T]) int {
		if a.v != a.v || b.v != b.v {
			if c := cmp.Compare(b.v, a.v); c != 0 {
				if o.smallest {
					return c
				}
				return -c
			}
			return a.i - b.i
		}
		switch {
		case a.v == b.v:
			return a.i - b.i
		case (a.v < b.v) == o.smallest:
			return -1
		}
		return 1
	}
	rt.Pool.For(l.outer*l.inner, max(1, moveGrain/8/l.n), func(lo, hi int) {
		best := make([]ranked[T], k)
		for line := lo; line < hi; line++ {
			from := line/l.inner*l.n*l.inner + line%l.inner
			// A heap of the k best so far with the worst of them on top.
			for i := range l.n {
				e := ranked[T]{x[from+i*l.inner], i}
				if i < k {
					best[i] = e
					if i == k-1 {
						for j := k/2 - 1; j >= 0; j-- {
							sink(best, j, order)
						}
					}
				} else if order(e, best[0]) < 0 {
					best[0] = e
					sink(best, 0, order)
				}
			}
			slices.SortFunc(best, order)
			to := line/l.inner*k*l.inner + line%l.inner
			for i, e := range best {
				if values != nil {
					values[to+i*l.inner] = e.v
				}
				if indices != nil {
					indices[to+i*l.inner] = int64(e.i)
				}
			}
		}
	})
}

// sink restores the heap below place i: no element comes before its parent in order.
func sink[T real](heap []ranked[T], i int, order func(a, b ranked[T]) int) {
	for {
		c := 2*i + 1
		if c >= len(heap) {
			return
		}
		if c+1 < len(heap) && order(heap[c+1], heap[c]) > 0 {
			c++
		}
		if order(heap[c], heap[i]) <= 0 {
			return
		}
		heap[i], heap[c] = heap[c], heap[i]
		i = c
	}
}
