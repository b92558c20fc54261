//go:build !linux

package bigmem

// advise does nothing: the system decides by itself.
func advise(start, size uintptr) {}
