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
	// BitShift moves bits by the second input; all bits are gone where that is the type's width or more.
	registerBinary("BitShift", 11, func(s *Spec) (binary, error) {
		switch d := s.String("direction", ""); d {
		case "LEFT":
			return binary{kernels: kernels2{
				onnx.Uint8: runs(cheapGrain, each2(shl[uint8])), onnx.Uint16: runs(cheapGrain, each2(shl[uint16])),
				onnx.Uint32: runs(cheapGrain, each2(shl[uint32])), onnx.Uint64: runs(cheapGrain, each2(shl[uint64])),
			}}, nil
		case "RIGHT":
			return binary{kernels: kernels2{
				onnx.Uint8: runs(cheapGrain, each2(shr[uint8])), onnx.Uint16: runs(cheapGrain, each2(shr[uint16])),
				onnx.Uint32: runs(cheapGrain, each2(shr[uint32])), onnx.Uint64: runs(cheapGrain, each2(shr[uint64])),
			}}, nil
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

type unsigned interface {
	uint8 | uint16 | uint32 | uint64
}

func bitAnd[T integer](a, b T) T { return a & b }
func bitOr[T integer](a, b T) T  { return a | b }
func bitXor[T integer](a, b T) T { return a ^ b }
func shl[T unsigned](a, b T) T   { return a << b }
func shr[T unsigned](a, b T) T   { return a >> b }
