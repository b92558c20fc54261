package heat

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// Draw draws a field of numbers 0..1.
func Draw(f Field, p *Palette) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, f.W, f.H))
	for i, v := range f.V {
		c := p.At(float64(v))
		copy(img.Pix[4*i:], []uint8{c.R, c.G, c.B, c.A})
	}
	return img
}

// Style says how a field is laid over a picture.
type Style struct {
	Palette *Palette
	Alpha   float64   // 0: the picture alone, 1: the colours alone
	Fade    bool      // Alpha in proportion to the number: where nothing is, the picture shows
	Levels  []float64 // contours that are drawn
}

// Overlay lays a field of numbers 0..1, which may have any size, over a picture, whose size the result has.
func Overlay(picture image.Image, f Field, s Style) *image.NRGBA {
	b := picture.Bounds()
	img := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(img, img.Rect, picture, b.Min, draw.Src)
	f = f.Resize(b.Dx(), b.Dy())
	for i, v := range f.V {
		alpha := s.Alpha
		if s.Fade {
			alpha *= math.Sqrt(min(max(float64(v), 0), 1)) // weak places would hardly be seen in proportion
		}
		mix(img.Pix[4*i:], s.Palette.At(float64(v)), alpha)
	}
	for _, level := range s.Levels {
		contour(img, f, level)
	}
	return img
}

// mix moves a pixel towards a colour.
func mix(pix []uint8, c color.NRGBA, alpha float64) {
	for k, v := range [3]uint8{c.R, c.G, c.B} {
		pix[k] = uint8(math.Round(float64(pix[k])*(1-alpha) + float64(v)*alpha))
	}
	pix[3] = 255
}

// contour draws the line along which a field of the picture's size crosses a level: white with a dark rim, so that it
// shows on any ground. The distance to the line is estimated from the slope.
func contour(img *image.NRGBA, f Field, level float64) {
	const half, rim = 0.9, 2.4 // pixels from the middle of the line
	at := func(x, y int) float64 {
		return float64(f.V[min(max(y, 0), f.H-1)*f.W+min(max(x, 0), f.W-1)])
	}
	for y := range f.H {
		for x := range f.W {
			dx, dy := (at(x+1, y)-at(x-1, y))/2, (at(x, y+1)-at(x, y-1))/2
			slope := math.Hypot(dx, dy)
			if slope < 1e-6 {
				continue
			}
			d := math.Abs(at(x, y)-level) / slope
			pix := img.Pix[4*(y*f.W+x):]
			if d < rim {
				mix(pix, color.NRGBA{20, 20, 20, 255}, 0.7*min(rim-d, 1))
			}
			if d < half+0.5 {
				mix(pix, color.NRGBA{255, 255, 255, 255}, min(half+0.5-d, 1))
			}
		}
	}
}

// Bar draws a palette from 0 at the left to 1 at the right, as a legend.
func Bar(p *Palette, w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for x := range w {
		c := p.At(float64(x) / float64(max(w-1, 1)))
		for y := range h {
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

// DrawImage draws numbers as a picture of red, green and blue: three fields of one size that together are moved and
// scaled so that 0 is mid-gray, as images of gradients are shown. clip is the share of outermost numbers that is cut, so
// that a few do not leave the others gray.
func DrawImage(rgb [3]Field, clip float64) *image.NRGBA {
	var all []float64
	for _, f := range rgb {
		for _, v := range f.V {
			all = append(all, math.Abs(float64(v)))
		}
	}
	largest := quantile(all, 1-clip)
	img := image.NewNRGBA(image.Rect(0, 0, rgb[0].W, rgb[0].H))
	for i := range rgb[0].V {
		for c := range 3 {
			v := 0.5
			if largest > 0 {
				v += float64(rgb[c].V[i]) / largest / 2
			}
			img.Pix[4*i+c] = uint8(math.Round(255 * min(max(v, 0), 1)))
		}
		img.Pix[4*i+3] = 255
	}
	return img
}
