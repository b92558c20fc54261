package pixel

import "image"

// Tables of the colour conversion of JFIF (ITU-R 601, full range) in 16-bit fixed point, rounded as libjpeg has it.
// Green's are added before they are shifted.
var crR, cbB, crG, cbG [256]int32

func init() {
	for i := range crR {
		v := int32(i) - 128
		crR[i] = (91881*v + 1<<15) >> 16
		cbB[i] = (116130*v + 1<<15) >> 16
		crG[i] = -46802*v + 1<<15
		cbG[i] = -22554 * v
	}
}

// jpegRows converts a decoded JPEG as libjpeg does by default, and so Pillow, OpenCV and torchvision: chroma that is
// stored at half the resolution is interpolated (a triangle filter, weights 3/4 and 1/4 in each halved direction)
// instead of repeated.
func jpegRows(m *image.YCbCr) rowReader {
	halfX, halfY := false, false
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
	case image.YCbCrSubsampleRatio422:
		halfX = true
	case image.YCbCrSubsampleRatio420:
		halfX, halfY = true, true
	case image.YCbCrSubsampleRatio440:
		halfY = true
	default: // 4:1:1 and 4:1:0: libjpeg repeats these too
		return ycbcrRows(m)
	}
	b := m.Rect
	if b.Min.X != 0 || b.Min.Y != 0 {
		return ycbcrRows(m) // not as the decoder returns it
	}
	cw, ch := b.Dx(), b.Dy() // chroma samples
	if halfX {
		cw = (cw + 1) / 2
	}
	if halfY {
		ch = (ch + 1) / 2
	}
	if halfX && cw <= 2 {
		return ycbcrRows(m) // libjpeg repeats where there are too few to interpolate
	}
	return func(dst []uint8, y, x0, x1 int) {
		luma := m.Y[y*m.YStride:][x0:x1]
		if !halfX && !halfY {
			jfif(dst, luma, m.Cb[y*m.CStride:][x0:x1], m.Cr[y*m.CStride:][x0:x1])
			return
		}
		near, far := y, y
		if halfY {
			near = y / 2
			far = min(max(near-1+2*(y&1), 0), ch-1)
		}
		cb := chromaLine{m.Cb[near*m.CStride:][:cw], m.Cb[far*m.CStride:][:cw]}
		cr := chromaLine{m.Cr[near*m.CStride:][:cw], m.Cr[far*m.CStride:][:cw]}
		var u, v [chromaBlock]uint8
		for x := x0; x < x1; x += chromaBlock {
			n := min(chromaBlock, x1-x)
			switch {
			case !halfX:
				cb.tall(u[:n], x, y)
				cr.tall(v[:n], x, y)
			case halfY:
				cb.both(u[:n], x)
				cr.both(v[:n], x)
			default:
				cb.wide(u[:n], x)
				cr.wide(v[:n], x)
			}
			jfif(dst[3*(x-x0):], luma[x-x0:][:n], u[:n], v[:n])
		}
	}
}

// chromaBlock is how many pixels' chroma is interpolated at a time; even, so that blocks begin at a sample.
const chromaBlock = 256

// jfif converts a run of pixels.
func jfif(dst, luma, cb, cr []uint8) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	dst = dst[:3*len(luma)]
	for i, l := range luma {
		y, u, v := int32(l), cb[i], cr[i]
		p := dst[3*i : 3*i+3]
		p[0] = clip(y + crR[v])
		p[1] = clip(y + (crG[v]+cbG[u])>>16)
		p[2] = clip(y + cbB[u])
	}
}

// chromaLine is a row of chroma samples and the neighbouring row that is the second nearest to the pixels' row.
type chromaLine struct{ near, far []uint8 }

// wide interpolates pixels from x on where only the width is halved.
func (c chromaLine) wide(dst []uint8, x int) {
	last := len(c.near) - 1
	for i := range dst {
		s := (x + i) / 2
		v := 3 * uint32(c.near[s])
		if (x+i)&1 == 0 {
			v += uint32(c.near[max(s-1, 0)]) + 1
		} else {
			v += uint32(c.near[min(s+1, last)]) + 2
		}
		dst[i] = uint8(v >> 2)
	}
}

// tall interpolates where only the height is halved. Rounding alternates from row to row, as libjpeg's does.
func (c chromaLine) tall(dst []uint8, x, y int) {
	round := uint32(1 + y&1)
	near, far := c.near[x:][:len(dst)], c.far[x:][:len(dst)]
	for i := range dst {
		dst[i] = uint8((3*uint32(near[i]) + uint32(far[i]) + round) >> 2)
	}
}

// both interpolates where width and height are halved.
func (c chromaLine) both(dst []uint8, x int) {
	last := len(c.near) - 1
	sum := func(s int) uint32 { return 3*uint32(c.near[s]) + uint32(c.far[s]) }
	s := x / 2
	prev, here := sum(max(s-1, 0)), sum(s)
	i := 0
	if x&1 == 1 { // begins at the right half of a sample
		next := sum(min(s+1, last))
		dst[0] = uint8((3*here + next + 7) >> 4)
		prev, here = here, next
		s++
		i++
	}
	for ; i+1 < len(dst); i += 2 {
		next := sum(min(s+1, last))
		dst[i] = uint8((3*here + prev + 8) >> 4)
		dst[i+1] = uint8((3*here + next + 7) >> 4)
		prev, here = here, next
		s++
	}
	if i < len(dst) {
		dst[i] = uint8((3*here + prev + 8) >> 4)
	}
}
