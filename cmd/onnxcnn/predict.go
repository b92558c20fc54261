package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
)

func predictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "tell what images show: labels and probabilities",
		ArgsUsage: "MODEL IMAGE...",
		Description: `An IMAGE may also be a folder of images, or - for a list of files on the standard input.

The labels are those of --labels, else those in the model's metadata, else ImageNet's where the network has 1000
outputs, else numbers. Probabilities are the softmax of the network's output, unless it ends in one itself.

  onnxcnn predict resnet50.onnx cat.jpg --recipe torchvision-v1
  onnxcnn predict flowers.onnx photos --top 1 --json`,
		Flags: engineFlags(recipeFlags(imageFlags(
			&cli.IntFlag{Name: "top", Value: 5, Usage: "show the `N` most probable classes; 0 shows all"},
			&cli.StringFlag{Name: "labels", Usage: "`FILE` with the class names in the order of the outputs, one a line or as a JSON array"},
			jsonFlag(),
		)...)...),
		Action: predict,
	}
}

// prediction is what predict --json prints of an image: the classes, or why there are none.
type prediction struct {
	Path string  `json:"path"`
	Top  []score `json:"top"`
}

type score struct {
	Class       int     `json:"class"`
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

func predict(c *cli.Context) error {
	model, paths, err := modelAndImages(c)
	if err != nil {
		return err
	}
	if c.Int("top") < 0 {
		return usagef("--top %d: want 0 for all, or more", c.Int("top"))
	}
	m, o, err := imageNetwork(c, model)
	if err != nil {
		return err
	}
	defer m.Close()
	var labels []string
	if file := c.String("labels"); file != "" {
		if labels, err = readLabels(file); err != nil {
			return err
		}
	}
	data, err := imagesOf(c, paths)
	if err != nil {
		return err
	}
	progress := newBar(c, len(data.Items), "images")
	defer progress.clear()
	o.Progress = func(p features.Progress) { progress.set(p.Done) }
	classifier, err := features.NewClassifier(m, labels, o)
	if err != nil {
		return err
	}
	defer classifier.Close()

	skip := &skips{c: c, bar: progress}
	all := []any{}
	for p, err := range classifier.Predict(c.Context, data, c.Int("top")) {
		var s *features.Skip
		switch {
		case errors.As(err, &s) && !o.Strict:
			skip.add(s)
			all = append(all, skip.list[len(skip.list)-1])
		case err != nil:
			return err
		case c.Bool("json"):
			all = append(all, jsonPrediction(p))
		default:
			progress.clear()
			printPrediction(c, p)
		}
	}
	progress.clear()
	if c.Bool("json") {
		err = printJSON(c, all)
	}
	return errors.Join(err, skip.result(len(data.Items)))
}

func jsonPrediction(p features.Prediction) prediction {
	out := prediction{Path: p.Item.Path}
	for _, s := range p.Scores {
		out.Top = append(out.Top, score{s.Class, labelOf(s), s.Probability})
	}
	return out
}

func printPrediction(c *cli.Context, p features.Prediction) {
	fmt.Fprintln(c.App.Writer, printable(p.Item.Path))
	for _, s := range p.Scores {
		fmt.Fprintf(c.App.Writer, "%8.2f %%  %s\n", 100*s.Probability, printable(labelOf(s)))
	}
}

// labelOf returns a class's name, its number where it has none.
func labelOf(s features.Score) string {
	if s.Label == "" {
		return fmt.Sprint("class ", s.Class)
	}
	return s.Label
}

// readLabels reads class names, one a line or as a JSON array.
func readLabels(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, missingFile(file, err)
	}
	var labels []string
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		if err := json.Unmarshal(data, &labels); err != nil {
			return nil, fmt.Errorf("%s: labels: %w", file, err)
		}
	} else {
		for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
			labels = append(labels, strings.TrimSpace(s.Text()))
		}
		for len(labels) > 0 && labels[len(labels)-1] == "" {
			labels = labels[:len(labels)-1]
		}
	}
	if len(labels) == 0 {
		return nil, fmt.Errorf("%s: no labels", file)
	}
	return labels, nil
}
