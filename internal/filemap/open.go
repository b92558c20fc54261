// Package filemap reads files by mapping them into memory: what is not looked at is not loaded.
package filemap

import (
	"fmt"
	"os"
)

// Open maps a regular file. The bytes are valid until the function that comes with them is called, and must not be
// written to.
func Open(path string) ([]byte, func() error, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|Nonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: not a regular file", path)
	}
	return Map(f, info.Size())
}
