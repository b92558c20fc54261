package pixel

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
)

// Range is the interval that a random number is drawn from, evenly.
type Range struct{ Lo, Hi float64 }

// Augment says how pictures are changed at random, so that a network does not learn what is accidental in them. The
// zero value changes nothing. Parse with ParseAugment, which describes each field by its key.
type Augment struct {
	Crop, Ratio          Range
	HFlip, VFlip         float64
	Rotate               float64
	Shear, ShearY        float64
	Zoom                 Range
	Translate            float64
	Perspective, Distort float64
	RandAugment          float64
	Magnitude            float64
	Trivial              float64
	Brightness, Contrast float64
	Saturation, Hue      float64
	Sharpness            float64
	AutoContrast         float64
	Equalize             float64
	Posterize, Bits      float64
	Solarize, Threshold  float64
	Invert, Gray         float64
	Blur                 float64
	Sigma                Range
	Erase                float64
	BlackFill            bool
}

// ViewSeed mixes a run's seed, an image's identity (its path or digest) and the number of the view or epoch into the
// seed of one augmentation: what an image becomes does not depend on the order in which images are read.
func ViewSeed(seed uint64, id string, view int) uint64 {
	var head [16]byte
	binary.LittleEndian.PutUint64(head[:], seed)
	binary.LittleEndian.PutUint64(head[8:], uint64(view))
	sum := sha256.Sum256(append(head[:], id...))
	return binary.LittleEndian.Uint64(sum[:])
}

// Every step has a generator of its own, numbered here: asking for one more step does not change what the others draw.
const (
	stepCrop = 1 + iota
	stepFlip
	stepAffine
	stepColour
	stepLook
	stepErase
	stepPerspective
	stepRandAugment
	stepTrivial
	stepSharpness
	stepTone
	stepBlur
)

// canvas is a picture while it is changed.
type canvas struct {
	pix   []uint8
	w, h  int
	black bool // what lies outside is black instead of the nearest pixel of the edge
	note  func(string)
}

// notef says what was done.
func (c *canvas) notef(format string, args ...any) {
	if c.note != nil {
		c.note(fmt.Sprintf(format, args...))
	}
}

// Render draws the picture like g.Render, changed at random. The same seed gives the same bytes. note is told of every
// change in a few words; it may be nil.
//
// The steps, each only where asked for: crop a random rectangle and resize it to g's size (instead of g's resizing and
// centre crop); flip; one affine map about the centre of shear, zoom, rotation and translation; perspective;
// RandAugment; TrivialAugment; brightness, contrast, saturation and hue in random order; sharpness; automatic contrast,
// equalisation, posterising, solarising, inversion; gray; blur; erase a rectangle.
func (a *Augment) Render(p *Picture, g Geometry, dst []uint8, seed uint64, note func(string)) error {
	if len(dst) != 3*g.H*g.W {
		return fmt.Errorf("destination has %d bytes, want %d for %dx%d RGB", len(dst), 3*g.H*g.W, g.W, g.H)
	}
	c := &canvas{dst, g.W, g.H, a.BlackFill, note}
	generator := func(step uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, step)) }
	if a.Crop.Hi > 0 {
		if err := a.crop(p, g, c, generator(stepCrop)); err != nil {
			return err
		}
	} else if err := g.Render(p, dst); err != nil {
		return err
	}
	a.flip(c, generator(stepFlip))
	a.affine(c, generator(stepAffine))
	a.perspective(c, generator(stepPerspective))
	a.randAugment(c, generator(stepRandAugment))
	a.trivial(c, generator(stepTrivial))
	a.colour(c, generator(stepColour))
	a.sharpen(c, generator(stepSharpness))
	a.tone(c, generator(stepTone))
	if chance(generator(stepLook), a.Gray) {
		saturate(dst, 0)
		c.notef("gray")
	}
	a.blur(c, generator(stepBlur))
	if r := generator(stepErase); chance(r, a.Erase) {
		eraseBox(c, r)
	}
	return nil
}

// chance draws whether something of that probability happens.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// within draws from [lo,hi).
func within(r *rand.Rand, lo, hi float64) float64 { return lo + float64((hi-lo)*r.Float64()) }

// or returns v, or the default where v was not given.
func or(v, normal float64) float64 {
	if v == 0 {
		return normal
	}
	return v
}

// orRange is or for an interval.
func orRange(v, normal Range) Range {
	if v.Hi == 0 {
		return normal
	}
	return v
}

// crop resizes a random rectangle to the whole output: its area is a share of the image's drawn from Crop, its
// proportions are drawn from Ratio on a logarithmic scale (Szegedy et al., Going Deeper with Convolutions). Where ten
// draws do not fit the image the largest centred rectangle of allowed proportions is taken.
func (a *Augment) crop(p *Picture, g Geometry, c *canvas, r *rand.Rand) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	src, err := p.source(s)
	if err != nil {
		return err
	}
	x, y, w, h := a.box(src.w, src.h, r)
	s.x.set(g.Filter, g.Alias, w, g.W, 0, g.W)
	s.y.set(g.Filter, g.Alias, h, g.H, 0, g.H)
	s.x.move(x)
	s.y.move(y)
	resample(src, s, c.pix, 3*g.W, w != g.W, h != g.H)
	c.notef("crop %.0f %%", 100*float64(w)*float64(h)/(float64(src.w)*float64(src.h)))
	return nil
}

// box draws the rectangle of crop.
func (a *Augment) box(width, height int, r *rand.Rand) (x, y, w, h int) {
	ratio := orRange(a.Ratio, Range{3.0 / 4, 4.0 / 3})
	area := float64(width) * float64(height)
	for range 10 {
		part := area * within(r, a.Crop.Lo, a.Crop.Hi)
		wide := math.Exp(within(r, math.Log(ratio.Lo), math.Log(ratio.Hi)))
		w, h = int(math.Round(math.Sqrt(part*wide))), int(math.Round(math.Sqrt(part/wide)))
		if w >= 1 && h >= 1 && w <= width && h <= height {
			return r.IntN(width - w + 1), r.IntN(height - h + 1), w, h
		}
	}
	w, h = width, height
	switch in := float64(width) / float64(height); {
	case in < ratio.Lo:
		h = max(int(math.Round(float64(w)/ratio.Lo)), 1)
	case in > ratio.Hi:
		w = max(int(math.Round(float64(h)*ratio.Hi)), 1)
	}
	return (width - w) / 2, (height - h) / 2, w, h
}

// eraseBox fills a rectangle of 2 to 33 % of the image, proportions 0.3 to 3.3, with the image's mean colour (Zhong et
// al., Random Erasing Data Augmentation).
func eraseBox(c *canvas, r *rand.Rand) {
	var sum [3]int
	for i, v := range c.pix {
		sum[i%3] += int(v)
	}
	for range 10 {
		part := within(r, 0.02, 0.33) * float64(c.w) * float64(c.h)
		wide := math.Exp(within(r, math.Log(0.3), math.Log(3.3)))
		bw, bh := int(math.Round(math.Sqrt(part*wide))), int(math.Round(math.Sqrt(part/wide)))
		if bw < 1 || bh < 1 || bw > c.w || bh > c.h {
			continue
		}
		x0, y0 := r.IntN(c.w-bw+1), r.IntN(c.h-bh+1)
		for y := y0; y < y0+bh; y++ {
			row := c.pix[3*(y*c.w+x0):][:3*bw]
			for i := range row {
				row[i] = uint8(sum[i%3] / (c.w * c.h))
			}
		}
		c.notef("erase %.0f %%", 100*float64(bw)*float64(bh)/float64(c.w*c.h))
		return
	}
}
