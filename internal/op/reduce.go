package op

import (
	"errors"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// reduceKind is what a Reduce operator makes of the elements.
type reduceKind int

const (
	reduceSum reduceKind = iota
	reduceMean
	reduceMax
	reduceMin
	reduceProd
	reduceL1
	reduceL2
	reduceLogSum
	reduceLogSumExp
	reduceSumSquare
)

func init() {
	for name, kind := range map[string]reduceKind{
		"ReduceSum": reduceSum, "ReduceMean": reduceMean, "ReduceMax": reduceMax, "ReduceMin": reduceMin,
		"ReduceProd": reduceProd, "ReduceL1": reduceL1, "ReduceL2": reduceL2, "ReduceLogSum": reduceLogSum,
		"ReduceLogSumExp": reduceLogSumExp, "ReduceSumSquare": reduceSumSquare,
	} {
		register(Def{Type: name, Since: 1, MinIn: 1, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
			return newReduce(s, kind)
		}})
	}
}

// reduce is the family ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1 (sum of magnitudes), ReduceL2
// (root of the sum of squares), ReduceLogSum, ReduceLogSumExp and ReduceSumSquare: the elements along some axes become
// one. The axes are an attribute up to opset 17 (ReduceSum: 12), an input from then on; without axes all are reduced,
// unless noop_with_empty_axes asks for none: then each element is reduced by itself (ReduceL1 gives its magnitude).
//
// Nothing at all reduces to the neutral element: 0, 1 for a product, the lowest value for a maximum, the highest for a
// minimum; the mean of nothing is NaN, for integers 0. Sums of floats are kept in float64, those of integers wrap
// around. The maximum and the minimum of elements with a NaN among them are NaN.
type reduce struct {
	kind      reduceKind
	axes      []int // of the attribute
	axesInput bool
	keep      bool
	noop      bool
}

func newReduce(s *Spec, kind reduceKind) (Op, error) {
	r := reduce{kind: kind, keep: s.Bool("keepdims", true)}
	since := 18
	if kind == reduceSum {
		since = 13
	}
	r.axesInput = s.Opset >= since
	if r.axesInput {
		r.noop = s.Bool("noop_with_empty_axes", false)
		return r, nil
	}
	if len(s.Node.Inputs) > 1 {
		return nil, errors.New("axes are an attribute in this opset, not an input")
	}
	r.axes = s.Ints("axes")
	return r, nil
}

// reducedDims returns which dimensions go away; known is false where that depends on the value of an input.
func (r reduce) reducedDims(rank int, axes *onnx.Tensor, given bool) (flags []bool, known bool, err error) {
	list := r.axes
	if given {
		if axes == nil {
			return nil, false, nil
		}
		if list, err = intsOf(axes); err != nil {
			return nil, false, err
		}
	}
	if len(list) == 0 && r.noop {
		return make([]bool, rank), true, nil
	}
	flags, err = reducedAxes(list, rank)
	return flags, true, err
}

func (r reduce) Infer(in []Info) ([]Info, error) {
	switch typ := in[0].Type; typ {
	case onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64:
	case onnx.Int8, onnx.Uint8, onnx.Bool:
		if r.kind != reduceMax && r.kind != reduceMin {
			return nil, typeError(0, typ)
		}
	default:
		return nil, typeError(0, typ)
	}
	given := len(in) > 1 && !in[1].Absent()
	if given && len(in[1].Shape) != 1 {
		return nil, errors.New("axes: want a list")
	}
	var axes *onnx.Tensor
	if given {
		axes = in[1].Value
	}
	flags, known, err := r.reducedDims(len(in[0].Shape), axes, given)
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: in[0].Type, Dynamic: true}}, nil
	}
	return []Info{{Type: in[0].Type, Shape: reducedShape(in[0].Shape, flags, r.keep)}}, nil
}

func (r reduce) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	var axes *onnx.Tensor
	if len(in) > 1 {
		axes = in[1]
	}
	flags, _, err := r.reducedDims(len(in[0].Shape), axes, axes != nil)
	if err != nil {
		return err
	}
	p := planReduce(in[0].Shape, flags)
	switch in[0].Type {
	case onnx.Float:
		reduceFloats[float32](rt, r.kind, p, in[0], out[0])
	case onnx.Double:
		reduceFloats[float64](rt, r.kind, p, in[0], out[0])
	case onnx.Int32:
		reduceInts[int32](rt, r.kind, p, in[0], out[0], math.MinInt32, math.MaxInt32)
	case onnx.Int64:
		reduceInts[int64](rt, r.kind, p, in[0], out[0], math.MinInt64, math.MaxInt64)
	case onnx.Uint32:
		reduceInts[uint32](rt, r.kind, p, in[0], out[0], 0, math.MaxUint32)
	case onnx.Uint64:
		reduceInts[uint64](rt, r.kind, p, in[0], out[0], 0, math.MaxUint64)
	case onnx.Int8:
		reduceInts[int8](rt, r.kind, p, in[0], out[0], math.MinInt8, math.MaxInt8)
	case onnx.Uint8:
		reduceInts[uint8](rt, r.kind, p, in[0], out[0], 0, math.MaxUint8)
	case onnx.Bool: // one byte, 0 or 1
		x := &onnx.Tensor{Type: onnx.Uint8, Shape: in[0].Shape, Raw: in[0].Raw}
		y := &onnx.Tensor{Type: onnx.Uint8, Shape: out[0].Shape, Raw: out[0].Raw}
		reduceInts[uint8](rt, r.kind, p, x, y, 0, 1)
	}
	return nil
}

func reduceFloats[T float](rt *Runtime, kind reduceKind, p reducePlan, in, out *onnx.Tensor) {
	x, y := onnx.Data[T](in), onnx.Data[T](out)
	count := float64(p.count)
	add := fold[T, float64]{run: sumRun[T], row: sumRow[T, float64], done: convert[float64, T]}
	switch kind {
	case reduceSum:
	case reduceMean:
		add.done = func(a []float64, y []T) {
			for i, v := range a {
				y[i] = T(v / count)
			}
		}
	case reduceLogSum:
		add.done = func(a []float64, y []T) {
			for i, v := range a {
				y[i] = T(math.Log(v))
			}
		}
	case reduceL1:
		add.run, add.row = magnitudeRun[T], magnitudeRow[T, float64]
	case reduceSumSquare:
		add.run, add.row = squareRun[T], squareRow[T, float64]
	case reduceL2:
		add.run, add.row = squareRun[T], squareRow[T, float64]
		add.done = func(a []float64, y []T) {
			for i, v := range a {
				y[i] = T(math.Sqrt(v))
			}
		}
	case reduceProd:
		add.init, add.run, add.row = 1, productRun[T, float64], productRow[T, float64]
	case reduceMax:
		runFold(rt, p, maxFold(T(math.Inf(-1))), x, y)
		return
	case reduceMin:
		runFold(rt, p, minFold(T(math.Inf(1))), x, y)
		return
	case reduceLogSumExp:
		logSumExp(rt, p, x, y)
		return
	}
	runFold(rt, p, add, x, y)
}

func reduceInts[T integer](rt *Runtime, kind reduceKind, p reducePlan, in, out *onnx.Tensor, lowest, highest T) {
	x, y := onnx.Data[T](in), onnx.Data[T](out)
	switch kind {
	case reduceSum:
		runFold(rt, p, fold[T, T]{run: intSumRun[T], row: sumRow[T, T], done: same[T]}, x, y)
	case reduceMean:
		runFold(rt, p, fold[T, T]{run: intSumRun[T], row: sumRow[T, T], done: func(a, y []T) {
			for i, v := range a {
				y[i] = 0
				if p.count > 0 {
					y[i] = T(meanOfInts(v, p.count))
				}
			}
		}}, x, y)
	case reduceMax:
		runFold(rt, p, maxFold(lowest), x, y)
	case reduceMin:
		runFold(rt, p, minFold(highest), x, y)
	case reduceProd:
		runFold(rt, p, fold[T, T]{init: 1, run: productRun[T, T], row: productRow[T, T], done: same[T]}, x, y)
	case reduceL1:
		runFold(rt, p, fold[T, T]{run: func(acc T, x []T) T {
			for _, v := range x {
				acc += magnitude(v)
			}
			return acc
		}, row: magnitudeRow[T, T], done: same[T]}, x, y)
	case reduceSumSquare:
		runFold(rt, p, fold[T, T]{run: func(acc T, x []T) T {
			for _, v := range x {
				acc += v * v
			}
			return acc
		}, row: squareRow[T, T], done: same[T]}, x, y)
	case reduceL2:
		runFold(rt, p, fold[T, float64]{run: squareRun[T], row: squareRow[T, float64], done: func(a []float64, y []T) {
			for i, v := range a {
				y[i] = T(math.Sqrt(v))
			}
		}}, x, y)
	case reduceLogSum:
		runFold(rt, p, fold[T, float64]{run: sumRun[T], row: sumRow[T, float64], done: func(a []float64, y []T) {
			for i, v := range a {
				y[i] = clampToInt(math.Log(v), lowest, highest)
			}
		}}, x, y)
	case reduceLogSumExp:
		wide, res := make([]float64, len(x)), make([]float64, len(y))
		for i, v := range x {
			wide[i] = float64(v)
		}
		logSumExp(rt, p, wide, res)
		for i, v := range res {
			y[i] = clampToInt(v, lowest, highest)
		}
	}
}

// meanOfInts divides as integers do; n is positive.
func meanOfInts[T integer](sum T, n int) T {
	if sum < 0 {
		return T(int64(sum) / int64(n))
	}
	return T(uint64(sum) / uint64(n))
}

// clampToInt cuts the fraction off; what is outside the type becomes its nearest value, NaN 0.
func clampToInt[T integer](v float64, lowest, highest T) T {
	switch {
	case v != v:
		return 0
	case v <= float64(lowest):
		return lowest
	case v >= float64(highest):
		return highest
	}
	return T(v)
}

// logSumExp computes log(sum(exp(x))) as m + log(sum(exp(x-m))) with m the largest x, which cannot overflow.
func logSumExp[T float](rt *Runtime, p reducePlan, x, y []T) {
	runFold(rt, p, maxFold(T(math.Inf(-1))), x, y) // y holds m
	rt.Pool.For(p.results, max(1, 1<<12/max(p.count, 1)), func(lo, hi int) {
		out, red := odometerAt(p.out, p.outStride, lo), odometerAt(p.red, p.redStride, 0)
		for o := lo; o < hi; o++ {
			m := float64(y[o])
			if math.IsInf(m, 0) || m != m { // nothing, only -Inf, a +Inf, or a NaN
				out.next()
				continue
			}
			red.reset()
			sum := 0.0
			for range p.count {
				sum += math.Exp(float64(x[out.offset+red.offset]) - m)
				red.next()
			}
			y[o] = T(m + math.Log(sum))
			out.next()
		}
	})
}
