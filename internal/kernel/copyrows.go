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

// SplitRows copies the even elements of each of some rows of n pairs to one place, and the odd ones to another; rows are
// steps apart, those of even and odd by the same.
func (t *Table) SplitRows(even, odd []float32, dstStep int, src []float32, srcStep, rows, n int) {
	if rows <= 0 || n <= 0 {
		return
	}
	last := (rows-1)*dstStep + n - 1
	_, _, _ = even[last], odd[last], src[(rows-1)*srcStep+2*n-1]
	t.splitRows(&even[0], &odd[0], &src[0], dstStep, srcStep, rows, n)
}

func genericSplitRows(even, odd, src *float32, dstStep, srcStep, rows, n int) {
	for i := range rows {
		x := unsafe.Slice(at(src, i*srcStep), 2*n)
		e, o := unsafe.Slice(at(even, i*dstStep), n), unsafe.Slice(at(odd, i*dstStep), n)
		for j := range e {
			e[j], o[j] = x[2*j], x[2*j+1]
		}
	}
}
