package pixel

import (
	"bytes"
	"encoding/binary"
	"io"
)

// Sniff returns the format of what a reader holds, as [Picture.Format] names it, and "" if it is no image.
func Sniff(r io.Reader) string {
	head, err := io.ReadAll(io.LimitReader(r, 512))
	if err != nil {
		return ""
	}
	f, err := sniff(head)
	if err != nil {
		return ""
	}
	return f.name
}

// Animated reports whether an image file has more frames than one: an animated GIF, PNG or WebP.
func Animated(data []byte) bool {
	f, err := sniff(data)
	if err != nil {
		return false
	}
	switch f.name {
	case "gif":
		return gifFrames(data) > 1
	case "png":
		return pngAnimated(data)
	case "webp":
		frames := 0
		riffChunks(data[min(12, len(data)):], func(id string, _ []byte) {
			if id == "ANMF" {
				frames++
			}
		})
		return frames > 1
	}
	return false
}

// gifFrames counts the image descriptors of a GIF, as far as its blocks can be followed.
func gifFrames(data []byte) int {
	if len(data) < 13 {
		return 0
	}
	table := func(flags byte) int { // bytes of a colour table
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	frames := 0
	at := 13 + table(data[10])
	skip := func() { // sub-blocks
		for at < len(data) && data[at] != 0 {
			at += 1 + int(data[at])
		}
		at++
	}
	for at < len(data) {
		switch data[at] {
		case 0x21: // extension
			at += 2
			skip()
		case 0x2c: // image descriptor
			if at+10 > len(data) {
				return frames
			}
			frames++
			at += 10 + table(data[at+9]) + 1
			skip()
		default: // the trailer, or nothing that can be followed
			return frames
		}
	}
	return frames
}

// pngAnimated reports whether a PNG has an animation control chunk with several frames before its image.
func pngAnimated(data []byte) bool {
	for at := 8; at+8 <= len(data); {
		n := int(binary.BigEndian.Uint32(data[at:]))
		kind, body := data[at+4:at+8], data[at+8:]
		switch {
		case bytes.Equal(kind, []byte("IDAT")):
			return false
		case bytes.Equal(kind, []byte("acTL")):
			return len(body) >= 4 && binary.BigEndian.Uint32(body) > 1
		case n > len(body):
			return false
		}
		at += 12 + n
	}
	return false
}
