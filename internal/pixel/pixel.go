// Package pixel turns image files into the numbers that a network takes: it decodes, orients, resizes, crops,
// augments and normalises. It knows no networks.
//
// Every step before normalising works on 8 bits a channel and gives the values that Pillow and torchvision give, so a
// network trained with them sees here what it saw there. Working memory is pooled: besides what a decoder allocates an
// image costs no garbage.
package pixel

import (
	"errors"
	"fmt"
	"image"
	"sync"
)

// DefaultMaxPixels is the largest image that is decoded unless told otherwise: 178,956,970 pixels, the size at which
// Pillow refuses an image as a decompression bomb by raising an error.
const DefaultMaxPixels = 178_956_970

// maxSide bounds the sides of an image after resizing, before it is cropped.
const maxSide = 1 << 26

// ErrNotImage is wrapped by errors about data that is in no image format known here.
var ErrNotImage = errors.New("not an image in a known format")

// ErrTooLarge is wrapped by errors about images with more pixels than allowed, and about tiny files that declare
// more pixels than they can hold.
var ErrTooLarge = errors.New("image too large")

// Picture is a decoded image. It is not changed after Decode and safe for concurrent use.
type Picture struct {
	Image       image.Image
	Format      string // "jpeg", "png", "gif", "bmp", "tiff", "webp"; "" for one made by FromImage
	Orientation int    // 1 to 8 as EXIF numbers them; how Render turns the image
}

// FromImage makes a Picture of an image that is in memory, to be taken as it lies.
func FromImage(img image.Image) *Picture {
	return &Picture{Image: img, Orientation: 1}
}

// Size returns width and height as they are seen, after orientation.
func (p *Picture) Size() (w, h int) {
	b := p.Image.Bounds()
	if p.Orientation >= 5 {
		return b.Dy(), b.Dx()
	}
	return b.Dx(), b.Dy()
}

// scratch is the working memory of one rendering.
type scratch struct {
	full []uint8 // oriented image
	row  []uint8 // a source row
	mid  []uint8 // rows resized in width
	acc  []int32
	x, y taps
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// grow returns a slice of n elements that reuses s where it is large enough. Its content is arbitrary.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// source gives rows of an image as RGB: read writes the pixels [x0,x1) of row y to dst.
type source struct {
	w, h int
	read rowReader
}

// source returns the picture's rows after orientation.
func (p *Picture) source(s *scratch) (source, error) {
	b := p.Image.Bounds()
	if b.Empty() {
		return source{}, fmt.Errorf("image of %dx%d pixels is empty", b.Dx(), b.Dy())
	}
	src := source{b.Dx(), b.Dy(), rows(p.Image, p.Format)}
	if p.Orientation <= 1 || p.Orientation > 8 {
		return src, nil
	}
	return orient(src, p.Orientation, s), nil
}

// orient writes the image the way up that its EXIF orientation says. The pixels are moved before resizing, as Pillow's
// exif_transpose does: resizing first would round differently.
func orient(src source, orientation int, s *scratch) source {
	w, h := src.w, src.h
	if orientation >= 5 {
		w, h = h, w
	}
	s.full = grow(s.full, 3*w*h)
	s.row = grow(s.row, 3*src.w)
	full, row := s.full, s.row
	for y := range src.h {
		src.read(row, y, 0, src.w)
		// A source row becomes a row or a column: it starts at pixel `at` and goes on by `step`.
		var at, step int
		switch orientation {
		case 2: // mirrored
			at, step = y*w+w-1, -1
		case 3: // half turn
			at, step = (h-1-y)*w+w-1, -1
		case 4: // upside down mirrored
			at, step = (h-1-y)*w, 1
		case 5: // transposed
			at, step = y, w
		case 6: // to be turned clockwise
			at, step = w-1-y, w
		case 7: // transposed over the other diagonal
			at, step = (h-1)*w+w-1-y, -w
		case 8: // to be turned counter-clockwise
			at, step = (h-1)*w+y, -w
		}
		d, step := 3*at, 3*step
		for x := 0; x < len(row); x += 3 {
			full[d], full[d+1], full[d+2] = row[x], row[x+1], row[x+2]
			d += step
		}
	}
	return source{w, h, rgbRows(full, w)}
}

// rgbRows reads rows of packed RGB.
func rgbRows(pix []uint8, w int) rowReader {
	return func(dst []uint8, y, x0, x1 int) { copy(dst, pix[3*(y*w+x0):3*(y*w+x1)]) }
}
