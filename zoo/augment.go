package zoo

import (
	"image"
	"io"

	"github.com/onnxcnn/onnxcnn/internal/pixel"
)

// Augment is a way of changing pictures at random. The zero value changes nothing. It is safe for concurrent use.
type Augment struct{ a pixel.Augment }

// ParseAugment reads a specification: "none" or "", "standard", or key=value pairs with commas between, as in
// "rotate=15,hflip=0.5,crop=0.8..1,jitter=0.2". "standard" stands for "crop=0.8..1,rotate=30,shear=10,hflip=0.5" (a
// random crop resized, a rotation, a slant, a mirror image: the usual list of a course) and may be the first of the
// list; a later key replaces an earlier one. The keys:
//
//	crop=A..B        share of the area that a random crop keeps; ratio=A..B its width over height (0.75..1.333)
//	hflip=P vflip=P  swap left and right, top and bottom
//	rotate=D         up to D degrees either way
//	shear=D sheary=D slant of up to D degrees either way, sideways and up and down
//	zoom=A..B        magnification about the centre
//	translate=V      shift by up to this share of width and height
//	perspective=P    look from another side; distort=V says how far (0.5)
//	randaugment=N    N operations of RandAugment; magnitude=M (1 to 30) says how strong (9)
//	trivial=P        TrivialAugment in its wide search space
//	brightness=V contrast=V saturation=V sharpness=V   by a factor of 1-V..1+V
//	hue=V            turn of the colour circle by up to this share (at most 0.5) either way
//	jitter=V         brightness, contrast and saturation V, hue V/4
//	autocontrast=P equalize=P invert=P gray=P
//	posterize=P      keep bits=N upper bits (4)
//	solarize=P       invert from threshold=N on (128)
//	blur=P           Gaussian blur; sigma=A..B pixels (0.1..2)
//	erase=P          erase a rectangle
//	fill=edge|black  what shows beyond the picture (edge if not given)
//
// P is a probability. An interval may be one number, meaning the interval between it and 1. Where torchvision has the
// operation, the numbers mean what they mean there, and it changes pictures as torchvision changes Pillow's images
// (with bilinear interpolation).
func ParseAugment(spec string) (Augment, error) {
	a, err := pixel.ParseAugment(spec)
	if err != nil {
		return Augment{}, err
	}
	return Augment{*a}, nil
}

// AugmentHelp describes the keys of a specification, a line each, with the range of the value.
func AugmentHelp() string { return pixel.AugmentHelp() }

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
	return r.render(dst, func(g pixel.Geometry, rgb []uint8) error { return a.a.Render(p.p, g, rgb, seed, nil) })
}

// Image returns what a network is shown of a picture, changed at random, before its values are normalised, and what was
// done to it in a few words a change. It is what RenderAugmented makes of the same seed.
func (r Recipe) Image(p *Picture, a Augment, seed uint64) (*image.NRGBA, []string, error) {
	if err := r.Validate(); err != nil {
		return nil, nil, err
	}
	var notes []string
	h, w := r.Size[0], r.Size[1]
	rgb := make([]uint8, 3*h*w)
	if err := a.a.Render(p.p, r.geometry(), rgb, seed, func(s string) { notes = append(notes, s) }); err != nil {
		return nil, nil, err
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range h * w {
		copy(img.Pix[4*i:], rgb[3*i:][:3])
		img.Pix[4*i+3] = 255
	}
	return img, notes, nil
}
