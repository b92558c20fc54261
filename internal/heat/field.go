package heat

import (
	"fmt"
	"math"
)

// Field is a map of numbers: W columns, H rows, row by row.
type Field struct {
	W, H int
	V    []float32
}

// NewField returns a field of zeros.
func NewField(w, h int) Field { return Field{w, h, make([]float32, w*h)} }

// Check reports whether the numbers fit the size.
func (f Field) Check() error {
	if f.W < 1 || f.H < 1 || len(f.V) != f.W*f.H {
		return fmt.Errorf("a map of %dx%d has %d numbers", f.W, f.H, len(f.V))
	}
	return nil
}

// Range returns the smallest and the largest number.
func (f Field) Range() (lo, hi float32) {
	lo, hi = f.V[0], f.V[0]
	for _, v := range f.V {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// Unit returns what is positive of a field, divided by its largest number, so that it lies in 0..1. A field without
// anything positive gives zeros.
func (f Field) Unit() Field {
	out := NewField(f.W, f.H)
	_, hi := f.Range()
	if !(hi > 0) {
		return out
	}
	for i, v := range f.V {
		out.V[i] = max(v, 0) / hi
	}
	return out
}

// Spread returns a field moved and scaled so that its numbers span 0..1; one of equal numbers gives zeros.
func (f Field) Spread() Field {
	out := NewField(f.W, f.H)
	lo, hi := f.Range()
	if !(hi > lo) {
		return out
	}
	for i, v := range f.V {
		out.V[i] = (v - lo) / (hi - lo)
	}
	return out
}

// Signed returns a field scaled so that 0 becomes 1/2 and its largest magnitude 0 or 1, for a diverging palette.
func (f Field) Signed() Field {
	out := NewField(f.W, f.H)
	lo, hi := f.Range()
	largest := max(-lo, hi)
	for i, v := range f.V {
		out.V[i] = 0.5
		if largest > 0 {
			out.V[i] = 0.5 + v/largest/2
		}
	}
	return out
}

// Resize returns the field at another size by bilinear interpolation between the centres of its cells, with the edge
// cells going on outwards: what torch.nn.functional.interpolate (align_corners off) and OpenCV's resize give.
func (f Field) Resize(w, h int) Field {
	out := NewField(w, h)
	f.ResizeInto(out)
	return out
}

// ResizeInto is Resize into a field that is there.
func (f Field) ResizeInto(out Field) {
	xs := samples(f.W, out.W)
	for y, s := range samples(f.H, out.H) {
		a, b := f.V[s.at*f.W:][:f.W], f.V[s.next*f.W:][:f.W]
		row := out.V[y*out.W:][:out.W]
		for x, t := range xs {
			top := a[t.at] + t.weight*(a[t.next]-a[t.at])
			bottom := b[t.at] + t.weight*(b[t.next]-b[t.at])
			row[x] = top + s.weight*(bottom-top)
		}
	}
}

// sample says between which two cells a position lies, and how near the second.
type sample struct {
	at, next int
	weight   float32
}

func samples(in, out int) []sample {
	s := make([]sample, out)
	scale := float64(in) / float64(out)
	for i := range s {
		x := max((float64(i)+0.5)*scale-0.5, 0)
		k := min(int(x), in-1)
		s[i] = sample{k, min(k+1, in-1), float32(x - math.Floor(x))}
	}
	return s
}

// Nearest returns the field at another size, each cell becoming a rectangle of one number.
func (f Field) Nearest(w, h int) Field {
	out := NewField(w, h)
	for y := range h {
		for x := range w {
			out.V[y*w+x] = f.V[y*f.H/h*f.W+x*f.W/w]
		}
	}
	return out
}
