package gradcam

import (
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/heat"
)

// Style says how a map is drawn. The zero value is an overlay in turbo, half transparent.
type Style struct {
	Palette string    // jet, viridis, turbo, inferno, gray; "" is turbo, for maps of pixels inferno
	Alpha   float64   // of the colours over the picture, above 0 to 1; 0 is 0.5
	Fade    bool      // the colours are the more transparent the lower the map
	Contour []float64 // levels, of the largest value, at which contours are drawn
}

// Palettes lists the names that [Style.Palette] takes.
func Palettes() []string {
	return slices.DeleteFunc(heat.PaletteNames(), func(s string) bool { return s == "diverging" })
}

// Check reports what is wrong with a style.
func (s Style) Check() error {
	if s.Palette != "" && !slices.Contains(Palettes(), s.Palette) {
		return fmt.Errorf("there is no palette %q: the palettes are %s", s.Palette, strings.Join(Palettes(), ", "))
	}
	if !(s.Alpha >= 0 && s.Alpha <= 1) {
		return fmt.Errorf("alpha %v is not between 0 and 1", s.Alpha)
	}
	for _, l := range s.Contour {
		if !(l > 0 && l < 1) {
			return fmt.Errorf("a contour at %v is not between 0 and 1", l)
		}
	}
	return nil
}

func (s Style) palette(otherwise string) *heat.Palette {
	if s.Palette == "" {
		return heat.PaletteByName(otherwise)
	}
	return heat.PaletteByName(s.Palette)
}

// pixelClip is the share of the pixels that a map of pixels shows as fully bright: a few outshine all others.
const pixelClip = 0.01

// Overlay lays a map over the picture that it explains, in the picture's size.
func Overlay(picture image.Image, m *Map, s Style) (*image.NRGBA, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := m.field().Check(); err != nil {
		return nil, err
	}
	if b := picture.Bounds(); b.Empty() {
		return nil, fmt.Errorf("a picture of %dx%d pixels is empty", b.Dx(), b.Dy())
	}
	alpha := s.Alpha
	if alpha == 0 {
		alpha = 0.5
	}
	return heat.Overlay(picture, m.shown(), heat.Style{Palette: s.palette("turbo"), Alpha: alpha, Fade: s.Fade, Levels: s.Contour}), nil
}

// shown is the map in 0..1.
func (m *Map) shown() heat.Field {
	if m.Signed != nil {
		return m.field().Clip(1 - pixelClip).Unit()
	}
	return m.field().Unit()
}

// Draw draws a map as its field does: class activation maps and occlusion as an overlay; guided backpropagation and Guided
// Grad-CAM as a picture of the signed gradient, gray where it is 0; other maps of pixels in their palette alone.
func (im *Image) Draw(picture image.Image, m *Map, s Style) (*image.NRGBA, error) {
	if m.Signed == nil {
		return Overlay(picture, m, s)
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	b := picture.Bounds()
	if !strings.HasPrefix(m.Method, "guided") {
		return heat.Draw(m.shown().Resize(b.Dx(), b.Dy()), s.palette("inferno")), nil
	}
	channels := im.x.channels()
	var rgb [3]heat.Field
	for c := range rgb {
		from := c
		if im.x.recipe.Channels == "BGR" {
			from = 2 - c
		}
		from = min(from, channels-1) // one channel is gray
		rgb[c] = heat.Field{W: m.W, H: m.H, V: m.Signed[from*m.H*m.W:][:m.H*m.W]}.Resize(b.Dx(), b.Dy())
	}
	return heat.DrawImage(rgb, pixelClip), nil
}
