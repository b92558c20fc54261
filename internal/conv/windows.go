package conv

import (
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// WindowsFit reports whether [Windows] is a good way to pool: for large windows or strides, passes over rows that
// combine what neighbouring windows share take less.
func WindowsFit(s *Shape) bool {
	if len(s.In) > axes {
		return false
	}
	g := newGeometry(s)
	return g.taps <= 27 && g.ker[1] <= 5 && g.ker[2] <= 5 && g.stride[1] <= 2 && g.stride[2] <= 2 && newSpread(&g).slice <= mostSpread
}

// Windows pools: for each output, it combines the elements of the input that lie in its window, and in the input. That
// is their sum times a share, or with shares nil the largest, NaN where one is. s has as many groups and outputs as
// channels. shares returns the factors of a row of outputs, at (z, y) on the first two of three axes. Windows without
// an element give 0, or negative infinity.
func Windows(pool *par.Pool, alloc func(int) []float32, s *Shape, x, y []float32, shares func(z, y int) []float32) {
	geo := newGeometry(s)
	if s.N*s.C*geo.outPlane == 0 {
		return
	}
	sp := newSpread(&geo)
	if shares == nil {
		sp.outside = float32(math.Inf(-1))
	}
	w := &windows{geometry: &geo, spread: sp, table: kernel.Default(), shares: shares, ones: make([]float32, geo.taps)}
	for i := range w.ones {
		w.ones[i] = 1
	}
	flat := 0
	if geo.out[2] < longRow {
		flat = (geo.out[1]-1)*sp.cols + geo.out[2]
		w.flatten(flat)
	}
	each := geo.in[0]*sp.slice + flat
	scratch := alloc(pool.Threads() * each)
	work := geo.outPlane*geo.taps/8 + geo.plane
	pool.ForWorker(geo.n*geo.c, max(1, 1<<14/work), func(worker, lo, hi int) {
		mine := scratch[worker*each:][:each]
		offs := make([]int, 0, geo.taps)
		for i := lo; i < hi; i++ {
			w.plane(mine[flat:], mine[:flat], offs, x[i*geo.plane:][:geo.plane], y[i*geo.outPlane:][:geo.outPlane])
		}
	})
}

// windows is one computation.
type windows struct {
	*geometry
	*spread
	table  *kernel.Table
	shares func(z, y int) []float32
	ones   []float32
	flat   [][]float32 // shares of a slice as it is computed, where rows are short
}

// flatten lays the shares of n outputs of each slice out as these are computed, with what lies between rows.
func (w *windows) flatten(n int) {
	if w.shares == nil {
		return
	}
	for z := range w.out[0] {
		f := make([]float32, n)
		for i := range w.out[1] {
			copy(f[i*w.cols:], w.shares(z, i))
		}
		w.flat = append(w.flat, f)
	}
}

// plane pools one plane. buf is memory for the spread input, flat for the outputs of a slice with what lies between
// rows, where these are short.
func (w *windows) plane(buf, flat []float32, offs []int, x, y []float32) {
	if !w.same() {
		for z := range w.in[0] {
			w.fill(buf[z*w.slice:][:w.slice], x[z*w.in[1]*w.in[2]:])
		}
		x = buf
	}
	for z := range w.out[0] {
		offs = offs[:0]
		for kz := range w.ker[0] {
			iz := z*w.stride[0] - w.pad[0] + kz*w.dilate[0]
			if uint(iz) >= uint(w.in[0]) {
				continue
			}
			for _, off := range w.tap {
				offs = append(offs, iz*w.slice+off)
			}
		}
		out := y[z*w.out[1]*w.out[2]:][:w.out[1]*w.out[2]]
		if len(flat) > 0 {
			w.combine(flat, x, offs)
			if w.shares != nil {
				w.table.Mul(flat, flat, w.flat[z])
			}
			w.table.CopyRows(out, w.out[2], flat, w.cols, w.out[1], w.out[2])
			continue
		}
		for i := range w.out[1] {
			row := out[i*w.out[2]:][:w.out[2]]
			w.combine(row, x[i*w.cols:], offs)
			if w.shares != nil {
				w.table.Mul(row, row, w.shares(z, i))
			}
		}
	}
}

func (w *windows) combine(dst, x []float32, offs []int) {
	if w.shares == nil {
		w.table.MaxTaps(dst, x, offs)
	} else {
		w.table.Taps(dst, x, offs, w.ones, 0)
	}
}
