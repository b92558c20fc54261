package conv

import "github.com/onnxcnn/onnxcnn/internal/kernel"

// spread is a layout of an input channel in which each position of the kernel reads neighbouring elements for
// neighbouring outputs, whatever the stride, and needs no test for padding: zeros are written around each slice (the
// last two axes), and its elements are divided into stride x stride planes by their coordinates modulo the stride.
// Output (y, x) reads element tap + y*cols + x.
type spread struct {
	g          *geometry
	rows, cols int   // of a plane
	slice      int   // elements of a slice, all its planes
	tap        []int // for each position of the kernel in the last two axes
}

func newSpread(g *geometry) *spread {
	sy, sx := g.stride[1], g.stride[2]
	s := &spread{g: g}
	s.rows = (g.ker[1]-1)*g.dilate[1]/sy + g.out[1]
	s.cols = (g.ker[2]-1)*g.dilate[2]/sx + g.out[2]
	s.slice = sy * sx * s.rows * s.cols
	s.tap = make([]int, 0, g.ker[1]*g.ker[2])
	for ky := range g.ker[1] {
		for kx := range g.ker[2] {
			y, x := ky*g.dilate[1], kx*g.dilate[2]
			s.tap = append(s.tap, (y%sy*sx+x%sx)*s.rows*s.cols+y/sy*s.cols+x/sx)
		}
	}
	return s
}

// same reports whether the layout is that of the input itself.
func (s *spread) same() bool {
	g := s.g
	return g.stride[1] == 1 && g.stride[2] == 1 && g.pad[1] == 0 && g.pad[2] == 0 && s.rows == g.in[1] && s.cols == g.in[2]
}

// fill writes one slice of the input, src, to dst.
func (s *spread) fill(dst, src []float32) {
	g := s.g
	sy, sx := g.stride[1], g.stride[2]
	even := kernel.Default().Even
	for py := range sy {
		for px := range sx {
			from, to := inside(s.cols, sx, px-g.pad[2], g.in[2])
			for i := range s.rows {
				row := dst[:s.cols]
				dst = dst[s.cols:]
				y := i*sy + py - g.pad[1]
				if uint(y) >= uint(g.in[1]) || from >= to {
					clear(row)
					continue
				}
				for j := range from { // a few: calling clear would take longer
					row[j] = 0
				}
				for j := to; j < len(row); j++ {
					row[j] = 0
				}
				in := src[y*g.in[2]:][:g.in[2]]
				in = in[from*sx+px-g.pad[2]:]
				if sx == 1 {
					copy(row[from:to], in)
					continue
				}
				row = row[from:to]
				switch sx {
				case 2:
					n := min(len(row), len(in)/2)
					even(row[:n], in[:2*n])
					row, in = row[n:], in[2*n:]
				case 4:
					for len(row) >= 4 && len(in) >= 13 {
						row[0], row[1], row[2], row[3] = in[0], in[4], in[8], in[12]
						row, in = row[4:], in[min(16, len(in)):]
					}
				}
				for j := range row {
					row[j] = in[j*sx]
				}
			}
		}
	}
}
