// Package zoo knows networks by name, and what belongs to them: their graphs ([Lookup] and [Arch.Build]), files of
// pretrained weights and the cache that they are kept in ([Pull] and [Open]), the recipe by which a picture becomes the
// input ([Recipe]), and the labels of the outputs.
package zoo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/onnxcnn/onnxcnn/internal/pixel"
)

// Recipe says how a picture becomes a network's input: turn it upright, resize, cut the centre, put the channels in
// order, and compute (v*scale - mean) / std from the values v = 0..255. Its JSON form is what models carry in their
// metadata under [RecipeKey]; the tags are stable.
//
// Resizing, cropping and their rounding are those of Pillow and torchvision; see the package's own comparison tests.
type Recipe struct {
	// Name is the catalogue's name, "" for one of the user's own.
	Name string `json:"name,omitempty"`
	// StoredOrientation takes the pixels as they are stored, as torchvision and Pillow do unless told otherwise. By
	// default pictures are turned as their EXIF orientation says.
	StoredOrientation bool `json:"stored_orientation,omitempty"`
	// Resize is "shorter" (the shorter side becomes ResizeTo[0], proportions stay), "exact" (to ResizeTo height and
	// width, or to Size where ResizeTo is empty) or "none".
	Resize   string `json:"resize"`
	ResizeTo []int  `json:"resize_to,omitempty"`
	// Interpolation is "bilinear" (also ""), "bicubic", "nearest", "box", "hamming" or "lanczos".
	Interpolation string `json:"interpolation,omitempty"`
	// NoAntialias shrinks by looking at two samples a direction only, as tf.image.resize, OpenCV and
	// torch.nn.functional.interpolate do by default. For "bilinear" only.
	NoAntialias bool `json:"no_antialias,omitempty"`
	// Size is height and width of the network's input: the centre of the resized picture, padded with black where
	// that is smaller.
	Size [2]int `json:"size"`
	// Channels is "RGB", "BGR" or "GRAY" (one channel, the luma).
	Channels string `json:"channels"`
	// Scale, Mean and Std are the constants of the formula; Mean and Std in the order of Channels (blue first for
	// BGR). For GRAY the first values count.
	Scale float64    `json:"scale"`
	Mean  [3]float64 `json:"mean"`
	Std   [3]float64 `json:"std"`
	// Layout is "NCHW" or "NHWC".
	Layout string `json:"layout"`
}

// maxInput bounds the sides of an input: beyond it a recipe is a mistake or an attack.
const maxInput = 1 << 14

// Validate reports everything that is wrong with the recipe.
func (r Recipe) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("recipe: "+format, a...)) }
	side := func(what string, n int) {
		if n < 1 || n > maxInput {
			bad("%s: %d is not between 1 and %d", what, n, maxInput)
		}
	}
	side("size: height", r.Size[0])
	side("size: width", r.Size[1])
	want := []int{0}
	switch r.Resize {
	case "shorter":
		want = []int{1}
	case "exact":
		want = []int{0, 2}
	case "none":
	default:
		bad(`resize: %q is none of "shorter", "exact", "none"`, r.Resize)
		want = nil
	}
	if want != nil && !slices.Contains(want, len(r.ResizeTo)) {
		bad("resize_to: %d numbers do not fit resize %q", len(r.ResizeTo), r.Resize)
	}
	for _, n := range r.ResizeTo {
		side("resize_to", n)
	}
	if f, err := r.filter(); err != nil {
		bad("interpolation: %w", err)
	} else if r.NoAntialias && f != pixel.Bilinear {
		bad("no_antialias: only for bilinear, not %s", f)
	}
	if _, ok := channelOrders[r.Channels]; !ok {
		bad(`channels: %q is none of "RGB", "BGR", "GRAY"`, r.Channels)
	}
	if r.Layout != "NCHW" && r.Layout != "NHWC" {
		bad(`layout: %q is neither "NCHW" nor "NHWC"`, r.Layout)
	}
	if r.Scale == 0 || !finite(r.Scale) {
		bad("scale: %v is zero or not finite", r.Scale)
	}
	for i := range 3 {
		if !finite(r.Mean[i]) {
			bad("mean: %v is not finite", r.Mean[i])
		}
		if r.Std[i] == 0 || !finite(r.Std[i]) {
			bad("std: %v is zero or not finite", r.Std[i])
		}
	}
	return errors.Join(errs...)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

var channelOrders = map[string]pixel.Channels{"RGB": pixel.RGB, "BGR": pixel.BGR, "GRAY": pixel.Gray}

func (r Recipe) filter() (pixel.Filter, error) {
	if r.Interpolation == "" {
		return pixel.Bilinear, nil
	}
	return pixel.ParseFilter(r.Interpolation)
}

// ParseRecipe reads a recipe from JSON and validates it. Unknown fields are refused: a misspelt one would change the
// network's input without a word. Where mean or std is absent it is 0 or 1.
func ParseRecipe(data []byte) (Recipe, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return Recipe{}, errors.New("recipe: the text is empty")
	}
	r := Recipe{Std: [3]float64{1, 1, 1}}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Recipe{}, fmt.Errorf("recipe: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Recipe{}, errors.New("recipe: more text after the JSON object")
	}
	if err := r.lengths(data); err != nil {
		return Recipe{}, err
	}
	if err := r.Validate(); err != nil {
		return Recipe{}, err
	}
	return r, nil
}

// lengths looks at how many numbers JSON has for the arrays of a recipe: what is too much would be dropped and what is
// missing would be 0, both without a word. In gray one number is enough for mean and std.
func (r *Recipe) lengths(data []byte) error {
	var given struct {
		Size []json.RawMessage `json:"size"`
		Mean []json.RawMessage `json:"mean"`
		Std  []json.RawMessage `json:"std"`
	}
	if err := json.Unmarshal(data, &given); err != nil {
		return fmt.Errorf("recipe: %w", err)
	}
	var errs []error
	check := func(name string, list []json.RawMessage, want int) {
		if list != nil && len(list) != want {
			errs = append(errs, fmt.Errorf("recipe: %s: want %d numbers, got %d", name, want, len(list)))
		}
	}
	check("size", given.Size, len(r.Size))
	if r.Channels == "GRAY" && len(given.Mean) == 1 {
		r.Mean = [3]float64{r.Mean[0], r.Mean[0], r.Mean[0]}
		given.Mean = nil
	}
	if r.Channels == "GRAY" && len(given.Std) == 1 {
		r.Std = [3]float64{r.Std[0], r.Std[0], r.Std[0]}
		given.Std = nil
	}
	check("mean", given.Mean, len(r.Mean))
	check("std", given.Std, len(r.Std))
	return errors.Join(errs...)
}

// JSON returns the recipe as ParseRecipe reads it, on one line.
func (r Recipe) JSON() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// Shape returns the shape of one image's input: [C,H,W], or [H,W,C] for NHWC.
func (r Recipe) Shape() []int {
	c := channelOrders[r.Channels].Count()
	if r.Layout == "NHWC" {
		return []int{r.Size[0], r.Size[1], c}
	}
	return []int{c, r.Size[0], r.Size[1]}
}

// WithSize returns the recipe for another input size. What it resizes to grows in proportion, rounded down: 256 for
// 224 becomes 171 for 150, as timm's crop fraction gives.
func (r Recipe) WithSize(h, w int) Recipe {
	old := r.Size
	r.Size = [2]int{h, w}
	r.ResizeTo = slices.Clone(r.ResizeTo)
	scaled := func(i, size, old int) {
		if old > 0 {
			r.ResizeTo[i] = max(r.ResizeTo[i]*size/old, 1)
		}
	}
	switch len(r.ResizeTo) {
	case 1:
		scaled(0, max(h, w), max(old[0], old[1]))
	case 2:
		scaled(0, h, old[0])
		scaled(1, w, old[1])
	}
	return r
}

// Picture is a decoded image, for those who use one with more than one recipe or augmentation. It is safe for
// concurrent use.
type Picture struct{ p *pixel.Picture }

// Size returns width and height, after orientation.
func (p *Picture) Size() (w, h int) { return p.p.Size() }

// DecodeOptions says which images are accepted.
type DecodeOptions struct {
	MaxPixels         int  // the largest width*height that is decoded, 0 for 178,956,970 (where Pillow refuses)
	StoredOrientation bool // ignore EXIF orientation
}

// Errors that [Decode] and [Recipe.Load] wrap.
var (
	ErrNotImage = pixel.ErrNotImage // the data is in no image format known here
	ErrTooLarge = pixel.ErrTooLarge // more pixels than allowed, or than the file can hold
)

// Decode reads an image: JPEG, PNG, GIF, BMP, TIFF or WebP, recognised by content. Of animations the first frame is
// taken. Alpha is laid over white, CMYK converted as Pillow does, 16 bits are cut to the upper 8.
func Decode(rd io.Reader, o DecodeOptions) (*Picture, error) {
	p, err := pixel.Decode(rd, pixel.Options{MaxPixels: o.MaxPixels, IgnoreOrientation: o.StoredOrientation})
	if err != nil {
		return nil, err
	}
	return &Picture{p}, nil
}

// PictureOf makes a Picture of an image that is in memory.
func PictureOf(img image.Image) *Picture { return &Picture{pixel.FromImage(img)} }

// Load decodes an image and writes the network's input for it to dst, which has as many elements as Shape says.
func (r Recipe) Load(rd io.Reader, dst []float32) error {
	p, err := Decode(rd, DecodeOptions{StoredOrientation: r.StoredOrientation})
	if err != nil {
		return err
	}
	return r.Render(p, dst)
}

// FromImage is Load for an image that is in memory.
func (r Recipe) FromImage(img image.Image, dst []float32) error {
	return r.Render(PictureOf(img), dst)
}

// Render is Load for a decoded picture; the picture's orientation was decided when it was decoded.
func (r Recipe) Render(p *Picture, dst []float32) error {
	return r.render(dst, func(g pixel.Geometry, rgb []uint8) error { return g.Render(p.p, rgb) })
}

// images holds the 8-bit images between resizing and normalising.
var images = sync.Pool{New: func() any { return new([]uint8) }}

func (r Recipe) render(dst []float32, draw func(g pixel.Geometry, rgb []uint8) error) error {
	if err := r.Validate(); err != nil {
		return err
	}
	channels := channelOrders[r.Channels]
	if want := r.Size[0] * r.Size[1] * channels.Count(); len(dst) != want {
		return fmt.Errorf("destination has %d values, want %d for shape %v", len(dst), want, r.Shape())
	}
	buf := images.Get().(*[]uint8)
	defer images.Put(buf)
	n := 3 * r.Size[0] * r.Size[1]
	if cap(*buf) < n {
		*buf = make([]uint8, n)
	}
	rgb := (*buf)[:n]
	if err := draw(r.geometry(), rgb); err != nil {
		return err
	}
	return pixel.NewNormaliser(channels, r.Layout == "NHWC", r.Scale, r.Mean, r.Std).Apply(rgb, dst)
}

// geometry translates a valid recipe.
func (r Recipe) geometry() pixel.Geometry {
	f, _ := r.filter()
	g := pixel.Geometry{Filter: f, Alias: r.NoAntialias, H: r.Size[0], W: r.Size[1]}
	switch r.Resize {
	case "shorter":
		g.Rule, g.Side = pixel.Shorter, r.ResizeTo[0]
	case "exact":
		g.Rule, g.ResizeH, g.ResizeW = pixel.Exact, r.Size[0], r.Size[1]
		if len(r.ResizeTo) == 2 {
			g.ResizeH, g.ResizeW = r.ResizeTo[0], r.ResizeTo[1]
		}
	}
	return g
}
