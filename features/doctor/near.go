package doctor

import (
	"math/bits"

	"github.com/onnxcnn/onnxcnn/internal/pixel"
)

const (
	thumbSide = 16
	// sameTone is the mean difference of gray levels up to which two thumbnails look the same.
	sameTone = 8
	// flatTone is the range of gray levels up to which a thumbnail shows nothing to compare by.
	flatTone = 8
	// clearTone is the difference of gray levels above which one cell is brighter than another.
	clearTone = 3
)

// hash is a difference hash: whether each cell of a 9x8 grid is clearly brighter than its right neighbour, and of an 8x9
// grid than the one below. What compression does to areas of one colour is not clear.
type hash [2]uint64

func (h hash) distance(o hash) int {
	return bits.OnesCount64(h[0]^o[0]) + bits.OnesCount64(h[1]^o[1])
}

// fingerprint returns what two images that look the same have nearly in common.
func fingerprint(p *pixel.Picture) ([]uint8, hash, error) {
	thumb, err := gray(p, thumbSide, thumbSide)
	if err != nil {
		return nil, hash{}, err
	}
	var h hash
	across, err := gray(p, 8, 9)
	if err != nil {
		return nil, hash{}, err
	}
	down, err := gray(p, 9, 8)
	if err != nil {
		return nil, hash{}, err
	}
	for y := range 8 {
		for x := range 8 {
			if int(across[9*y+x]) > int(across[9*y+x+1])+clearTone {
				h[0] |= 1 << (8*y + x)
			}
			if int(down[8*y+x]) > int(down[8*(y+1)+x])+clearTone {
				h[1] |= 1 << (8*y + x)
			}
		}
	}
	return thumb, h, nil
}

// gray returns the picture as h x w gray levels, stretched, each the mean of what it covers.
func gray(p *pixel.Picture, h, w int) ([]uint8, error) {
	rgb := make([]uint8, 3*h*w)
	g := pixel.Geometry{Rule: pixel.Exact, ResizeH: h, ResizeW: w, Filter: pixel.Bilinear, H: h, W: w}
	if err := g.Render(p, rgb); err != nil {
		return nil, err
	}
	out := make([]uint8, h*w)
	for i := range out { // Rec. 601
		out[i] = uint8((299*int(rgb[3*i]) + 587*int(rgb[3*i+1]) + 114*int(rgb[3*i+2]) + 500) / 1000)
	}
	return out, nil
}

// flat reports whether an image shows nothing: all such images look the same without being copies.
func (l *look) flat() bool {
	lo, hi := uint8(255), uint8(0)
	for _, v := range l.thumb {
		lo, hi = min(lo, v), max(hi, v)
	}
	return hi-lo <= flatTone
}

// alike reports whether two images look the same.
func (l *look) alike(o *look, near int) bool {
	if l.hash.distance(o.hash) > near {
		return false
	}
	sum := 0
	for i, v := range l.thumb {
		sum += max(int(v)-int(o.thumb[i]), int(o.thumb[i])-int(v))
	}
	return sum <= sameTone*len(l.thumb)
}

// pairsAlike calls visit with every pair of images that look the same. Hashes that differ in at most near bits are
// equal in one of near+1 pieces, so only images with a piece in common are compared.
func pairsAlike(looks []look, near int, visit func(i, j int)) {
	var use []int
	for i := range looks {
		if looks[i].ok && len(looks[i].thumb) > 0 && !looks[i].flat() {
			use = append(use, i)
		}
	}
	pieces := near + 1
	for piece := range pieces {
		lo, hi := piece*128/pieces, (piece+1)*128/pieces
		buckets := map[hash][]int{}
		for _, i := range use {
			key := looks[i].hash.piece(lo, hi)
			for _, j := range buckets[key] {
				// Only in the first piece that the two share.
				if !looks[i].hash.shareBefore(looks[j].hash, piece, pieces) && looks[i].alike(&looks[j], near) {
					visit(j, i)
				}
			}
			buckets[key] = append(buckets[key], i)
		}
	}
}

// piece returns the bits [lo,hi) of the hash, the others cleared.
func (h hash) piece(lo, hi int) hash {
	for w := range h {
		l, u := min(max(lo-64*w, 0), 64), min(max(hi-64*w, 0), 64)
		h[w] = h[w] << (64 - u) >> (64 - u) >> l << l
	}
	return h
}

// shareBefore reports whether two hashes are equal in a piece before the given one.
func (h hash) shareBefore(o hash, piece, pieces int) bool {
	for p := range piece {
		lo, hi := p*128/pieces, (p+1)*128/pieces
		if h.piece(lo, hi) == o.piece(lo, hi) {
			return true
		}
	}
	return false
}
