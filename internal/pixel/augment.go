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
	Rotate, Shear        float64
	Zoom                 Range
	Translate            float64
	HFlip, VFlip         float64
	Brightness, Contrast float64
	Saturation, Hue      float64
	Gray, Blur, Erase    float64
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

// Render draws the picture like g.Render, changed at random. The same seed gives the same bytes.
//
// The steps, each only where asked for: crop a random rectangle and resize it to g's size (instead of g's resizing and
// centre crop); flip; one affine map about the centre of shear, zoom, rotation and translation; brightness, contrast,
// saturation, hue; gray; blur; erase a rectangle.
func (a *Augment) Render(p *Picture, g Geometry, dst []uint8, seed uint64) error {
	if len(dst) != 3*g.H*g.W {
		return fmt.Errorf("destination has %d bytes, want %d for %dx%d RGB", len(dst), 3*g.H*g.W, g.W, g.H)
	}
	// Every step has a generator of its own: asking for one more does not change what the others draw.
	step := uint64(0)
	next := func() *rand.Rand { step++; return rand.New(rand.NewPCG(seed, step)) }

	crop, flip, warp, colour, look, erase := next(), next(), next(), next(), next(), next()
	if a.Crop.Hi > 0 {
		if err := a.crop(p, g, dst, crop); err != nil {
			return err
		}
	} else if err := g.Render(p, dst); err != nil {
		return err
	}
	flipH, flipV := chance(flip, a.HFlip), chance(flip, a.VFlip)
	if flipH {
		mirror(dst, g.W)
	}
	if flipV {
		upend(dst, g.W, g.H)
	}
	a.warp(dst, g.W, g.H, warp)
	a.colour(dst, colour)
	gray, blur, sigma := chance(look, a.Gray), chance(look, a.Blur), 0.1+1.9*look.Float64()
	if gray {
		saturate(dst, 0)
	}
	if blur {
		gauss(dst, g.W, g.H, sigma)
	}
	if chance(erase, a.Erase) {
		eraseBox(dst, g.W, g.H, erase)
	}
	return nil
}

// chance draws whether something of that probability happens.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// within draws from [lo,hi).
func within(r *rand.Rand, lo, hi float64) float64 { return lo + float64((hi-lo)*r.Float64()) }

// crop resizes a random rectangle to the whole output: its area is a share of the image's drawn from Crop, its
// proportions are drawn from Ratio on a logarithmic scale (Szegedy et al., Going Deeper with Convolutions). Where ten
// draws do not fit the image the largest centred rectangle of allowed proportions is taken.
func (a *Augment) crop(p *Picture, g Geometry, dst []uint8, r *rand.Rand) error {
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
	resample(src, s, dst, 3*g.W, w != g.W, h != g.H)
	return nil
}

// box draws the rectangle of crop.
func (a *Augment) box(width, height int, r *rand.Rand) (x, y, w, h int) {
	ratio := a.Ratio
	if ratio.Hi == 0 {
		ratio = Range{3.0 / 4, 4.0 / 3}
	}
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

// mirror swaps left and right.
func mirror(pix []uint8, w int) {
	for row := range rowsOf(pix, w) {
		for i, j := 0, len(row)-3; i < j; i, j = i+3, j-3 {
			for c := range 3 {
				row[i+c], row[j+c] = row[j+c], row[i+c]
			}
		}
	}
}

// rowsOf yields the rows of packed RGB.
func rowsOf(pix []uint8, w int) func(func([]uint8) bool) {
	return func(yield func([]uint8) bool) {
		for ; len(pix) > 0; pix = pix[3*w:] {
			if !yield(pix[:3*w]) {
				return
			}
		}
	}
}

// upend swaps top and bottom.
func upend(pix []uint8, w, h int) {
	for i, j := 0, h-1; i < j; i, j = i+1, j-1 {
		a, b := pix[3*w*i:][:3*w], pix[3*w*j:][:3*w]
		for c := range a {
			a[c], b[c] = b[c], a[c]
		}
	}
}

// warp maps the image about its centre: shear, then zoom and rotation, then translation.
func (a *Augment) warp(pix []uint8, w, h int, r *rand.Rand) {
	turn := within(r, -a.Rotate, a.Rotate) * math.Pi / 180
	slant := math.Tan(within(r, -a.Shear, a.Shear) * math.Pi / 180)
	zoom := 1.0
	if z := r.Float64(); a.Zoom.Hi > 0 {
		zoom = a.Zoom.Lo + (a.Zoom.Hi-a.Zoom.Lo)*z
	}
	dx := within(r, -a.Translate, a.Translate) * float64(w)
	dy := within(r, -a.Translate, a.Translate) * float64(h)
	if turn == 0 && slant == 0 && zoom == 1 && dx == 0 && dy == 0 {
		return
	}
	// forward = zoom * rotation * shear; its inverse takes an output pixel to where it comes from.
	sin, cos := math.Sincos(turn)
	affine{
		xx: (cos + slant*sin) / zoom, xy: (sin - slant*cos) / zoom,
		yx: -sin / zoom, yy: cos / zoom,
		dx: dx, dy: dy, black: a.BlackFill,
	}.apply(pix, w, h)
}

// affine is a map from output to input about the centre of an image: the input point of an output point p is
// M (p - centre - d) + centre.
type affine struct {
	xx, xy, yx, yy float64
	dx, dy         float64
	black          bool // what lies outside is black instead of the nearest pixel of the edge
}

// apply maps the image with bilinear interpolation.
func (m affine) apply(pix []uint8, w, h int) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.full = grow(s.full, len(pix))
	src := s.full
	copy(src, pix)
	cx, cy := float64(w-1)/2, float64(h-1)/2
	for y := range h {
		for x := range w {
			px, py := float64(x)-cx-m.dx, float64(y)-cy-m.dy
			sx := float64(m.xx*px) + float64(m.xy*py) + cx
			sy := float64(m.yx*px) + float64(m.yy*py) + cy
			d := pix[3*(y*w+x):][:3]
			if m.black && (sx < -0.5 || sy < -0.5 || sx > float64(w)-0.5 || sy > float64(h)-0.5) {
				d[0], d[1], d[2] = 0, 0, 0
				continue
			}
			sx, sy = min(max(sx, 0), float64(w-1)), min(max(sy, 0), float64(h-1))
			x0, y0 := int(sx), int(sy)
			right, down := 3, 3*w
			if x0 == w-1 {
				right = 0
			}
			if y0 == h-1 {
				down = 0
			}
			// 8 fractional bits are more than 8-bit colours can show.
			fx, fy := uint32(float64((sx-float64(x0))*256)), uint32(float64((sy-float64(y0))*256))
			at := 3 * (y0*w + x0)
			for c := range 3 {
				top := uint32(src[at+c])*(256-fx) + uint32(src[at+right+c])*fx
				low := uint32(src[at+down+c])*(256-fx) + uint32(src[at+down+right+c])*fx
				d[c] = uint8((top*(256-fy) + low*fy + 1<<15) >> 16)
			}
		}
	}
}

// colour changes brightness, contrast and saturation by factors around 1, and turns the hue.
func (a *Augment) colour(pix []uint8, r *rand.Rand) {
	factor := func(by float64) float32 { return float32(within(r, max(0, 1-by), 1+by)) }
	b, c, s := factor(a.Brightness), factor(a.Contrast), factor(a.Saturation)
	hue := within(r, -a.Hue, a.Hue)
	if b != 1 {
		for i, v := range pix {
			pix[i] = blend(0, v, b)
		}
	}
	if c != 1 {
		sum := 0
		for i := 0; i+2 < len(pix); i += 3 {
			sum += int(luma(pix[i], pix[i+1], pix[i+2]))
		}
		mean := uint8(float64(sum)/float64(len(pix)/3) + 0.5)
		for i, v := range pix {
			pix[i] = blend(mean, v, c)
		}
	}
	if s != 1 {
		saturate(pix, s)
	}
	if hue != 0 {
		turnHue(pix, hue)
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

// blend goes from a to b by factor, and beyond b where it is over 1. It cuts as Pillow's blend does.
func blend(a, b uint8, factor float32) uint8 {
	v := float32(a) + float32(factor*(float32(b)-float32(a)))
	return uint8(min(max(v, 0), 255))
}

// turnHue turns colours around the colour circle by a share of it, keeping saturation and value (HSV).
func turnHue(pix []uint8, by float64) {
	for i := 0; i+2 < len(pix); i += 3 {
		p := pix[i : i+3]
		r, g, b := float64(p[0]), float64(p[1]), float64(p[2])
		hi, lo := max(r, g, b), min(r, g, b)
		span := hi - lo
		if span == 0 {
			continue
		}
		var hue float64 // in sixths of the circle
		switch hi {
		case r:
			hue = (g - b) / span
		case g:
			hue = (b-r)/span + 2
		default:
			hue = (r-g)/span + 4
		}
		hue += by * 6
		for c := range 3 {
			// A channel is at its highest within a sixth of its own place on the circle, at its lowest beyond two.
			d := math.Mod(hue-2*float64(c)+18, 6)
			d = min(d, 6-d)
			p[c] = uint8(lo + float64(span*min(max(2-d, 0), 1)) + 0.5)
		}
	}
}

// gauss blurs with a Gaussian window of that deviation in pixels, cut at three deviations; edges are repeated.
func gauss(pix []uint8, w, h int, sigma float64) {
	n := int(math.Ceil(3 * sigma))
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
				v += k * uint32(src[step*min(max(i+j-n, 0), count-1)])
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

// eraseBox fills a rectangle of 2 to 33 % of the image, proportions 0.3 to 3.3, with the image's mean colour (Zhong et
// al., Random Erasing Data Augmentation).
func eraseBox(pix []uint8, w, h int, r *rand.Rand) {
	var sum [3]int
	for i := 0; i+2 < len(pix); i += 3 {
		for c := range 3 {
			sum[c] += int(pix[i+c])
		}
	}
	for range 10 {
		part := within(r, 0.02, 0.33) * float64(w) * float64(h)
		wide := math.Exp(within(r, math.Log(0.3), math.Log(3.3)))
		bw, bh := int(math.Round(math.Sqrt(part*wide))), int(math.Round(math.Sqrt(part/wide)))
		if bw < 1 || bh < 1 || bw > w || bh > h {
			continue
		}
		x0, y0 := r.IntN(w-bw+1), r.IntN(h-bh+1)
		for y := y0; y < y0+bh; y++ {
			row := pix[3*(y*w+x0):][:3*bw]
			for i := range row {
				row[i] = uint8(sum[i%3] / (w * h))
			}
		}
		return
	}
}
