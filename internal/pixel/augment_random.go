package pixel

import (
	"math"
	"math/rand/v2"
)

// bins is the number of magnitudes that RandAugment and TrivialAugment know: 0 to 30.
const bins = 31

// randOp is an operation of RandAugment and TrivialAugment: what it does at a magnitude.
type randOp struct {
	name   string
	signed bool
	unit   string
	do     func(c *canvas, v float64)
}

// randOps are the operations, in torchvision's order. Signed magnitudes go either way.
var randOps = []randOp{
	{"identity", false, "", func(*canvas, float64) {}},
	{"shear-x", true, "%+.2f", func(c *canvas, v float64) { slant(c, v, 0) }},
	{"shear-y", true, "%+.2f", func(c *canvas, v float64) { slant(c, 0, v) }},
	{"translate-x", true, "%+.0f", func(c *canvas, v float64) { shift(c, v, 0) }},
	{"translate-y", true, "%+.0f", func(c *canvas, v float64) { shift(c, 0, v) }},
	{"rotate", true, "%+.0f°", func(c *canvas, v float64) {
		// Rotating is counter-clockwise.
		affineMap(float64(c.w)/2, float64(c.h)/2, -v, 0, 0, 1, 0, 0).apply(c)
	}},
	{"brightness", true, "%+.2f", func(c *canvas, v float64) { brighten(c.pix, float32(1+v)) }},
	{"colour", true, "%+.2f", func(c *canvas, v float64) { saturate(c.pix, float32(1+v)) }},
	{"contrast", true, "%+.2f", func(c *canvas, v float64) { contrast(c.pix, float32(1+v)) }},
	{"sharpness", true, "%+.2f", func(c *canvas, v float64) { sharpen(c.pix, c.w, c.h, float32(1+v)) }},
	{"posterize", false, "%.0f", func(c *canvas, v float64) { posterize(c.pix, int(v)) }},
	{"solarize", false, "%.0f", func(c *canvas, v float64) { solarize(c.pix, v) }},
	{"autocontrast", false, "", func(c *canvas, _ float64) { autoContrast(c.pix) }},
	{"equalize", false, "", func(c *canvas, _ float64) { equalize(c.pix) }},
}

// slant shears about the upper left corner by so many pixels a pixel.
func slant(c *canvas, x, y float64) {
	const degrees = 180 / math.Pi
	affineMap(0, 0, 0, 0, 0, 1, math.Atan(x)*degrees, math.Atan(y)*degrees).apply(c)
}

// shift moves by whole pixels.
func shift(c *canvas, x, y float64) {
	affineMap(float64(c.w)/2, float64(c.h)/2, 0, math.Trunc(x), math.Trunc(y), 1, 0, 0).apply(c)
}

// scale is how far the operations go at the largest magnitude.
type scale struct {
	shear, translateX, translateY, rotate, colour, bits float64
}

// of returns the magnitude of an operation in bin k of bins.
func (s scale) of(op string, k int) float64 {
	share := float64(k) / (bins - 1)
	switch op {
	case "shear-x", "shear-y":
		return s.shear * share
	case "translate-x":
		return s.translateX * share
	case "translate-y":
		return s.translateY * share
	case "rotate":
		return s.rotate * share
	case "posterize":
		return 8 - math.RoundToEven(s.bits*share)
	case "solarize":
		return 255 * (1 - share)
	}
	return s.colour * share
}

// draw applies one operation in bin k at random.
func (s scale) draw(c *canvas, r *rand.Rand, k int) {
	op := randOps[r.IntN(len(randOps))]
	v := s.of(op.name, k)
	if minus := chance(r, 0.5); minus && op.signed {
		v = -v
	}
	op.do(c, v)
	if op.unit == "" {
		c.notef("%s", op.name)
	} else {
		c.notef("%s "+op.unit, op.name, v)
	}
}

// randAugment applies that many operations, each drawn from randOps, at one magnitude (Cubuk et al., RandAugment).
func (a *Augment) randAugment(c *canvas, r *rand.Rand) {
	s := scale{0.3, 150.0 / 331 * float64(c.w), 150.0 / 331 * float64(c.h), 30, 0.9, 4}
	for range int(a.RandAugment) {
		s.draw(c, r, int(or(a.Magnitude, 9)))
	}
}

// trivial applies one operation at a random magnitude (Müller and Hutter, TrivialAugment), in the wide search space.
func (a *Augment) trivial(c *canvas, r *rand.Rand) {
	if chance(r, a.Trivial) {
		scale{0.99, 32, 32, 135, 0.99, 6}.draw(c, r, r.IntN(bins))
	}
}
