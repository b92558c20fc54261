package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/conv"
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
	if s := p.convShape(); in.Type == onnx.Float && conv.WindowsFit(s) {
		conv.Windows(rt.Pool, rt.Scratch, s, in.Float32s(), out[0].Float32s(), nil)
		return
	}
	most := larger[T]()
	rowPool(rt, p, x, onnx.Data[T](out[0]), lowest, copyRow[T], most, func(acc, room, y []T, _, _ int) {
		poolAlong(p, acc, room, y, lowest, most)
	})
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

// PerImage implements [PerImager].
func (maxPool) PerImage() bool { return true }
