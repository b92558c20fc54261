package pixel

import (
	"math"
	"math/rand/v2"
)

// sharpen changes the sharpness by a factor around 1.
func (a *Augment) sharpen(c *canvas, r *rand.Rand) {
	if f := float32(within(r, max(0, 1-a.Sharpness), 1+a.Sharpness)); f != 1 {
		sharpen(c.pix, c.w, c.h, f)
		c.notef("sharpness %.2f", f)
	}
}

// blur draws whether to blur, and how far.
func (a *Augment) blur(c *canvas, r *rand.Rand) {
	happens, sigma := chance(r, a.Blur), orRange(a.Sigma, Range{0.1, 2})
	if s := within(r, sigma.Lo, sigma.Hi); happens {
		gauss(c.pix, c.w, c.h, int(math.Ceil(3*s)), s)
		c.notef("blur %.1f", s)
	}
}

// sharpen moves the picture away from its smoothed version (factor > 1) or to it (0). Smoothing weighs a pixel by 5/13
// and each of its neighbours by 1/13; the pixels of the edge stay as they are.
func sharpen(pix []uint8, w, h int, factor float32) {
	if w < 3 || h < 3 {
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.full = grow(s.full, len(pix))
	src := s.full
	copy(src, pix)
	n := 3 * w
	for y := 1; y < h-1; y++ {
		up, row, down := src[(y-1)*n:][:n], src[y*n:][:n], src[(y+1)*n:][:n]
		out := pix[y*n:][:n]
		for i := 3; i < n-3; i++ {
			sum := int(up[i-3]) + int(up[i]) + int(up[i+3]) + int(row[i-3]) + 5*int(row[i]) + int(row[i+3]) +
				int(down[i-3]) + int(down[i]) + int(down[i+3])
			out[i] = blend(uint8((2*sum+13)/26), row[i], factor)
		}
	}
}

// gauss blurs with a Gaussian window of that deviation in pixels, cut at n pixels from its centre; beyond the edges the
// picture is mirrored.
func gauss(pix []uint8, w, h, n int, sigma float64) {
	weight := make([]float64, 2*n+1)
	sum := 0.0
	for i := range weight {
		d := float64(i-n) / sigma
		weight[i] = math.Exp(-d * d / 2)
		sum += weight[i]
	}
	fixed := make([]uint32, len(weight))
	for i, v := range weight {
		fixed[i] = uint32(v/sum*(1<<16) + 0.5)
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.full = grow(s.full, len(pix))
	line := func(dst, src []uint8, count, step int) { // one line of one channel
		for i := range count {
			v := uint32(1 << 15)
			for j, k := range fixed {
				v += k * uint32(src[step*reflect(i+j-n, count)])
			}
			dst[step*i] = uint8(min(v>>16, 255))
		}
	}
	for y := range h {
		for c := range 3 {
			line(s.full[3*y*w+c:], pix[3*y*w+c:], w, 3)
		}
	}
	for x := range 3 * w {
		line(pix[x:], s.full[x:], h, 3*w)
	}
}

// reflect mirrors a position at the first and the last of count samples, which are not repeated.
func reflect(i, count int) int {
	for i < 0 || i >= count {
		switch {
		case count == 1:
			return 0
		case i < 0:
			i = -i
		default:
			i = 2*(count-1) - i
		}
	}
	return i
}
