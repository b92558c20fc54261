package op

import (
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Min, Max, Sum and Mean of any number of inputs, taken from the first to the last. A NaN in any input gives NaN, as
// numpy's minimum and maximum have it. From opset 8 on inputs are broadcast against each other; before, all shapes must
// be equal.
func init() {
	registerVariadic("Min", numbers2(least[float32], least[float64], least[int8], least[int16], least[int32], least[int64],
		least[uint8], least[uint16], least[uint32], least[uint64]), false)
	registerVariadic("Max", numbers2(most[float32], most[float64], most[int8], most[int16], most[int32], most[int64],
		most[uint8], most[uint16], most[uint32], most[uint64]), false)
	registerVariadic("Sum", kernels2{onnx.Float: runs(cheapGrain, add32), onnx.Double: runs(cheapGrain, add[float64])}, false)
	registerVariadic("Mean", kernels2{onnx.Float: runs(cheapGrain, add32), onnx.Double: runs(cheapGrain, add[float64])}, true)
}

func registerVariadic(name string, kernels kernels2, mean bool) {
	register(Def{Type: name, Since: 1, MinIn: 1, MaxIn: Variadic, MaxOut: 1, New: func(s *Spec) (Op, error) {
		if s.Opset < 6 {
			s.Ignore("consumed_inputs")
		}
		o := variadic{kernels: kernels, mean: mean, equal: s.Opset < 8, inPlace: []int{0}}
		if names := slices.Clone(s.Node.Inputs); len(names) > 1 {
			// The second input may be written over, too, unless something is read after that is written first.
			slices.Sort(names)
			switch {
			case len(slices.Compact(names)) == len(s.Node.Inputs):
				o.inPlace = []int{0, 1}
			case len(s.Node.Inputs) > 2:
				o.inPlace = nil
			}
		}
		return o, nil
	}})
}

type variadic struct {
	kernels kernels2
	mean    bool
	equal   bool // shapes must be equal
	inPlace []int
}

func (o variadic) InPlace() []int { return o.inPlace }

func (o variadic) Infer(in []Info) ([]Info, error) {
	shapes := make([][]int, len(in))
	for i, v := range in {
		if v.Absent() {
			return nil, fmt.Errorf("input %d is left out", i)
		}
		if v.Type != in[0].Type {
			return nil, fmt.Errorf("input %d is of type %v, input 0 of type %v", i, v.Type, in[0].Type)
		}
		if o.equal && !sameShape(v.Shape, in[0].Shape) {
			return nil, fmt.Errorf("shapes %v and %v of inputs 0 and %d differ, which needs opset 8", in[0].Shape, v.Shape, i)
		}
		shapes[i] = v.Shape
	}
	if o.kernels[in[0].Type] == nil {
		return nil, fmt.Errorf("inputs of type %v are not supported", in[0].Type)
	}
	shape, err := broadcastShape(shapes...)
	if err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

func (o variadic) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	y, k := out[0], o.kernels[in[0].Type]
	acc, rest := in[0], in[1:]
	if len(rest) > 0 && acc.Len() != y.Len() && rest[0].Len() == y.Len() {
		// All four functions give the same for two operands in any order.
		acc, rest = in[1], append([]*onnx.Tensor{in[0]}, in[2:]...)
	}
	if len(rest) == 0 || acc.Len() != y.Len() {
		copyBroadcast(rt, y, acc)
		acc = y
	}
	for _, x := range rest {
		plan := newBroadcast(y.Shape, acc.Shape, x.Shape)
		k(rt, &plan, y, acc, x)
		acc = y
	}
	if !o.mean || len(in) == 1 {
		return nil
	}
	switch y.Type {
	case onnx.Float:
		divideBy(rt, y.Float32s(), float32(len(in)))
	case onnx.Double:
		divideBy(rt, onnx.Data[float64](y), float64(len(in)))
	}
	return nil
}

func divideBy[T float](rt *Runtime, y []T, n T) {
	rt.Pool.For(len(y), cheapGrain, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			y[i] /= n
		}
	})
}

// copyBroadcast copies x, stretched to y's shape.
func copyBroadcast(rt *Runtime, y, x *onnx.Tensor) {
	plan := newBroadcast(y.Shape, x.Shape)
	size := y.Type.Bits() / 8
	plan.run(rt.Pool, cheapGrain, func(o, n int, at *[maxOperands]int) {
		dst := y.Raw[o*size : (o+n)*size]
		if plan.vary[0] {
			copy(dst, x.Raw[at[0]*size:(at[0]+n)*size])
			return
		}
		// Doubling what is there already.
		done := copy(dst, x.Raw[at[0]*size:(at[0]+1)*size])
		for done < len(dst) {
			done += copy(dst[done:], dst[:done])
		}
	})
}

func least[T real](y, a, b []T) {
	switch {
	case len(a) == len(y) && len(b) == len(y):
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = min(a[i], b[i])
		}
	case len(b) == len(y):
		least(y, b, a)
	case len(a) == len(y):
		s := b[0]
		for i, v := range a {
			y[i] = min(v, s)
		}
	}
}

func most[T real](y, a, b []T) {
	switch {
	case len(a) == len(y) && len(b) == len(y):
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = max(a[i], b[i])
		}
	case len(b) == len(y):
		most(y, b, a)
	case len(a) == len(y):
		s := b[0]
		for i, v := range a {
			y[i] = max(v, s)
		}
	}
}
