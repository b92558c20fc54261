package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func extractFeaturesCommand() *cli.Command {
	return &cli.Command{
		Name:      "extract-features",
		Usage:     "write what a layer of the network says about images to a file",
		ArgsUsage: "MODEL PATH... -o FILE",
		Description: `A PATH is an image, a folder of images, or a folder with a folder for each class; - reads a list of files from
the standard input, one a line (or each followed by NUL, as "find -print0" writes them).

Without --at the features are what the network's classifier gets: 2048 numbers an image for ResNet50. Feature maps
are averaged over height and width unless --pool says otherwise.

The extension of FILE chooses the format: .npz holds features, paths, labels and classes for numpy.load; .npy the
features alone; .csv and .parquet a row an image; .safetensors the tensors features and labels, and paths and
classes as metadata. "-o -" prints CSV. Images that cannot be read are named and left out, and the exit status is 3.

  onnxcnn extract-features resnet50.onnx photos/train -o train.npz --recipe torchvision-v1
  onnxcnn extract-features vgg16.onnx cat.jpg dog.jpg -o maps.npz --at 28 --pool none
  find . -name "*.jpg" | onnxcnn extract-features m.onnx - -o f.parquet --augment standard --views 5`,
		Flags: engineFlags(recipeFlags(imageFlags(
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE` (" + strings.Join(features.Formats, " ") + "), or - for CSV on the standard output"},
			&cli.StringFlag{Name: "at", Usage: "take `LAYER`: a number or name that \"onnxcnn layers\" shows, or a block such as layer4"},
			&cli.StringFlag{Name: "pool", Value: "auto", Usage: "`HOW` height and width go: auto, none, avg, max or flatten"},
			&cli.StringFlag{Name: "augment", Usage: "change each view at random by `SPEC`: standard, or as \"rotate=15,hflip=0.5,crop=0.8..1\""},
			&cli.IntFlag{Name: "views", Value: 1, Usage: "write `K` rows an image, each of another view (with --augment)"},
			seedFlag(), jsonFlag(),
		)...)...),
		Action: extractFeatures,
	}
}

// extraction is what extract-features --json prints.
type extraction struct {
	File      string    `json:"file"`
	Rows      int       `json:"rows"`
	Shape     []int     `json:"shape"`
	Layer     string    `json:"layer"`
	Classes   []string  `json:"classes"`
	Skipped   []skipped `json:"skipped"`
	Seconds   float64   `json:"seconds"`
	PerSecond float64   `json:"images_per_s"`
}

func extractFeatures(c *cli.Context) error {
	model, paths, err := modelAndImages(c)
	if err != nil {
		return err
	}
	out := c.String("output")
	if err := checkOutput(c, out); err != nil {
		return err
	}
	pool, err := features.ParsePool(c.String("pool"))
	if err != nil {
		return usagef("--pool: %w", err)
	}
	augment, err := zoo.ParseAugment(c.String("augment"))
	if err != nil {
		return usagef("--augment: %w", err)
	}
	switch views := c.Int("views"); {
	case views < 1:
		return usagef("--views %d: want 1 or more", views)
	case views > 1 && augment.IsNone():
		return usagef("--views %d: the views would be the same without --augment", views)
	}
	m, o, err := imageNetwork(c, model)
	if err != nil {
		return err
	}
	defer m.Close()
	o.At, o.Pool, o.Augment, o.Views, o.Seed = c.String("at"), pool, augment, c.Int("views"), uint64(c.Int64("seed"))
	data, err := imagesOf(c, paths)
	if err != nil {
		return err
	}
	progress := newBar(c, len(data.Items), "images")
	defer progress.clear()
	var done features.Progress
	o.Progress = func(p features.Progress) { done = p; progress.set(p.Done) }
	x, err := features.New(m, o)
	if err != nil {
		return err
	}
	defer x.Close()

	var file *features.File
	if out == "-" {
		file = features.WriteCSV(c.App.Writer, data.Classes)
	} else if file, err = features.Create(out, data.Classes); err != nil {
		return err
	}
	defer file.Discard()
	skip := &skips{c: c, bar: progress}
	for batch, err := range x.Batches(c.Context, data) {
		if err != nil {
			return err
		}
		for i := range batch.Skipped {
			skip.add(&batch.Skipped[i])
		}
		if err := file.Write(batch); err != nil {
			return err
		}
	}
	progress.clear()
	result := skip.result(len(data.Items))
	if file.Rows() == 0 {
		return result
	}
	if err := errors.Join(c.Context.Err(), file.Close()); err != nil {
		return err
	}
	switch {
	case out == "-":
	case c.Bool("json"):
		e := extraction{out, file.Rows(), file.Shape(), x.Layer(), data.Classes, skip.list, done.Elapsed.Seconds(), done.Rate}
		if e.Classes == nil {
			e.Classes = []string{}
		}
		if e.Skipped == nil {
			e.Skipped = []skipped{}
		}
		err = printJSON(c, e)
	case !c.Bool("quiet"):
		fmt.Fprintf(c.App.Writer, "%s: %d rows of %s from layer %s in %v (%.1f images/s)\n",
			out, file.Rows(), formatShape(file.Shape()), x.Layer(), done.Elapsed.Round(10*time.Millisecond), done.Rate)
	}
	return errors.Join(err, result)
}

// checkOutput refuses a name before the work is done that would be refused after it.
func checkOutput(c *cli.Context, out string) error {
	switch {
	case out == "":
		return withHint(usagef("where to? Give -o FILE"), "%s", seeHelp(c.Command))
	case out == "-" && c.Bool("json"):
		return usagef("-o - prints CSV, which --json would be mixed with")
	case out != "-" && !slices.Contains(features.Formats, strings.ToLower(filepath.Ext(out))):
		return usagef("-o %s: the extension is none of %s", out, strings.Join(features.Formats, " "))
	}
	return nil
}
