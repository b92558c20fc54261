// Package bigmem allocates memory that computation goes over again and again, in huge pages where the system has them on
// request: a pass over the rows of many channels otherwise misses the processor's table of pages at every row.
package bigmem

import "unsafe"

const (
	huge  = 2 << 20  // bytes of a huge page
	least = 64 << 10 // bytes from which on it is worth asking
)

// Make is make([]T, n).
func Make[T ~uint64 | ~float32](n int) []T {
	s := make([]T, n)
	var z T
	if size := n * int(unsafe.Sizeof(z)); size >= least {
		// Whole pages, the part outside the slice too: it belongs to the same heap, and what is allocated next lies there.
		start := uintptr(unsafe.Pointer(&s[0]))
		first, end := start&^(huge-1), (start+uintptr(size)+huge-1)&^(huge-1)
		advise(first, end-first)
	}
	return s
}
