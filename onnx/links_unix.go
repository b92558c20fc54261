//go:build unix

package onnx

import (
	"io/fs"
	"syscall"
)

// links returns how many names a file has, 0 where that is not known.
func links(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink) //nolint:unconvert // narrower on some systems
	}
	return 0
}
