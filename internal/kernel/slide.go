package kernel

import "unsafe"

// Slide is a square kernel's window sliding over one plane: the argument of the functions that compute
//
//	Dst[i*Cols+j] = min(max(Bias + sum over ky, kx of W[ky*Size+kx]*Src[(i*Stride+ky)*Pitch+Offs[kx]+j], Lo), Hi)
//
// for Rows x Cols outputs. Assembly relies on the order and sizes of the fields.
type Slide struct {
	Dst          *float32
	Src          *float32 // what is read behind the last column, up to MaxLanes-1 elements, has no effect
	Pitch        int      // elements between rows of Src
	Rows, Cols   int
	W            *float32
	Offs         *int // Size of them
	Bias, Lo, Hi float32
	Size, Stride int
}

// MaxLanes is the number of elements of the widest vector.
const MaxLanes = 16

// slideKernel is the function for a size and a stride.
type slideKernel struct {
	size, stride int
	run          func(s *Slide)
}

// Slides reports whether windows of that size and stride are computed by [Table.Slide].
func Slides(size, stride int) bool {
	return (size == 3 || size == 5 || size == 7) && (stride == 1 || stride == 2)
}

// SlideOf returns the function that computes a plane with windows of that size and stride; see [Slide] and [Slides].
func (t *Table) SlideOf(size, stride int) func(s *Slide) {
	for i := range t.slides {
		if k := &t.slides[i]; k.size == size && k.stride == stride {
			return k.run
		}
	}
	return genericSlide
}

func genericSlide(s *Slide) {
	n := s.Size
	offs, w := unsafe.Slice(s.Offs, n), unsafe.Slice(s.W, n*n)
	for i := range s.Rows {
		dst := unsafe.Slice(at(s.Dst, i*s.Cols), s.Cols)
		for j := range dst {
			dst[j] = s.Bias
		}
		for ky := range n {
			row := (i*s.Stride + ky) * s.Pitch
			for kx, off := range offs {
				f := w[ky*n+kx]
				for j, v := range unsafe.Slice(at(s.Src, row+off), s.Cols) {
					dst[j] += f * v
				}
			}
		}
		for j, v := range dst {
			dst[j] = clamp(v, s.Lo, s.Hi)
		}
	}
}
