package pixel

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"testing"
)

func animation(t *testing.T, frames int) []byte {
	t.Helper()
	g := &gif.GIF{}
	for range frames {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.Black, color.White}))
		g.Delay = append(g.Delay, 1)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withControl puts an animation control chunk before the image of a PNG.
func withControl(t *testing.T, frames uint32) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	const header = 8 + 12 + 13 // signature and IHDR
	chunk := binary.BigEndian.AppendUint32(nil, 8)
	chunk = append(chunk, "acTL"...)
	chunk = binary.BigEndian.AppendUint32(chunk, frames)
	chunk = append(chunk, make([]byte, 8)...) // number of plays, checksum
	return append(append(append([]byte{}, data[:header]...), chunk...), data[header:]...)
}

func riff(chunks ...string) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WEBP")
	for _, c := range chunks {
		b = append(b, c...)
		b = append(b, 2, 0, 0, 0, 'x', 'x')
	}
	return b
}

func TestAnimated(t *testing.T) {
	var still bytes.Buffer
	if err := png.Encode(&still, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	many := animation(t, 3)
	for _, tt := range []struct {
		name   string
		data   []byte
		want   bool
		format string
	}{
		{"GIF of one frame", animation(t, 1), false, "gif"},
		{"GIF of three frames", many, true, "gif"},
		{"GIF cut in its header", many[:10], false, "gif"},
		{"GIF cut in its first descriptor", many[:len("GIF89a")+7+6+8], false, "gif"},
		{"GIF cut in its last frame", many[:len(many)-3], true, "gif"},
		{"PNG", still.Bytes(), false, "png"},
		{"PNG cut", still.Bytes()[:20], false, "png"},
		{"PNG with two frames", withControl(t, 2), true, "png"},
		{"PNG with a control chunk for one frame", withControl(t, 1), false, "png"},
		{"WebP", riff("VP8 "), false, "webp"},
		{"WebP with two frames", riff("ANIM", "ANMF", "ANMF"), true, "webp"},
		{"JPEG", []byte("\xff\xd8\xff"), false, "jpeg"},
		{"text", []byte("no image"), false, ""},
		{"nothing", nil, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Animated(tt.data); got != tt.want {
				t.Errorf("Animated is %v, want %v", got, tt.want)
			}
			if got := Sniff(bytes.NewReader(tt.data)); got != tt.format {
				t.Errorf("format %q, want %q", got, tt.format)
			}
		})
	}
}
