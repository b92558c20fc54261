package pixel

import (
	"fmt"
	"math"
)

// Filter is an interpolation, named as Pillow names them.
type Filter int

// The filters. All but Nearest are separable windows that widen with the scale when shrinking (antialias).
const (
	Bilinear Filter = iota // triangle
	Bicubic                // Keys' cubic convolution with a = -0.5
	Nearest
	Box
	Hamming // sinc in a Hamming window, as wide as Bilinear
	Lanczos // sinc in a sinc window of three lobes
)

var filterNames = [...]string{"bilinear", "bicubic", "nearest", "box", "hamming", "lanczos"}

// ParseFilter returns the filter of that name.
func ParseFilter(name string) (Filter, error) {
	for i, n := range filterNames {
		if n == name {
			return Filter(i), nil
		}
	}
	return 0, fmt.Errorf("unknown interpolation %q: want one of %q", name, filterNames)
}

func (f Filter) String() string {
	if f < 0 || int(f) >= len(filterNames) {
		return fmt.Sprintf("Filter(%d)", int(f))
	}
	return filterNames[f]
}

// support is the half width of the filter's window at scale 1.
func (f Filter) support() float64 {
	switch f {
	case Box:
		return 0.5
	case Bicubic:
		return 2
	case Lanczos:
		return 3
	}
	return 1 // Bilinear, Hamming
}

// weight is the filter's value at distance x. The conversions keep a compiler from fusing products and sums, so that
// weights are the same bits on every machine.
func (f Filter) weight(x float64) float64 {
	if f == Box { // closed on one side, so that a sample between two windows counts once
		if x > -0.5 && x <= 0.5 {
			return 1
		}
		return 0
	}
	x = math.Abs(x)
	switch f {
	case Bilinear:
		return max(0, 1-x)
	case Bicubic:
		const a = -0.5
		switch {
		case x < 1:
			return float64(float64(float64(float64((a+2)*x)-(a+3))*x)*x) + 1
		case x < 2:
			return float64(float64(float64(float64(float64(x-5)*x)+8)*x)-4) * a
		}
	case Hamming:
		if x == 0 {
			return 1
		}
		if x < 1 {
			x *= math.Pi
			return math.Sin(x) / x * float64(0.54+float64(0.46*math.Cos(x)))
		}
	case Lanczos:
		if x < 3 {
			return sinc(x) * sinc(x/3)
		}
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// weightBits is the number of fractional bits of the fixed-point weights: 8 bits of value and a sign and carry bit
// beside them fill an int32.
const weightBits = 32 - 8 - 2

// taps tells, for every output position, which input positions are summed with which fixed-point weights.
type taps struct {
	first  []int   // first input position
	count  []int   // number of input positions
	weight []int32 // width weights an output position
	width  int
	lo     int       // the first of the output positions
	real   []float64 // the weights of one position before rounding
}

// set fills t for outputs [lo,hi) of a line of `in` samples resized to `out`. With alias the window does not widen
// when shrinking. Weights are normalised within the line and then rounded, as Pillow does for 8-bit images.
func (t *taps) set(f Filter, alias bool, in, out, lo, hi int) {
	n := hi - lo
	t.lo = lo
	t.first, t.count = grow(t.first, n), grow(t.count, n)
	if f == Nearest {
		t.nearest(in, out, lo, hi)
		return
	}
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	if alias {
		stretch = 1
	}
	// A window of f's width, but at least wide enough to touch a sample.
	support := f.support() * stretch
	t.width = min(int(math.Ceil(support))*2+1, in)
	t.real, t.weight = grow(t.real, t.width), grow(t.weight, n*t.width)
	inv := 1 / stretch
	for i := range n {
		center := float64((float64(lo+i) + 0.5) * scale)
		first := max(int(center-support+0.5), 0)
		end := min(int(center+support+0.5), in)
		w := t.real[:end-first]
		sum := 0.0
		for j := range w {
			w[j] = f.weight(float64(float64(first+j)-center+0.5) * inv)
			sum += w[j]
		}
		k := t.weight[i*t.width:][:len(w)]
		for j := range w {
			v := w[j]
			if sum != 0 {
				v /= sum
			}
			k[j] = int32(math.Copysign(0.5, v) + float64(v*(1<<weightBits)))
		}
		t.first[i], t.count[i] = first, len(w)
	}
}

// nearest picks the sample below each output's centre. Positions are summed up step by step because Pillow does so:
// at halves the rounding of the sum decides.
func (t *taps) nearest(in, out, lo, hi int) {
	scale := float64(in) / float64(out)
	at := float64(scale * 0.5)
	for x := range hi {
		if x >= lo {
			t.first[x-lo], t.count[x-lo] = min(int(at), in-1), 1
		}
		at += scale
	}
	t.width = 1
	t.weight = grow(t.weight, hi-lo)
	for i := range t.weight {
		t.weight[i] = 1 << weightBits
	}
}

// span returns the input positions that t reads: the outputs' own where the line keeps its size.
func (t *taps) span(resized bool) (lo, hi int) {
	if !resized {
		return t.lo, t.lo + len(t.first)
	}
	lo, hi = math.MaxInt, 0
	for i, f := range t.first {
		lo, hi = min(lo, f), max(hi, f+t.count[i])
	}
	return lo, hi
}

// widen resizes an RGB row in width; row starts at input position x0. It may read, but not use, one byte behind row.
func (t *taps) widen(dst, row []uint8, x0 int) {
	done := widenVectors(t, dst, row, x0)
	const half = 1 << (weightBits - 1)
	for i, first := range t.first[done:] {
		i += done
		k := t.weight[i*t.width:][:t.count[i]]
		p := row[3*(first-x0):][:3*len(k)]
		var r, g, b int32 = half, half, half
		for _, w := range k {
			r += w * int32(p[0])
			g += w * int32(p[1])
			b += w * int32(p[2])
			p = p[3:]
		}
		d := dst[3*i : 3*i+3]
		d[0], d[1], d[2] = clip(r>>weightBits), clip(g>>weightBits), clip(b>>weightBits)
	}
}

// heighten computes output row i from rows of len(dst) bytes that begin at input row y0.
func (t *taps) heighten(dst, mid []uint8, i, y0 int, acc []int32) {
	const half = 1 << (weightBits - 1)
	n := len(dst)
	weights := t.weight[i*t.width:][:t.count[i]]
	mid = mid[(t.first[i]-y0)*n:][:len(weights)*n]
	done := heightenVectors(dst, mid, weights)
	acc = acc[done:n]
	for j := range acc {
		acc[j] = half
	}
	for j, w := range weights {
		row := mid[j*n+done:][:n-done]
		for c, v := range row {
			acc[c] += w * int32(v)
		}
	}
	for j, v := range acc {
		dst[done+j] = clip(v >> weightBits)
	}
}

// move makes t read by positions further on: of a crop that begins there.
func (t *taps) move(by int) {
	t.lo += by
	for i := range t.first {
		t.first[i] += by
	}
}
