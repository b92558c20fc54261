package gradcam

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/heat"
	"github.com/onnxcnn/onnxcnn/internal/sheet"
)

// Kernel is a filter of two dimensions, as a convolution layer has them: H rows of W weights, both odd.
type Kernel struct {
	Name string
	H, W int
	V    []float64
}

// maxKernel bounds the sides of a kernel.
const maxKernel = 201

// Gabor is a wave under a bell: what first layers of trained networks, and cells in the visual cortex, respond to.
type Gabor struct {
	Frequency float64 // waves a pixel, 0 < Frequency <= 0.5; 0 for 0.1
	Theta     float64 // direction in which the wave runs, in degrees, from the columns towards the rows
	Sigma     float64 // width of the bell in pixels; 0 for 3
}

// fixedKernels are the kernels without parameters.
var fixedKernels = []Kernel{
	{"sobel-x", 3, 3, []float64{-1, 0, 1, -2, 0, 2, -1, 0, 1}},
	{"sobel-y", 3, 3, []float64{-1, -2, -1, 0, 0, 0, 1, 2, 1}},
	{"prewitt-x", 3, 3, []float64{-1, 0, 1, -1, 0, 1, -1, 0, 1}},
	{"prewitt-y", 3, 3, []float64{-1, -1, -1, 0, 0, 0, 1, 1, 1}},
	{"laplace", 3, 3, []float64{0, 1, 0, 1, -4, 1, 0, 1, 0}},
	{"edge", 3, 3, []float64{-1, -1, -1, -1, 8, -1, -1, -1, -1}},
	{"sharpen", 3, 3, []float64{0, -1, 0, -1, 5, -1, 0, -1, 0}},
	{"emboss", 3, 3, []float64{-2, -1, 0, -1, 1, 1, 0, 1, 2}},
	{"identity", 1, 1, []float64{1}},
	{"blur", 5, 5, slices.Repeat([]float64{1. / 25}, 25)},
}

// KernelNames lists the names that [KernelByName] takes.
func KernelNames() []string {
	var names []string
	for _, k := range fixedKernels {
		names = append(names, k.Name)
	}
	return append(names, "gauss", "gabor")
}

// KernelByName returns a kernel. "gauss" takes its width from g.Sigma, "gabor" all of g.
func KernelByName(name string, g Gabor) (Kernel, error) {
	for _, k := range fixedKernels {
		if k.Name == name {
			k.V = slices.Clone(k.V)
			return k, nil
		}
	}
	switch name {
	case "gauss":
		return gauss(g.Sigma)
	case "gabor":
		return g.Kernel()
	}
	return Kernel{}, fmt.Errorf("there is no kernel %q (there are: %s)", name, strings.Join(KernelNames(), ", "))
}

// ParseKernel reads a kernel of numbers: rows between semicolons, numbers between commas or spaces, as "-1 0 1; -2 0 2; -1 0 1".
func ParseKernel(text string) (Kernel, error) {
	k := Kernel{Name: "own"}
	for row := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(text), ";"), ";") {
		numbers := strings.FieldsFunc(row, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
		if k.H > 0 && len(numbers) != k.W {
			return k, fmt.Errorf("row %d of the kernel has %d numbers, the first %d", k.H+1, len(numbers), k.W)
		}
		k.H, k.W = k.H+1, len(numbers)
		for _, n := range numbers {
			v, err := strconv.ParseFloat(n, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return k, fmt.Errorf("%q in the kernel is no number", n)
			}
			k.V = append(k.V, v)
		}
	}
	return k, k.check()
}

// check reports whether a kernel has a middle.
func (k Kernel) check() error {
	switch {
	case k.H < 1 || k.W < 1 || len(k.V) != k.H*k.W:
		return fmt.Errorf("a kernel of %dx%d has %d numbers", k.H, k.W, len(k.V))
	case k.H%2 == 0 || k.W%2 == 0:
		return fmt.Errorf("a kernel of %dx%d has no middle: sides must be odd", k.H, k.W)
	case k.H > maxKernel || k.W > maxKernel:
		return fmt.Errorf("a kernel of %dx%d is too large: at most %d a side", k.H, k.W, maxKernel)
	}
	return nil
}

// gauss is the bell of that width, cut at three times it, with a sum of 1.
func gauss(sigma float64) (Kernel, error) {
	if sigma == 0 {
		sigma = 3
	}
	if !(sigma >= 0.1) || sigma > maxKernel/6 {
		return Kernel{}, fmt.Errorf("sigma %v: want 0.1 to %d", sigma, maxKernel/6)
	}
	r := int(math.Ceil(3 * sigma))
	k := Kernel{Name: fmt.Sprintf("gauss, sigma %g", sigma), H: 2*r + 1, W: 2*r + 1}
	sum := 0.0
	for y := -r; y <= r; y++ {
		for x := -r; x <= r; x++ {
			v := math.Exp(-float64(x*x+y*y) / (2 * sigma * sigma))
			k.V = append(k.V, v)
			sum += v
		}
	}
	for i := range k.V {
		k.V[i] /= sum
	}
	return k, nil
}

// Kernel returns the real part of the filter, cut at three times Sigma:
//
//	exp(-(u²+v²)/(2σ²)) / (2πσ²) · cos(2π·Frequency·u),  u = x·cos θ + y·sin θ,  v = -x·sin θ + y·cos θ
//
// (Gabor 1946; the scale is that of scikit-image's gabor_kernel.)
func (g Gabor) Kernel() (Kernel, error) {
	if g.Frequency == 0 {
		g.Frequency = 0.1
	}
	if g.Sigma == 0 {
		g.Sigma = 3
	}
	switch {
	case !(g.Frequency > 0) || g.Frequency > 0.5:
		return Kernel{}, fmt.Errorf("frequency %v: want more than 0 and at most 0.5 waves a pixel", g.Frequency)
	case !(g.Sigma >= 0.1) || g.Sigma > maxKernel/6:
		return Kernel{}, fmt.Errorf("sigma %v: want 0.1 to %d", g.Sigma, maxKernel/6)
	case math.IsNaN(g.Theta) || math.IsInf(g.Theta, 0):
		return Kernel{}, fmt.Errorf("theta %v is no angle", g.Theta)
	}
	sin, cos := math.Sincos(g.Theta * math.Pi / 180)
	r := int(math.Ceil(max(3*g.Sigma*max(math.Abs(cos), math.Abs(sin)), 1)))
	k := Kernel{Name: fmt.Sprintf("gabor, frequency %g, theta %g°, sigma\u00a0%g", g.Frequency, g.Theta, g.Sigma), H: 2*r + 1, W: 2*r + 1}
	for y := -r; y <= r; y++ {
		for x := -r; x <= r; x++ {
			u, v := float64(x)*cos+float64(y)*sin, -float64(x)*sin+float64(y)*cos
			bell := math.Exp(-(u*u+v*v)/(2*g.Sigma*g.Sigma)) / (2 * math.Pi * g.Sigma * g.Sigma)
			k.V = append(k.V, bell*math.Cos(2*math.Pi*g.Frequency*u))
		}
	}
	return k, nil
}

// GaborBank returns kernels for every frequency, width and direction: rows of directions.
func GaborBank(frequencies, sigmas, thetas []float64) ([][]Kernel, error) {
	var bank [][]Kernel
	for _, s := range sigmas {
		for _, f := range frequencies {
			var row []Kernel
			for _, t := range thetas {
				k, err := (Gabor{f, t, s}).Kernel()
				if err != nil {
					return nil, err
				}
				row = append(row, k)
			}
			bank = append(bank, row)
		}
	}
	return bank, nil
}

// Smooth reports whether the kernel keeps the brightness of a picture: its weights add up to about 1.
func (k Kernel) Smooth() bool {
	sum := 0.0
	for _, v := range k.V {
		sum += v
	}
	return math.Abs(sum-1) < 0.05
}

// apply slides the kernel over a channel as a convolution layer does (cross-correlation); pixels outside repeat the border's.
func (k Kernel) apply(f heat.Field) heat.Field {
	out := heat.NewField(f.W, f.H)
	for y := range f.H {
		for x := range f.W {
			sum := 0.0
			for i := range k.H {
				row := f.V[min(max(y+i-k.H/2, 0), f.H-1)*f.W:]
				for j := range k.W {
					sum += k.V[i*k.W+j] * float64(row[min(max(x+j-k.W/2, 0), f.W-1)])
				}
			}
			out.V[y*f.W+x] = float32(sum)
		}
	}
	return out
}

// Apply slides the kernel over a picture as a convolution layer does (cross-correlation); pixels outside repeat the border's.
// A kernel that keeps the brightness filters each colour. What others give of the brightness (Rec. 601) is shown in grey, 0
// as middle grey and the largest magnitude as black or white.
func (k Kernel) Apply(picture image.Image) (image.Image, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	b := picture.Bounds()
	if b.Empty() {
		return nil, fmt.Errorf("a picture of %dx%d pixels", b.Dx(), b.Dy())
	}
	var channels [3]heat.Field
	for c := range channels {
		channels[c] = heat.NewField(b.Dx(), b.Dy())
	}
	luma := heat.NewField(b.Dx(), b.Dy())
	for y := range b.Dy() {
		for x := range b.Dx() {
			p := color.NRGBAModel.Convert(picture.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			i := y*b.Dx() + x
			channels[0].V[i], channels[1].V[i], channels[2].V[i] = float32(p.R), float32(p.G), float32(p.B)
			luma.V[i] = 0.299*float32(p.R) + 0.587*float32(p.G) + 0.114*float32(p.B)
		}
	}
	if !k.Smooth() {
		return heat.Draw(k.apply(luma).Signed(), heat.PaletteByName("gray")), nil
	}
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for c, f := range channels {
		for i, v := range k.apply(f).V {
			out.Pix[4*i+c] = uint8(math.Round(min(max(float64(v), 0), 255)))
		}
	}
	for i := 3; i < len(out.Pix); i += 4 {
		out.Pix[i] = 255
	}
	return out, nil
}

// Draw draws the weights as squares of so many pixels in grey: 0 as middle grey where there are negative ones. Where the
// numbers of all weights find room in the squares, they are written there.
func (k Kernel) Draw(square int) image.Image {
	f := heat.NewField(k.W, k.H)
	for i, v := range k.V {
		f.V[i] = float32(v)
	}
	square = max(square, 1)
	lo, _ := f.Range()
	if lo < 0 {
		f = f.Signed()
	} else {
		f = f.Unit()
	}
	img := heat.Draw(f.Nearest(square*k.W, square*k.H), heat.PaletteByName("gray"))
	if square >= 16 { // equal weights are told apart, and white ones from the paper
		for y := range img.Rect.Dy() {
			for x := range img.Rect.Dx() {
				if x%square == 0 || y%square == 0 || x == img.Rect.Dx()-1 || y == img.Rect.Dy()-1 {
					img.SetNRGBA(x, y, color.NRGBA{160, 160, 160, 255})
				}
			}
		}
	}
	labels := make([]sheet.Label, len(k.V))
	for i, v := range k.V {
		labels[i] = sheet.Label{At: image.Pt(i%k.W*square+square/2, i/k.W*square+square/2), Text: strconv.FormatFloat(v, 'g', 3, 64)}
	}
	sheet.Write(img, labels, square-4)
	return img
}

// square returns how many pixels a weight's square may have, so that the larger of the kernels fits into side.
func square(side int, kernels ...Kernel) int {
	largest := 1
	for _, k := range kernels {
		largest = max(largest, k.W, k.H)
	}
	return max(side/largest, 1)
}

// DrawKernel draws a picture, a kernel and what the kernel makes of the picture, side by side.
func DrawKernel(picture image.Image, k Kernel, title string) (image.Image, error) {
	result, err := k.Apply(picture)
	if err != nil {
		return nil, err
	}
	side := min(picture.Bounds().Dx(), picture.Bounds().Dy())
	s := sheet.Sheet{Title: title, Rows: [][]sheet.Cell{{
		{Image: picture, Title: "input"}, {Image: k.Draw(square(side, k)), Title: k.Name, Text: fmt.Sprintf("%dx%d", k.H, k.W)}, {Image: result, Title: "result"},
	}}}
	return s.Draw()
}

// DrawBank draws a picture and a bank of kernels, all in one scale, and below what each kernel makes of the picture, with
// the kernel in the corner.
func DrawBank(picture image.Image, bank [][]Kernel, title string) (image.Image, error) {
	size := picture.Bounds().Size()
	all := slices.Concat(bank...)
	if len(all) == 0 {
		return nil, errors.New("a bank without kernels")
	}
	s := sheet.Sheet{Title: title, Rows: [][]sheet.Cell{{{Image: picture, Title: "input"}, {Title: "kernels"}}}}
	inset := square(min(size.X, size.Y)/3, all...)
	for _, row := range bank {
		var results []sheet.Cell
		for _, k := range row {
			result, err := k.Apply(picture)
			if err != nil {
				return nil, err
			}
			results = append(results, sheet.Cell{Image: pasted(result, k.Draw(inset)), Text: k.Name})
		}
		s.Rows = append(s.Rows, results)
	}
	s.Rows[0][1].Image = bankGrid(bank, size)
	return s.Draw()
}

// pasted returns a picture with another one in its upper left corner, on white.
func pasted(picture, small image.Image) image.Image {
	const rim = 2
	img := image.NewNRGBA(image.Rectangle{Max: picture.Bounds().Size()})
	draw.Draw(img, img.Rect, picture, picture.Bounds().Min, draw.Src)
	size := small.Bounds().Size()
	draw.Draw(img, image.Rect(0, 0, size.X+rim, size.Y+rim), image.White, image.Point{}, draw.Src)
	draw.Draw(img, image.Rectangle{Max: size}, small, small.Bounds().Min, draw.Src)
	return img
}

// bankGrid draws kernels in one scale as a grid in a picture of that size.
func bankGrid(bank [][]Kernel, size image.Point) image.Image {
	columns := 0
	for _, row := range bank {
		columns = max(columns, len(row))
	}
	tile := image.Pt(size.X/columns, size.Y/len(bank))
	times := square(min(tile.X, tile.Y)-4, slices.Concat(bank...)...)
	img := image.NewNRGBA(image.Rectangle{Max: size})
	draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
	for i, row := range bank {
		for j, k := range row {
			d := k.Draw(times)
			at := image.Pt(j*tile.X, i*tile.Y).Add(tile.Sub(d.Bounds().Size()).Div(2))
			draw.Draw(img, d.Bounds().Add(at), d, image.Point{}, draw.Src)
		}
	}
	return img
}
