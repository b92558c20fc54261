package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// kernel1 computes y, elementwise, from x of as many elements.
type kernel1 func(rt *Runtime, x, y *onnx.Tensor)

// loop1 makes a kernel of a function over slices of equal length, which may be the same memory. grain is how many
// elements are worth a piece of their own in a parallel loop.
func loop1[T, R onnx.Element](grain int, f func(y []R, x []T)) kernel1 {
	return func(rt *Runtime, x, y *onnx.Tensor) {
		xs, ys := onnx.Data[T](x), onnx.Data[R](y)
		rt.Pool.For(len(xs), grain, func(lo, hi int) { f(ys[lo:hi], xs[lo:hi]) })
	}
}

const (
	cheapGrain  = 1 << 15 // for loops that memory limits
	costlyGrain = 1 << 12 // for exponentials and the like
)

// each1 makes a loop of a function over single elements, for kernels where a call each does not matter.
func each1[T, R any](f func(T) R) func(y []R, x []T) {
	return func(y []R, x []T) {
		for i, v := range x {
			y[i] = f(v)
		}
	}
}

// kernels1 are the kernels of an operator by the type of its input.
type kernels1 map[onnx.DataType]kernel1

// floats1 are the kernels of a function of real numbers: f32 over float32, f64 over single float64.
func floats1(f32 func(y, x []float32), f64 func(float64) float64) kernels1 {
	return kernels1{onnx.Float: loop1(costlyGrain, f32), onnx.Double: loop1(costlyGrain, each1(f64))}
}

// viaFloat64 are the kernels of a function that float32 computes in float64, too.
func viaFloat64(f64 func(float64) float64) kernels1 {
	return floats1(func(y, x []float32) {
		for i, v := range x {
			y[i] = float32(f64(float64(v)))
		}
	}, f64)
}

// merge returns all kernels of several sets; they must not overlap.
func merge[K comparable, V any](sets ...map[K]V) map[K]V {
	all := map[K]V{}
	for _, s := range sets {
		for t, k := range s {
			all[t] = k
		}
	}
	return all
}

// unary is an operator with one input and one output of the same shape. It accepts the types of its newest version in
// every version.
type unary struct {
	kernels kernels1
	out     onnx.DataType // type of the output; Undefined: that of the input
}

// registerUnary registers an operator of ai.onnx whose kernels depend on attributes. "consumed_inputs" of opset 1 has
// no effect on results.
func registerUnary(name string, since int, kernels func(s *Spec) (kernels1, error)) {
	register(Def{Type: name, Since: since, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		if s.Opset < 6 {
			s.Ignore("consumed_inputs")
		}
		k, err := kernels(s)
		return unary{kernels: k}, err
	}})
}

// registerUnaryPlain registers an operator of ai.onnx without attributes.
func registerUnaryPlain(name string, since int, kernels kernels1) {
	registerUnary(name, since, func(*Spec) (kernels1, error) { return kernels, nil })
}

func (u unary) InPlace() []int { return []int{0} }

func (u unary) Infer(in []Info) ([]Info, error) {
	if u.kernels[in[0].Type] == nil {
		return nil, fmt.Errorf("input of type %v is not supported", in[0].Type)
	}
	out := in[0].Type
	if u.out != onnx.Undefined {
		out = u.out
	}
	return []Info{{Type: out, Shape: in[0].Shape}}, nil
}

func (u unary) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	u.kernels[in[0].Type](rt, in[0], out[0])
	return nil
}
