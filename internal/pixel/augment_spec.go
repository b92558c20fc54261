package pixel

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// StandardAugment is what "standard" stands for: the usual choice of a course on convolutional networks. A mirrored,
// slightly turned, slanted and cut picture still shows the same thing.
const StandardAugment = "crop=0.8..1,rotate=30,shear=10,hflip=0.5"

// augmentKey is one key of a specification.
type augmentKey struct {
	name   string
	min    float64
	max    float64
	number func(*Augment) *float64 // for keys that take a number
	span   func(*Augment) *Range   // for keys that take an interval
	what   string
}

// augmentKeys lists the keys in the order in which a specification is written.
var augmentKeys = []augmentKey{
	{"crop", 0.01, 1, nil, func(a *Augment) *Range { return &a.Crop }, "share of the area that a random crop keeps"},
	{"ratio", 0.1, 10, nil, func(a *Augment) *Range { return &a.Ratio }, "width over height of the crop, 0.75..1.333 if not given"},
	{"rotate", 0, 180, func(a *Augment) *float64 { return &a.Rotate }, nil, "rotation up to so many degrees either way"},
	{"shear", 0, 80, func(a *Augment) *float64 { return &a.Shear }, nil, "slant up to so many degrees either way"},
	{"zoom", 0.1, 10, nil, func(a *Augment) *Range { return &a.Zoom }, "magnification about the centre"},
	{"translate", 0, 1, func(a *Augment) *float64 { return &a.Translate }, nil, "shift up to this share of width and height"},
	{"hflip", 0, 1, func(a *Augment) *float64 { return &a.HFlip }, nil, "probability of swapping left and right"},
	{"vflip", 0, 1, func(a *Augment) *float64 { return &a.VFlip }, nil, "probability of swapping top and bottom"},
	{"brightness", 0, 10, func(a *Augment) *float64 { return &a.Brightness }, nil, "factor 1-v..1+v"},
	{"contrast", 0, 10, func(a *Augment) *float64 { return &a.Contrast }, nil, "factor 1-v..1+v"},
	{"saturation", 0, 10, func(a *Augment) *float64 { return &a.Saturation }, nil, "factor 1-v..1+v"},
	{"hue", 0, 0.5, func(a *Augment) *float64 { return &a.Hue }, nil, "turn of the colour circle, as a share of it, either way"},
	{"gray", 0, 1, func(a *Augment) *float64 { return &a.Gray }, nil, "probability of taking the colours away"},
	{"blur", 0, 1, func(a *Augment) *float64 { return &a.Blur }, nil, "probability of a Gaussian blur of 0.1 to 2 pixels"},
	{"erase", 0, 1, func(a *Augment) *float64 { return &a.Erase }, nil, "probability of erasing a rectangle"},
}

// ParseAugment reads a specification: "none" or "", "standard", or key=value pairs with commas between; "standard" may
// be the first of the list. The keys are those of augmentKeys and
//
//	jitter=V          brightness, contrast and saturation V, hue V/4
//	fill=edge|black   what an affine map shows beyond the picture
//
// A later key replaces an earlier one. An interval A..B may be one number, meaning the interval between it and 1.
func ParseAugment(spec string) (*Augment, error) {
	a := &Augment{}
	spec = strings.TrimSpace(spec)
	if spec == "" || spec == "none" {
		return a, nil
	}
	for i, part := range strings.Split(spec, ",") {
		part = strings.TrimSpace(part)
		if part == "standard" && i == 0 {
			standard, err := ParseAugment(StandardAugment)
			if err != nil {
				return nil, err
			}
			a = standard
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("augment: %q is not key=value (or \"standard\" as the first)", part)
		}
		if err := a.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return nil, fmt.Errorf("augment: %s: %w", key, err)
		}
	}
	return a, nil
}

// set takes one pair of a specification.
func (a *Augment) set(key, value string) error {
	switch key {
	case "fill":
		if value != "edge" && value != "black" {
			return fmt.Errorf("%q is neither \"edge\" nor \"black\"", value)
		}
		a.BlackFill = value == "black"
		return nil
	case "jitter":
		v, err := number(value, 0, 2)
		if err != nil {
			return err
		}
		a.Brightness, a.Contrast, a.Saturation, a.Hue = v, v, v, v/4
		return nil
	}
	for _, k := range augmentKeys {
		if k.name != key {
			continue
		}
		if k.number != nil {
			v, err := number(value, k.min, k.max)
			if err != nil {
				return fmt.Errorf("%w (%s)", err, k.what)
			}
			*k.number(a) = v
			return nil
		}
		r, err := interval(value, k.min, k.max)
		if err != nil {
			return fmt.Errorf("%w (%s)", err, k.what)
		}
		*k.span(a) = r
		return nil
	}
	names := []string{"jitter", "fill"}
	for _, k := range augmentKeys {
		names = append(names, k.name)
	}
	return fmt.Errorf("unknown key; known are %s", strings.Join(names, ", "))
}

// number reads a number from lo to hi.
func number(text string, lo, hi float64) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	if v < lo || v > hi {
		return 0, fmt.Errorf("%s is not between %v and %v", text, lo, hi)
	}
	return v, nil
}

// interval reads A..B; one number is the interval between it and 1.
func interval(text string, lo, hi float64) (Range, error) {
	from, to, two := strings.Cut(text, "..")
	a, err := number(from, lo, hi)
	if err != nil {
		return Range{}, err
	}
	if !two {
		return Range{min(a, 1), max(a, 1)}, nil
	}
	b, err := number(to, lo, hi)
	if err != nil {
		return Range{}, err
	}
	if a > b {
		return Range{}, fmt.Errorf("%s: the first number is the larger", text)
	}
	return Range{a, b}, nil
}

// String returns the specification that ParseAugment reads back as a: the same for equal augmentations, however they
// were written.
func (a *Augment) String() string {
	var parts []string
	text := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, k := range augmentKeys {
		if k.number != nil {
			if v := *k.number(a); v != 0 {
				parts = append(parts, k.name+"="+text(v))
			}
		} else if r := *k.span(a); r.Hi != 0 {
			parts = append(parts, k.name+"="+text(r.Lo)+".."+text(r.Hi))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	if a.BlackFill {
		parts = append(parts, "fill=black")
	}
	return strings.Join(parts, ",")
}
