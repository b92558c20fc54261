package heat

import "slices"

// quantile returns the number below which the share q of v lies; 0 for an empty list. It sorts v.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[min(max(int(q*float64(len(v))), 0), len(v)-1)]
}

// Clip returns the field with what is above the share q of its numbers cut to that: a few extreme pixels would leave
// all others dark.
func (f Field) Clip(q float64) Field {
	v := make([]float64, len(f.V))
	for i, x := range f.V {
		v[i] = float64(x)
	}
	top := float32(quantile(v, q))
	out := NewField(f.W, f.H)
	for i, x := range f.V {
		out.V[i] = min(x, top)
	}
	return out
}
