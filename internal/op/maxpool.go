package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "MaxPool", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 2, New: func(s *Spec) (Op, error) {
		m := maxPool{window: s.window()}
		switch order := s.Int("storage_order", 0); order {
		case 0:
		case 1:
			m.columnMajor = true
		default:
			return nil, fmt.Errorf("attribute \"storage_order\" is %d, want 0 or 1", order)
		}
		return m, nil
	}})
}

// maxPool is the largest element of each window that slides over one to three spatial axes; padding does not take part.
// Its second output is the place of that element in the flattened input (storage_order 1 counts the spatial axes in
// column-major order); of equal elements it is the first. A window of nothing but padding, which dilations can make,
// gives the type's lowest value and the place -1.
type maxPool struct {
	window      window
	columnMajor bool
}

func (m maxPool) Infer(in []Info) ([]Info, error) {
	switch in[0].Type {
	case onnx.Float, onnx.Double, onnx.Int8, onnx.Uint8:
	default:
		return nil, typeError(0, in[0].Type)
	}
	_, shape, err := m.window.poolShape(in[0].Shape)
	if err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: shape}, {Type: onnx.Int64, Shape: shape}}, nil
}

func (m maxPool) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	p, _, err := m.window.poolShape(in[0].Shape)
	if err != nil {
		return err
	}
	switch in[0].Type {
	case onnx.Float:
		maxPoolOf(rt, m, &p, in[0], out, float32(math.Inf(-1)))
	case onnx.Double:
		maxPoolOf(rt, m, &p, in[0], out, math.Inf(-1))
	case onnx.Int8:
		maxPoolOf[int8](rt, m, &p, in[0], out, math.MinInt8)
	case onnx.Uint8:
		maxPoolOf[uint8](rt, m, &p, in[0], out, 0)
	}
	return nil
}

func maxPoolOf[T real](rt *Runtime, m maxPool, p *poolShape, in *onnx.Tensor, out []*onnx.Tensor, lowest T) {
	x := onnx.Data[T](in)
	if len(out) > 1 && out[1] != nil {
		var y []T
		if out[0] != nil {
			y = onnx.Data[T](out[0])
		}
		maxPoolIndices(rt, p, x, y, onnx.Data[int64](out[1]), lowest, m.columnMajor)
		return
	}
	lo, hi := p.interior()
	rowPool(rt, p, x, onnx.Data[T](out[0]), lowest, copyRow[T], maxRow[T], func(acc, y []T, _, _ int) {
		maxAlong(p, acc, y, lo, hi, lowest)
	})
}

func copyRow[T real](acc, row []T) { copy(acc, row) }

func maxRow[T real](acc, row []T) {
	row = row[:len(acc)]
	for i, v := range row {
		acc[i] = max(acc[i], v)
	}
}

// maxAlong pools one row; outputs [lo,hi) have their whole window inside it.
func maxAlong[T real](p *poolShape, x, y []T, lo, hi int, lowest T) {
	edge := func(from, to int) {
		for o := from; o < to; o++ {
			start, a, b := p.taps(2, o)
			m := lowest
			for k := a; k < b; k++ {
				m = max(m, x[start+k*p.dilation[2]])
			}
			y[o] = m
		}
	}
	edge(0, lo)
	edge(hi, len(y))
	y = y[lo:hi]
	if len(y) == 0 {
		return
	}
	x = x[lo*p.stride[2]-p.padBegin[2]:]
	kernel, stride, dilation := p.kernel[2], p.stride[2], p.dilation[2]
	switch {
	case kernel == 3 && stride == 2 && dilation == 1:
		x = x[:2*len(y)+1]
		left := x[0]
		for i := range y {
			right := x[2*i+2]
			y[i] = max(left, x[2*i+1], right)
			left = right
		}
	case kernel == 2 && stride == 2 && dilation == 1:
		x = x[:2*len(y)]
		for i := range y {
			y[i] = max(x[2*i], x[2*i+1])
		}
	case kernel == 3 && stride == 1 && dilation == 1:
		a, b := x[0], x[1]
		x = x[2:][:len(y)]
		for i, c := range x {
			y[i] = max(a, b, c)
			a, b = b, c
		}
	default:
		for i := range y {
			at := i * stride
			m := x[at]
			for range kernel - 1 {
				at += dilation
				m = max(m, x[at])
			}
			y[i] = m
		}
	}
}

// maxPoolIndices finds places too; y may be nil.
func maxPoolIndices[T real](rt *Runtime, p *poolShape, x, y []T, at []int64, lowest T, columnMajor bool) {
	work := max(1, p.out[2]*p.kernel[0]*p.kernel[1]*p.kernel[2])
	rt.Pool.For(p.planes*p.outRows, max(1, 1<<14/work), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			base := r / p.outRows * p.inPlane
			row := r % p.outRows
			dStart, dLo, dHi := p.taps(0, row/p.out[1])
			hStart, hLo, hHi := p.taps(1, row%p.out[1])
			for o := range p.out[2] {
				wStart, wLo, wHi := p.taps(2, o)
				most, place := lowest, -1
				for i := dLo; i < dHi; i++ {
					for j := hLo; j < hHi; j++ {
						line := base + ((dStart+i*p.dilation[0])*p.in[1]+hStart+j*p.dilation[1])*p.in[2]
						for k := wLo; k < wHi; k++ {
							c := line + wStart + k*p.dilation[2]
							v := x[c]
							if v > most || place < 0 || v != v && most == most {
								most, place = v, c
							}
						}
					}
				}
				if columnMajor && place >= 0 {
					c := place - base
					w, h, d := c%p.in[2], c/p.in[2]%p.in[1], c/p.in[2]/p.in[1]
					place = base + d + p.in[0]*(h+p.in[1]*w)
				}
				at[r*p.out[2]+o] = int64(place)
				if y != nil {
					y[r*p.out[2]+o] = most
				}
			}
		}
	})
}
