package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// And, Or and Xor of truth values; BitwiseAnd, BitwiseOr, BitwiseXor and BitShift of integers.
func init() {
	registerBinary("And", 1, func(*Spec) (binary, error) {
		return binary{kernels: kernels2{onnx.Bool: runs(cheapGrain, each2(func(a, b bool) bool { return a && b }))}}, nil
	})
	registerBinary("Or", 1, func(*Spec) (binary, error) {
		return binary{kernels: kernels2{onnx.Bool: runs(cheapGrain, each2(func(a, b bool) bool { return a || b }))}}, nil
	})
	registerBinary("Xor", 1, func(*Spec) (binary, error) {
		return binary{kernels: kernels2{onnx.Bool: runs(cheapGrain, each2(func(a, b bool) bool { return a != b }))}}, nil
	})
	registerBinary("BitwiseAnd", 18, func(*Spec) (binary, error) {
		return binary{kernels: integers2(bitAnd[int8], bitAnd[int16], bitAnd[int32], bitAnd[int64],
			bitAnd[uint8], bitAnd[uint16], bitAnd[uint32], bitAnd[uint64])}, nil
	})
	registerBinary("BitwiseOr", 18, func(*Spec) (binary, error) {
		return binary{kernels: integers2(bitOr[int8], bitOr[int16], bitOr[int32], bitOr[int64],
			bitOr[uint8], bitOr[uint16], bitOr[uint32], bitOr[uint64])}, nil
	})
	registerBinary("BitwiseXor", 18, func(*Spec) (binary, error) {
		return binary{kernels: integers2(bitXor[int8], bitXor[int16], bitXor[int32], bitXor[int64],
			bitXor[uint8], bitXor[uint16], bitXor[uint32], bitXor[uint64])}, nil
	})
	// BitShift moves bits by the second input. Those that are moved out are gone; those that come in are zero, or on the
	// left of a signed number its sign. Nothing else is left where it is moved by the type's width or more, or by a
	// negative number.
	registerBinary("BitShift", 11, func(s *Spec) (binary, error) {
		switch d := s.String("direction", ""); d {
		case "LEFT":
			return binary{kernels: integers2(shl[int8], shl[int16], shl[int32], shl[int64],
				shl[uint8], shl[uint16], shl[uint32], shl[uint64])}, nil
		case "RIGHT":
			return binary{kernels: integers2(shr[int8], shr[int16], shr[int32], shr[int64],
				shr[uint8], shr[uint16], shr[uint32], shr[uint64])}, nil
		default:
			return binary{}, fmt.Errorf(`attribute "direction": %q is not LEFT or RIGHT`, d)
		}
	})
}

// integers2 are kernels of functions of single elements of all integer types.
func integers2(i8 func(a, b int8) int8, i16 func(a, b int16) int16, i32 func(a, b int32) int32, i64 func(a, b int64) int64,
	u8 func(a, b uint8) uint8, u16 func(a, b uint16) uint16, u32 func(a, b uint32) uint32, u64 func(a, b uint64) uint64) kernels2 {
	return kernels2{
		onnx.Int8: runs(cheapGrain, each2(i8)), onnx.Int16: runs(cheapGrain, each2(i16)),
		onnx.Int32: runs(cheapGrain, each2(i32)), onnx.Int64: runs(cheapGrain, each2(i64)),
		onnx.Uint8: runs(cheapGrain, each2(u8)), onnx.Uint16: runs(cheapGrain, each2(u16)),
		onnx.Uint32: runs(cheapGrain, each2(u32)), onnx.Uint64: runs(cheapGrain, each2(u64)),
	}
}

func bitAnd[T integer](a, b T) T { return a & b }
func bitOr[T integer](a, b T) T  { return a | b }
func bitXor[T integer](a, b T) T { return a ^ b }

func shl[T integer](a, b T) T { return a << shift(b) }
func shr[T integer](a, b T) T { return a >> shift(b) }

// shift is how far a shift by b goes: out of the type where b is negative.
func shift[T integer](b T) uint64 {
	if b < 0 {
		return 64
	}
	return uint64(b)
}
