package pixel

import (
	"image"
	"image/color"
)

// rowReader writes the pixels [x0,x1) of row y as packed RGB to dst.
type rowReader func(dst []uint8, y, x0, x1 int)

// rows returns the reader of an image's rows: grey is repeated, CMYK converted as Pillow does, alpha laid over white,
// 16 bits cut to the upper 8. The formats of the decoders have loops of their own; others go through At.
func rows(img image.Image, format string) rowReader {
	b := img.Bounds()
	switch m := img.(type) {
	case *image.YCbCr:
		switch format {
		case "jpeg":
			return jpegRows(m)
		case "webp":
			return webpRows(m)
		}
		return ycbcrRows(m)
	case *image.NYCbCrA:
		inner := rows(&m.YCbCr, format)
		return func(dst []uint8, y, x0, x1 int) {
			inner(dst, y, x0, x1)
			a := m.A[m.AOffset(b.Min.X+x0, b.Min.Y+y):][:x1-x0]
			for i, a := range a {
				p := dst[3*i : 3*i+3]
				p[0], p[1], p[2] = overWhite(p[0], a), overWhite(p[1], a), overWhite(p[2], a)
			}
		}
	case *image.Gray:
		return func(dst []uint8, y, x0, x1 int) {
			for i, v := range m.Pix[m.PixOffset(b.Min.X+x0, b.Min.Y+y):][:x1-x0] {
				p := dst[3*i : 3*i+3]
				p[0], p[1], p[2] = v, v, v
			}
		}
	case *image.Gray16:
		return func(dst []uint8, y, x0, x1 int) {
			s := m.Pix[m.PixOffset(b.Min.X+x0, b.Min.Y+y):][:2*(x1-x0)]
			for i := 0; i < x1-x0; i++ {
				v := s[2*i]
				p := dst[3*i : 3*i+3]
				p[0], p[1], p[2] = v, v, v
			}
		}
	case *image.RGBA:
		return packed(b, m.Pix, m.PixOffset, func(p, s []uint8) {
			w := 255 - s[3] // colours are premultiplied: white shows through what alpha leaves
			p[0], p[1], p[2] = addClip(s[0], w), addClip(s[1], w), addClip(s[2], w)
		})
	case *image.NRGBA:
		return packed(b, m.Pix, m.PixOffset, func(p, s []uint8) {
			p[0], p[1], p[2] = overWhite(s[0], s[3]), overWhite(s[1], s[3]), overWhite(s[2], s[3])
		})
	case *image.CMYK:
		return func(dst []uint8, y, x0, x1 int) {
			s := m.Pix[m.PixOffset(b.Min.X+x0, b.Min.Y+y):][:4*(x1-x0)]
			for i := 0; i < x1-x0; i++ {
				q, p := s[4*i:4*i+4], dst[3*i:3*i+3]
				k := 255 - q[3]
				p[0], p[1], p[2] = k-mulDiv255(q[0], k), k-mulDiv255(q[1], k), k-mulDiv255(q[2], k)
			}
		}
	case *image.Paletted:
		var table [256][3]uint8 // indices beyond the palette stay black
		for i, c := range m.Palette {
			if i < len(table) {
				table[i] = opaque(c)
			}
		}
		return func(dst []uint8, y, x0, x1 int) {
			for i, v := range m.Pix[m.PixOffset(b.Min.X+x0, b.Min.Y+y):][:x1-x0] {
				copy(dst[3*i:3*i+3], table[v][:])
			}
		}
	case *image.RGBA64:
		return func(dst []uint8, y, x0, x1 int) {
			s := m.Pix[m.PixOffset(b.Min.X+x0, b.Min.Y+y):][:8*(x1-x0)]
			for i := 0; i < x1-x0; i++ {
				q, p := s[8*i:8*i+8], dst[3*i:3*i+3]
				w := 255 - q[6]
				p[0], p[1], p[2] = addClip(q[0], w), addClip(q[2], w), addClip(q[4], w)
			}
		}
	case *image.NRGBA64:
		return func(dst []uint8, y, x0, x1 int) {
			s := m.Pix[m.PixOffset(b.Min.X+x0, b.Min.Y+y):][:8*(x1-x0)]
			for i := 0; i < x1-x0; i++ {
				q, p := s[8*i:8*i+8], dst[3*i:3*i+3]
				p[0], p[1], p[2] = overWhite(q[0], q[6]), overWhite(q[2], q[6]), overWhite(q[4], q[6])
			}
		}
	}
	return func(dst []uint8, y, x0, x1 int) {
		for x := x0; x < x1; x++ {
			c := opaque(img.At(b.Min.X+x, b.Min.Y+y))
			copy(dst[3*(x-x0):], c[:])
		}
	}
}

// packed reads four-byte pixels with alpha last; blend is called for those that are not opaque.
func packed(b image.Rectangle, pix []uint8, offset func(x, y int) int, blend func(p, s []uint8)) rowReader {
	return func(dst []uint8, y, x0, x1 int) {
		s := pix[offset(b.Min.X+x0, b.Min.Y+y):][:4*(x1-x0)]
		for i := 0; i < x1-x0; i++ {
			q, p := s[4*i:4*i+4], dst[3*i:3*i+3]
			if q[3] == 255 {
				p[0], p[1], p[2] = q[0], q[1], q[2]
			} else {
				blend(p, q)
			}
		}
	}
}

// opaque returns a colour laid over white.
func opaque(c color.Color) [3]uint8 {
	n := color.NRGBA64Model.Convert(c).(color.NRGBA64)
	a := uint8(n.A >> 8)
	return [3]uint8{overWhite(uint8(n.R>>8), a), overWhite(uint8(n.G>>8), a), overWhite(uint8(n.B>>8), a)}
}

// overWhite lays a value of that alpha over white, rounded to nearest.
func overWhite(v, a uint8) uint8 {
	t := 255*(255-uint32(a)) + uint32(v)*uint32(a) + 128
	return uint8((t + t>>8) >> 8)
}

// mulDiv255 returns a*b/255 rounded to nearest.
func mulDiv255(a, b uint8) uint8 {
	t := uint32(a)*uint32(b) + 128
	return uint8((t + t>>8) >> 8)
}

func addClip(a, b uint8) uint8 { return uint8(min(uint32(a)+uint32(b), 255)) }

// clip limits v to 0..255.
func clip(v int32) uint8 {
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return uint8(v)
}

// ycbcrRows converts by image/color's formula, chroma samples repeated.
func ycbcrRows(m *image.YCbCr) rowReader {
	b := m.Rect
	return func(dst []uint8, y, x0, x1 int) {
		yy := b.Min.Y + y
		luma := m.Y[m.YOffset(b.Min.X+x0, yy):][:x1-x0]
		for i, l := range luma {
			c := m.COffset(b.Min.X+x0+i, yy)
			r, g, bl := color.YCbCrToRGB(l, m.Cb[c], m.Cr[c])
			p := dst[3*i : 3*i+3]
			p[0], p[1], p[2] = r, g, bl
		}
	}
}
