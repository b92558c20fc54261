package op

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Unique", Since: 11, MinIn: 1, MaxIn: 1, MaxOut: 4, New: func(s *Spec) (Op, error) {
		return unique{flat: !s.Has("axis"), axis: s.Int("axis", 0), sorted: s.Bool("sorted", true)}, nil
	}})
}

// unique finds the different slices along axis, or the different elements of the flattened input where no axis is
// given: sorted, or in the order in which they come. Its outputs are these slices, the place where each comes first,
// for each slice of the input its number among them, and how often each comes.
type unique struct {
	flat   bool
	axis   int
	sorted bool
}

func (u unique) Infer(in []Info) ([]Info, error) {
	typ := in[0].Type
	if typ != onnx.String && typ != onnx.Bool && !isReal(typ) {
		return nil, fmt.Errorf("input of type %v is not supported", typ)
	}
	if !u.flat {
		if _, err := normAxis(u.axis, len(in[0].Shape)); err != nil {
			return nil, err
		}
	}
	return []Info{
		{Type: typ, Dynamic: true}, {Type: onnx.Int64, Dynamic: true},
		{Type: onnx.Int64, Dynamic: true}, {Type: onnx.Int64, Dynamic: true},
	}, nil
}

func (u unique) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	x := in[0]
	shape, axis := []int{x.Len()}, 0
	if !u.flat {
		a, err := normAxis(u.axis, len(x.Shape))
		if err != nil {
			return err
		}
		shape, axis = x.Shape, a
	}
	l := lines{outer: prod(shape[:axis]), n: shape[axis], inner: prod(shape[axis+1:])}
	groups := u.groups(l, compareSlices(x, l))

	number := make([]int64, l.n)
	first, count := make([]int64, len(groups)), make([]int64, len(groups))
	starts := make([]int, len(groups))
	for g, members := range groups {
		first[g], count[g] = int64(members[0]), int64(len(members))
		starts[g] = members[0] * l.inner
		for _, m := range members {
			number[m] = int64(g)
		}
	}
	if out[0] != nil {
		to := append([]int{}, shape...)
		to[axis] = len(groups)
		*out[0] = *onnx.New(x.Type, to...)
		gatherBlocks(rt, out[0], x, l.outer, l.n*l.inner, starts, l.inner)
	}
	for i, v := range [][]int64{first, number, count} {
		if out[i+1] != nil {
			*out[i+1] = *onnx.Of([]int{len(v)}, v)
		}
	}
	return nil
}

// groups returns the places of equal slices together, each list in rising order.
func (u unique) groups(l lines, compare func(a, b int) int) [][]int {
	order := make([]int, l.n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, compare)
	var groups [][]int
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && compare(order[i], order[j]) == 0 {
			j++
		}
		groups = append(groups, order[i:j])
		i = j
	}
	if !u.sorted {
		slices.SortFunc(groups, func(a, b []int) int { return a[0] - b[0] })
	}
	return groups
}

// compareSlices returns an order of the slices along a dimension: element by element. NaN is equal to itself.
func compareSlices(x *onnx.Tensor, l lines) func(a, b int) int {
	switch x.Type {
	case onnx.String:
		return slicesOf(x.Strings, l)
	case onnx.Float:
		return slicesOf(x.Float32s(), l)
	case onnx.Double:
		return slicesOf(onnx.Data[float64](x), l)
	case onnx.Int8:
		return slicesOf(onnx.Data[int8](x), l)
	case onnx.Int16:
		return slicesOf(onnx.Data[int16](x), l)
	case onnx.Int32:
		return slicesOf(onnx.Data[int32](x), l)
	case onnx.Int64:
		return slicesOf(onnx.Data[int64](x), l)
	}
	switch elemSize(x.Type) {
	case 1:
		return slicesOf(words[uint8](x), l)
	case 2:
		return slicesOf(words[uint16](x), l)
	case 4:
		return slicesOf(words[uint32](x), l)
	}
	return slicesOf(words[uint64](x), l)
}

func slicesOf[T cmp.Ordered](v []T, l lines) func(a, b int) int {
	return func(a, b int) int {
		for o := range l.outer {
			base := o * l.n * l.inner
			for i := range l.inner {
				if c := cmp.Compare(v[base+a*l.inner+i], v[base+b*l.inner+i]); c != 0 {
					return c
				}
			}
		}
		return 0
	}
}
