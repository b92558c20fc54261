package pixel

import (
	"math"
	"math/rand/v2"
)

// flip swaps left and right, top and bottom.
func (a *Augment) flip(c *canvas, r *rand.Rand) {
	horizontal, vertical := chance(r, a.HFlip), chance(r, a.VFlip)
	if horizontal {
		mirror(c.pix, c.w)
		c.notef("hflip")
	}
	if vertical {
		upend(c.pix, c.w, c.h)
		c.notef("vflip")
	}
}

// mirror swaps left and right.
func mirror(pix []uint8, w int) {
	for ; len(pix) > 0; pix = pix[3*w:] {
		row := pix[:3*w]
		for i, j := 0, len(row)-3; i < j; i, j = i+3, j-3 {
			for c := range 3 {
				row[i+c], row[j+c] = row[j+c], row[i+c]
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

// affine draws a map about the centre: shear, then zoom and rotation, then translation.
func (a *Augment) affine(c *canvas, r *rand.Rand) {
	turn := within(r, -a.Rotate, a.Rotate)
	shearX, shearY := within(r, -a.Shear, a.Shear), within(r, -a.ShearY, a.ShearY)
	zoom := 1.0
	if z := r.Float64(); a.Zoom.Hi > 0 {
		zoom = a.Zoom.Lo + float64((a.Zoom.Hi-a.Zoom.Lo)*z)
	}
	dx := math.Round(within(r, -a.Translate, a.Translate) * float64(c.w))
	dy := math.Round(within(r, -a.Translate, a.Translate) * float64(c.h))
	if turn == 0 && shearX == 0 && shearY == 0 && zoom == 1 && dx == 0 && dy == 0 {
		return
	}
	affineMap(float64(c.w)/2, float64(c.h)/2, turn, dx, dy, zoom, shearX, shearY).apply(c)
	if turn != 0 {
		c.notef("rotate %+.0f°", turn)
	}
	if shearX != 0 {
		c.notef("shear %+.0f°", shearX)
	}
	if shearY != 0 {
		c.notef("shear-y %+.0f°", shearY)
	}
	if zoom != 1 {
		c.notef("zoom %.2f", zoom)
	}
	if dx != 0 || dy != 0 {
		c.notef("shift %+.0f/%+.0f", dx, dy)
	}
}

// perspective moves the corners inwards at random, each by up to Distort of half the width and height.
func (a *Augment) perspective(c *canvas, r *rand.Rand) {
	if !chance(r, a.Perspective) {
		return
	}
	distort := or(a.Distort, 0.5)
	nearX, nearY := int(distort*float64(c.w/2)), int(distort*float64(c.h/2))
	in := func() (x, y float64) { return float64(r.IntN(nearX + 1)), float64(r.IntN(nearY + 1)) }
	right, bottom := float64(c.w-1), float64(c.h-1)
	from := [4][2]float64{{0, 0}, {right, 0}, {right, bottom}, {0, bottom}}
	to := from
	for i := range to {
		x, y := in()
		if to[i][0] > 0 {
			x = -x
		}
		if to[i][1] > 0 {
			y = -y
		}
		to[i][0] += x
		to[i][1] += y
	}
	if m, ok := perspectiveMap(from, to); ok {
		m.apply(c)
		c.notef("perspective")
	}
}

// projection is a map from output to input: the point x, y of the output comes from
//
//	( (m0 x + m1 y + m2) / (m6 x + m7 y + 1), (m3 x + m4 y + m5) / (m6 x + m7 y + 1) )
//
// where the centre of the first pixel is 0.5, 0.5, as in Pillow.
type projection [8]float64

// affineMap returns the map that shears by angles along x and y, turns clockwise by an angle, magnifies by zoom, all
// about the point cx, cy, and then moves by dx, dy. Angles are in degrees; meaning and order are those of torchvision's
// affine.
func affineMap(cx, cy, turn, dx, dy, zoom, shearX, shearY float64) projection {
	const degree = math.Pi / 180
	sinY, cosY := math.Sincos(shearY * degree)
	sin, cos := math.Sincos(turn * degree)
	tan := math.Tan(shearX * degree)
	// cos(turn-shearY)/cos(shearY) and the like
	a := cos + float64(sin*sinY)/cosY
	c := sin - float64(cos*sinY)/cosY
	b, d := -float64(a*tan)-sin, -float64(c*tan)+cos
	m := projection{d / zoom, -b / zoom, 0, -c / zoom, a / zoom, 0}
	m[2] = float64(m[0]*(-cx-dx)) + float64(m[1]*(-cy-dy)) + cx
	m[5] = float64(m[3]*(-cx-dx)) + float64(m[4]*(-cy-dy)) + cy
	return m
}

// perspectiveMap returns the map by which the input's points from appear at the output's points to. There is none where
// three of the points to lie on a line.
func perspectiveMap(from, to [4][2]float64) (projection, bool) {
	var rows [8][9]float64 // a system of linear equations and its right side
	for i := range from {
		x, y, u, v := to[i][0], to[i][1], from[i][0], from[i][1]
		rows[2*i] = [9]float64{x, y, 1, 0, 0, 0, -u * x, -u * y, u}
		rows[2*i+1] = [9]float64{0, 0, 0, x, y, 1, -v * x, -v * y, v}
	}
	for k := range rows {
		pivot := k
		for i := k + 1; i < len(rows); i++ {
			if math.Abs(rows[i][k]) > math.Abs(rows[pivot][k]) {
				pivot = i
			}
		}
		rows[k], rows[pivot] = rows[pivot], rows[k]
		if math.Abs(rows[k][k]) < 1e-9 {
			return projection{}, false
		}
		for i := range rows {
			if f := rows[i][k] / rows[k][k]; i != k && f != 0 {
				for j := k; j < len(rows[i]); j++ {
					rows[i][j] -= float64(f * rows[k][j])
				}
			}
		}
	}
	var m projection
	for i := range m {
		m[i] = rows[i][8] / rows[i][i]
	}
	return m, true
}

// apply maps the picture with bilinear interpolation, which cuts fractions off as Pillow does.
func (m projection) apply(c *canvas) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.full = grow(s.full, len(c.pix))
	src := s.full
	copy(src, c.pix)
	w, h := float64(c.w), float64(c.h)
	flat := m[6] == 0 && m[7] == 0
	for y := range c.h {
		py := float64(y) + 0.5
		d := c.pix[3*y*c.w:][:3*c.w]
		for ; len(d) > 0; d = d[3:] {
			px := float64(c.w-len(d)/3) + 0.5
			sx := float64(m[0]*px) + float64(m[1]*py) + m[2]
			sy := float64(m[3]*px) + float64(m[4]*py) + m[5]
			if !flat {
				// Beyond the horizon there is nothing; what is next to it is very far.
				depth := max(float64(m[6]*px)+float64(m[7]*py)+1, 1e-9)
				sx, sy = sx/depth, sy/depth
			}
			if c.black && (sx < 0 || sy < 0 || sx >= w || sy >= h) {
				d[0], d[1], d[2] = 0, 0, 0
				continue
			}
			sx, sy = min(max(sx-0.5, 0), w-1), min(max(sy-0.5, 0), h-1)
			x0, y0 := int(sx), int(sy)
			fx, fy := sx-float64(x0), sy-float64(y0)
			right, down := 3, 3*c.w
			if x0 == c.w-1 {
				right = 0
			}
			if y0 == c.h-1 {
				down = 0
			}
			at := 3 * (y0*c.w + x0)
			for k := range 3 {
				top, low := float64(src[at+k]), float64(src[at+down+k])
				top += float64((float64(src[at+right+k]) - top) * fx)
				low += float64((float64(src[at+down+right+k]) - low) * fx)
				d[k] = uint8(top + float64((low-top)*fy))
			}
		}
	}
}
