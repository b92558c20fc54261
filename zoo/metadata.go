package zoo

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Keys of metadata_props by which a model describes itself.
const (
	RecipeKey = "onnxcnn.preprocess" // a Recipe as JSON
	LabelsKey = "onnxcnn.labels"     // a JSON array of names in the order of the outputs

	// MultiLabelKey is "true" where an image may have any number of the labels: each output is a logit of its own.
	MultiLabelKey = "onnxcnn.multilabel"
)

// RecipeOf returns the recipe that a model carries; false if it carries none.
func RecipeOf(m *onnx.Model) (Recipe, bool, error) {
	text, ok := m.Meta(RecipeKey)
	if !ok {
		return Recipe{}, false, nil
	}
	r, err := ParseRecipe([]byte(text))
	if err != nil {
		return Recipe{}, false, fmt.Errorf("metadata %q: %w", RecipeKey, err)
	}
	return r, true, nil
}

// SetRecipe stores a recipe in a model.
func SetRecipe(m *onnx.Model, r Recipe) error {
	text, err := r.JSON()
	if err != nil {
		return err
	}
	m.SetMeta(RecipeKey, string(text))
	return nil
}

// LabelsOf returns the labels that a model carries, nil if it carries none.
func LabelsOf(m *onnx.Model) ([]string, error) {
	text, ok := m.Meta(LabelsKey)
	if !ok {
		return nil, nil
	}
	var labels []string
	if err := json.Unmarshal([]byte(text), &labels); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", LabelsKey, err)
	}
	if len(labels) == 0 {
		return nil, fmt.Errorf("metadata %q: no labels", LabelsKey)
	}
	return labels, nil
}

// SetLabels stores labels in a model.
func SetLabels(m *onnx.Model, labels []string) error {
	if len(labels) == 0 {
		return errors.New("no labels")
	}
	text, err := json.Marshal(labels)
	if err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	m.SetMeta(LabelsKey, string(text))
	return nil
}

// IsMultiLabel reports whether a model says that an image may have any number of its labels.
func IsMultiLabel(m *onnx.Model) bool {
	text, _ := m.Meta(MultiLabelKey)
	return text == "true"
}

// ForInput returns the recipe in the layout and size that a network's input declares: an image input has rank 4 and
// its channels either second (NCHW) or last (NHWC). Where the shape leaves layout or size open the recipe's own stay.
func (r Recipe) ForInput(v *onnx.Value) (Recipe, error) {
	if v.Type == nil || !v.Type.HasShape {
		return r, nil
	}
	shape := v.Type.Shape
	if len(shape) != 4 {
		return Recipe{}, fmt.Errorf("input %q: want rank 4 for images, got %d", v.Name, len(shape))
	}
	c := channelOrders[r.Channels].Count()
	first, last := shape[1].Size, shape[3].Size
	switch {
	case first == c && (last != c || r.Layout == "NCHW"):
		r.Layout = "NCHW"
	case last == c:
		r.Layout = "NHWC"
	case first > 0 && last > 0, first > 0 && r.Layout == "NCHW", last > 0 && r.Layout == "NHWC":
		return Recipe{}, fmt.Errorf("input %q: neither the second (%d) nor the last (%d) dimension is the %d channels of %s", v.Name, first, last, c, r.Channels)
	}
	at := 2
	if r.Layout == "NHWC" {
		at = 1
	}
	h, w := shape[at].Size, shape[at+1].Size
	if h <= 0 {
		h = r.Size[0]
	}
	if w <= 0 {
		w = r.Size[1]
	}
	if r.Size != [2]int{h, w} {
		r = r.WithSize(h, w)
	}
	return r, nil
}
