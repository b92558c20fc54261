package pixel

import "encoding/binary"

// exifOrientation returns the orientation (tag 0x0112) that a TIFF header and its first directory give, 1 where it is
// absent or broken.
//
// This walk is our own because only that one entry is wanted and files are not to be trusted: the libraries read all
// tags, allocate by the count that a tag declares, and give up on all when one (a maker's note, mostly) is broken.
func exifOrientation(data []byte) int {
	if len(data) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(data[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := uint64(order.Uint32(data[4:]))
	if at+2 > uint64(len(data)) {
		return 1
	}
	dir := data[at+2:]
	for n := int(order.Uint16(data[at:])); n > 0 && len(dir) >= 12; n-- {
		if order.Uint16(dir) == 0x0112 {
			return orientationEntry(dir[:12], order)
		}
		dir = dir[12:]
	}
	return 1
}

// orientationEntry returns the value of a directory entry if it is one number from 1 to 8.
func orientationEntry(e []byte, order binary.ByteOrder) int {
	const short, long = 3, 4
	if order.Uint32(e[4:]) != 1 {
		return 1
	}
	v := uint32(0)
	switch order.Uint16(e[2:]) {
	case short:
		v = uint32(order.Uint16(e[8:]))
	case long:
		v = order.Uint32(e[8:])
	}
	if v < 1 || v > 8 {
		return 1
	}
	return int(v)
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
