package conv

import (
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// Affine is what happens to a convolution's input before anything else: min(max(x*Scale + Shift, Lo), Hi), with a factor
// and a term for each channel, and with a factor for each channel of each image where Scale is that long. A pointwise
// convolution applies it as it packs its input, which then need not be written and read once more.
type Affine struct {
	Scale  []float32
	Shift  []float32 // one a channel
	Lo, Hi float32
}

// scale returns the factors of an image's channels [lo,hi).
func (a *Affine) scale(image, channels, lo, hi int) []float32 {
	if len(a.Scale) == channels {
		image = 0
	}
	return a.Scale[image*channels+lo : image*channels+hi]
}

// panel changes a packed panel whose rows are channels [lo,hi) of the planned columns, the first of them of that image.
func (a *Affine) panel(t *kernel.Table, panel []float32, p *panelPlan, image, channels, lo, hi int) {
	shift := a.Shift[lo:hi]
	if last := p.run[p.runs-1].image; last == 0 || len(a.Scale) == channels {
		t.AffineRows(panel, a.scale(image, channels, lo, hi), shift, a.Lo, a.Hi)
		return
	}
	for i := range p.runs {
		r := &p.run[i]
		for l, f := range a.scale(image+r.image, channels, lo, hi) {
			for j, v := range panel[l*t.NR+r.lane:][:r.n] {
				panel[l*t.NR+r.lane+j] = min(max(v*f+shift[l], a.Lo), a.Hi)
			}
		}
	}
}

// apply changes all of x, of the shape's input, into y.
func (a *Affine) apply(t *kernel.Table, pool *par.Pool, y, x []float32, s *Shape) {
	plane := size(s.In)
	pool.For(s.N*s.C, max(1, 1<<14/max(plane, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to := y[i*plane:][:plane]
			c := i % s.C
			t.ScaleShift(to, x[i*plane:], a.scale(i/s.C, s.C, c, c+1)[0], a.Shift[c])
			t.Clamp(to, to, a.Lo, a.Hi)
		}
	})
}

// column computes a pointwise convolution of images of one position, such as the weights of a squeeze-and-excitation
// block: a product of few rows with the weights as they are. It reports false for others.
func (f *Filter) column(pool *par.Pool, alloc func(int) []float32, s *Shape, a *Args) bool {
	const fewImages = 8
	if size(s.In) != 1 || f.groups != 1 || s.N > fewImages {
		return false
	}
	x := a.X
	if a.Pre != nil {
		x = alloc(s.N * s.C)
		a.Pre.apply(f.table, pool, x, a.X, s)
	}
	f.table.Gemm(pool, alloc, s.N, s.M, s.C, 1, kernel.Matrix{Data: x, Row: s.C, Col: 1}, kernel.Matrix{Data: f.raw, Row: 1, Col: s.C},
		&kernel.Output{C: a.Y, Res: a.Res, LD: s.M, Cols: s.M}, &kernel.Epilogue{ColBias: a.Bias, Act: a.Act})
	return true
}
