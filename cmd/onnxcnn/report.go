package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/gradcam/htmlreport"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write one page about a network: how good it is, what it looks at, how it was trained",
		ArgsUsage: "RUN|MODEL DIR -o FILE.html",
		Description: `DIR has a folder of images for each class. Of a RUN and the folder that it was trained on, the images of validation
count; else those in val, where DIR has train and val inside, or those of --split.

The page shows measures and charts, the curves of a RUN, the mistakes with Grad-CAM's heat maps and the training images
that look most alike to the network, and the network's layers. It needs no other file and no network connection.

  onnxcnn report run flowers -o report.html
  onnxcnn report flowers.onnx flowers -o report.html`,
		Flags: engineFlags(recipeFlags(imageFlags(
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`"},
			&cli.IntFlag{Name: "mistakes", Value: 12, Usage: "show up to `N` mistakes, of the most confident and of the worst"},
			&cli.IntFlag{Name: "nearest", Value: 3, Usage: "show `N` training images with each mistake"},
			&cli.Float64Flag{Name: "val-split", Value: 0.2, Usage: "the `SHARE` that finetune held back, as it was given there"},
			&cli.StringFlag{Name: "split", Usage: "use the images of `PART`: val, train, test or all. By default val, where there is one"},
			&cli.StringFlag{Name: "classes", Usage: "`FILE` with the class names in the order of the outputs"},
			&cli.BoolFlag{Name: "allow-missing", Usage: "let classes of the network be without folder"},
		)...)...),
		Action: writeReport,
	}
}

func writeReport(c *cli.Context) error {
	model, rest, err := firstArg(c, "of what? Give the folder of a run, or an ONNX file")
	switch {
	case err != nil:
		return err
	case len(rest) != 1:
		return withHint(usagef("report takes one folder of images"), "%s", seeHelp(c.Command))
	case c.String("output") == "":
		return withHint(usagef("where to? Give -o FILE"), "%s", seeHelp(c.Command))
	case c.Int("mistakes") < 1 || c.Int("nearest") < 0:
		return usagef("--mistakes %d, --nearest %d: want 1 or more, and 0 or more", c.Int("mistakes"), c.Int("nearest"))
	}
	o := htmlreport.Options{Worst: c.Int("mistakes"), Nearest: c.Int("nearest"), Warn: func(s string) { advise(c, "%s", s) }}
	name := model
	var run *finetune.FinishedRun
	if s, err := os.Stat(model); err == nil && s.IsDir() {
		if run, err = finetune.OpenRun(model); err != nil {
			return err
		}
		model, o.History = run.Model, finetune.Curves(run.History)
	}
	var m *onnx.Model
	if m, o.Features, err = imageNetwork(c, model); err != nil {
		return err
	}
	defer m.Close()
	eo := metrics.EvaluateOptions{Features: o.Features, AllowMissing: c.Bool("allow-missing"), Report: metrics.Options{Mistakes: c.Int("mistakes")}}
	if file := c.String("classes"); file != "" {
		if eo.Labels, err = readLabels(file); err != nil {
			return err
		}
	}
	data, split, train, err := reportImages(c, rest[0], run)
	if err != nil {
		return err
	}
	o.Train = train
	layers, err := layersOf(c, m)
	if err != nil {
		return err
	}
	o.Summary = newSummary(strings.TrimSuffix(filepath.Base(model), filepath.Ext(model)), m, layers, nil, func(i int) int { return layers[i].Params }).table(false)
	progress := newBar(c, len(data.Items), "images")
	defer progress.clear()
	skip := &skips{c: c, bar: progress}
	eo.Features.Progress, eo.Skip = func(p features.Progress) { progress.set(p.Done) }, skip.add
	e, err := metrics.Evaluate(c.Context, m, data, eo)
	progress.clear()
	if err != nil {
		return adviseClasses(c, err)
	}
	e.Model, e.Data, e.Split = name, rest[0], split
	if err := htmlreport.Write(c.Context, c.String("output"), m, e, o); err != nil {
		return err
	}
	if !c.Bool("quiet") {
		fmt.Fprintf(c.App.Writer, "%s: accuracy %s of %s images\n", c.String("output"), percentOf(e.Accuracy), thousands(e.Samples))
	}
	return errors.Join(skip.result(len(data.Items)))
}

// reportImages returns the images that a report is about, the name of their part, and those that the network has learned
// from, nil where they are not known.
func reportImages(c *cli.Context, dir string, run *finetune.FinishedRun) (*features.Dataset, string, *features.Dataset, error) {
	if run != nil && !c.IsSet("split") {
		all, err := imagesOf(c, []string{dir})
		if err != nil {
			return nil, "", nil, err
		}
		if d, same := run.Divide(all, c.Float64("val-split")); same {
			return &features.Dataset{Items: d.Val, Classes: d.Classes}, "val", &features.Dataset{Items: d.Train, Classes: d.Classes}, nil
		}
		advise(c, "%s does not hold the images of the run as they were divided there: it is taken as other data", dir)
	}
	all, err := imagesOf(c, []string{dir})
	if err != nil {
		return nil, "", nil, err
	}
	data, split, err := evaluationImages(c, dir)
	if err != nil || !slices.ContainsFunc(all.Items, func(it features.Item) bool { return it.Split == "train" }) {
		return data, split, nil, err
	}
	return data, split, all.Split("train"), nil
}
