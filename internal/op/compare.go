package op

import "github.com/onnxcnn/onnxcnn/onnx"

// Equal, Greater, GreaterOrEqual, Less and LessOrEqual. A NaN is neither equal to, greater nor less than anything.
func init() {
	registerBinary("Equal", 1, func(*Spec) (binary, error) {
		k := compare2(eq[float32], eq[float64], eq[int8], eq[int16], eq[int32], eq[int64], eq[uint8], eq[uint16], eq[uint32], eq[uint64])
		k[onnx.Bool] = runs(cheapGrain, each2(eq[bool]))
		k[onnx.String] = equalStrings
		return binary{out: onnx.Bool, kernels: k}, nil
	})
	registerBinary("Greater", 1, func(*Spec) (binary, error) {
		return binary{out: onnx.Bool, kernels: compare2(gt[float32], gt[float64], gt[int8], gt[int16], gt[int32], gt[int64],
			gt[uint8], gt[uint16], gt[uint32], gt[uint64])}, nil
	})
	registerBinary("GreaterOrEqual", 12, func(*Spec) (binary, error) {
		return binary{out: onnx.Bool, kernels: compare2(ge[float32], ge[float64], ge[int8], ge[int16], ge[int32], ge[int64],
			ge[uint8], ge[uint16], ge[uint32], ge[uint64])}, nil
	})
	registerBinary("Less", 1, func(*Spec) (binary, error) {
		return binary{out: onnx.Bool, kernels: compare2(lt[float32], lt[float64], lt[int8], lt[int16], lt[int32], lt[int64],
			lt[uint8], lt[uint16], lt[uint32], lt[uint64])}, nil
	})
	registerBinary("LessOrEqual", 12, func(*Spec) (binary, error) {
		return binary{out: onnx.Bool, kernels: compare2(le[float32], le[float64], le[int8], le[int16], le[int32], le[int64],
			le[uint8], le[uint16], le[uint32], le[uint64])}, nil
	})
}

// compare2 are kernels that compare single elements of all types of numbers.
func compare2(f32 func(a, b float32) bool, f64 func(a, b float64) bool, i8 func(a, b int8) bool, i16 func(a, b int16) bool,
	i32 func(a, b int32) bool, i64 func(a, b int64) bool, u8 func(a, b uint8) bool, u16 func(a, b uint16) bool,
	u32 func(a, b uint32) bool, u64 func(a, b uint64) bool) kernels2 {
	return kernels2{
		onnx.Float: runs(cheapGrain, each2(f32)), onnx.Double: runs(cheapGrain, each2(f64)),
		onnx.Int8: runs(cheapGrain, each2(i8)), onnx.Int16: runs(cheapGrain, each2(i16)),
		onnx.Int32: runs(cheapGrain, each2(i32)), onnx.Int64: runs(cheapGrain, each2(i64)),
		onnx.Uint8: runs(cheapGrain, each2(u8)), onnx.Uint16: runs(cheapGrain, each2(u16)),
		onnx.Uint32: runs(cheapGrain, each2(u32)), onnx.Uint64: runs(cheapGrain, each2(u64)),
	}
}

func eq[T comparable](a, b T) bool { return a == b }
func gt[T real](a, b T) bool       { return a > b }
func ge[T real](a, b T) bool       { return a >= b }
func lt[T real](a, b T) bool       { return a < b }
func le[T real](a, b T) bool       { return a <= b }

func equalStrings(rt *Runtime, plan *broadcast, y, a, b *onnx.Tensor) {
	ys := onnx.Data[bool](y)
	plan.run(rt.Pool, costlyGrain, func(o, n int, at *[maxOperands]int) {
		each2(eq[string])(ys[o:o+n], operand(a.Strings, plan.vary[0], at[0], n), operand(b.Strings, plan.vary[1], at[1], n))
	})
}
