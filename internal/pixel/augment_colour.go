package pixel

import (
	"math"
	"math/rand/v2"
)

// colour changes brightness, contrast and saturation by factors around 1, and turns the hue, in random order.
func (a *Augment) colour(c *canvas, r *rand.Rand) {
	factor := func(by float64) float32 { return float32(within(r, max(0, 1-by), 1+by)) }
	b, k, s := factor(a.Brightness), factor(a.Contrast), factor(a.Saturation)
	hue := within(r, -a.Hue, a.Hue)
	for _, step := range r.Perm(4) {
		switch {
		case step == 0 && b != 1:
			brighten(c.pix, b)
			c.notef("brightness %.2f", b)
		case step == 1 && k != 1:
			contrast(c.pix, k)
			c.notef("contrast %.2f", k)
		case step == 2 && s != 1:
			saturate(c.pix, s)
			c.notef("saturation %.2f", s)
		case step == 3 && hue != 0:
			turnHue(c.pix, hue)
			c.notef("hue %+.2f", hue)
		}
	}
}

// tone draws the steps that map each channel's values to others.
func (a *Augment) tone(c *canvas, r *rand.Rand) {
	for _, s := range []struct {
		p    float64
		name string
		do   func()
	}{
		{a.AutoContrast, "autocontrast", func() { autoContrast(c.pix) }},
		{a.Equalize, "equalize", func() { equalize(c.pix) }},
		{a.Posterize, "posterize", func() { posterize(c.pix, int(or(a.Bits, 4))) }},
		{a.Solarize, "solarize", func() { solarize(c.pix, or(a.Threshold, 128)) }},
		{a.Invert, "invert", func() { solarize(c.pix, 0) }},
	} {
		if chance(r, s.p) {
			s.do()
			c.notef("%s", s.name)
		}
	}
}

// blend goes from a to b by factor, and beyond b where it is over 1. It cuts as Pillow's blend does.
func blend(a, b uint8, factor float32) uint8 {
	v := float32(a) + float32(factor*(float32(b)-float32(a)))
	return uint8(min(max(v, 0), 255))
}

// brighten multiplies by a factor.
func brighten(pix []uint8, factor float32) {
	for i, v := range pix {
		pix[i] = blend(0, v, factor)
	}
}

// contrast moves values away from the mean of the luma (factor > 1) or to it (0).
func contrast(pix []uint8, factor float32) {
	sum := 0
	for i := 0; i+2 < len(pix); i += 3 {
		sum += int(luma(pix[i], pix[i+1], pix[i+2]))
	}
	mean := uint8(float64(sum)/float64(len(pix)/3) + 0.5)
	for i, v := range pix {
		pix[i] = blend(mean, v, factor)
	}
}

// saturate moves colours away from their gray (factor > 1) or to it (0).
func saturate(pix []uint8, factor float32) {
	for i := 0; i+2 < len(pix); i += 3 {
		p := pix[i : i+3]
		l := luma(p[0], p[1], p[2])
		p[0], p[1], p[2] = blend(l, p[0], factor), blend(l, p[1], factor), blend(l, p[2], factor)
	}
}

// turnHue turns colours around the colour circle by a share of it, keeping saturation and value. Hue, saturation and
// value have 8 bits each, as Pillow has them: even turning by very little changes colours a bit.
func turnHue(pix []uint8, by float64) {
	turn := uint8(int(by * 255))
	for i := 0; i+2 < len(pix); i += 3 {
		p := pix[i : i+3]
		hue, sat := hueOf(p[0], p[1], p[2])
		value := max(p[0], p[1], p[2])
		p[0], p[1], p[2] = fromHSV(hue+turn, sat, value)
	}
}

// hueOf returns hue and saturation, 0 to 255.
func hueOf(r, g, b uint8) (hue, sat uint8) {
	hi, lo := max(r, g, b), min(r, g, b)
	if hi == lo {
		return 0, 0
	}
	span := float32(hi - lo)
	fr, fg, fb := float32(hi-r)/span, float32(hi-g)/span, float32(hi-b)/span
	var h float32 // in sixths of the circle
	switch hi {
	case r:
		h = fb - fg
	case g:
		h = float32(2 + float64(fr) - float64(fb))
	default:
		h = float32(4 + float64(fg) - float64(fr))
	}
	h = float32(math.Mod(float64(h)/6+1, 1))
	return uint8(float64(h) * 255), uint8(float64(span/float32(hi)) * 255)
}

// fromHSV is the inverse of hueOf.
func fromHSV(hue, sat, value uint8) (r, g, b uint8) {
	if sat == 0 {
		return value, value, value
	}
	place := float32(hue) * 6 / 255
	sixth := math.Floor(float64(place))
	f, s, v := float64(place)-sixth, float64(sat)/255, float64(value)
	low := uint8(math.Round(v * (1 - s)))
	falling := uint8(math.Round(v * (1 - float64(s*f))))
	rising := uint8(math.Round(v * (1 - float64(s*(1-f)))))
	switch int(sixth) % 6 {
	case 0:
		return value, rising, low
	case 1:
		return falling, value, low
	case 2:
		return low, value, rising
	case 3:
		return low, falling, value
	case 4:
		return rising, low, value
	default:
		return value, low, falling
	}
}

// remap replaces the values of each channel by those of a table that is made from how often each occurs.
func remap(pix []uint8, table func(count *[256]int, to *[256]uint8)) {
	var counts [3][256]int
	for i := 0; i+2 < len(pix); i += 3 {
		counts[0][pix[i]]++
		counts[1][pix[i+1]]++
		counts[2][pix[i+2]]++
	}
	for c := range counts {
		var to [256]uint8
		for v := range to {
			to[v] = uint8(v)
		}
		table(&counts[c], &to)
		for i := c; i < len(pix); i += 3 {
			pix[i] = to[pix[i]]
		}
	}
}

// autoContrast stretches each channel to the whole range of values.
func autoContrast(pix []uint8) {
	remap(pix, func(count *[256]int, to *[256]uint8) {
		lo, hi := 0, 255
		for lo < 255 && count[lo] == 0 {
			lo++
		}
		for hi > 0 && count[hi] == 0 {
			hi--
		}
		if hi <= lo {
			return
		}
		scale := 255 / float64(hi-lo)
		offset := float64(-float64(lo) * scale)
		for v := range to {
			to[v] = uint8(min(max(float64(float64(v)*scale)+offset, 0), 255))
		}
	})
}

// equalize makes the values of each channel about equally frequent.
func equalize(pix []uint8) {
	remap(pix, func(count *[256]int, to *[256]uint8) {
		total, last, kinds := 0, 0, 0
		for _, n := range count {
			if n > 0 {
				total, last, kinds = total+n, n, kinds+1
			}
		}
		step := (total - last) / 255
		if kinds <= 1 || step == 0 {
			return
		}
		sum := step / 2
		for v := range to {
			to[v] = uint8(min(sum/step, 255))
			sum += count[v]
		}
	})
}

// posterize keeps only the upper bits of each value.
func posterize(pix []uint8, bits int) {
	mask := ^uint8(1<<(8-bits) - 1)
	for i, v := range pix {
		pix[i] = v & mask
	}
}

// solarize inverts the values from a threshold on.
func solarize(pix []uint8, threshold float64) {
	for i, v := range pix {
		if float64(v) >= threshold {
			pix[i] = 255 - v
		}
	}
}
