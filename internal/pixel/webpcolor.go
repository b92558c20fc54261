package pixel

import "image"

// webpRows converts a decoded lossy WebP as libwebp does: colours are ITU-R 601 in studio range (luma 16..235), not
// the full range of JPEG that image/color takes them for, and chroma is interpolated with weights 9/16, 3/16, 3/16 and
// 1/16.
func webpRows(m *image.YCbCr) rowReader {
	b := m.Rect
	if m.SubsampleRatio != image.YCbCrSubsampleRatio420 || b.Min.X != 0 || b.Min.Y != 0 {
		return ycbcrRows(m) // not as the decoder returns it
	}
	cw, ch := (b.Dx()+1)/2, (b.Dy()+1)/2
	return func(dst []uint8, y, x0, x1 int) {
		near := y / 2
		far := min(max(near-1+2*(y&1), 0), ch-1)
		cb := chromaLine{m.Cb[near*m.CStride:][:cw], m.Cb[far*m.CStride:][:cw]}
		cr := chromaLine{m.Cr[near*m.CStride:][:cw], m.Cr[far*m.CStride:][:cw]}
		for i, l := range m.Y[y*m.YStride:][x0:x1] {
			studio(dst[3*i:3*i+3], int32(l), cb.webp(x0+i), cr.webp(x0+i))
		}
	}
}

// webp interpolates at pixel x, rounding in libwebp's two steps.
func (c chromaLine) webp(x int) int32 {
	s := x / 2
	o := min(max(s-1+2*(x&1), 0), len(c.near)-1)
	a := int32(c.near[s])
	return ((a+3*int32(c.near[o])+3*int32(c.far[s])+int32(c.far[o])+8)>>3 + a) >> 1
}

// studio converts a pixel from studio range in fixed point: products keep 6 fractional bits.
func studio(p []uint8, y, u, v int32) {
	l := 19077 * y >> 8 // 255/219
	p[0] = clip((l + 26149*v>>8 - 14234) >> 6)
	p[1] = clip((l - 6419*u>>8 - 13320*v>>8 + 8708) >> 6)
	p[2] = clip((l + 33050*u>>8 - 17685) >> 6)
}
