//go:build !linux

package bigmem

// systemLimits knows nothing of this system.
func systemLimits() []uint64 { return nil }
