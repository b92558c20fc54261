package pixel

import "encoding/binary"

// Tags of a TIFF directory, and their values, that are looked at here.
const (
	tagCompression = 0x0103
	tagPhotometric = 0x0106
	tagOrientation = 0x0112

	compressionG3 = 3
	compressionG4 = 4
	blackIsZero   = 1
)

// exifOrientation returns the orientation that a TIFF header and its first directory give, 1 where it is absent or
// broken.
func exifOrientation(data []byte) int {
	if v := firstTag(data, tagOrientation); v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}

// firstTag returns the value of an entry of the first directory that is one whole number, 0 where there is none such.
//
// This walk is our own because single entries are wanted and files are not to be trusted: the libraries read all tags,
// allocate by the count that a tag declares, and give up on all when one (a maker's note, mostly) is broken.
func firstTag(data []byte, tag uint16) uint32 {
	if len(data) < 8 {
		return 0
	}
	var order binary.ByteOrder
	switch string(data[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := uint64(order.Uint32(data[4:]))
	if at+2 > uint64(len(data)) {
		return 0
	}
	dir := data[at+2:]
	for n := int(order.Uint16(data[at:])); n > 0 && len(dir) >= 12; n-- {
		if order.Uint16(dir) != tag {
			dir = dir[12:]
			continue
		}
		const short, long = 3, 4
		kind, count := order.Uint16(dir[2:]), order.Uint32(dir[4:])
		switch {
		case count == 1 && kind == short:
			return uint32(order.Uint16(dir[8:]))
		case count == 1 && kind == long:
			return order.Uint32(dir[8:])
		}
		return 0
	}
	return 0
}

// exifPayload is exifOrientation of data that may begin with JPEG's "Exif\0\0".
func exifPayload(data []byte) int {
	if len(data) >= 6 && string(data[:6]) == "Exif\x00\x00" {
		data = data[6:]
	}
	return exifOrientation(data)
}

// pngOrientation looks for an eXIf chunk, which may come before or after the pixels.
func pngOrientation(data []byte) int {
	for data = data[8:]; len(data) >= 12; {
		n := uint64(binary.BigEndian.Uint32(data))
		if n+12 > uint64(len(data)) {
			return 1
		}
		if string(data[4:8]) == "eXIf" {
			return exifPayload(data[8 : 8+n])
		}
		data = data[12+n:]
	}
	return 1
}
