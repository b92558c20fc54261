//go:build purego || !(amd64 || arm64)

package par

// pause does nothing here.
func pause() {}
