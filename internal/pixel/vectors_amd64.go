//go:build !purego

package pixel

import "github.com/onnxcnn/onnxcnn/internal/cpu"

// vectors reports whether there is AVX2, and it has not been forbidden.
func vectors() bool {
	isa, _ := cpu.Selected()
	return isa == cpu.AVX2 || isa == cpu.AVX512
}

// widenVectors is widen for the first pixels, and returns for how many: all but the last, which a whole vector would
// write behind.
func widenVectors(t *taps, dst, row []uint8, x0 int) int {
	n := len(t.first) - 1
	if n < 1 || cap(row) == len(row) || !vectors() {
		return 0
	}
	_ = dst[3*n]
	avx2Widen(&dst[0], &row[0], x0, &t.first[0], &t.count[0], n, &t.weight[0], t.width)
	return n
}

// heightenVectors is heighten for the first bytes of a row, and returns for how many. The first of the rows in mid is
// that of the first weight.
func heightenVectors(dst, mid []uint8, weights []int32) int {
	n := len(dst) &^ 15
	if n == 0 || len(weights) == 0 || !vectors() {
		return 0
	}
	avx2Heighten(&dst[0], &mid[0], n, len(dst), &weights[0], len(weights))
	return n
}
