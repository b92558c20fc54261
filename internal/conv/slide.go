package conv

import (
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// slideBand is how many elements of padded input are made at a time: they stay in the first-level cache.
const slideBand = 5 << 10

// slides reports whether the depthwise convolution is computed by [kernel.Table.Slide].
func slides(g *geometry) bool {
	return g.in[0] == 1 && g.out[0] == 1 && g.ker[0] == 1 && g.pad[0] == 0 && g.ker[1] == g.ker[2] && g.stride[1] == g.stride[2] &&
		g.dilate[1] == 1 && g.dilate[2] == 1 && kernel.Slides(g.ker[1], g.stride[1])
}

// band is a number of rows of a padded plane. With stride 2 each row is divided into its even and its odd columns.
type band struct {
	*geometry
	pitch int   // elements between rows
	offs  []int // for each column of the kernel, where it reads
	rows  int   // of output that a band is enough for
	size  int
	part  [2]part // of a row, for each column modulo the stride
}

// part is what to copy of a row: every stride-th of its elements.
type part struct{ src, dst, n int }

func newBand(g *geometry) *band {
	b := &band{geometry: g}
	size, stride := g.ker[1], g.stride[1]
	length := (g.out[2] + (size-1)/stride + kernel.MaxLanes) // of a part, with what vectors may touch behind it
	b.pitch = stride * length
	for kx := range size {
		b.offs = append(b.offs, kx%stride*length+kx/stride)
	}
	for p := range stride {
		// Element j of the part is column j*stride+p of the padded row.
		from, to := inside(g.out[2]+(size-1-p)/stride, stride, p-g.pad[2], g.in[2])
		b.part[p].n = to - from
		b.part[p].src, b.part[p].dst = from*stride+p-g.pad[2], p*length+from
	}
	b.rows = max(1, (slideBand/b.pitch-size)/stride+1)
	if b.rows < g.out[1] {
		b.rows = max(1, b.rows&^3)
	}
	b.rows = min(b.rows, g.out[1])
	b.size = ((b.rows-1)*stride + size) * b.pitch
	return b
}

// strip is what a band copies for some rows of output: rows [from,to) of the input, of which [first,last) are asked for.
type strip struct{ first, last, from, to int }

// strip returns what outputs [lo,hi) read.
func (b *band) strip(lo, hi int) strip {
	s := strip{first: lo*b.stride[1] - b.pad[1], last: (hi-1)*b.stride[1] - b.pad[1] + b.ker[1]}
	s.from = min(max(s.first, 0), s.last)
	s.to = max(min(s.last, b.in[1]), s.from)
	return s
}

// clear makes the rows of a strip zero that lie outside the input.
func (b *band) clear(buf []float32, s strip) {
	clear(buf[:(s.from-s.first)*b.pitch])
	clear(buf[(s.to-s.first)*b.pitch : (s.last-s.first)*b.pitch])
}

// copy writes the rows of a strip that lie in the input to buf. What lies beside them was zero before the first time.
func (b *band) copy(t *kernel.Table, buf, x []float32, s strip) {
	if s.from >= s.to {
		return
	}
	buf, x = buf[(s.from-s.first)*b.pitch:], x[s.from*b.in[2]:]
	rows, step := s.to-s.from, b.in[2]
	if b.stride[1] == 1 {
		t.CopyRows(buf[b.part[0].dst:], b.pitch, x[b.part[0].src:], step, rows, b.part[0].n)
		return
	}
	// The columns of one part lie between those of the other.
	even, odd := &b.part[0], &b.part[1]
	if odd.src < even.src {
		even, odd = odd, even
	}
	pairs := min(even.n, odd.n)
	t.SplitRows(buf[even.dst:], buf[odd.dst:], b.pitch, x[even.src:], step, rows, pairs)
	for _, part := range []*part{even, odd} {
		if more := part.n - pairs; more > 0 {
			t.EvenRows(buf[part.dst+pairs:], b.pitch, x[part.src+2*pairs:], step, rows, more)
		}
	}
}

// slide computes a depthwise convolution channel by channel, in bands of rows.
func (f *Filter) slide(pool *par.Pool, alloc func(int) []float32, g *geometry, a *Args) {
	perGroup := f.m / f.groups
	b := newBand(g)
	scratch := alloc(pool.Threads() * b.size)
	clear(scratch)
	lo, hi, limits := a.Act.Limits()
	if limits = limits && a.Res == nil; !limits {
		lo, hi, _ = kernel.Activation{}.Limits()
	}
	run := f.table.SlideOf(g.ker[1], g.stride[1])
	whole := b.rows == g.out[1] // one band, whose rows outside the input stay zero
	all := b.strip(0, g.out[1])
	slides := make([]kernel.Slide, pool.Threads())
	work := max(1, g.outPlane*g.taps*perGroup/8+g.plane)
	pool.Guided(g.n*g.c, max(1, 1<<13/work), max(1, g.n*g.c/pool.Threads()), func(worker, first, end int) {
		buf := scratch[worker*b.size:][:b.size]
		s := &slides[worker]
		*s = kernel.Slide{Src: &buf[0], Pitch: b.pitch, Cols: g.out[2], Offs: &b.offs[0], Lo: lo, Hi: hi, Size: g.ker[1], Stride: g.stride[1]}
		for i := first; i < end; i++ {
			x := a.X[i*g.plane:] // to the end of all: what takes every second element reads one behind them
			for row := 0; row < g.out[1]; row += b.rows {
				next := min(row+b.rows, g.out[1])
				st := all
				if !whole {
					st = b.strip(row, next)
					b.clear(buf, st)
				}
				b.copy(f.table, buf, x, st)
				s.Rows = next - row
				for k := range perGroup {
					m := i%g.c*perGroup + k
					at := (i*perGroup+k)*g.outPlane + row*g.out[2]
					y := a.Y[at:][:s.Rows*g.out[2]]
					s.Dst, s.W, s.Bias = &y[0], &f.raw[m*g.taps], 0
					if a.Bias != nil {
						s.Bias = a.Bias[m]
					}
					run(s)
					if limits {
						continue
					}
					if a.Res != nil {
						f.table.Add(y, y, a.Res[at:])
					}
					f.table.Apply(a.Act, y)
				}
			}
		}
	})
}
