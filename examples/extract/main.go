// Command extract shows how a program uses a network as a feature extractor: for each image of a folder it names the
// image that looks most alike to the network.
//
//	go run ./examples/extract MODEL.onnx FOLDER [RECIPE]
//
// RECIPE says how images become the network's input ("torchvision-v1", say); models that carry a recipe need none.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "extract:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) < 2 || len(args) > 3 {
		return errors.New("usage: extract MODEL.onnx FOLDER [RECIPE]")
	}
	model, err := onnx.Open(args[0])
	if err != nil {
		return err
	}
	defer model.Close()

	var options features.Options // the zero value takes layer, pooling and recipe from the model
	if len(args) == 3 {
		recipe, ok := zoo.RecipeByName(args[2])
		if !ok {
			return fmt.Errorf("no recipe %q, there are %q", args[2], zoo.RecipeNames())
		}
		options.Recipe = &recipe
	}
	extractor, err := features.New(model, options)
	if err != nil {
		return err
	}
	defer extractor.Close()

	images, err := features.Open(args[1])
	if err != nil {
		return err
	}
	var rows []features.Row
	for row, err := range extractor.Rows(ctx, images) {
		if features.IsSkip(err) {
			fmt.Fprintln(out, "skipped", err)
			continue
		}
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	for i, row := range rows {
		best, similarity := -1, math.Inf(-1)
		for j, other := range rows {
			if s := cosine(row.Features, other.Features); j != i && s > similarity {
				best, similarity = j, s
			}
		}
		if best >= 0 {
			fmt.Fprintf(out, "%s is most like %s (%.4f)\n", row.Item.Path, rows[best].Item.Path, similarity)
		}
	}
	return nil
}

// cosine returns the cosine of the angle between two vectors: 1 for the same direction.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}
