package pixel

import (
	"fmt"
	"math"
)

// Rule says how an image is resized before it is cropped.
type Rule int

// The rules.
const (
	Keep    Rule = iota // not at all
	Shorter             // the shorter side becomes Side, the longer one floor(Side*longer/shorter)
	Exact               // to ResizeH x ResizeW, whatever the proportions
)

// Geometry is the way from an image of any size to H x W pixels: resize by Rule with Filter, then cut the centre.
// Where the resized image is smaller than H x W it is padded with black on both sides, as torchvision's centre crop
// does.
type Geometry struct {
	Rule             Rule
	Side             int
	ResizeH, ResizeW int
	Filter           Filter
	Alias            bool // no antialias: shrinking by Bilinear looks at two samples a direction only
	H, W             int
}

// resized returns the size of a w x h image after resizing.
func (g Geometry) resized(w, h int) (rw, rh int, err error) {
	switch g.Rule {
	case Shorter:
		rw, rh = g.Side, g.Side
		// The product may not be exact in float64, but then it is far beyond maxSide.
		if w < h {
			rh = int(min(float64(g.Side)*float64(h)/float64(w), math.MaxInt32))
		} else {
			rw = int(min(float64(g.Side)*float64(w)/float64(h), math.MaxInt32))
		}
	case Exact:
		rw, rh = g.ResizeW, g.ResizeH
	default:
		rw, rh = w, h
	}
	rw, rh = max(rw, 1), max(rh, 1)
	if rw > maxSide || rh > maxSide {
		return 0, 0, fmt.Errorf("image of %dx%d pixels is too thin: resizing its shorter side to %d gives %dx%d (at most %d a side): %w", w, h, g.Side, rw, rh, maxSide, ErrTooLarge)
	}
	return rw, rh, nil
}

// window is where a crop of `want` samples lies in a line of `have`: it shows [lo,hi) of the line, after pad samples
// of padding. Rounding is torchvision's: half to even where it cuts, down where it pads.
func window(have, want int) (lo, hi, pad int) {
	if want > have {
		return 0, have, (want - have) / 2
	}
	lo = int(math.RoundToEven(float64(have-want) / 2))
	return lo, lo + want, 0
}

// Render writes the picture as RGB, H*W*3 bytes, to dst. Only the rows and columns that the crop shows are computed,
// so thin images cost no more than others.
func (g Geometry) Render(p *Picture, dst []uint8) error {
	if len(dst) != 3*g.H*g.W {
		return fmt.Errorf("destination has %d bytes, want %d for %dx%d RGB", len(dst), 3*g.H*g.W, g.W, g.H)
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	src, err := p.source(s)
	if err != nil {
		return err
	}
	rw, rh, err := g.resized(src.w, src.h)
	if err != nil {
		return err
	}
	x0, x1, padX := window(rw, g.W)
	y0, y1, padY := window(rh, g.H)
	if padX > 0 || padY > 0 || x1-x0 < g.W || y1-y0 < g.H {
		clear(dst)
	}
	s.x.set(g.Filter, g.Alias, src.w, rw, x0, x1)
	s.y.set(g.Filter, g.Alias, src.h, rh, y0, y1)
	resample(src, s, dst[3*(padY*g.W+padX):], 3*g.W, src.w != rw, src.h != rh)
	return nil
}

// resample computes the outputs of s.x and s.y and writes them to dst, whose rows are stride bytes apart. A direction
// that keeps its size is copied.
func resample(src source, s *scratch, dst []uint8, stride int, horizontal, vertical bool) {
	n := 3 * len(s.x.first)
	x0, x1 := s.x.span(horizontal)
	y0, y1 := s.y.span(vertical)
	s.row = grow(s.row, 3*(x1-x0)+1)[:3*(x1-x0)] // and one byte, for widen
	if vertical {
		s.mid = grow(s.mid, n*(y1-y0))
	}
	for y := y0; y < y1; y++ {
		var out []uint8
		if vertical {
			out = s.mid[n*(y-y0):][:n]
		} else {
			out = dst[stride*(y-y0):][:n]
		}
		if !horizontal {
			src.read(out, y, x0, x1)
			continue
		}
		src.read(s.row, y, x0, x1)
		s.x.widen(out, s.row, x0)
	}
	if !vertical {
		return
	}
	s.acc = grow(s.acc, n)
	for i := range s.y.first {
		s.y.heighten(dst[stride*i:][:n], s.mid, i, y0, s.acc)
	}
}
