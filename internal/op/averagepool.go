package op

import (
	"github.com/onnxcnn/onnxcnn/internal/conv"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "AveragePool", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return averagePool{window: s.window(), includePad: s.Bool("count_include_pad", false)}, nil
	}})
}

// averagePool is the mean of each window that slides over one to three spatial axes: the sum of the elements inside the
// input over their number, or, with count_include_pad, over the number of elements inside the padded input. What
// ceil_mode lets stick out beyond the padding never counts.
type averagePool struct {
	window     window
	includePad bool
}

func (a averagePool) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	_, shape, err := a.window.poolShape(in[0].Shape)
	if err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

func (a averagePool) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	p, _, err := a.window.poolShape(in[0].Shape)
	if err != nil {
		return err
	}
	if in[0].Type == onnx.Double {
		averagePoolOf[float64](rt, a, &p, in[0], out[0])
	} else {
		averagePoolOf[float32](rt, a, &p, in[0], out[0])
	}
	return nil
}

func averagePoolOf[T float](rt *Runtime, a averagePool, p *poolShape, in, out *onnx.Tensor) {
	shares := poolShares[T](a, p)
	if s := p.convShape(); in.Type == onnx.Float && conv.WindowsFit(s) {
		conv.Windows(rt.Pool, rt.Scratch, s, in.Float32s(), out.Float32s(), any(shares).(func(d, h int) []float32))
		return
	}
	add, scale := plus[T](), times[T]()
	rowPool(rt, p, onnx.Data[T](in), onnx.Data[T](out), 0, copyRow[T], add, func(acc, room, y []T, d, h int) {
		poolAlong(p, acc, room, y, 0, add)
		scale(y, y, shares(d, h))
	})
}

// poolShares returns what the sums of a row of windows are multiplied by: 1 over the number of elements that each
// counts. It depends on how many rows they count, which the row's place on the first two axes decides.
func poolShares[T float](a averagePool, p *poolShape) func(d, h int) []T {
	var counts [3][]int
	for axis := range counts {
		counts[axis] = a.counts(p, axis)
	}
	shares := map[int][]T{}
	for _, d := range counts[0] {
		for _, h := range counts[1] {
			if shares[d*h] != nil {
				continue
			}
			row := make([]T, p.out[2])
			for i, w := range counts[2] {
				if n := d * h * w; n > 0 { // else the windows hold nothing, and their sum is 0
					row[i] = 1 / T(n)
				}
			}
			shares[d*h] = row
		}
	}
	return func(d, h int) []T { return shares[counts[0][d]*counts[1][h]] }
}

// counts returns how many elements each window counts along an axis.
func (a averagePool) counts(p *poolShape, axis int) []int {
	list := make([]int, p.out[axis])
	for o := range list {
		start, lo, hi := p.taps(axis, o)
		if a.includePad {
			lo, hi = 0, p.kernel[axis]
			d := p.dilation[axis]
			if room := p.in[axis] + p.padEnd[axis] - start; room <= (hi-1)*d {
				hi = (room + d - 1) / d
			}
		}
		list[o] = hi - lo
	}
	return list
}

// PerImage implements [PerImager].
func (averagePool) PerImage() bool { return true }
