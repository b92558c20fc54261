//go:build !unix && !windows

package filemap

import (
	"io"
	"os"
)

// Nonblock is not known here.
const Nonblock = 0

// Map returns the content of f, read into memory.
func Map(f *os.File, _ int64) ([]byte, func() error, error) {
	data, err := io.ReadAll(f)
	return data, func() error { return nil }, err
}
