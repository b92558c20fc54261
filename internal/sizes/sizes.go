// Package sizes multiplies dimensions that files claim.
package sizes

import "math/bits"

// Most is the largest product, of elements or bytes, that counts as possible: more than any machine holds, and small
// enough to be added to another.
const Most = 1 << 62

// Product multiplies sizes; it is 0 where one of them is. fits is false where one is negative, or where the product of
// those that are not 0 is above [Most]; the product is then Most, if none of them is 0.
func Product[T int | int64 | uint64](sizes ...T) (n T, fits bool) {
	p, zero, fits := uint64(1), false, true
	for _, v := range sizes {
		switch {
		case v < 0:
			fits = false
		case v == 0:
			zero = true
		default:
			hi, lo := bits.Mul64(p, uint64(v))
			if hi != 0 || lo > Most {
				lo, fits = Most, false
			}
			p = lo
		}
	}
	if zero {
		return 0, fits
	}
	return T(p), fits
}
