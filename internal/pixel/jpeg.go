package pixel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
)

// segments calls visit for the marker segments of a JPEG up to its first scan, until visit returns false. It stops
// where the file is cut or broken.
func segments(data []byte, visit func(marker byte, body []byte) bool) {
	const soi, eoi, sos, tem = 0xd8, 0xd9, 0xda, 0x01
	for i := 2; i+4 <= len(data); {
		if data[i] != 0xff {
			i++ // padding between segments, which decoders skip
			continue
		}
		marker := data[i+1]
		switch {
		case marker == 0xff: // fill byte
			i++
			continue
		case marker == 0, marker == tem, marker >= 0xd0 && marker <= soi:
			i += 2
			continue
		case marker == eoi:
			return
		}
		n := int(binary.BigEndian.Uint16(data[i+2:]))
		if n < 2 || i+2+n > len(data) {
			return
		}
		if !visit(marker, data[i+4:i+2+n]) || marker == sos {
			return
		}
		i += 2 + n
	}
}

// isSOF reports whether a marker starts a frame: C0 to CF but for DHT, JPG and DAC.
func isSOF(m byte) bool { return m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc }

// jpegOrientation returns the EXIF orientation of a JPEG.
func jpegOrientation(data []byte) int {
	orientation := 1
	segments(data, func(m byte, body []byte) bool {
		if m == 0xe1 && len(body) >= 6 && string(body[:6]) == "Exif\x00\x00" {
			orientation = exifPayload(body)
			return false
		}
		return true
	})
	return orientation
}

// jpegProblem names a feature that image/jpeg does not read, "" if the file uses none.
func jpegProblem(data []byte) string {
	why := ""
	segments(data, func(m byte, body []byte) bool {
		if !isSOF(m) {
			return true
		}
		switch {
		case m == 0xc3 || m == 0xc7 || m == 0xcb || m == 0xcf:
			why = "lossless JPEG is not supported"
		case m >= 0xc9:
			why = "arithmetic coding is not supported"
		case m >= 0xc5:
			why = "hierarchical JPEG is not supported"
		case len(body) > 0 && body[0] == 12:
			why = "12 bits a sample are not supported, only 8"
		case len(body) > 0 && body[0] != 8:
			why = "only 8 bits a sample are supported"
		}
		return false
	})
	return why
}

// maxScans bounds the passes over a picture that a JPEG may make. Encoders make some ten; a progressive file may have
// thousands that take a few bytes each and go over every pixel.
const maxScans = 100

// scans counts the scans of a JPEG up to its end, and stops after more than maxScans.
func scans(data []byte) int {
	const rst0, rst7, eoi, sos = 0xd0, 0xd7, 0xd9, 0xda
	n := 0
	for i := 2; i+4 <= len(data); {
		at := bytes.IndexByte(data[i:len(data)-1], 0xff)
		if at < 0 {
			return n
		}
		i += at
		switch m := data[i+1]; {
		case m == 0xff:
			i++
		case m == eoi:
			return n
		case m <= 1, m >= rst0 && m <= rst7: // of a scan's data
			i += 2
		case i+4 > len(data):
			return n
		default:
			if m == sos {
				if n++; n > maxScans {
					return n
				}
			}
			i += 2 + int(binary.BigEndian.Uint16(data[i+2:]))
		}
	}
	return n
}

// adobe is an APP14 segment that says "no colour transform".
var adobe = []byte{0xff, 0xee, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0}

// decodeJPEG decodes a JPEG. Four components without Adobe's marker are taken as inverted CMYK, as Pillow takes them;
// image/jpeg refuses them, so the marker is added.
func decodeJPEG(data []byte) (image.Image, error) {
	if scans(data) > maxScans {
		return nil, fmt.Errorf("more than %d scans over the picture: a bomb", maxScans)
	}
	four, marked := false, false
	segments(data, func(m byte, body []byte) bool {
		four = four || isSOF(m) && len(body) >= 6 && body[5] == 4
		marked = marked || m == 0xee && len(body) >= 12 && string(body[:5]) == "Adobe"
		return true
	})
	if four && !marked {
		data = append(append(append(make([]byte, 0, len(data)+len(adobe)), data[:2]...), adobe...), data[2:]...)
	}
	return jpeg.Decode(bytes.NewReader(data))
}
