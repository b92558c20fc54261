package pixel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"

	"golang.org/x/image/webp"
)

// webpFile is what matters of a WebP container: the first frame and where it lies.
type webpFile struct {
	canvas   image.Rectangle // empty where the file has no VP8X chunk
	at       image.Point
	alpha    []byte // body of ALPH, nil if absent
	bits     []byte // body of VP8 or VP8L
	lossless bool
	exif     []byte
}

var errNoFrame = errors.New("no image data")

// parseWebP takes a container apart. Unknown chunks, profiles and further frames of an animation are skipped. A cut
// chunk is given as far as it goes.
func parseWebP(data []byte) webpFile {
	var f webpFile
	riffChunks(data[min(12, len(data)):], func(id string, body []byte) {
		switch id {
		case "VP8X":
			if len(body) >= 10 {
				f.canvas = image.Rect(0, 0, uint24(body[4:])+1, uint24(body[7:])+1)
			}
		case "ANMF":
			if f.bits == nil && len(body) >= 16 {
				f.at = image.Pt(2*uint24(body), 2*uint24(body[3:]))
				riffChunks(body[16:], f.take)
			}
		case "EXIF":
			f.exif = body
		default:
			f.take(id, body)
		}
	})
	return f
}

// take keeps the first frame's chunks.
func (f *webpFile) take(id string, body []byte) {
	switch {
	case f.bits != nil:
	case id == "ALPH":
		f.alpha = body
	case id == "VP8 ", id == "VP8L":
		f.bits, f.lossless = body, id == "VP8L"
	}
}

func riffChunks(data []byte, visit func(id string, body []byte)) {
	for len(data) >= 8 {
		n := uint64(binary.LittleEndian.Uint32(data[4:]))
		body := data[8:]
		if n < uint64(len(body)) {
			body = body[:n]
		}
		visit(string(data[:4]), body)
		data = data[min(8+n+n&1, uint64(len(data))):]
	}
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// reader returns the frame as a container of its own, in the strict form that x/image/webp reads.
func (f *webpFile) reader(size image.Config) io.Reader {
	var b bytes.Buffer
	chunk := func(id string, body []byte) {
		b.WriteString(id)
		binary.Write(&b, binary.LittleEndian, uint32(len(body)))
		b.Write(body)
		if len(body)&1 == 1 {
			b.WriteByte(0)
		}
	}
	b.WriteString("RIFF\x00\x00\x00\x00WEBP")
	if f.lossless {
		chunk("VP8L", f.bits)
	} else {
		if f.alpha != nil {
			w, h := size.Width-1, size.Height-1
			chunk("VP8X", []byte{1 << 4, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)})
			chunk("ALPH", f.alpha)
		}
		chunk("VP8 ", f.bits)
	}
	out := b.Bytes()
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return bytes.NewReader(out)
}

// frameConfig reads the size of the first frame from its own header.
func (f *webpFile) frameConfig() (image.Config, error) {
	if f.bits == nil {
		return image.Config{}, errNoFrame
	}
	// The few bytes of the header suffice; the rest of the frame need not be there.
	head := webpFile{bits: f.bits[:min(len(f.bits), 64)], lossless: f.lossless}
	return webp.DecodeConfig(head.reader(image.Config{}))
}

// webpConfig returns the size of the picture: the canvas if there is one.
func webpConfig(data []byte) (image.Config, error) {
	f := parseWebP(data)
	c, err := f.frameConfig()
	if err != nil {
		return c, err
	}
	if !f.canvas.Empty() {
		// The frame is decoded whole before it is put on the canvas, so the larger of the two counts.
		c.Width, c.Height = max(c.Width, f.canvas.Dx()), max(c.Height, f.canvas.Dy())
	}
	return c, nil
}

// decodeWebP decodes the first frame and puts it on the canvas.
func decodeWebP(data []byte) (image.Image, error) {
	f := parseWebP(data)
	c, err := f.frameConfig()
	if err != nil {
		return nil, err
	}
	img, err := webp.Decode(f.reader(c))
	if err != nil {
		return nil, err
	}
	if f.canvas.Empty() {
		return img, nil
	}
	return onCanvas(img, "webp", f.at, f.canvas), nil
}

// webpOrientation reads the EXIF chunk.
func webpOrientation(data []byte) int { return exifPayload(parseWebP(data).exif) }
