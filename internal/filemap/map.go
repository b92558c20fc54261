//go:build unix || windows

package filemap

import (
	"os"
	"syscall"

	"github.com/edsrzf/mmap-go"
)

// Nonblock is the flag that opens a pipe without waiting for its other end.
const Nonblock = syscall.O_NONBLOCK

// Map returns the content of f, which has size bytes, memory-mapped for reading, and what gives it back. Nobody may
// shorten the file meanwhile.
func Map(f *os.File, size int64) ([]byte, func() error, error) {
	if size == 0 { // cannot be mapped
		return []byte{}, func() error { return nil }, nil
	}
	m, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "map", Path: f.Name(), Err: err}
	}
	live.add(m)
	return m, func() error { return live.end(m, m.Unmap) }, nil
}
