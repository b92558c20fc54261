package features

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Pool says how a layer's output becomes an image's features.
type Pool string

// The ways of pooling. Averages and maxima are taken over height and width, so that a value a channel is left.
const (
	PoolAuto    Pool = ""        // average where the layer's output has rank 4, else as it is
	PoolNone    Pool = "none"    // as it is
	PoolAvg     Pool = "avg"     // the average
	PoolMax     Pool = "max"     // the maximum
	PoolFlatten Pool = "flatten" // one row of all values
)

// ParsePool returns the pooling of that name.
func ParsePool(s string) (Pool, error) {
	switch p := Pool(s); p {
	case PoolAuto, PoolNone, PoolAvg, PoolMax, PoolFlatten:
		return p, nil
	case "auto":
		return PoolAuto, nil
	}
	return "", fmt.Errorf("pool %q is none of auto, none, avg, max, flatten", s)
}

// Floats returns a tensor's elements as float32; those of a float32 tensor are its own, not a copy.
func Floats(t *onnx.Tensor) ([]float32, error) {
	switch t.Type {
	case onnx.Float:
		return t.Float32s(), nil
	case onnx.Double:
		return widen(onnx.Data[float64](t)), nil
	case onnx.Int8:
		return widen(onnx.Data[int8](t)), nil
	case onnx.Uint8:
		return widen(onnx.Data[uint8](t)), nil
	case onnx.Int32:
		return widen(onnx.Data[int32](t)), nil
	case onnx.Int64:
		return widen(onnx.Data[int64](t)), nil
	case onnx.Float16:
		return halves(onnx.Data[onnx.Float16Bits](t)), nil
	case onnx.BFloat16:
		return halves(onnx.Data[onnx.BFloat16Bits](t)), nil
	}
	return nil, fmt.Errorf("numbers of type %v are not supported", t.Type)
}

func widen[T float64 | int8 | uint8 | int32 | int64](s []T) []float32 {
	out := make([]float32, len(s))
	for i, v := range s {
		out[i] = float32(v)
	}
	return out
}

func halves[T interface{ Float32() float32 }](s []T) []float32 {
	out := make([]float32, len(s))
	for i, v := range s {
		out[i] = v.Float32()
	}
	return out
}

// pool turns a layer's output for n images into rows: the values of all rows and the shape of one.
func pool(t *onnx.Tensor, n int, how Pool, last bool) ([]float32, []int, error) {
	x, err := Floats(t)
	if err != nil {
		return nil, nil, err
	}
	if n == 0 || len(x)%n != 0 {
		return nil, nil, fmt.Errorf("output of shape %v does not divide into %d rows", t.Shape, n)
	}
	shape := []int{}
	if len(t.Shape) > 0 && t.Shape[0] == n {
		shape = t.Shape[1:]
	} else {
		shape = append(shape, t.Shape...) // of one image, without a batch dimension
	}
	if how == PoolAuto {
		how = PoolNone
		if len(shape) == 3 {
			how = PoolAvg
		}
	}
	switch how {
	case PoolNone:
		if len(shape) == 0 {
			shape = []int{1}
		}
		return x, shape, nil
	case PoolFlatten:
		return x, []int{len(x) / n}, nil
	}
	switch len(shape) {
	case 0, 1:
		return x, []int{len(x) / n}, nil // nothing to pool over
	case 3:
	default:
		return nil, nil, fmt.Errorf("pool %s needs an output of rank 4 (or 2), got shape %v: use flatten or none", how, t.Shape)
	}
	c, area, step, next := shape[0], shape[1]*shape[2], 1, shape[1]*shape[2]
	if last {
		c, area, step, next = shape[2], shape[0]*shape[1], shape[2], 1
	}
	if area == 0 {
		return nil, nil, fmt.Errorf("pool %s of shape %v: nothing to pool over", how, t.Shape)
	}
	out := make([]float32, n*c)
	for row := range n {
		image := x[row*c*area : (row+1)*c*area]
		for ch := range c {
			if how == PoolMax {
				out[row*c+ch] = maximum(image[ch*next:], area, step)
			} else {
				out[row*c+ch] = average(image[ch*next:], area, step)
			}
		}
	}
	return out, []int{c}, nil
}

func average(x []float32, n, step int) float32 {
	sum := 0.0
	for i := 0; i < n; i++ {
		sum += float64(x[i*step])
	}
	return float32(sum / float64(n))
}

// maximum is NaN if one of the values is.
func maximum(x []float32, n, step int) float32 {
	m := x[0]
	for i := 1; i < n; i++ {
		m = max(m, x[i*step])
	}
	return m
}
