package zoo

import (
	"reflect"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// A recipe that is accepted says the same after it is written, and has an input of a size that can be.
func FuzzParseRecipe(f *testing.F) {
	for _, name := range RecipeNames() {
		r, _ := RecipeByName(name)
		text, err := r.JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"resize": "none", "size": [1e9, -1], "std": [0, 1, 1]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		r, err := ParseRecipe(data)
		if err != nil {
			return
		}
		text, err := r.JSON()
		if err != nil {
			t.Fatalf("%+v is accepted, but not written: %v", r, err)
		}
		if again, err := ParseRecipe(text); err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%+v becomes %+v, %v", r, again, err)
		}
		if n := onnx.NumElements(r.Shape()); n < 1 || n > 3*maxInput*maxInput {
			t.Errorf("%+v has an input of shape %v", r, r.Shape())
		}
	})
}
