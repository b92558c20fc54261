package features

import (
	"errors"
	"fmt"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// ErrNoRecipe is what [RecipeFor] returns for a model that does not say how images become its input.
var ErrNoRecipe = errors.New("the model does not say how images become its input")

// ImageInput returns the input of a network that takes images: its only required input, of rank 4 where the rank is
// declared.
func ImageInput(m *onnx.Model) (*onnx.Value, error) {
	if m.Graph == nil {
		return nil, errors.New("the model has no graph")
	}
	weights := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		weights[t.Name] = true
	}
	var in []*onnx.Value
	var names []string
	for _, v := range m.Graph.Inputs {
		if !weights[v.Name] {
			in = append(in, v)
			names = append(names, fmt.Sprintf("%q", v.Name))
		}
	}
	if len(in) != 1 {
		if c := graph.LeftOut(m.Graph); len(in) == len(c)+1 {
			return nil, fmt.Errorf("the values of %q are missing: the exporter (tf2onnx) made inputs of constants; convert the Keras model itself (onnxcnn convert model.keras model.onnx)", c)
		}
		return nil, fmt.Errorf("a network for images has one input, this one has %d: %s", len(in), strings.Join(names, ", "))
	}
	if t := in[0].Type; t != nil && (t.Kind != onnx.KindTensor || t.HasShape && len(t.Shape) != 4) {
		return nil, fmt.Errorf("input %q is not a batch of images: want a tensor of rank 4", in[0].Name)
	}
	return in[0], nil
}

// RecipeFor returns the recipe for a model's images, in the size and layout that its input declares: chosen where it
// is not nil, else the one in the model's metadata. Without either the error is [ErrNoRecipe]: no recipe is guessed,
// because a wrong one gives plausible, poor features without any error.
func RecipeFor(m *onnx.Model, chosen *zoo.Recipe) (zoo.Recipe, error) {
	in, err := ImageInput(m)
	if err != nil {
		return zoo.Recipe{}, err
	}
	var r zoo.Recipe
	if chosen != nil {
		r = *chosen
	} else {
		var ok bool
		if r, ok, err = zoo.RecipeOf(m); err != nil {
			return zoo.Recipe{}, err
		} else if !ok {
			return zoo.Recipe{}, ErrNoRecipe
		}
	}
	if r, err = r.ForInput(in); err != nil {
		return zoo.Recipe{}, err
	}
	return r, r.Validate()
}

// labelCount returns how many labels the model's metadata has.
func labelCount(m *onnx.Model) int {
	labels, err := zoo.LabelsOf(m)
	if err != nil {
		return 0
	}
	return len(labels)
}
