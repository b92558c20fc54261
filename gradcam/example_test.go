package gradcam_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/internal/scenes"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// What the predicted class is seen by.
func Example() {
	m, err := onnx.Open("../testdata/models/tiny_described.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	x, err := gradcam.New(m, gradcam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	picture := zoo.PictureOf(scenes.Draw(0, rand.New(rand.NewPCG(1, 1))).Image)
	im, err := x.Image(context.Background(), picture)
	if err != nil {
		log.Fatal(err)
	}
	cam, err := x.Explain(context.Background(), im, "gradcam", im.Predicted)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: a map of %dx%d from layer %q\n", im.Label(im.Predicted), cam.H, cam.W, cam.Layer)
	// Output:
	// square: a map of 8x8 from layer "/features/features.4/Relu"
}

// A method is a function of activations and gradients: two maps of 2x2.
func ExampleGradCAM() {
	a := gradcam.Maps{Data: []float32{1, 0, 0, 0, 0, 0, 0, 4}, C: 2, H: 2, W: 2}
	g := gradcam.Maps{Data: []float32{4, -2, 0, 0, -1, 0, 0, 0}, C: 2, H: 2, W: 2}
	m := gradcam.Map{H: 2, W: 2, Values: gradcam.GradCAM(a, g)}
	fmt.Println(m.Values, m.Unit())
	// Output:
	// [0.5 0 0 -1] [1 0 0 0]
}
