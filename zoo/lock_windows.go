package zoo

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes the lock on a file if nobody has it.
func tryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// release gives the lock back and removes the file. A file that is open cannot be removed: if another process has it by
// now, it stays for that one to remove.
func release(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}
