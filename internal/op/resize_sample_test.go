package op

import "testing"

// A tiny scale with antialias reaches over the whole input: the mean, and no table that grows without bound.
func TestResizeReach(t *testing.T) {
	s := sampling{mode: "linear", coords: "half_pixel", antialias: true}
	f := s.filterFor(resizeAxis{in: 4, out: 1, scale: 1e-9, length: 4e-9, end: 1})
	if f.taps > 100 {
		t.Fatalf("%d taps for 4 elements", f.taps)
	}
}
