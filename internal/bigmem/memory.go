package bigmem

import (
	"math"
	"runtime/debug"
)

// Available returns how many bytes of memory this process may have: the machine's, less where a container has a limit or
// GOMEMLIMIT sets one. It is 0 where none of them is known.
func Available() int {
	n := uint64(math.MaxInt64)
	if limit := debug.SetMemoryLimit(-1); limit > 0 {
		n = min(n, uint64(limit))
	}
	for _, limit := range systemLimits() {
		if limit > 0 {
			n = min(n, limit)
		}
	}
	if n == math.MaxInt64 {
		return 0
	}
	return int(min(n, math.MaxInt))
}
