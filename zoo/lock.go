package zoo

import (
	"context"
	"fmt"
	"os"
	"time"
)

// lock keeps others from working on the same thing until the function it returns is called. wait is told once if others
// are at it now. The system takes the lock back from a process that ends in whatever way; the file goes with the lock.
func lock(ctx context.Context, path string, wait func()) (unlock func(), err error) {
	told := false
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		got, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: locking: %w", path, err)
		}
		if got && named(f) {
			return func() { release(f) }, nil
		}
		f.Close()
		if got {
			continue // who had the lock has removed the file since it was opened here
		}
		if !told {
			told = true
			wait()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// named reports whether an open file is the one that has its name: a lock on another keeps nobody away.
func named(f *os.File) bool {
	here, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(f.Name())
	return err == nil && os.SameFile(here, there)
}
