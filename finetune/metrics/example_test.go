package metrics_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
)

func ExampleCompute() {
	r, err := metrics.Compute(metrics.Predictions{
		Classes:       []string{"cat", "dog"},
		Labels:        []int{0, 0, 1, 1},
		Probabilities: []float64{0.9, 0.1, 0.4, 0.6, 0.2, 0.8, 0.3, 0.7},
	}, metrics.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("accuracy %.2f, AUC %.2f\n", r.Accuracy, r.AUC)
	for _, c := range r.Classes {
		fmt.Printf("%s: precision %.2f, recall %.2f\n", c.Name, c.Precision, c.Recall)
	}
	for _, p := range r.Confused {
		fmt.Printf("%d %s taken for %s\n", p.Count, p.Actual, p.Predicted)
	}
	// Output:
	// accuracy 0.75, AUC 1.00
	// cat: precision 1.00, recall 0.50
	// dog: precision 0.67, recall 1.00
	// 1 cat taken for dog
}

// A network with a single output gives the probability of the second class.
func ExampleBinary() {
	r, err := metrics.Compute(metrics.Predictions{
		Classes:       []string{"healthy", "ill"},
		Labels:        []int{0, 1, 1},
		Probabilities: metrics.Binary([]float64{0.1, 0.4, 0.9}),
	}, metrics.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("found %d of %d\n", r.Classes[1].Correct, r.Classes[1].Support)
	// Output: found 1 of 2
}

// A network on a folder of classes; usually both are read with onnx.Open and features.Open.
func ExampleEvaluate() {
	model := colourNet([]string{"red", "green", "blue"})
	data, err := features.Folder(fstest.MapFS{
		"blue/1.png": square(8, blue), "green/1.png": square(8, green), "red/1.png": square(8, red), "red/2.png": square(8, green),
	})
	if err != nil {
		log.Fatal(err)
	}
	e, err := metrics.Evaluate(context.Background(), model, data, metrics.EvaluateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d of %d\n", e.Correct, e.Samples)
	for _, m := range e.Mistakes {
		fmt.Printf("%s is %s, not %s\n", m.Path, m.Actual, m.Predicted)
	}
	// Output:
	// 3 of 4
	// red/2.png is red, not green
}
