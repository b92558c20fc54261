package gradcam

import (
	"fmt"
	"math"
	"slices"
)

var baselines = []string{"black", "white", "gray", "zero", "blur"}

func checkBaseline(name string) error {
	if name != "" && !slices.Contains(baselines, name) {
		return fmt.Errorf("there is no baseline %q: the baselines are black, white, gray, zero, blur", name)
	}
	return nil
}

// baseline returns an image, channels first, that says nothing: of one colour, of zeros in the network's own units (the
// mean colour of the images that it was trained on), or the image itself out of focus.
func (x *Explainer) baseline(pixels []float32, name, otherwise string) []float32 {
	if name == "" {
		name = otherwise
	}
	h, w := x.recipe.Size[0], x.recipe.Size[1]
	if name == "blur" {
		return blur(pixels, h, w, float64(max(h, w))/22)
	}
	out := make([]float32, len(pixels))
	v, colour := map[string]float64{"black": 0, "gray": 127.5, "white": 255}[name]
	if !colour {
		return out
	}
	for i := range out {
		c := i / (h * w)
		out[i] = float32((v*x.recipe.Scale - x.recipe.Mean[c]) / x.recipe.Std[c])
	}
	return out
}

// blur returns planes of h rows by w, each smoothed by a Gaussian of that deviation, cut off at two deviations.
func blur(v []float32, h, w int, sigma float64) []float32 {
	radius := max(int(2*sigma), 1)
	weights := make([]float64, 2*radius+1)
	total := 0.0
	for i := range weights {
		d := float64(i-radius) / sigma
		weights[i] = math.Exp(-d * d / 2)
		total += weights[i]
	}
	smooth := func(dst, src []float32, n, stride int) {
		for i := range n {
			s := 0.0
			for k, f := range weights {
				s += f * float64(src[min(max(i+k-radius, 0), n-1)*stride])
			}
			dst[i*stride] = float32(s / total)
		}
	}
	out := make([]float32, len(v))
	mid := make([]float32, h*w)
	for p := 0; p < len(v); p += h * w {
		for y := range h {
			smooth(mid[y*w:], v[p+y*w:], w, 1)
		}
		for x := range w {
			smooth(out[p+x:], mid[x:], h, w)
		}
	}
	return out
}
