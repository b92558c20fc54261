package op

import (
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// IsNaN and IsInf. The float8 types (opset 20) are asked as the numbers they stand for.
func init() {
	classify("IsNaN", 9, func(*Spec) func(float64) bool { return math.IsNaN })
	// IsInf looks only for the signs that detect_positive and detect_negative ask for.
	classify("IsInf", 10, func(s *Spec) func(float64) bool {
		pos, neg := s.Bool("detect_positive", true), s.Bool("detect_negative", true)
		return func(v float64) bool { return pos && v > math.MaxFloat64 || neg && v < -math.MaxFloat64 }
	})
}

func classify(name string, since int, ask func(s *Spec) func(float64) bool) {
	register(Def{Type: name, Since: since, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		f := ask(s)
		k := kernels1{}
		for _, t := range []onnx.DataType{onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16, onnx.Float8E4M3FN,
			onnx.Float8E4M3FNUZ, onnx.Float8E5M2, onnx.Float8E5M2FNUZ} {
			k[t] = func(rt *Runtime, x, y *onnx.Tensor) {
				ys := onnx.Data[bool](y)
				rt.Pool.For(len(ys), costlyGrain, func(lo, hi int) {
					var buf [256]float64
					for ; lo < hi; lo += len(buf) {
						b := buf[:min(len(buf), hi-lo)]
						readFloats(x, lo, b)
						for i, v := range b {
							ys[lo+i] = f(v)
						}
					}
				})
			}
		}
		return unary{kernels: k, out: onnx.Bool}, nil
	}})
}
