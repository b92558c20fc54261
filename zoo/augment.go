package zoo

import (
	"io"

	"github.com/onnxcnn/onnxcnn/internal/pixel"
)

// Augment is a way of changing pictures at random. The zero value changes nothing. It is safe for concurrent use.
type Augment struct{ a pixel.Augment }

// ParseAugment reads a specification: "none" or "", "standard", or key=value pairs with commas between, as in
// "rotate=15,hflip=0.5,crop=0.8..1,jitter=0.2". "standard" stands for "crop=0.8..1,rotate=30,shear=10,hflip=0.5" and
// may be the first of the list; a later key replaces an earlier one. The keys:
//
//	crop=A..B      share of the area that a random crop keeps; ratio=A..B its width over height (0.75..1.333)
//	rotate=D       up to D degrees either way
//	shear=D        slant of up to D degrees either way
//	zoom=A..B      magnification about the centre
//	translate=V    shift by up to this share of width and height
//	hflip=P vflip=P           probability of swapping left and right, top and bottom
//	brightness=V contrast=V saturation=V   by a factor of 1-V..1+V
//	hue=V          turn of the colour circle by up to this share (at most 0.5) either way
//	jitter=V       brightness, contrast and saturation V, hue V/4
//	gray=P blur=P erase=P     probability of dropping colour, of a Gaussian blur, of erasing a rectangle
//	fill=edge|black           what rotation, shear, zoom and translation show beyond the picture (edge if not given)
//
// An interval may be one number, meaning the interval between it and 1.
func ParseAugment(spec string) (Augment, error) {
	a, err := pixel.ParseAugment(spec)
	if err != nil {
		return Augment{}, err
	}
	return Augment{*a}, nil
}

// String returns the specification in its one canonical form, "none" for the zero value.
func (a Augment) String() string { return a.a.String() }

// IsNone reports whether the augmentation changes nothing.
func (a Augment) IsNone() bool { return a.String() == "none" }

// ViewSeed mixes a run's seed, an image's identity (its path or digest) and the number of a view or epoch into the
// seed of one augmentation, so that what an image becomes does not depend on the order in which images are read.
func ViewSeed(seed uint64, id string, view int) uint64 { return pixel.ViewSeed(seed, id, view) }

// LoadAugmented is Load with the picture changed at random: the same seed gives the same numbers.
func (r Recipe) LoadAugmented(rd io.Reader, dst []float32, a Augment, seed uint64) error {
	p, err := Decode(rd, DecodeOptions{StoredOrientation: r.StoredOrientation})
	if err != nil {
		return err
	}
	return r.RenderAugmented(p, dst, a, seed)
}

// RenderAugmented is Render with the picture changed at random. Decode once and render often for several views of a
// picture.
func (r Recipe) RenderAugmented(p *Picture, dst []float32, a Augment, seed uint64) error {
	return r.render(dst, func(g pixel.Geometry, rgb []uint8) error { return a.a.Render(p.p, g, rgb, seed) })
}
