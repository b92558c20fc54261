//go:build !unix && !windows

package onnx

import (
	"io"
	"os"
)

const nonblock = 0 // not known here

// mapFile returns the content of f, read into memory.
func mapFile(f *os.File, _ int64) ([]byte, func() error, error) {
	data, err := io.ReadAll(f)
	return data, func() error { return nil }, err
}
