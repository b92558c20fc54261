package pixel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// picture is a small image with gradients.
func picture(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / w), uint8(y * 255 / h), uint8(x * y), 255})
		}
	}
	return m
}

func jpegBytes(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngBytes(t testing.TB, img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func golden(t testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// rgb returns the oriented picture as packed RGB.
func rgb(t testing.TB, p *Picture) (pix []uint8, w, h int) {
	w, h = p.Size()
	pix = make([]uint8, 3*w*h)
	if err := (Geometry{H: h, W: w}).Render(p, pix); err != nil {
		t.Fatal(err)
	}
	return pix, w, h
}

// exifSegment is an APP1 segment with one entry.
func exifSegment(order binary.AppendByteOrder, head string, entries, tag, kind uint16, count uint32, value uint16) []byte {
	body := []byte("Exif\x00\x00" + head)
	body = order.AppendUint16(body, 42)
	body = order.AppendUint32(body, 8)
	body = order.AppendUint16(body, entries)
	body = order.AppendUint16(body, tag)
	body = order.AppendUint16(body, kind)
	body = order.AppendUint32(body, count)
	if kind == 4 {
		body = order.AppendUint32(body, uint32(value))
	} else {
		body = order.AppendUint16(body, value)
		body = order.AppendUint16(body, 0)
	}
	body = order.AppendUint32(body, 0)
	seg := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	return append(seg, body...)
}

// case 21: a 16x8 picture, left half red, right half blue, with every orientation.
func TestOrientation(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 16, 8))
	for y := range 8 {
		for x := range 16 {
			c := color.NRGBA{255, 0, 0, 255}
			if x >= 8 {
				c = color.NRGBA{0, 0, 255, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	plain := jpegBytes(t, m)
	with := func(seg []byte) []byte {
		return bytes.Join([][]byte{plain[:2], seg, plain[2:]}, nil)
	}
	big := func(o uint16) []byte { return exifSegment(binary.BigEndian, "MM", 1, 0x0112, 3, 1, o) }
	little := func(o uint16) []byte { return exifSegment(binary.LittleEndian, "II", 1, 0x0112, 3, 1, o) }
	const upright, turned = "16x8", "8x16"
	type row struct {
		name  string
		file  []byte
		size  string
		first string // colour of the first pixel
	}
	rows := []row{
		{"none", plain, upright, "red"},
		{"0", with(big(0)), upright, "red"},
		{"1", with(big(1)), upright, "red"},
		{"2", with(big(2)), upright, "blue"},
		{"3", with(big(3)), upright, "blue"},
		{"4", with(big(4)), upright, "red"},
		{"5", with(big(5)), turned, "red"},
		{"6", with(big(6)), turned, "red"},
		{"7", with(big(7)), turned, "blue"},
		{"8", with(big(8)), turned, "blue"},
		{"9", with(big(9)), upright, "red"},
		{"little 6", with(little(6)), turned, "red"},
		{"little 3", with(little(3)), upright, "blue"},
		{"long 8", with(exifSegment(binary.BigEndian, "MM", 1, 0x0112, 4, 1, 8)), turned, "blue"},
		{"wrong type", with(exifSegment(binary.BigEndian, "MM", 1, 0x0112, 2, 1, 6)), upright, "red"},
		{"wrong count", with(exifSegment(binary.BigEndian, "MM", 1, 0x0112, 3, 2, 6)), upright, "red"},
		{"other tag", with(exifSegment(binary.BigEndian, "MM", 1, 0x0111, 3, 1, 6)), upright, "red"},
		{"more entries than bytes", with(exifSegment(binary.BigEndian, "MM", 60000, 0x0111, 3, 1, 6)), upright, "red"},
		{"bad byte order", with(exifSegment(binary.BigEndian, "XX", 1, 0x0112, 3, 1, 6)), upright, "red"},
		{"fill bytes", with(append([]byte{0xff, 0xff}, big(6)...)), turned, "red"},
	}
	// A directory beyond the end, and a segment that is too short for anything.
	far := big(6)
	binary.BigEndian.PutUint32(far[14:], 1<<31)
	rows = append(rows, row{"far directory", with(far), upright, "red"})
	rows = append(rows, row{"short segment", with([]byte{0xff, 0xe1, 0, 12, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42}), upright, "red"})
	// The same with PNG, whose chunk has no "Exif" before it.
	p := pngBytes(t, m)
	chunk := func(body []byte) []byte {
		c := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		c = append(append(c, "eXIf"...), body...)
		return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
	}
	const ihdr = 8 + 25
	rows = append(rows, row{"png 6", bytes.Join([][]byte{p[:ihdr], chunk(big(6)[10:]), p[ihdr:]}, nil), turned, "red"})

	for _, r := range rows {
		for _, ignore := range []bool{false, true} {
			p, err := Decode(bytes.NewReader(r.file), Options{IgnoreOrientation: ignore})
			if err != nil {
				t.Errorf("%s: %v", r.name, err)
				continue
			}
			pix, w, h := rgb(t, p)
			size, first := r.size, r.first
			if ignore {
				size, first = upright, "red"
			}
			got := "red"
			if pix[2] > pix[0] {
				got = "blue"
			}
			last := pix[len(pix)-3:]
			if mirror := r.name != "none" && (last[0] > last[2]) == (got == "red"); mirror {
				t.Errorf("%s: first and last pixel have one colour", r.name)
			}
			if s := fmt.Sprintf("%dx%d", w, h); s != size || got != first {
				t.Errorf("%s (ignored: %v): %s, first pixel %s; want %s, %s", r.name, ignore, s, got, size, first)
			}
		}
	}
}

// cases 22 and 23: what cannot be read is refused in one line that says why.
func TestRefused(t *testing.T) {
	whole := jpegBytes(t, picture(32, 32))
	patched := func(marker, precision byte) []byte {
		b := bytes.Clone(whole)
		i := bytes.Index(b, []byte{0xff, 0xc0})
		b[i+1], b[i+4] = marker, precision
		return b
	}
	p := pngBytes(t, picture(32, 32))
	var g bytes.Buffer
	if err := gif.Encode(&g, picture(32, 32), nil); err != nil {
		t.Fatal(err)
	}
	webp := golden(t, "lossless.webp")
	for _, c := range []struct {
		name string
		data []byte
		want string
		is   error
	}{
		{"jpeg without its last 2 bytes", whole[:len(whole)-2], "jpeg: the file is cut", io.ErrUnexpectedEOF},
		{"half a jpeg", whole[:len(whole)/2], "jpeg: the file is cut", io.ErrUnexpectedEOF},
		{"2 bytes of jpeg", whole[:2], "jpeg: the file is cut (2 bytes)", io.ErrUnexpectedEOF},
		{"arithmetic", patched(0xc9, 8), "jpeg: arithmetic coding is not supported", nil},
		{"progressive arithmetic", patched(0xca, 8), "jpeg: arithmetic coding is not supported", nil},
		{"lossless", patched(0xc3, 8), "jpeg: lossless JPEG is not supported", nil},
		{"hierarchical", patched(0xc5, 8), "jpeg: hierarchical JPEG is not supported", nil},
		{"12 bits", patched(0xc0, 12), "jpeg: 12 bits a sample are not supported", nil},
		{"7 bits", patched(0xc0, 7), "jpeg: only 8 bits a sample are supported", nil},
		{"half a png", p[:len(p)/2], "png: the file is cut", io.ErrUnexpectedEOF},
		{"png with a wrong checksum", append(append(bytes.Clone(p[:45]), p[45]^1), p[46:]...), "png: ", nil},
		{"half a gif", g.Bytes()[:g.Len()/2], "gif: ", io.ErrUnexpectedEOF},
		{"half a bmp", golden(t, "rgb.bmp")[:80], "bmp: ", nil},
		{"head of a tiff", golden(t, "rgb.tif")[:60], "tiff: the file is cut", io.ErrUnexpectedEOF},
		{"half a webp", webp[:len(webp)/2], "webp: the file is cut", io.ErrUnexpectedEOF},
		{"webp without a frame", webp[:12], "webp: no image data", nil},
		{"empty", nil, "the file is empty", ErrNotImage},
		{"text", []byte("label,count\ncat,3\n"), "the file is text", ErrNotImage},
		{"html", []byte("<!DOCTYPE html><html><body>Not found"), "the file is an HTML page", ErrNotImage},
		{"svg", []byte("<?xml version='1.0'?><svg xmlns='x'/>"), "the file is SVG", ErrNotImage},
		{"heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00"), "the file is HEIC", ErrNotImage},
		{"avif", []byte("\x00\x00\x00\x18ftypavif\x00\x00"), "the file is AVIF", ErrNotImage},
		{"jpeg 2000", []byte("\x00\x00\x00\x0cjP  \r\n"), "the file is JPEG 2000", ErrNotImage},
		{"jpeg xl", []byte("\xff\x0a\x00\x00"), "the file is JPEG XL", ErrNotImage},
		{"photoshop", []byte("8BPS\x00\x01"), "the file is a Photoshop document", ErrNotImage},
		{"pdf", []byte("%PDF-1.7"), "the file is PDF", ErrNotImage},
		{"thumbs.db", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "the file is unknown bytes", ErrNotImage},
	} {
		_, err := Decode(bytes.NewReader(c.data), Options{})
		switch {
		case err == nil:
			t.Errorf("%s: no error", c.name)
		case !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: got %q, want one line with %q", c.name, err, c.want)
		case c.is != nil && !errors.Is(err, c.is):
			t.Errorf("%s: %q does not wrap %q", c.name, err, c.is)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := Decode(iotest.ErrReader(broken), Options{}); !errors.Is(err, broken) {
		t.Errorf("read error: got %v", err)
	}
}

// case 22 (f), (g): CMYK with and without Adobe's marker, YCCK, gray.
func TestJPEGColours(t *testing.T) {
	cmyk := golden(t, "cmyk-19x21.jpg")
	i := bytes.Index(cmyk, []byte{0xff, 0xee})
	if i < 0 {
		t.Fatal("the CMYK file has no Adobe marker")
	}
	n := 2 + int(binary.BigEndian.Uint16(cmyk[i+2:]))
	bare := append(bytes.Clone(cmyk[:i]), cmyk[i+n:]...)
	a, err := Decode(bytes.NewReader(cmyk), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Decode(bytes.NewReader(bare), Options{})
	if err != nil {
		t.Fatalf("without Adobe's marker: %v", err)
	}
	pa, _, _ := rgb(t, a)
	pb, _, _ := rgb(t, b)
	if !bytes.Equal(pa, pb) {
		t.Error("without Adobe's marker the colours differ")
	}

	// Pure red is magenta and yellow; Adobe stores it inverted, and the decoder gives it upright.
	red := image.NewCMYK(image.Rect(0, 0, 2, 2))
	for i := range 4 {
		copy(red.Pix[4*i:], []uint8{0, 255, 255, 0})
	}
	pix, _, _ := rgb(t, FromImage(red))
	if !bytes.Equal(pix[:3], []uint8{255, 0, 0}) {
		t.Errorf("red as CMYK is %v", pix[:3])
	}

	gray := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range gray.Pix {
		gray.Pix[i] = 77
	}
	p, err := Decode(bytes.NewReader(jpegBytes(t, gray)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if pix, _, _ := rgb(t, p); !bytes.Equal(pix[:3], []uint8{77, 77, 77}) {
		t.Errorf("gray 77 is %v", pix[:3])
	}
}

// case 23: content decides the format whatever comes before the reader's name; animations give their first frame.
func TestFirstFrames(t *testing.T) {
	// A GIF whose first frame covers part of the canvas, at 2,1.
	pal := color.Palette{color.NRGBA{10, 20, 30, 255}, color.NRGBA{200, 100, 50, 255}, color.NRGBA{}}
	frame := image.NewPaletted(image.Rect(2, 1, 4, 3), pal)
	frame.Pix = []uint8{0, 1, 2, 0}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{Width: 5, Height: 4, ColorModel: pal}}); err != nil {
		t.Fatal(err)
	}
	p, err := Decode(&b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	pix, w, h := rgb(t, p)
	if w != 5 || h != 4 {
		t.Fatalf("canvas %dx%d, want 5x4", w, h)
	}
	at := func(x, y int) [3]uint8 { return [3]uint8(pix[3*(y*w+x):]) }
	white := [3]uint8{255, 255, 255}
	for _, c := range []struct {
		x, y int
		want [3]uint8
	}{{0, 0, white}, {2, 1, [3]uint8{10, 20, 30}}, {3, 1, [3]uint8{200, 100, 50}}, {2, 2, white}, {3, 2, [3]uint8{10, 20, 30}}, {4, 3, white}} {
		if got := at(c.x, c.y); got != c.want {
			t.Errorf("pixel %d,%d: %v, want %v", c.x, c.y, got, c.want)
		}
	}

	// A lossless WebP moved to 2,2 of an 11x9 canvas by an animation's frame.
	bits := parseWebP(golden(t, "lossless.webp")).bits
	inner := append([]byte("VP8L"), binary.LittleEndian.AppendUint32(nil, uint32(len(bits)))...)
	inner = append(inner, bits...)
	if len(bits)&1 == 1 {
		inner = append(inner, 0)
	}
	anmf := append([]byte{1, 0, 0, 1, 0, 0, 6, 0, 0, 4, 0, 0, 0, 0, 0, 0}, inner...)
	file := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x0a\x00\x00\x08\x00\x00ANMF")
	file = append(binary.LittleEndian.AppendUint32(file, uint32(len(anmf))), anmf...)
	p, err = Decode(bytes.NewReader(file), Options{})
	if err != nil {
		t.Fatal(err)
	}
	moved, w, h := rgb(t, p)
	if w != 11 || h != 9 {
		t.Fatalf("canvas %dx%d, want 11x9", w, h)
	}
	p, err = Decode(bytes.NewReader(golden(t, "lossless.webp")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	still, sw, sh := rgb(t, p)
	for y := range sh {
		if !bytes.Equal(moved[3*((y+2)*w+2):][:3*sw], still[3*y*sw:][:3*sw]) {
			t.Errorf("row %d of the frame is not at its place", y)
		}
	}
	if !bytes.Equal(moved[:3], white[:]) {
		t.Errorf("the canvas is %v, want white", moved[:3])
	}
}

// case 24: bombs are refused by their header; nothing of their declared size is allocated.
func TestBombs(t *testing.T) {
	gifBomb := []byte("GIF89a\xff\xff\xff\xff\xf0\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\xff\xff\xff\xff\x40\x02\x01\x14\x00\x3b")
	small := pngBytes(t, picture(4, 4))
	pngBomb := bytes.Clone(small)
	binary.BigEndian.PutUint32(pngBomb[16:], 50000)
	binary.BigEndian.PutUint32(pngBomb[20:], 50000)
	binary.BigEndian.PutUint32(pngBomb[29:], crc32.ChecksumIEEE(pngBomb[12:29]))
	within := bytes.Clone(pngBomb) // within the limit of pixels, but far too short
	binary.BigEndian.PutUint32(within[16:], 13000)
	binary.BigEndian.PutUint32(within[20:], 13000)
	binary.BigEndian.PutUint32(within[29:], crc32.ChecksumIEEE(within[12:29]))
	bmpBomb := make([]byte, 54)
	copy(bmpBomb, "BM")
	le := binary.LittleEndian
	le.PutUint32(bmpBomb[10:], 54)
	le.PutUint32(bmpBomb[14:], 40)
	le.PutUint32(bmpBomb[18:], 16384)
	le.PutUint32(bmpBomb[22:], 16384)
	le.PutUint16(bmpBomb[26:], 1)
	le.PutUint16(bmpBomb[28:], 32)
	bmpWithin := bytes.Clone(bmpBomb)
	le.PutUint32(bmpWithin[22:], 4096)
	jpegBomb := jpegBytes(t, picture(8, 8))
	i := bytes.Index(jpegBomb, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(jpegBomb[i+5:], 13000)
	binary.BigEndian.PutUint16(jpegBomb[i+7:], 13000)

	scanned := jpegBytes(t, picture(8, 8))
	i = bytes.Index(scanned, []byte{0xff, 0xda})
	scan := scanned[i : len(scanned)-2]
	scanBomb := append(append(bytes.Clone(scanned[:i]), bytes.Repeat(scan, maxScans+1)...), 0xff, 0xd9)

	type entry struct {
		tag, kind uint16
		count, v  uint32
	}
	tiff := func(pixels []byte, entries ...entry) []byte {
		b := append([]byte("II*\x00"), 8, 0, 0, 0)
		b = le.AppendUint16(b, uint16(len(entries)))
		for _, e := range entries {
			b = le.AppendUint16(b, e.tag)
			b = le.AppendUint16(b, e.kind)
			b = le.AppendUint32(b, e.count)
			b = le.AppendUint32(b, e.v)
		}
		return append(le.AppendUint32(b, 0), pixels...)
	}
	gray := func(w, h, compression, offsets, counts entry) []entry {
		return []entry{w, h, {258, 3, 1, 8}, compression, {262, 3, 1, 1}, offsets, {277, 3, 1, 1}, {278, 4, 1, h.v}, counts}
	}
	manyStrips := tiff(nil, gray(entry{256, 4, 1, 10000}, entry{257, 4, 1, 10000}, entry{259, 3, 1, 1}, entry{273, 4, 1 << 30, 8}, entry{279, 4, 1 << 30, 8})...)
	const body = 8 + 2 + 9*12 + 4
	runs := bytes.Repeat([]byte{0x81, 7}, 1<<20) // each two bytes make 128
	packBits := tiff(runs, gray(entry{256, 4, 1, 16}, entry{257, 4, 1, 16}, entry{259, 3, 1, 32773}, entry{273, 4, 1, body}, entry{279, 4, 1, uint32(len(runs))})...)

	webp := golden(t, "lossless.webp")
	webpBomb := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff"), webp[12:]...)

	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"gif", gifBomb, "65535x65535"},
		{"png", pngBomb, "50000x50000"},
		{"png within the limit", within, "13000x13000"},
		{"bmp", bmpBomb, "16384x16384"},
		{"bmp within the limit", bmpWithin, "16384x4096"},
		{"jpeg", jpegBomb, "13000x13000"},
		{"jpeg with a long tail", append(bytes.Clone(jpegBomb), make([]byte, 2*firstRead)...), "13000x13000"},
		{"jpeg of many scans", scanBomb, "more than 100 scans"},
		{"tiff of many strips", manyStrips, "tiff: "},
		{"tiff that expands", packBits, "tiff: "},
		{"webp canvas", webpBomb, "16777216x16777216"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(bytes.NewReader(c.data), Options{})
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n >= 50 {
			t.Errorf("%s: %d MiB allocated", c.name, n)
		}
	}

	for _, data := range [][]byte{scanBomb[:len(scanBomb)-2-len(scan)], append(bytes.Clone(scanned), scanBomb...)} {
		if n := scans(data); n > maxScans {
			t.Errorf("%d scans of as many as may be, or behind the end", n)
		}
	}

	// (e) A genuine photograph of 40 megapixels passes, and a limit that the caller sets holds.
	if testing.Short() {
		return
	}
	large := jpegBytes(t, image.NewGray(image.Rect(0, 0, 8000, 5000)))
	if _, err := Decode(bytes.NewReader(large), Options{}); err != nil {
		t.Errorf("40 megapixels: %v", err)
	}
	if _, err := Decode(bytes.NewReader(large), Options{MaxPixels: 39_999_999}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("limit of 40 megapixels less one: got %v", err)
	}
}

// endless gives zeros for ever and counts them.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.n += int64(len(p))
	return len(p), nil
}

// A file that does not end is left at its head if it is no image, and else at the size that no image of its
// dimensions needs.
func TestEndlessFiles(t *testing.T) {
	e := &endless{}
	if _, err := Decode(e, Options{}); !errors.Is(err, ErrNotImage) || e.n > firstRead {
		t.Errorf("zeros: %v after %d bytes", err, e.n)
	}
	if testing.Short() {
		return
	}
	e = &endless{}
	_, err := Decode(io.MultiReader(bytes.NewReader(pngBytes(t, picture(4, 4))), e), Options{})
	if !errors.Is(err, ErrTooLarge) || e.n > 8*minFile {
		t.Errorf("png and zeros: %v after %d bytes", err, e.n)
	}
}

// A header that comes late (a long profile before it) is still found.
func TestLateHeader(t *testing.T) {
	plain := jpegBytes(t, picture(9, 7))
	comment := append([]byte{0xff, 0xfe, 0xff, 0xff}, make([]byte, 65533)...)
	file := bytes.Join([][]byte{plain[:2], comment, comment, comment, plain[2:]}, nil)
	p, err := Decode(bytes.NewReader(file), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if w, h := p.Size(); w != 9 || h != 7 {
		t.Errorf("size %dx%d, want 9x7", w, h)
	}
}

// A decoder that panics is an error, for sizes and for pixels.
func TestPanickingDecoder(t *testing.T) {
	f := &format{name: "x",
		config: func(io.Reader) (image.Config, error) { panic("out of range") },
		decode: func([]byte) (image.Image, error) { panic("out of range") }}
	if _, err := f.guarded(nil); err == nil || !strings.Contains(err.Error(), "x: the decoder failed: out of range") {
		t.Errorf("decode: got %v", err)
	}
	if _, err := f.guardedConfig(nil); err == nil || !strings.Contains(err.Error(), "out of range") {
		t.Errorf("config: got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	names, err := filepath.Glob("testdata/golden/*.*")
	if err != nil || len(names) == 0 {
		f.Fatal("no seeds")
	}
	for _, n := range names {
		if data, err := os.ReadFile(n); err == nil && len(data) < 4096 {
			f.Add(data)
		}
	}
	f.Add(exifSegment(binary.BigEndian, "MM", 1, 0x0112, 3, 1, 6))
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		p, err := Decode(bytes.NewReader(data), Options{MaxPixels: 1 << 20})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		dst := make([]uint8, 3*8*8)
		g := Geometry{Rule: Shorter, Side: 9, Filter: Bicubic, H: 8, W: 8}
		if err := g.Render(p, dst); err != nil && !errors.Is(err, ErrTooLarge) {
			t.Errorf("decoded, but not rendered: %v", err)
		}
		a := Augment{Crop: Range{0.3, 1}, Rotate: 20}
		if err := a.Render(p, g, dst, 1, nil); err != nil {
			t.Errorf("decoded, but not augmented: %v", err)
		}
	})
}
