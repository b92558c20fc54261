package conv

import "github.com/onnxcnn/onnxcnn/internal/kernel"

// spread is a layout of an input channel in which each position of the kernel reads neighbouring elements for
// neighbouring outputs, whatever the stride, and needs no test for padding: zeros (outside) are written around each
// slice (the last two axes), and its elements are divided into stride x stride planes by their coordinates modulo the stride.
// Output (y, x) reads element tap + y*cols + x.
type spread struct {
	g          *geometry
	rows, cols int   // of a plane
	slice      int   // elements of a slice, all its planes
	tap        []int // for each position of the kernel in the last two axes
	outside    float32
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
	t := kernel.Default()
	for py := range sy {
		top, bottom := inside(s.rows, sy, py-g.pad[1], g.in[1])
		for px := range sx {
			from, to := inside(s.cols, sx, px-g.pad[2], g.in[2])
			if sx <= 2 {
				s.fillRows(t, dst, src, py, px, top, bottom, from, to)
				dst = dst[s.rows*s.cols:]
				continue
			}
			for i := range s.rows {
				row := dst[:s.cols]
				dst = dst[s.cols:]
				y := i*sy + py - g.pad[1]
				if i < top || i >= bottom || from >= to {
					for j := range row {
						row[j] = s.outside
					}
					continue
				}
				for j := range from {
					row[j] = s.outside
				}
				for j := to; j < len(row); j++ {
					row[j] = s.outside
				}
				in := src[y*g.in[2]:][:g.in[2]]
				in = in[from*sx+px-g.pad[2]:]
				row = row[from:to]
				if sx == 4 {
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

// fillRows is the part of fill for the plane of rows py and columns px modulo the stride, which is 1 or 2 along rows:
// rows from top to bottom hold elements, from column from up to column to.
func (s *spread) fillRows(t *kernel.Table, dst, src []float32, py, px, top, bottom, from, to int) {
	g := s.g
	if from >= to || top >= bottom {
		top, bottom = 0, 0
	}
	outside := func(part []float32) {
		for i := range part {
			part[i] = s.outside
		}
	}
	outside(dst[:top*s.cols])
	outside(dst[bottom*s.cols : s.rows*s.cols])
	if top == bottom {
		return
	}
	// What lies between the elements of one row and those of the next.
	outside(dst[top*s.cols:][:from])
	for i := top; i < bottom-1; i++ {
		outside(dst[i*s.cols+to : (i+1)*s.cols+from])
	}
	outside(dst[(bottom-1)*s.cols+to : bottom*s.cols])
	in := src[(top*g.stride[1]+py-g.pad[1])*g.in[2]+from*g.stride[2]+px-g.pad[2] : g.in[1]*g.in[2]]
	if dst = dst[top*s.cols+from:]; g.stride[2] == 1 {
		t.CopyRows(dst, s.cols, in, g.stride[1]*g.in[2], bottom-top, to-from)
	} else {
		t.EvenRows(dst, s.cols, in, g.stride[1]*g.in[2], bottom-top, to-from)
	}
}
