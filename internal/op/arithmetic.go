package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Add, Sub, Mul, Div and Mod. Integers wrap around. Division of integers cuts towards zero; dividing an integer by
// zero is an error.
func init() {
	registerBinary("Add", 1, func(*Spec) (binary, error) {
		return binary{kernels: numbers2(add32, add[float64], add[int8], add[int16], add[int32], add[int64],
			add[uint8], add[uint16], add[uint32], add[uint64])}, nil
	})
	registerBinary("Sub", 1, func(*Spec) (binary, error) {
		return binary{kernels: numbers2(sub32, sub[float64], sub[int8], sub[int16], sub[int32], sub[int64],
			sub[uint8], sub[uint16], sub[uint32], sub[uint64])}, nil
	})
	registerBinary("Mul", 1, func(*Spec) (binary, error) {
		return binary{kernels: numbers2(mul32, mul[float64], mul[int8], mul[int16], mul[int32], mul[int64],
			mul[uint8], mul[uint16], mul[uint32], mul[uint64])}, nil
	})
	registerBinary("Div", 1, func(*Spec) (binary, error) {
		return binary{check: noZero, kernels: numbers2(div32, div[float64], div[int8], div[int16], div[int32], div[int64],
			div[uint8], div[uint16], div[uint32], div[uint64])}, nil
	})
	// Mod has the divisor's sign as Python's % has it, or with fmod=1 the dividend's as C's fmod. ONNX asks for fmod=1
	// where numbers are floating-point; without it they follow Python, too.
	registerBinary("Mod", 10, func(s *Spec) (binary, error) {
		if s.Bool("fmod", false) {
			return binary{check: noZero, kernels: numbers2(each2(fmod[float32]), each2(fmod[float64]),
				each2(rem[int8]), each2(rem[int16]), each2(rem[int32]), each2(rem[int64]),
				each2(rem[uint8]), each2(rem[uint16]), each2(rem[uint32]), each2(rem[uint64]))}, nil
		}
		return binary{check: noZero, kernels: numbers2(each2(floatMod[float32]), each2(floatMod[float64]),
			each2(floorMod[int8]), each2(floorMod[int16]), each2(floorMod[int32]), each2(floorMod[int64]),
			each2(rem[uint8]), each2(rem[uint16]), each2(rem[uint32]), each2(rem[uint64]))}, nil
	})
}

// numbers2 are kernels for all types of numbers.
func numbers2(f32 loop2[float32, float32], f64 loop2[float64, float64], i8 loop2[int8, int8], i16 loop2[int16, int16],
	i32 loop2[int32, int32], i64 loop2[int64, int64], u8 loop2[uint8, uint8], u16 loop2[uint16, uint16],
	u32 loop2[uint32, uint32], u64 loop2[uint64, uint64]) kernels2 {
	return kernels2{
		onnx.Float: runs(cheapGrain, f32), onnx.Double: runs(cheapGrain, f64),
		onnx.Int8: runs(cheapGrain, i8), onnx.Int16: runs(cheapGrain, i16),
		onnx.Int32: runs(cheapGrain, i32), onnx.Int64: runs(cheapGrain, i64),
		onnx.Uint8: runs(cheapGrain, u8), onnx.Uint16: runs(cheapGrain, u16),
		onnx.Uint32: runs(cheapGrain, u32), onnx.Uint64: runs(cheapGrain, u64),
	}
}

// The loops over float32 have kernels. A sum or product with one number is a fused multiply-add whose other half changes
// no bit: a factor of 1, and the zero that keeps the sign of a product that is zero.

var negativeZero = float32(math.Copysign(0, -1))

func add32(y, a, b []float32) {
	switch t := kernel.Default(); {
	case len(a) == len(b):
		t.Add(y, a, b)
	case len(b) == 1:
		t.ScaleShift(y, a, 1, b[0])
	default:
		t.ScaleShift(y, b, 1, a[0])
	}
}

func sub32(y, a, b []float32) {
	switch t := kernel.Default(); {
	case len(a) == len(b):
		t.Sub(y, a, b)
	case len(b) == 1:
		t.ScaleShift(y, a, 1, -b[0])
	default:
		t.ScaleShift(y, b, -1, a[0])
	}
}

func mul32(y, a, b []float32) {
	switch t := kernel.Default(); {
	case len(a) == len(b):
		t.Mul(y, a, b)
	case len(b) == 1:
		t.ScaleShift(y, a, b[0], negativeZero)
	default:
		t.ScaleShift(y, b, a[0], negativeZero)
	}
}

func div32(y, a, b []float32) {
	switch t := kernel.Default(); {
	case len(a) == len(b):
		t.Div(y, a, b)
	case len(b) == 1:
		t.DivBy(y, a, b[0])
	default:
		div(y, a, b)
	}
}

func add[T real](y, a, b []T) {
	switch {
	case len(a) == len(y) && len(b) == len(y):
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = a[i] + b[i]
		}
	case len(b) == len(y):
		add(y, b, a)
	case len(a) == len(y):
		s := b[0]
		for i, v := range a {
			y[i] = v + s
		}
	}
}

func sub[T real](y, a, b []T) {
	switch {
	case len(a) == len(y) && len(b) == len(y):
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = a[i] - b[i]
		}
	case len(b) == len(y):
		s := a[0]
		for i, v := range b {
			y[i] = s - v
		}
	case len(a) == len(y):
		s := b[0]
		for i, v := range a {
			y[i] = v - s
		}
	}
}

func mul[T real](y, a, b []T) {
	switch {
	case len(a) == len(y) && len(b) == len(y):
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = a[i] * b[i]
		}
	case len(b) == len(y):
		mul(y, b, a)
	case len(a) == len(y):
		s := b[0]
		for i, v := range a {
			y[i] = v * s
		}
	}
}

func div[T real](y, a, b []T) {
	switch {
	case len(a) == len(y) && len(b) == len(y):
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = a[i] / b[i]
		}
	case len(b) == len(y):
		s := a[0]
		for i, v := range b {
			y[i] = s / v
		}
	case len(a) == len(y):
		s := b[0]
		for i, v := range a {
			y[i] = v / s
		}
	}
}

// noZero refuses integer divisors of zero.
func noZero(b *onnx.Tensor) error {
	if zero := zeroFinders[b.Type]; zero != nil && zero(b) {
		return fmt.Errorf("division of integers by zero")
	}
	return nil
}

var zeroFinders = map[onnx.DataType]func(t *onnx.Tensor) bool{
	onnx.Int8: hasZero[int8], onnx.Int16: hasZero[int16], onnx.Int32: hasZero[int32], onnx.Int64: hasZero[int64],
	onnx.Uint8: hasZero[uint8], onnx.Uint16: hasZero[uint16], onnx.Uint32: hasZero[uint32], onnx.Uint64: hasZero[uint64],
}

func hasZero[T integer](t *onnx.Tensor) bool {
	for _, v := range onnx.Data[T](t) {
		if v == 0 {
			return true
		}
	}
	return false
}

func fmod[T float](a, b T) T { return T(math.Mod(float64(a), float64(b))) }

func rem[T integer](a, b T) T { return a % b }

func floorMod[T integer](a, b T) T {
	r := a % b
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}

func floatMod[T float](a, b T) T {
	r := fmod(a, b)
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}
