package main

import (
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// checkPicture reports whether a file to be written has the extension of a picture, or one of the others.
func checkPicture(out string, others ...string) error {
	known := append([]string{".png", ".jpg", ".jpeg"}, others...)
	if !slices.Contains(known, strings.ToLower(filepath.Ext(out))) {
		return usagef("-o %s: the extension is none of %s", out, strings.Join(known, " "))
	}
	return nil
}

// writePicture writes a PNG or a JPEG, as the extension has it.
func writePicture(path string, m image.Image) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		if strings.EqualFold(filepath.Ext(path), ".png") {
			return png.Encode(w, m)
		}
		return jpeg.Encode(w, m, &jpeg.Options{Quality: 92})
	})
}

// readPicture reads one image.
func readPicture(path string) (*zoo.Picture, error) {
	data, err := features.Open(path)
	if err != nil {
		return nil, missingFile(path, err)
	}
	if len(data.Items) != 1 {
		return nil, usagef("%s: want one image, here are %d", path, len(data.Items))
	}
	p, err := decodeItem(data.Items[0], zoo.Recipe{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// resizedPicture gives a picture another size, stretched.
func resizedPicture(p *zoo.Picture, h, w int) (image.Image, error) {
	r, _ := zoo.RecipeByName("unit")
	img, _, err := r.WithSize(h, w).Image(p, zoo.Augment{}, 0)
	return img, err
}
