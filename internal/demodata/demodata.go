// Package demodata holds what "onnxcnn demo" works on: a small network that the project trained itself, and pictures
// of three classes that it never saw. README.md in this folder says where they come from.
package demodata

import (
	"archive/zip"
	_ "embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed backbone.onnx
var backbone string

//go:embed images.zip
var images string

// Backbone returns the network as an ONNX file. Its metadata have labels and recipe.
func Backbone() []byte { return []byte(backbone) }

// Images returns the pictures: train/CLASS/NNNN.png to learn from, val/CLASS/NNNN.png to test on.
func Images() (fs.FS, error) {
	z, err := zip.NewReader(strings.NewReader(images), int64(len(images)))
	if err != nil {
		return nil, fmt.Errorf("the pictures that are built in: %w", err)
	}
	return z, nil
}
