package op

import "math"

// source turns place x along an axis of the output into a place in the input. It calculates in float32, as the
// runtimes do that models are made for: where a place falls exactly between two elements, the rounding decides.
func (a resizeAxis) source(coords string, x int) float32 {
	in, length, f := float32(a.in), a.length, float32(x)
	switch coords {
	case "asymmetric":
		return f / a.scale
	case "align_corners":
		if a.out == 1 || length == 1 {
			return 0
		}
		return float32(f*(in-1)) / (length - 1)
	case "pytorch_half_pixel":
		if a.out == 1 {
			return 0
		}
	case "tf_half_pixel_for_nn":
		return (f + 0.5) / a.scale
	case "tf_crop_and_resize":
		if a.out == 1 || length == 1 {
			return float32(0.5 * float32(float32(a.start+a.end)*(in-1)))
		}
		step := float32(float32(a.end-a.start)*(in-1)) / (length - 1)
		return float32(a.start*(in-1)) + float32(f*step)
	case "half_pixel_symmetric":
		offset := float32(in / 2 * (1 - float32(a.out)/length))
		return offset + (f+0.5)/a.scale - 0.5
	}
	return (f+0.5)/a.scale - 0.5
}

// same reports whether every element along the axis stays where it is. Scale 1 means that in every mode, also in
// tf_half_pixel_for_nn, whose formula would move a batch or channel axis by half an element.
func (a resizeAxis) same() bool {
	return a.in == a.out && a.scale == 1 && a.start == 0 && a.end == 1
}

// nearestTable returns for each place along the axis of the output the element that is nearest, -1 where the place is
// outside and is extrapolated.
func (s sampling) nearestTable(a resizeAxis) []int {
	table := make([]int, a.out)
	for i := range table {
		x := a.source(s.coords, i)
		if s.coords == "tf_crop_and_resize" && !(x >= 0 && x <= float32(a.in-1)) {
			table[i] = -1
			continue
		}
		v := float64(x)
		switch s.nearest {
		case "round_prefer_floor":
			v = math.Ceil(v - 0.5)
		case "round_prefer_ceil":
			v = math.Floor(v + 0.5)
		case "ceil":
			v = math.Ceil(v)
		case "simple":
			if a.scale < 1 {
				v = math.Ceil(v)
			} else {
				v = math.Floor(v)
			}
		default:
			v = math.Floor(v)
		}
		table[i] = int(min(max(v, 0), float64(a.in-1)))
	}
	return table
}

// filter is a resampling along one axis: output place i is the sum over t of weight[i*taps+t] times the element
// index[i*taps+t] of the input. Where outside is set for i it is the extrapolation value instead.
type filter struct {
	taps    int
	index   []int
	weight  []float64
	outside []bool // nil: none
}

// filterFor returns the resampling for an axis.
func (s sampling) filterFor(a resizeAxis) filter {
	if s.mode == "nearest" {
		f := filter{taps: 1, index: s.nearestTable(a), weight: make([]float64, a.out), outside: make([]bool, a.out)}
		for i, k := range f.index {
			f.weight[i] = 1
			if k < 0 {
				f.index[i], f.outside[i] = 0, true
			}
		}
		return f
	}
	shrink := 1.0 // the filter is stretched by its inverse
	if s.antialias {
		shrink = min(float64(a.scale), 1)
	}
	reach := 1.0
	if s.mode == "cubic" {
		reach = 2
	}
	first := int(math.Floor(-reach/shrink)) + 1
	if limit := -4*a.in - 4; first < limit {
		first = limit // the rest lies outside: see the clamping below
	}
	f := filter{taps: 2 - 2*first}
	f.taps = max(f.taps, 1)
	f.index = make([]int, a.out*f.taps)
	f.weight = make([]float64, a.out*f.taps)
	if s.coords == "tf_crop_and_resize" {
		f.outside = make([]bool, a.out)
	}
	for i := range a.out {
		x := float64(a.source(s.coords, i))
		if f.outside != nil && !(x >= 0 && x <= float64(a.in-1)) {
			f.outside[i] = true
			continue
		}
		// Beyond the border all elements are the border's: places far outside give the same as ones just outside.
		x = min(max(x, -float64(2*a.in+4)), float64(3*a.in+4))
		base := int(math.Floor(x))
		index, weight := f.index[i*f.taps:(i+1)*f.taps], f.weight[i*f.taps:(i+1)*f.taps]
		sum := 0.0
		for t := range weight {
			k := base + first + t
			inside := min(max(k, 0), a.in-1)
			index[t] = inside
			if s.excludeOutside && k != inside {
				continue
			}
			weight[t] = s.kernel((float64(k) - x) * shrink)
			sum += weight[t]
		}
		if sum != 0 {
			for t := range weight {
				weight[t] /= sum
			}
		}
	}
	return f
}

// kernel is the interpolation's weight at distance d: a triangle, or Keys' cubic convolution.
func (s sampling) kernel(d float64) float64 {
	d = math.Abs(d)
	if s.mode == "linear" {
		return max(0, 1-d)
	}
	a := s.cubicA
	switch {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return ((a*d-5*a)*d+8*a)*d - 4*a
	}
	return 0
}
