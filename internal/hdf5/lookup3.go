package hdf5

import "math/bits"

// lookup3 is the checksum of metadata: the hash function of that name by Bob Jenkins, with an initial value of 0.
func lookup3(p []byte) uint32 {
	a := 0xdeadbeef + uint32(len(p))
	b, c := a, a
	word := func(i int) uint32 { // the i-th word; bytes behind the end are zero
		v := uint32(0)
		for k := range 4 {
			if j := 4*i + k; j < len(p) {
				v |= uint32(p[j]) << (8 * k)
			}
		}
		return v
	}
	for ; len(p) > 12; p = p[12:] {
		a, b, c = a+word(0), b+word(1), c+word(2)
		a = (a - c) ^ bits.RotateLeft32(c, 4)
		c += b
		b = (b - a) ^ bits.RotateLeft32(a, 6)
		a += c
		c = (c - b) ^ bits.RotateLeft32(b, 8)
		b += a
		a = (a - c) ^ bits.RotateLeft32(c, 16)
		c += b
		b = (b - a) ^ bits.RotateLeft32(a, 19)
		a += c
		c = (c - b) ^ bits.RotateLeft32(b, 4)
		b += a
	}
	if len(p) == 0 {
		return c
	}
	a, b, c = a+word(0), b+word(1), c+word(2)
	c = (c ^ b) - bits.RotateLeft32(b, 14)
	a = (a ^ c) - bits.RotateLeft32(c, 11)
	b = (b ^ a) - bits.RotateLeft32(a, 25)
	c = (c ^ b) - bits.RotateLeft32(b, 16)
	a = (a ^ c) - bits.RotateLeft32(c, 4)
	b = (b ^ a) - bits.RotateLeft32(a, 14)
	c = (c ^ b) - bits.RotateLeft32(b, 24)
	return c
}
