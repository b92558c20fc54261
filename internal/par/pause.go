//go:build !purego && (amd64 || arm64)

package par

// pause tells the processor that this is a loop that waits.
//
//go:noescape
func pause()
