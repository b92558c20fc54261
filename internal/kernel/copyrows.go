package kernel

import "unsafe"

// CopyRows copies rows of n elements, which are dstStep and srcStep apart: for rows too short for copy, each of which
// is a call of its own.
func (t *Table) CopyRows(dst []float32, dstStep int, src []float32, srcStep, rows, n int) {
	if rows <= 0 || n <= 0 {
		return
	}
	_, _ = dst[(rows-1)*dstStep+n-1], src[(rows-1)*srcStep+n-1]
	t.copyRows(&dst[0], &src[0], dstStep, srcStep, rows, n)
}

func genericCopyRows(dst, src *float32, dstStep, srcStep, rows, n int) {
	for i := range rows {
		copy(unsafe.Slice(at(dst, i*dstStep), n), unsafe.Slice(at(src, i*srcStep), n))
	}
}

// EvenRows is CopyRows for every second element of src: element i of a row of dst is element 2*i of the row of src.
func (t *Table) EvenRows(dst []float32, dstStep int, src []float32, srcStep, rows, n int) {
	if rows <= 0 || n <= 0 {
		return
	}
	last := (rows-1)*srcStep + 2*n - 2
	_, _ = dst[(rows-1)*dstStep+n-1], src[last]
	if last+1 == len(src) { // there is no element after the last one
		rows--
		genericEvenRows(&dst[rows*dstStep], &src[rows*srcStep], dstStep, srcStep, 1, n)
		if rows == 0 {
			return
		}
	}
	t.evenRows(&dst[0], &src[0], dstStep, srcStep, rows, n)
}

func genericEvenRows(dst, src *float32, dstStep, srcStep, rows, n int) {
	for i := range rows {
		x := unsafe.Slice(at(src, i*srcStep), 2*n-1)
		for j := range unsafe.Slice(at(dst, i*dstStep), n) {
			*at(dst, i*dstStep+j) = x[2*j]
		}
	}
}
