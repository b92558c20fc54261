//go:build !unix

package onnx

import "io/fs"

// links returns how many names a file has, 0 where that is not known.
func links(fs.FileInfo) uint64 { return 0 }
