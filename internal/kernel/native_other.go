//go:build purego || !(amd64 || arm64)

package kernel

// native returns the kernels that are not portable: none in this build.
func native() []*Table { return nil }
