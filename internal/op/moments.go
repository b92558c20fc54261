package op

import (
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// squaredDistance is the sum of (x-m)^2.
func squaredDistance[T float](x []T, m float64) float64 {
	if f, ok := any(x).([]float32); ok {
		return kernel.Default().Distance(f, m)
	}
	var a, b float64
	for len(x) >= 2 {
		d, e := float64(x[0])-m, float64(x[1])-m
		a += d * d
		b += e * e
		x = x[2:]
	}
	for _, v := range x {
		d := float64(v) - m
		a += d * d
	}
	return a + b
}

// meanAndScale returns the mean of x and 1/sqrt(variance + epsilon); the variance divides by the number of elements.
func meanAndScale[T float](x []T, epsilon float64) (mean, scale float64) {
	n := float64(len(x))
	mean = sumRun(0, x) / n
	return mean, 1 / math.Sqrt(squaredDistance(x, mean)/n+epsilon)
}

// toFloat64s returns a copy of the elements of a Float or Double tensor.
func toFloat64s(t *onnx.Tensor) []float64 {
	if t.Type == onnx.Double {
		return append([]float64{}, onnx.Data[float64](t)...)
	}
	x := onnx.Data[float32](t)
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// fromFloat64s fills a Float or Double tensor.
func fromFloat64s(t *onnx.Tensor, v []float64) {
	if t.Type == onnx.Double {
		copy(onnx.Data[float64](t), v)
		return
	}
	y := onnx.Data[float32](t)
	for i := range y {
		y[i] = float32(v[i])
	}
}
