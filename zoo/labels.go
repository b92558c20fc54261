package zoo

import (
	_ "embed"
	"strings"
)

//go:embed imagenet_labels.txt
var imageNetLabels string

// ImageNetLabels returns the names of the 1000 classes of ImageNet's classification challenge (ILSVRC 2012) in the
// order in which networks trained on it have them, for models with 1000 outputs that carry no labels. All
// differ.
func ImageNetLabels() []string {
	return strings.Split(strings.TrimSpace(imageNetLabels), "\n")
}
