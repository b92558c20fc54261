package finetune

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// Mixer mixes the images of a batch, and their targets alike, so that a network learns to be less sure between classes.
// The zero value changes nothing. Where both are asked for each batch is mixed by one of them, chosen evenly.
type Mixer struct {
	// Mixup blends each image with another one, and their targets: share parts of the one, 1-share of the other. The
	// share is drawn from Beta(Mixup, Mixup) for each batch; 0 is never. 0.2 is usual (Zhang et al., mixup: Beyond
	// Empirical Risk Minimization).
	Mixup float64
	// Cutmix replaces a rectangle of each image by that of another one, and blends the targets by the areas. The area
	// kept is drawn from Beta(Cutmix, Cutmix); 0 is never. 1 is usual (Yun et al., CutMix).
	Cutmix float64
}

// maxAlpha bounds alpha: beyond it every batch is mixed half and half.
const maxAlpha = 1000

// Validate reports what is wrong with the numbers.
func (m Mixer) Validate() error {
	if err := inRange("mixup", m.Mixup, maxAlpha); err != nil {
		return err
	}
	return inRange("cutmix", m.Cutmix, maxAlpha)
}

// IsNone reports whether nothing is mixed.
func (m Mixer) IsNone() bool { return m.Mixup == 0 && m.Cutmix == 0 }

// Mix changes a batch in place: x are the images, of shape [N,C,H,W] or, with channelsLast, [N,H,W,C]; y are their N
// targets, rows of equal length that say how much of each class there is. The same seed gives the same numbers; take
// another one for each batch. A batch of one stays as it is.
func (m Mixer) Mix(x []float32, shape []int, channelsLast bool, y []float32, seed uint64) error {
	if err := m.Validate(); err != nil {
		return err
	}
	if len(shape) != 4 {
		return fmt.Errorf("mixing images of shape %v: want 4 dimensions", shape)
	}
	n, size := shape[0], shape[1]*shape[2]*shape[3]
	if n < 1 || size < 1 || len(x) != n*size || len(y)%n != 0 {
		return fmt.Errorf("mixing images of shape %v: %d values and %d of targets do not fit", shape, len(x), len(y))
	}
	r := rand.New(rand.NewPCG(seed, mixStream))
	blended := m.Mixup > 0 && (m.Cutmix == 0 || r.Float64() < 0.5)
	switch {
	case n == 1 || m.IsNone():
	case blended:
		mixup(x, y, n, betaOf(m.Mixup, r))
	default:
		h, w, planes, values := shape[2], shape[3], shape[1], 1
		if channelsLast {
			h, w, planes, values = shape[1], shape[2], 1, shape[3]
		}
		b, share := cutBox(h, w, betaOf(m.Cutmix, r), r)
		cutmix(x, y, n, b, planes, w, values, share)
	}
	return nil
}

// mixStream keeps the numbers of mixing apart from others of the same seed.
const mixStream = 0x6d6978

// betaOf draws from the beta distribution of two equal parameters.
func betaOf(alpha float64, r *rand.Rand) float64 {
	v := distuv.Beta{Alpha: alpha, Beta: alpha, Src: r}.Rand()
	if math.IsNaN(v) { // both of its gamma variates were 0, as happens where alpha is tiny: it is 0 or 1
		return float64(r.IntN(2))
	}
	return v
}

// mixup makes every image and target of a batch of n into share parts of itself and the rest of the one before it (of
// the last one, for the first), in place.
func mixup(x, y []float32, n int, share float64) {
	roll(x, n, func(to, from []float32) { blend(to, from, share) })
	roll(y, n, func(to, from []float32) { blend(to, from, share) })
}

// blend makes to share parts of itself and the rest of from.
func blend(to, from []float32, share float64) {
	own, other := float32(share), float32(1-share)
	for i, v := range from {
		to[i] = float32(own*to[i]) + float32(other*v)
	}
}

// roll calls f for each of n rows with the one before it, as it was; for the first with the last.
func roll(rows []float32, n int, f func(to, from []float32)) {
	size := len(rows) / n
	row := func(i int) []float32 { return rows[i*size : (i+1)*size] }
	last := append([]float32(nil), row(n-1)...)
	for i := n - 1; i > 0; i-- {
		f(row(i), row(i-1))
	}
	f(row(0), last)
}

// box is a rectangle of an image: rows Y0 to Y1-1, columns X0 to X1-1.
type box struct{ Y0, X0, Y1, X1 int }

// cutBox draws the rectangle that an image of h x w gets from another: about 1-share of its area, anywhere, cut at the
// edges. The second result is the share that is left of the image itself.
func cutBox(h, w int, share float64, r *rand.Rand) (box, float64) {
	x, y := r.IntN(w), r.IntN(h)
	half := 0.5 * math.Sqrt(1-share)
	hw, hh := int(half*float64(w)), int(half*float64(h))
	b := box{max(y-hh, 0), max(x-hw, 0), min(y+hh, h), min(x+hw, w)}
	return b, 1 - float64((b.Y1-b.Y0)*(b.X1-b.X0))/float64(h*w)
}

// cutmix gives every image of a batch of n the rectangle b of the one before it, and mixes the targets by the share that
// is left. An image is that many planes, of rows of w pixels of that many values.
func cutmix(x, y []float32, n int, b box, planes, w, values int, share float64) {
	roll(x, n, func(to, from []float32) {
		plane := len(to) / planes
		for p := range planes {
			for row := b.Y0; row < b.Y1; row++ {
				at := p*plane + (row*w+b.X0)*values
				copy(to[at:], from[at:at+(b.X1-b.X0)*values])
			}
		}
	})
	roll(y, n, func(to, from []float32) { blend(to, from, share) })
}
