//go:build purego || !amd64

package pixel

// widenVectors and heightenVectors do nothing where there are no vectors.
func widenVectors(*taps, []uint8, []uint8, int) int { return 0 }

func heightenVectors([]uint8, []uint8, []int32) int { return 0 }
