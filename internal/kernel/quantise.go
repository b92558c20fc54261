package kernel

import "math"

func genericFloor(dst, x []float32) { eachFloat64(dst, x, math.Floor) }
func genericCeil(dst, x []float32)  { eachFloat64(dst, x, math.Ceil) }
func genericRound(dst, x []float32) { eachFloat64(dst, x, math.RoundToEven) }

func eachFloat64(dst, x []float32, f func(float64) float64) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = float32(f(float64(v)))
	}
}

func genericRound8(dst []byte, x []float32, zero, lo, hi float32) {
	x = x[:len(dst)]
	for i, v := range x {
		v = clamp(float32(math.RoundToEven(float64(v)))+zero, lo, hi)
		if v != v {
			v = 0
		}
		dst[i] = byte(int32(v))
	}
}

func genericWidenUint8(dst []float32, x []uint8) { widen8(dst, x) }
func genericWidenInt8(dst []float32, x []int8)   { widen8(dst, x) }

func widen8[T uint8 | int8](dst []float32, x []T) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = float32(v)
	}
}
