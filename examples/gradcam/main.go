// Command gradcam shows how a program explains what a network sees: it writes a picture of the Grad-CAM map of the
// predicted class over the image, and says where the map is largest.
//
//	go run ./examples/gradcam MODEL.onnx IMAGE OUT.png [RECIPE]
//
// RECIPE says how images become the network's input ("torchvision-v1", say); models that carry a recipe need none.
package main

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/signal"

	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gradcam:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) < 3 || len(args) > 4 {
		return errors.New("usage: gradcam MODEL.onnx IMAGE OUT.png [RECIPE]")
	}
	model, err := onnx.Open(args[0])
	if err != nil {
		return err
	}
	defer model.Close()
	var options gradcam.Options // the zero value takes recipe, labels and layer from the model
	if len(args) == 4 {
		recipe, ok := zoo.RecipeByName(args[3])
		if !ok {
			return fmt.Errorf("no recipe %q, there are %q", args[3], zoo.RecipeNames())
		}
		options.Recipe = &recipe
	}
	explainer, err := gradcam.New(model, options)
	if err != nil {
		return err
	}
	defer explainer.Close()

	file, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer file.Close()
	picture, err := zoo.Decode(file, zoo.DecodeOptions{})
	if err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	im, err := explainer.Image(ctx, picture)
	if err != nil {
		return err
	}
	m, err := explainer.Explain(ctx, im, "gradcam", im.Predicted)
	if err != nil {
		return err
	}
	size := explainer.Recipe().Size
	y, x := m.Peak(size[0], size[1])
	fmt.Fprintf(out, "%s, %.1f %%, by what is around row %d, column %d of %dx%d\n", im.Label(m.Class), 100*im.Probability(m.Class), y, x, size[0], size[1])
	if m.Note != "" {
		fmt.Fprintln(out, m.Note)
	}

	view, err := im.View(2) // twice as large as the network sees it
	if err != nil {
		return err
	}
	overlay, err := gradcam.Overlay(view, m, gradcam.Style{Contour: []float64{0.5}})
	if err != nil {
		return err
	}
	to, err := os.Create(args[2])
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(to, overlay), to.Close())
}
