package par

import (
	"runtime"
	"time"
)

// spinFor is how long a worker that has nothing to do, and a caller whose loop others still work on, keep their
// processor before they sleep. To be woken takes up to some tens of microseconds, and a network has a hundred loops a
// few microseconds apart.
const spinFor = 100 * time.Microsecond

// spin waits until ready reports true, for a short time at most, and not at all where the threads that are to work
// outnumber the processors.
func spin(ready func() bool, threads int) {
	if ready() || runtime.GOMAXPROCS(0) < threads {
		return
	}
	for start := time.Now(); time.Since(start) < spinFor; {
		for range 16 {
			if ready() {
				return
			}
			pause()
		}
	}
}
