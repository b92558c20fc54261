package gradcam

import "math"

// Maps are the activations of a layer for one image, or the gradients of a class's score by them: C maps of H by W
// numbers, one after the other.
type Maps struct {
	Data    []float32
	C, H, W int
}

// Channel returns one map.
func (m Maps) Channel(k int) []float32 { return m.Data[k*m.H*m.W : (k+1)*m.H*m.W] }

// GradCAM weights each activation map by the mean of its gradient:
//
//	w_k = mean(g_k),  map = sum over k of w_k*a_k
//
// Selvaraju et al. 2017, arXiv:1610.02391. The result, as that of the others here, is not rectified yet: what the paper
// shows is max(map, 0).
func GradCAM(a, g Maps) []float32 {
	return weighted(a, func(k int) float64 { return sum(g.Channel(k)) / float64(a.H*a.W) })
}

// GradCAMPlusPlus weights each map by the positive gradients, each by how much of the map stands behind it:
//
//	alpha = g²/(2g² + sum(a)*g³),  w_k = sum of alpha*max(g, 0)
//
// Chattopadhay et al. 2018, arXiv:1710.11063, for the score exp(logit); its factor exp(logit), the same for the whole
// map, is left out.
func GradCAMPlusPlus(a, g Maps) []float32 {
	return weighted(a, func(k int) float64 {
		total, w := sum(a.Channel(k)), 0.0
		for _, v := range g.Channel(k) {
			d := float64(v)
			if d <= 0 {
				continue
			}
			// Numerator and denominator by d²: they would underflow.
			if below := 2 + total*d; below != 0 {
				w += d / below
			}
		}
		return w
	})
}

// HiResCAM multiplies activations and gradients place by place: map = sum over k of g_k*a_k. Draelos and Carin 2020,
// arXiv:2011.08891.
func HiResCAM(a, g Maps) []float32 {
	return placewise(a, g, func(a, g float64) float64 { return a * g })
}

// LayerCAM is HiResCAM with the positive gradients only. Jiang et al. 2021, "LayerCAM: Exploring Hierarchical Class
// Activation Maps for Localization".
func LayerCAM(a, g Maps) []float32 {
	return placewise(a, g, func(a, g float64) float64 { return a * max(g, 0) })
}

// XGradCAM weights each map by its gradient, averaged with the activations as weights: w_k = sum(g_k*a_k)/sum(a_k). Fu
// et al. 2020, arXiv:2008.02312. A map whose sum is 0 counts nothing.
func XGradCAM(a, g Maps) []float32 {
	return weighted(a, func(k int) float64 {
		up, below := 0.0, 0.0
		gk := g.Channel(k)
		for i, v := range a.Channel(k) {
			up += float64(v) * float64(gk[i])
			below += float64(v)
		}
		if below == 0 {
			return 0
		}
		return up / below
	})
}

// CAM weights each map by the classifier's weight of it, of which the gradient's sum is what is left after a global
// average pool: w_k = sum(g_k). Zhou et al. 2016, arXiv:1512.04150. It is meant for such networks only.
func CAM(a, g Maps) []float32 {
	return weighted(a, func(k int) float64 { return sum(g.Channel(k)) })
}

// EigenCAM projects the activations of each place on their first principal direction: the first right-singular vector of
// the [H*W,C] matrix of activations, without centring. Muhammad and Yeasin 2020, arXiv:2008.00299. It looks at no class
// and takes no gradients. A singular vector has no sign: the one is taken that makes the map's sum positive.
func EigenCAM(a, _ Maps) []float32 {
	n := a.H * a.W
	u := make([]float64, n) // left-singular vector times its value: the map
	v := make([]float64, a.C)
	for i := range u {
		u[i] = 1
	}
	// The power method: activations that are nowhere negative have a first direction that is nowhere negative, and so is
	// not orthogonal to the start.
	previous := 0.0
	for range 1000 {
		for k := range v {
			v[k] = 0
			for i, x := range a.Channel(k) {
				v[k] += float64(x) * u[i]
			}
		}
		if !normalise(v) {
			clear(u)
			break
		}
		clear(u)
		for k, f := range v {
			for i, x := range a.Channel(k) {
				u[i] += float64(x) * f
			}
		}
		length := 0.0
		for _, x := range u {
			length += x * x
		}
		if math.Abs(length-previous) <= 1e-14*length {
			break
		}
		previous = length
	}
	total := 0.0
	for _, x := range u {
		total += x
	}
	out := make([]float32, n)
	for i, x := range u {
		if total < 0 {
			x = -x
		}
		out[i] = float32(x)
	}
	return out
}

// normalise scales a vector to length 1; false where it has none.
func normalise(v []float64) bool {
	length := 0.0
	for _, x := range v {
		length += x * x
	}
	if length == 0 {
		return false
	}
	length = math.Sqrt(length)
	for i := range v {
		v[i] /= length
	}
	return true
}

// weighted returns the sum of the maps, each with its weight.
func weighted(a Maps, weight func(k int) float64) []float32 {
	acc := make([]float64, a.H*a.W)
	for k := range a.C {
		w := weight(k)
		if w == 0 {
			continue
		}
		for i, v := range a.Channel(k) {
			acc[i] += w * float64(v)
		}
	}
	return narrow(acc)
}

// placewise returns the sum over the maps of a function of activation and gradient.
func placewise(a, g Maps, f func(a, g float64) float64) []float32 {
	acc := make([]float64, a.H*a.W)
	for k := range a.C {
		gk := g.Channel(k)
		for i, v := range a.Channel(k) {
			acc[i] += f(float64(v), float64(gk[i]))
		}
	}
	return narrow(acc)
}

func sum(v []float32) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x)
	}
	return s
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
