//go:build unix || windows

package onnx

import (
	"os"
	"syscall"

	"github.com/edsrzf/mmap-go"
)

// nonblock opens a pipe without waiting for its other end.
const nonblock = syscall.O_NONBLOCK

// mapFile returns the content of f, memory-mapped for reading, and what gives it back.
func mapFile(f *os.File, size int64) ([]byte, func() error, error) {
	if size == 0 { // cannot be mapped
		return []byte{}, func() error { return nil }, nil
	}
	m, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "map", Path: f.Name(), Err: err}
	}
	return m, m.Unmap, nil
}
