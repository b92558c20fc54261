package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Products of 8-bit integers, less their zero points, are computed by the float32 kernels: such a number is below 2^8,
// a product below 2^16, and float32 adds up exactStretch of them exactly. Longer sums are cut into stretches that are
// added as int32.
const exactStretch = 256

// integerProduct computes y = A·B for A of m x k and B of k x n, whose elements are whole numbers in [-255,255].
func integerProduct(rt *Runtime, m, n, k int, a, b kernel.Matrix, y []int32, ld int) {
	if m == 0 || n == 0 {
		return
	}
	if k == 0 {
		for i := range m {
			clear(y[i*ld:][:n])
		}
		return
	}
	t := kernel.Default()
	sumStretches(rt, m, n, k, y, ld, func(from, size int, out *kernel.Output) {
		t.Gemm(rt.Pool, rt.Scratch, m, n, size, 1,
			kernel.Matrix{Data: a.Data[from*a.Col:], Row: a.Row, Col: a.Col},
			kernel.Matrix{Data: b.Data[from*b.Row:], Row: b.Row, Col: b.Col}, out, &kernel.Epilogue{})
	})
}

// sumStretches adds up what product computes of the stretches of a sum of k: m rows of n sums, ld apart in y.
func sumStretches(rt *Runtime, m, n, k int, y []int32, ld int, product func(from, size int, out *kernel.Output)) {
	mark := rt.taken
	defer func() { rt.taken = mark }() // the next product may use the same scratch memory
	c := rt.Scratch(m * n)
	out := &kernel.Output{C: c, LD: n, Cols: n}
	for from := 0; from < k; from += exactStretch {
		stretch := rt.taken
		product(from, min(exactStretch, k-from), out)
		rt.taken = stretch
		rt.Pool.For(m, max(1, cheapGrain/n), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				dst := y[i*ld:][:n]
				src := c[i*n:][:n]
				if from == 0 {
					for j, v := range src {
						dst[j] = int32(v)
					}
					continue
				}
				for j, v := range src {
					dst[j] += int32(v)
				}
			}
		})
	}
}

// is8Bit reports whether the type is one that quantised products take.
func is8Bit(t onnx.DataType) bool { return t == onnx.Uint8 || t == onnx.Int8 }

// widen8 writes elements of an 8-bit tensor, from one on, as float32.
func widen8(dst []float32, x *onnx.Tensor, from int) {
	if t := kernel.Default(); x.Type == onnx.Int8 {
		t.WidenInt8(dst, onnx.Data[int8](x)[from:])
	} else {
		t.WidenUint8(dst, onnx.Data[uint8](x)[from:])
	}
}

// centred writes x, of an 8-bit type, less its zero points to y. The zero points have the shape that broadcasts to x's;
// nil stands for 0.
func centred(rt *Runtime, y []float32, x, zero *onnx.Tensor, zeroShape []int) {
	if x.Type == onnx.Int8 {
		centredOf[int8](rt, y, x, zero, zeroShape)
	} else {
		centredOf[uint8](rt, y, x, zero, zeroShape)
	}
}

func centredOf[T int8 | uint8](rt *Runtime, y []float32, x, zero *onnx.Tensor, zeroShape []int) {
	xs, zs := onnx.Data[T](x), []T{0}
	if zero != nil {
		zs = onnx.Data[T](zero)
	}
	plan := newBroadcast(x.Shape, x.Shape, zeroShape)
	plan.run(rt.Pool, cheapGrain, func(at, n int, from *[maxOperands]int) {
		dst, src := y[at:at+n], xs[at:at+n]
		z := operand(zs, plan.vary[1], from[1], n)
		if len(z) < n {
			widen8(dst, x, at)
			if z[0] != 0 {
				sub32(dst, dst, []float32{float32(z[0])})
			}
			return
		}
		for i, v := range src {
			dst[i] = float32(int32(v) - int32(z[i]))
		}
	})
}

// requantise writes sums of products, rows of the given length, as 8-bit numbers:
// y = saturate(round((sum+bias)*row*col) + zero).
type requantise struct {
	row, col []float32 // factors, used again and again where there are more rows or columns
	bias     []int32   // one a row, used again likewise; nil: none
	zero     float32
}

func (q requantise) run(rt *Runtime, sums []int32, cols int, y *onnx.Tensor) {
	if cols == 0 || len(sums) == 0 {
		return
	}
	lo, hi, _ := quantRange(y.Type)
	t := kernel.Default()
	rt.Pool.For(len(sums)/cols, max(1, cheapGrain/cols), func(from, to int) {
		buf := make([]float32, min(cols, 1024))
		for r := from; r < to; r++ {
			f, bias := q.row[r%len(q.row)], int32(0)
			if q.bias != nil {
				bias = q.bias[r%len(q.bias)]
			}
			for c := 0; c < cols; c += len(buf) {
				part := sums[r*cols+c : r*cols+min(c+len(buf), cols)]
				b := buf[:len(part)]
				if len(q.col) > 1 {
					for i, v := range part {
						b[i] = float32(v+bias) * (f * q.col[c+i])
					}
				} else {
					g := f * q.col[0]
					for i, v := range part {
						b[i] = float32(v+bias) * g
					}
				}
				t.Round8(y.Raw[r*cols+c:][:len(b)], b, q.zero, lo, hi)
			}
		}
	})
}

// wantScalar returns an error unless an input has one element.
func wantScalar(name string, v Info) error {
	if prod(v.Shape) != 1 {
		return fmt.Errorf("%s has shape %v, want a scalar", name, v.Shape)
	}
	return nil
}

// wantZero checks a zero point's type, which must be that of the tensor it belongs to.
func wantZero(name string, zero Info, t onnx.DataType) error {
	if !zero.Absent() && zero.Type != t {
		return fmt.Errorf("%s is of type %v, its tensor of type %v", name, zero.Type, t)
	}
	return nil
}
