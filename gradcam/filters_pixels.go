package gradcam

import (
	"image"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/heat"
)

// colours maps decorrelated colours to red, green and blue (the square root of their covariance in ImageNet's pictures, as
// Lucid has it, over its largest row).
var colours = func() [3][3]float32 {
	m := [3][3]float64{{0.26, 0.09, 0.02}, {0.27, 0, -0.05}, {0.27, -0.09, 0.03}}
	norm := 0.0
	for j := range 3 {
		norm = max(norm, math.Sqrt(m[0][j]*m[0][j]+m[1][j]*m[1][j]+m[2][j]*m[2][j]))
	}
	var out [3][3]float32
	for i := range 3 {
		for j := range 3 {
			out[i][j] = float32(m[i][j] / norm)
		}
	}
	return out
}()

// rgb returns the colour of a pixel of an image, 0..1.
func (a *ascent) rgb(image, at int) [3]float32 {
	x := [3]float32{a.x[3*image].V[at], a.x[3*image+1].V[at], a.x[3*image+2].V[at]}
	if !a.o.Decorrelate {
		return x
	}
	var c [3]float32
	for i := range 3 {
		v := colours[i][0]*x[0] + colours[i][1]*x[1] + colours[i][2]*x[2]
		c[i] = float32(1 / (1 + math.Exp(-4*float64(v))))
	}
	return c
}

// index is where a channel of a pixel lies in the network's input, and the constants of the recipe for it.
func (a *ascent) index(image, channel, at int) (pos int, scale, mean float32) {
	r := a.o.Recipe
	channels := 3
	if r.Channels == "GRAY" {
		channels = 1
	}
	pixels := a.side * a.side
	pos = (image*channels+channel)*pixels + at
	if r.Layout == "NHWC" {
		pos = (image*pixels+at)*channels + channel
	}
	return pos, float32(255 * r.Scale / r.Std[channel]), float32(r.Mean[channel] / r.Std[channel])
}

// luma are the weights of red, green and blue in grey (Rec. 601).
var luma = [3]float32{0.299, 0.587, 0.114}

// fill writes the images, shifted around, to the network's input.
func (a *ascent) fill(dx, dy int) {
	x := a.tensor.Float32s()
	for k := range a.filters {
		for at := range a.side * a.side {
			c := a.rgb(k, a.shifted(at, dx, dy))
			switch a.o.Recipe.Channels {
			case "GRAY":
				pos, scale, mean := a.index(k, 0, at)
				x[pos] = (luma[0]*c[0]+luma[1]*c[1]+luma[2]*c[2])*scale - mean
			default:
				for i := range 3 {
					v := c[i]
					if a.o.Recipe.Channels == "BGR" {
						v = c[2-i]
					}
					pos, scale, mean := a.index(k, i, at)
					x[pos] = v*scale - mean
				}
			}
		}
	}
}

// shifted is the pixel of an image that lies at a place of the shifted one.
func (a *ascent) shifted(at, dx, dy int) int {
	y, x := at/a.side, at%a.side
	wrap := func(v int) int { return ((v % a.side) + a.side) % a.side }
	return wrap(y+dy)*a.side + wrap(x+dx)
}

// pixelGradient returns the gradient by an image's three planes, scaled to a mean square of 1.
func (a *ascent) pixelGradient(grad []float32, k, dx, dy int) [3]heat.Field {
	g := [3]heat.Field{heat.NewField(a.side, a.side), heat.NewField(a.side, a.side), heat.NewField(a.side, a.side)}
	sum := 0.0
	for at := range a.side * a.side {
		to := a.shifted(at, dx, dy)
		var d [3]float32
		if a.o.Recipe.Channels == "GRAY" {
			pos, scale, _ := a.index(k, 0, at)
			for i := range 3 {
				d[i] = grad[pos] * scale * luma[i]
			}
		} else {
			for i := range 3 {
				pos, scale, _ := a.index(k, i, at)
				c := i
				if a.o.Recipe.Channels == "BGR" {
					c = 2 - i
				}
				d[c] = grad[pos] * scale
			}
		}
		if a.o.Decorrelate {
			c := a.rgb(k, to)
			var e [3]float32
			for i := range 3 {
				slope := d[i] * 4 * c[i] * (1 - c[i])
				for j := range 3 {
					e[j] += colours[i][j] * slope
				}
			}
			d = e
		}
		for i := range 3 {
			g[i].V[to] = d[i]
			sum += float64(d[i]) * float64(d[i])
		}
	}
	rms := float32(math.Sqrt(sum/float64(3*a.side*a.side))) + 1e-12
	for i := range g {
		for at := range g[i].V {
			g[i].V[at] /= rms
		}
	}
	return g
}

// image draws an image as it is now.
func (a *ascent) image(k int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, a.side, a.side))
	for at := range a.side * a.side {
		c := a.rgb(k, at)
		if a.o.Recipe.Channels == "GRAY" {
			v := luma[0]*c[0] + luma[1]*c[1] + luma[2]*c[2]
			c = [3]float32{v, v, v}
		}
		for i, v := range c {
			img.Pix[4*at+i] = uint8(math.Round(float64(min(max(v, 0), 1)) * 255))
		}
		img.Pix[4*at+3] = 255
	}
	return img
}

// cubic returns a square field at another size by cubic interpolation (Keys 1981, a = -1/2) between the centres of its cells,
// with the edge cells going on outwards.
func cubic(f heat.Field, side int) heat.Field {
	weight := func(d float64) float64 {
		switch d = math.Abs(d); {
		case d <= 1:
			return (1.5*d-2.5)*d*d + 1
		case d < 2:
			return ((-0.5*d+2.5)*d-4)*d + 2
		}
		return 0
	}
	along := func(v []float32, n, rows int) []float32 { // rows of n become columns of side
		out := make([]float32, rows*side)
		for i := range side {
			at := (float64(i)+0.5)*float64(n)/float64(side) - 0.5
			first := int(math.Floor(at)) - 1
			for r := range rows {
				sum := 0.0
				for k := first; k < first+4; k++ {
					sum += weight(at-float64(k)) * float64(v[r*n+min(max(k, 0), n-1)])
				}
				out[i*rows+r] = float32(sum)
			}
		}
		return out
	}
	out := heat.NewField(side, side)
	out.V = along(along(f.V, f.W, f.H), f.H, side)
	return out
}
