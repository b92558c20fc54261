package doctor

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/pixel"
)

// maxFile bounds how much of a file is read: no image that the limit of pixels lets through is larger.
const maxFile = 1 << 30

// look is what was seen of one image.
type look struct {
	ok       bool // it can be decoded
	digest   [sha256.Size]byte
	hash     hash
	thumb    []uint8 // gray, thumbSide x thumbSide
	findings []seen
}

type seen struct {
	kind Kind
	what string
}

func (l *look) found(k Kind, format string, args ...any) {
	l.findings = append(l.findings, seen{k, fmt.Sprintf(format, args...)})
}

// extensions lists the file name extensions of each format.
var extensions = map[string][]string{
	"jpeg": {".jpg", ".jpeg", ".jpe", ".jfif"}, "png": {".png"}, "gif": {".gif"}, "bmp": {".bmp"},
	"tiff": {".tif", ".tiff"}, "webp": {".webp"},
}

// examine reads one image.
func examine(it features.Item, o Options) look {
	var l look
	data, err := read(it)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) { // the finding names the path
			err = at.Err
		}
		l.found(Unreadable, "%v", err)
		return l
	}
	l.digest = sha256.Sum256(data)
	p, err := pixel.Decode(bytes.NewReader(data), pixel.Options{MaxPixels: o.MaxPixels})
	switch {
	case errors.Is(err, pixel.ErrTooLarge):
		l.found(Huge, "%v", err)
		return l
	case errors.Is(err, io.ErrUnexpectedEOF):
		l.found(Truncated, "%v", err)
		return l
	case err != nil:
		l.found(Unreadable, "%v", err)
		return l
	}
	l.ok = true
	l.appearance(it, p, data, o)
	if o.Near >= 0 {
		if l.thumb, l.hash, err = fingerprint(p); err != nil {
			l.found(Unreadable, "%v", err)
			l.ok = false
		}
	}
	return l
}

func read(it features.Item) ([]byte, error) {
	f, err := it.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("the file has more than %d MiB", maxFile>>20)
	}
	return data, err
}

// appearance reports what is unusual about a readable image.
func (l *look) appearance(it features.Item, p *pixel.Picture, data []byte, o Options) {
	if w, h := p.Size(); min(w, h) < o.MinSide {
		l.found(Tiny, "%dx%d pixels", w, h)
	}
	if ext := strings.ToLower(path.Ext(it.Name())); !slices.Contains(extensions[p.Format], ext) {
		l.found(WrongExtension, "a %s file by the name of %s", strings.ToUpper(p.Format), ext)
	}
	if p.Orientation > 1 {
		l.found(Rotated, "EXIF orientation %d", p.Orientation)
	}
	if n := pixel.Animated(data); n {
		l.found(Animated, "a %s with several frames", strings.ToUpper(p.Format))
	}
	switch p.Image.(type) {
	case *image.CMYK:
		l.found(CMYK, "colours of print (CMYK)")
	case *image.Paletted:
		l.found(Palette, "colours from a palette")
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		l.found(Deep, "16 bits a channel")
	}
	if op, ok := p.Image.(interface{ Opaque() bool }); ok && !op.Opaque() {
		l.found(Alpha, "has transparent pixels")
	}
}
