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

// augmentKey is one key of a specification: either a number, which lies from min to max, or an interval within them.
type augmentKey struct {
	name   string
	value  string // how help calls the value
	min    float64
	max    float64
	whole  bool // only whole numbers
	number func(*Augment) *float64
	span   func(*Augment) *Range
	what   string
}

// augmentKeys lists the keys in the order in which a specification is written.
var augmentKeys = []augmentKey{
	{"crop", "A..B", 0.01, 1, false, nil, func(a *Augment) *Range { return &a.Crop }, "crop a rectangle at random, which keeps this share of the area, and resize it"},
	{"ratio", "A..B", 0.1, 10, false, nil, func(a *Augment) *Range { return &a.Ratio }, "width over height of that rectangle, 0.75..1.333 if not given"},
	{"rotate", "D", 0, 180, false, func(a *Augment) *float64 { return &a.Rotate }, nil, "rotate by up to D degrees either way"},
	{"shear", "D", 0, 80, false, func(a *Augment) *float64 { return &a.Shear }, nil, "slant sideways by up to D degrees either way"},
	{"sheary", "D", 0, 80, false, func(a *Augment) *float64 { return &a.ShearY }, nil, "slant up and down by up to D degrees either way"},
	{"zoom", "A..B", 0.1, 10, false, nil, func(a *Augment) *Range { return &a.Zoom }, "magnify about the centre"},
	{"translate", "V", 0, 1, false, func(a *Augment) *float64 { return &a.Translate }, nil, "shift by up to this share of width and height"},
	{"hflip", "P", 0, 1, false, func(a *Augment) *float64 { return &a.HFlip }, nil, "swap left and right"},
	{"vflip", "P", 0, 1, false, func(a *Augment) *float64 { return &a.VFlip }, nil, "swap top and bottom"},
	{"perspective", "P", 0, 1, false, func(a *Augment) *float64 { return &a.Perspective }, nil, "look from another side"},
	{"distort", "V", 0.01, 1, false, func(a *Augment) *float64 { return &a.Distort }, nil, "how far perspective moves the corners, as a share of half the sides, 0.5 if not given"},
	{"randaugment", "N", 0, 10, true, func(a *Augment) *float64 { return &a.RandAugment }, nil, "RandAugment: N operations drawn at random"},
	{"magnitude", "M", 1, 30, true, func(a *Augment) *float64 { return &a.Magnitude }, nil, "how strong RandAugment's operations are, 9 if not given"},
	{"trivial", "P", 0, 1, false, func(a *Augment) *float64 { return &a.Trivial }, nil, "TrivialAugment (wide): one operation of random strength"},
	{"brightness", "V", 0, 10, false, func(a *Augment) *float64 { return &a.Brightness }, nil, "change brightness by a factor of 1-V..1+V"},
	{"contrast", "V", 0, 10, false, func(a *Augment) *float64 { return &a.Contrast }, nil, "change contrast by a factor of 1-V..1+V"},
	{"saturation", "V", 0, 10, false, func(a *Augment) *float64 { return &a.Saturation }, nil, "change colourfulness by a factor of 1-V..1+V"},
	{"hue", "V", 0, 0.5, false, func(a *Augment) *float64 { return &a.Hue }, nil, "turn the colour circle by up to this share either way"},
	{"sharpness", "V", 0, 10, false, func(a *Augment) *float64 { return &a.Sharpness }, nil, "change sharpness by a factor of 1-V..1+V"},
	{"autocontrast", "P", 0, 1, false, func(a *Augment) *float64 { return &a.AutoContrast }, nil, "stretch each channel to the whole range"},
	{"equalize", "P", 0, 1, false, func(a *Augment) *float64 { return &a.Equalize }, nil, "make all values of a channel equally frequent"},
	{"posterize", "P", 0, 1, false, func(a *Augment) *float64 { return &a.Posterize }, nil, "keep only the upper bits of each value"},
	{"bits", "N", 1, 8, true, func(a *Augment) *float64 { return &a.Bits }, nil, "how many bits posterize keeps, 4 if not given"},
	{"solarize", "P", 0, 1, false, func(a *Augment) *float64 { return &a.Solarize }, nil, "invert values from a threshold on"},
	{"threshold", "N", 1, 255, true, func(a *Augment) *float64 { return &a.Threshold }, nil, "the threshold of solarize, 128 if not given"},
	{"invert", "P", 0, 1, false, func(a *Augment) *float64 { return &a.Invert }, nil, "make a negative"},
	{"gray", "P", 0, 1, false, func(a *Augment) *float64 { return &a.Gray }, nil, "take the colours away"},
	{"blur", "P", 0, 1, false, func(a *Augment) *float64 { return &a.Blur }, nil, "blur with a Gaussian window"},
	{"sigma", "A..B", 0.1, 10, false, nil, func(a *Augment) *Range { return &a.Sigma }, "deviation of that window in pixels, 0.1..2 if not given"},
	{"erase", "P", 0, 1, false, func(a *Augment) *float64 { return &a.Erase }, nil, "erase a rectangle of 2 to 33 % of the area"},
}

// partOf names the keys that say nothing without another one, and that one.
var partOf = map[string]string{
	"ratio": "crop", "distort": "perspective", "magnitude": "randaugment", "bits": "posterize", "threshold": "solarize", "sigma": "blur",
}

// AugmentHelp describes each key of a specification, a line each, with the range of its value.
func AugmentHelp() string {
	var b strings.Builder
	line := func(key, limits, what string) { fmt.Fprintf(&b, "%-16s %-10s %s\n", key, limits, what) }
	for _, k := range augmentKeys {
		line(k.name+"="+k.value, fmt.Sprintf("%v..%v", k.min, k.max), k.what)
	}
	line("jitter=V", "0..2", "brightness, contrast and saturation V, hue V/4")
	line("fill=F", "edge|black", "what shows beyond the picture, edge if not given")
	return b.String()
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
			return nil, fmt.Errorf("%q is not key=value (or \"standard\" as the first)", part)
		}
		if err := a.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
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
			if err == nil && k.whole && v != math.Trunc(v) {
				err = fmt.Errorf("%s is not a whole number", value)
			}
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
	said := map[string]bool{"": true}
	for _, k := range augmentKeys {
		value := ""
		if k.number != nil {
			if v := *k.number(a); v != 0 {
				value = text(v)
			}
		} else if r := *k.span(a); r.Hi != 0 {
			value = text(r.Lo) + ".." + text(r.Hi)
		}
		if value != "" && said[partOf[k.name]] {
			said[k.name] = true
			parts = append(parts, k.name+"="+value)
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
