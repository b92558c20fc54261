package gradcam

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
)

// Quality says how good a map is: whether what it marks is what the network goes by.
type Quality struct {
	// Deletion covers the pixels with zeros, those that the map finds most important first, and follows the class's
	// probability. A good map makes it fall early: a small area. Insertion shows them first in a blurred image: a large
	// area is good. Petsiuk et al. 2018 (RISE), arXiv:1806.07421.
	Deletion  Curve `json:"deletion"`
	Insertion Curve `json:"insertion"`

	// Road is the mean over 20, 40, 60 and 80 % of the pixels of (L-M)/2: the class's probability where the least
	// important pixels are removed, less that where the most important ones are; -1/2 to 1/2, and above 0 for a map that
	// is better than chance. Removed pixels are filled in from their neighbours, so that their shape tells nothing. Rong
	// et al. 2022, arXiv:2202.00449.
	Road float64 `json:"road"`
}

// Curve is a class's probability while pixels change.
type Curve struct {
	Share       []float64 `json:"share"` // of the pixels that are changed, from 0 to 1
	Probability []float64 `json:"probability"`
	Area        float64   `json:"area"` // under the curve, 0 to 1
}

// qualitySteps is the number of steps of deletion and insertion.
const qualitySteps = 32

// roadShares are the shares of pixels that ROAD removes.
var roadShares = []float64{0.2, 0.4, 0.6, 0.8}

// Measure computes the quality of a map of that image.
func (x *Explainer) Measure(ctx context.Context, im *Image, m *Map) (*Quality, error) {
	if im.x != x || m.Class >= len(im.Logits) {
		return nil, errors.New("the image, or the map, is of another network")
	}
	h, w := x.recipe.Size[0], x.recipe.Size[1]
	order := ranking(m.At(h, w))
	soft := x.baseline(im.pixels, "blur", "")
	zero := make([]float32, x.size)
	q := &Quality{}
	plans := 2*(qualitySteps+1) + 2*len(roadShares)
	probabilities := make([]float64, plans)
	err := im.passes(ctx, plans, func(i int, dst []float32) {
		switch {
		case i <= qualitySteps:
			mixPixels(dst, im.pixels, zero, h*w, order[:len(order)*i/qualitySteps])
		case i < 2*(qualitySteps+1):
			i -= qualitySteps + 1
			mixPixels(dst, soft, im.pixels, h*w, order[:len(order)*i/qualitySteps])
		default:
			i -= 2 * (qualitySteps + 1)
			n := int(roadShares[i/2] * float64(len(order)))
			removed := order[:n] // the most important ones
			if i%2 == 1 {
				removed = order[len(order)-n:]
			}
			copy(dst, im.pixels)
			rng := rand.New(rand.NewPCG(x.o.Seed, imputationStream+uint64(i)))
			for c := range x.channels() {
				fillIn(dst[c*h*w:(c+1)*h*w], h, w, removed, rng)
			}
		}
	}, func(i int, logits []float32) { probabilities[i] = x.probability(logits, m.Class, im.single) })
	if err != nil {
		return nil, err
	}
	q.Deletion = curve(probabilities[:qualitySteps+1])
	q.Insertion = curve(probabilities[qualitySteps+1 : 2*(qualitySteps+1)])
	for i, p := range probabilities[2*(qualitySteps+1):] {
		if i%2 == 0 {
			p = -p
		}
		q.Road += p / 2 / float64(len(roadShares))
	}
	return q, nil
}

// ranking returns the pixels, the most important one first; equal ones stay in their order.
func ranking(v []float32) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v[b], v[a]) })
	return order
}

// mixPixels writes an image in which some pixels are those of another.
func mixPixels(dst, image, other []float32, plane int, pixels []int) {
	copy(dst, image)
	for first := 0; first < len(dst); first += plane {
		for _, p := range pixels {
			dst[first+p] = other[first+p]
		}
	}
}

// curve makes a curve of equal steps, with its area by the trapezium rule.
func curve(p []float64) Curve {
	c := Curve{Probability: p}
	n := len(p) - 1
	for i, v := range p {
		c.Share = append(c.Share, float64(i)/float64(n))
		weight := 1.0
		if i == 0 || i == n {
			weight = 0.5
		}
		c.Area += weight * v / float64(n)
	}
	return c
}
