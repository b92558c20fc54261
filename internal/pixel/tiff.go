package pixel

import (
	"bytes"
	"image"

	"golang.org/x/image/tiff"
)

// decodeTIFF decodes the first page. x/image/tiff takes fax compression's white for white whatever the photometric
// interpretation says, so pages that declare 0 as black come out as negatives and are turned back.
func decodeTIFF(data []byte) (image.Image, error) {
	img, err := tiff.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	fax := firstTag(data, tagCompression)
	if g, ok := img.(*image.Gray); ok && (fax == compressionG3 || fax == compressionG4) && firstTag(data, tagPhotometric) == blackIsZero {
		for i, v := range g.Pix {
			g.Pix[i] = 255 - v
		}
	}
	return img, nil
}
