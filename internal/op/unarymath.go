package op

import (
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// The functions of one number. Where ONNX has them for integers too, Abs and Neg of the least number of a signed type
// are that number itself, as two's complement has it.
func init() {
	registerUnaryPlain("Sqrt", 1, kernels1{onnx.Float: loop1(cheapGrain, sqrt32), onnx.Double: loop1(cheapGrain, each1(math.Sqrt))})
	registerUnaryPlain("Exp", 1, floats1(func(y, x []float32) {
		for i, v := range x {
			y[i] = kernel.ExpF(v)
		}
	}, math.Exp))
	registerUnaryPlain("Log", 1, viaFloat64(math.Log))
	registerUnaryPlain("Erf", 9, merge(floats1(func(y, x []float32) { kernel.Default().Erf(y[:len(x)], x) }, math.Erf), integers1(each1(intErf[int8]), each1(intErf[int16]), each1(intErf[int32]), each1(intErf[int64]),
		each1(intErf[uint8]), each1(intErf[uint16]), each1(intErf[uint32]), each1(intErf[uint64]))))
	registerUnaryPlain("Abs", 1, merge(kernels1{onnx.Float: loop1(cheapGrain, abs32), onnx.Double: loop1(cheapGrain, each1(math.Abs))},
		integers1(intAbs[int8], intAbs[int16], intAbs[int32], intAbs[int64],
			unchanged[uint8], unchanged[uint16], unchanged[uint32], unchanged[uint64])))
	registerUnaryPlain("Neg", 1, kernels1{
		onnx.Float: loop1(cheapGrain, neg[float32]), onnx.Double: loop1(cheapGrain, neg[float64]),
		onnx.Int8: loop1(cheapGrain, neg[int8]), onnx.Int16: loop1(cheapGrain, neg[int16]),
		onnx.Int32: loop1(cheapGrain, neg[int32]), onnx.Int64: loop1(cheapGrain, neg[int64]),
	})
	// Sign of NaN is NaN, as numpy has it.
	registerUnaryPlain("Sign", 9, merge(kernels1{onnx.Float: loop1(cheapGrain, each1(sign[float32])), onnx.Double: loop1(cheapGrain, each1(sign[float64]))},
		integers1(each1(sign[int8]), each1(sign[int16]), each1(sign[int32]), each1(sign[int64]),
			each1(sign[uint8]), each1(sign[uint16]), each1(sign[uint32]), each1(sign[uint64]))))
	registerUnaryPlain("Floor", 1, kernels1{onnx.Float: loop1(cheapGrain, func(y, x []float32) { kernel.Default().Floor(y, x) }), onnx.Double: loop1(cheapGrain, each1(math.Floor))})
	registerUnaryPlain("Ceil", 1, kernels1{onnx.Float: loop1(cheapGrain, func(y, x []float32) { kernel.Default().Ceil(y, x) }), onnx.Double: loop1(cheapGrain, each1(math.Ceil))})
	// Round takes halves to the even neighbour.
	registerUnaryPlain("Round", 11, kernels1{onnx.Float: loop1(cheapGrain, func(y, x []float32) { kernel.Default().Round(y, x) }), onnx.Double: loop1(cheapGrain, each1(math.RoundToEven))})
	registerUnaryPlain("Reciprocal", 1, kernels1{onnx.Float: loop1(cheapGrain, reciprocal[float32]), onnx.Double: loop1(cheapGrain, reciprocal[float64])})
	registerUnaryPlain("Sin", 7, viaFloat64(math.Sin))
	registerUnaryPlain("Cos", 7, viaFloat64(math.Cos))
	registerUnaryPlain("Tan", 7, viaFloat64(math.Tan))
	registerUnaryPlain("Asin", 7, viaFloat64(math.Asin))
	registerUnaryPlain("Acos", 7, viaFloat64(math.Acos))
	registerUnaryPlain("Atan", 7, viaFloat64(math.Atan))
	registerUnaryPlain("Sinh", 9, viaFloat64(math.Sinh))
	registerUnaryPlain("Cosh", 9, viaFloat64(math.Cosh))
	registerUnaryPlain("Asinh", 9, viaFloat64(math.Asinh))
	registerUnaryPlain("Acosh", 9, viaFloat64(math.Acosh))
	registerUnaryPlain("Atanh", 9, viaFloat64(math.Atanh))
	registerUnaryPlain("Not", 1, kernels1{onnx.Bool: loop1(cheapGrain, each1(func(x bool) bool { return !x }))})
	registerUnaryPlain("BitwiseNot", 18, integers1(bitNot[int8], bitNot[int16], bitNot[int32], bitNot[int64],
		bitNot[uint8], bitNot[uint16], bitNot[uint32], bitNot[uint64]))
}

// integers1 are the kernels of cheap loops over all integer types.
func integers1(i8 func(y, x []int8), i16 func(y, x []int16), i32 func(y, x []int32), i64 func(y, x []int64),
	u8 func(y, x []uint8), u16 func(y, x []uint16), u32 func(y, x []uint32), u64 func(y, x []uint64)) kernels1 {
	return kernels1{
		onnx.Int8: loop1(cheapGrain, i8), onnx.Int16: loop1(cheapGrain, i16),
		onnx.Int32: loop1(cheapGrain, i32), onnx.Int64: loop1(cheapGrain, i64),
		onnx.Uint8: loop1(cheapGrain, u8), onnx.Uint16: loop1(cheapGrain, u16),
		onnx.Uint32: loop1(cheapGrain, u32), onnx.Uint64: loop1(cheapGrain, u64),
	}
}

func sqrt32(y, x []float32) {
	for i, v := range x {
		y[i] = float32(math.Sqrt(float64(v)))
	}
}

func abs32(y, x []float32) {
	for i, v := range x {
		y[i] = math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
	}
}

func intAbs[T signed](y, x []T) {
	for i, v := range x {
		if v < 0 {
			v = -v
		}
		y[i] = v
	}
}

func unchanged[T any](y, x []T) { copy(y, x) }

func neg[T signed](y, x []T) {
	for i, v := range x {
		y[i] = -v
	}
}

func sign[T real](x T) T {
	switch {
	case x > 0:
		return 1
	case x < 0:
		x = 0
		return x - 1
	}
	return x // 0 or NaN
}

func reciprocal[T float](y, x []T) {
	for i, v := range x {
		y[i] = 1 / v
	}
}

// intErf is the error function cut to a whole number: 1 and -1 are reached only beyond what float64 tells from them.
func intErf[T integer](x T) T { return T(math.Erf(float64(x))) }

func bitNot[T integer](y, x []T) {
	for i, v := range x {
		y[i] = ^v
	}
}
