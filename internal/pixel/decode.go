package pixel

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"sync"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// Options says what Decode accepts. The zero value is the default.
type Options struct {
	MaxPixels         int  // the largest width*height, 0 for DefaultMaxPixels
	IgnoreOrientation bool // take the pixels as they are stored, whatever EXIF says
}

// format is one image format.
type format struct {
	name        string
	config      func(io.Reader) (image.Config, error)
	decode      func(data []byte) (image.Image, error)
	orientation func(data []byte) int
	// perByte bounds how many pixels a byte of the file can hold, 0 where there is no bound worth checking.
	perByte int
}

var formats = map[string]*format{
	// A block of 64 samples takes at least one bit of a scan.
	"jpeg": {"jpeg", jpeg.DecodeConfig, decodeJPEG, jpegOrientation, 8 * 64},
	// Deflate makes at most 1032 bytes of one, with up to 8 pixels each.
	"png": {"png", png.DecodeConfig, decoder(png.Decode), pngOrientation, 8 * 1032},
	// A code of 12 bits stands for at most 4096 pixels.
	"gif":  {"gif", gif.DecodeConfig, decodeGIF, nil, 4096},
	"bmp":  {"bmp", bmp.DecodeConfig, decoder(bmp.Decode), nil, 8},
	"tiff": {"tiff", tiff.DecodeConfig, decodeTIFF, exifOrientation, 0},
	"webp": {"webp", webp.DecodeConfig, decodeWebP, webpOrientation, 0},
}

func decoder(f func(io.Reader) (image.Image, error)) func([]byte) (image.Image, error) {
	return func(data []byte) (image.Image, error) { return f(bytes.NewReader(data)) }
}

const (
	firstRead = 64 << 10  // enough for the header of most files
	minFile   = 256 << 20 // a file may be this large whatever size of image it declares: metadata, further frames
)

var inputs = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Decode reads one image: JPEG, PNG, GIF and WebP (the first frame), BMP or TIFF (the first page), recognised by
// content. The declared size is checked before anything of that size is allocated or the rest of the file is read.
// A decoder's panic becomes an error.
func Decode(r io.Reader, o Options) (p *Picture, err error) {
	limit := o.MaxPixels
	if limit <= 0 {
		limit = DefaultMaxPixels
	}
	buf := inputs.Get().(*bytes.Buffer)
	defer inputs.Put(buf)
	buf.Reset()
	f, err := readFile(r, buf, limit)
	if err != nil {
		return nil, err
	}
	data := buf.Bytes()
	img, err := f.guarded(data)
	if err != nil {
		return nil, err
	}
	p = &Picture{Image: img, Format: f.name, Orientation: 1}
	if f.orientation != nil && !o.IgnoreOrientation {
		p.Orientation = f.orientation(data)
	}
	return p, nil
}

// readFile reads r into buf in growing steps, and stops as soon as what it has read forbids the rest.
func readFile(r io.Reader, buf *bytes.Buffer, maxPixels int) (*format, error) {
	var f *format
	allowed := int64(minFile)
	var c image.Config // known once its width is not 0
	for step := int64(firstRead); ; step *= 4 {
		n, err := io.CopyN(buf, r, step)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading: %w", err)
		}
		data, whole := buf.Bytes(), n < step
		if f == nil {
			if f, err = sniff(data); err != nil {
				return nil, err
			}
		}
		if c.Width == 0 {
			found, err := f.guardedConfig(data)
			switch {
			case err == nil:
				if err := f.checkSize(found, maxPixels); err != nil {
					return nil, err
				}
				c = found
				// No sensible encoder needs more than the pixels themselves at 16 bits, and some.
				allowed = max(allowed, 9*int64(c.Width)*int64(c.Height))
			case whole:
				return nil, f.explain(data, err)
			}
		}
		if whole && f.perByte > 0 && int64(c.Width)*int64(c.Height) > int64(f.perByte)*int64(len(data)) {
			return nil, fmt.Errorf("%s: file of %d bytes is cut or a bomb: too short for its %dx%d pixels: %w", f.name, len(data), c.Width, c.Height, ErrTooLarge)
		}
		if whole {
			return f, nil
		}
		if int64(len(data)) > allowed {
			return nil, fmt.Errorf("%s: file of more than %d MiB: %w", f.name, allowed>>20, ErrTooLarge)
		}
	}
}

// checkSize compares the declared size with the limit, without overflow.
func (f *format) checkSize(c image.Config, maxPixels int) error {
	if c.Width <= 0 || c.Height <= 0 {
		return fmt.Errorf("%s: image of %dx%d pixels is empty", f.name, c.Width, c.Height)
	}
	if c.Width > maxPixels/c.Height {
		return fmt.Errorf("%s: image of %dx%d pixels is over the limit of %d: %w", f.name, c.Width, c.Height, maxPixels, ErrTooLarge)
	}
	return nil
}

// guarded decodes; a panic of the decoder is an error.
func (f *format) guarded(data []byte) (img image.Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			img, err = nil, fmt.Errorf("%s: the decoder failed: %v", f.name, r)
		}
	}()
	img, err = f.decode(data)
	if err != nil {
		return nil, f.explain(data, err)
	}
	return img, nil
}

func (f *format) guardedConfig(data []byte) (c image.Config, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder failed: %v", r)
		}
	}()
	if f.name == "webp" {
		return webpConfig(data)
	}
	return f.config(bytes.NewReader(data))
}

// explain turns a decoder's error into one line that says what is wrong with the file.
func (f *format) explain(data []byte, err error) error {
	if f.name == "jpeg" {
		if why := jpegProblem(data); why != "" {
			return fmt.Errorf("jpeg: %s", why)
		}
	}
	text := err.Error()
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF),
		strings.Contains(text, "unexpected EOF"), strings.Contains(text, "not enough"), strings.Contains(text, "short Huffman data"):
		return fmt.Errorf("%s: the file is cut (%d bytes): %w", f.name, len(data), io.ErrUnexpectedEOF)
	}
	for _, prefix := range []string{f.name + ": ", "invalid JPEG format: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return fmt.Errorf("%s: %s", f.name, text)
}

// sniff recognises the format by content.
func sniff(data []byte) (*format, error) {
	has := func(at int, s string) bool { return len(data) >= at+len(s) && string(data[at:at+len(s)]) == s }
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("the file is empty: %w", ErrNotImage)
	case has(0, "\xff\xd8"):
		return formats["jpeg"], nil
	case has(0, "\x89PNG\r\n\x1a\n"):
		return formats["png"], nil
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return formats["gif"], nil
	case has(0, "RIFF") && has(8, "WEBP"):
		return formats["webp"], nil
	case has(0, "II*\x00"), has(0, "MM\x00*"):
		return formats["tiff"], nil
	case has(0, "BM"):
		return formats["bmp"], nil
	}
	what := "unknown bytes"
	switch {
	case has(4, "ftypavif"), has(4, "ftypavis"):
		what = "AVIF, which is not supported"
	case has(4, "ftyphei"), has(4, "ftyphev"), has(4, "ftypmif1"), has(4, "ftypmsf1"):
		what = "HEIC, which is not supported"
	case has(0, "\x00\x00\x00\x0cjP  "), has(0, "\xff\x4f\xff\x51"):
		what = "JPEG 2000, which is not supported"
	case has(0, "\xff\x0a"), has(0, "\x00\x00\x00\x0cJXL "):
		what = "JPEG XL, which is not supported"
	case has(0, "8BPS"):
		what = "a Photoshop document"
	case has(0, "%PDF"):
		what = "PDF"
	default:
		head := strings.ToLower(string(data[:min(len(data), 512)]))
		switch {
		case strings.Contains(head, "<html"), strings.Contains(head, "<!doctype html"):
			what = "an HTML page"
		case strings.Contains(head, "<svg"):
			what = "SVG, which is not supported"
		case isText(data[:min(len(data), 512)]):
			what = "text"
		}
	}
	return nil, fmt.Errorf("the file is %s: %w", what, ErrNotImage)
}

// isText reports whether b has no control characters that text does not have.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' || c == 0x7f {
			return false
		}
	}
	return true
}

// decodeGIF returns the first frame on the whole canvas; what the frame does not cover is white.
func decodeGIF(data []byte) (image.Image, error) {
	c, err := gif.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	img, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return onCanvas(img, "gif", img.Bounds().Min, image.Rect(0, 0, c.Width, c.Height)), nil
}

// onCanvas puts a frame at a place on its canvas, which is white, if it does not fill it.
func onCanvas(frame image.Image, format string, at image.Point, canvas image.Rectangle) image.Image {
	b := frame.Bounds()
	place := b.Sub(b.Min).Add(at)
	if place == canvas {
		return frame
	}
	out := image.NewNRGBA(canvas)
	for i := range out.Pix {
		out.Pix[i] = 255
	}
	read := rows(frame, format)
	row := make([]uint8, 3*b.Dx())
	seen := place.Intersect(canvas)
	for y := seen.Min.Y; y < seen.Max.Y; y++ {
		read(row, y-at.Y, 0, b.Dx())
		for x := seen.Min.X; x < seen.Max.X; x++ {
			copy(out.Pix[out.PixOffset(x, y):][:3], row[3*(x-at.X):])
		}
	}
	return out
}
