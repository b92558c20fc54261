//go:build unix

package zoo

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes the lock on a file if nobody has it.
func tryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return err == nil, err
}

// release removes the file and gives the lock back. In this order nobody else can have a lock on a file of that name in
// between; who waits for the lock on this one sees that its name is gone.
func release(f *os.File) {
	os.Remove(f.Name())
	f.Close()
}
