package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/demodata"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:      "demo",
		Usage:     "show transfer learning at work, offline, on data that is built in",
		ArgsUsage: "[-o DIR]",
		Description: `Takes a small network that was trained on seven classes of Fashion-MNIST, and pictures of three classes that it
never saw. It extracts the features of the pictures, learns the three classes from 50 pictures of each, and
classifies 100 others of each: by the nearest class mean, and with the network itself after fine-tuning, which it
exports as an ONNX file. It needs no network connection and no other files.

With -o, the networks, the pictures, the features and the run are written to DIR, to go on with other commands:

  onnxcnn demo
  onnxcnn demo -o tryout
  onnxcnn extract-features tryout/backbone.onnx tryout/images -o f.npz`,
		Flags: engineFlags(
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write backbone.onnx, images, features.npz, the run and classifier.onnx to `DIR`, which must be new or empty"},
			&cli.BoolFlag{Name: "force", Usage: "write to DIR even if it has other files in it"},
			jsonFlag(),
		),
		Action: demo,
	}
}

// demoResult is what demo --json prints.
type demoResult struct {
	TrainedOn     []string    `json:"trained_on"` // what the backbone knows
	Parameters    int         `json:"parameters"`
	Images        int         `json:"images"`
	Layer         string      `json:"layer"`
	Shape         []int       `json:"shape"`
	ExtractS      float64     `json:"extract_s"`
	ImagesPerS    float64     `json:"images_per_s"`
	Classes       []demoClass `json:"classes"` // what it is asked to tell apart
	Tested        int         `json:"tested"`
	Correct       int         `json:"correct"`
	Accuracy      float64     `json:"accuracy"`
	PixelAccuracy float64     `json:"pixel_accuracy"` // of the same rule on the pictures themselves
	Seconds       float64     `json:"seconds"`
	Dir           string      `json:"dir,omitempty"`

	Training demoTraining `json:"finetune"`
}

// demoClass says how well a class is recognised.
type demoClass struct {
	Name      string  `json:"name"`
	Reference int     `json:"reference"` // pictures learned from
	Tested    int     `json:"tested"`
	Correct   int     `json:"correct"`
	Accuracy  float64 `json:"accuracy"`
	Finetuned int     `json:"finetuned_correct"`
}

func demo(c *cli.Context) error {
	dir := c.String("output")
	switch {
	case c.NArg() > 0:
		return withHint(usagef("demo takes no arguments: what is %q?", c.Args().First()), "%s", seeHelp(c.Command))
	case c.IsSet("output") && dir == "":
		return usagef("-o: the name of the folder is empty")
	case c.Bool("force") && dir == "":
		return usagef("--force means something only with -o DIR")
	}
	say := func(format string, args ...any) {
		if !c.Bool("json") && !c.Bool("quiet") {
			fmt.Fprintf(c.App.Writer, format, args...)
		}
	}
	start := time.Now()
	r := demoResult{Dir: dir}
	folder, err := openDemoFolder(dir, c.Bool("force"))
	if err != nil {
		return err
	}

	m, err := onnx.Parse(demodata.Backbone())
	if err != nil {
		return err
	}
	if r.TrainedOn, err = zoo.LabelsOf(m); err != nil {
		return err
	}
	layers, err := backend.Layers(m, nil)
	if err != nil {
		return err
	}
	for _, l := range layers {
		r.Parameters += l.Params
	}
	say("1. Open a small network of %s parameters, which was trained on %d classes:\n   %s\n\n",
		thousands(r.Parameters), len(r.TrainedOn), strings.Join(r.TrainedOn, ", "))

	pictures, err := demodata.Images()
	if err != nil {
		return err
	}
	data, err := features.Folder(pictures)
	if err != nil {
		return err
	}
	reference, tested := data.Split("train").Counts(), data.Split("val").Counts()
	r.Images = len(data.Items)
	say("2. Take %d pictures of %d classes that it never saw: %s\n   (%d of each to learn from, %d of each to test on)\n\n",
		r.Images, len(data.Classes), strings.Join(data.Classes, ", "), reference[0], tested[0])
	if err := folder.writeInputs(c.Context, demodata.Backbone(), pictures, data); err != nil {
		return err
	}

	o := features.Options{Provider: c.String("provider"), Threads: c.Int("threads"), Strict: true, Warn: func(s string) { advise(c, "%s", s) }}
	o.Progress = func(p features.Progress) { r.ExtractS, r.ImagesPerS = p.Elapsed.Seconds(), p.Rate }
	x, err := features.New(m, o)
	if err != nil {
		return err
	}
	defer x.Close()
	rows, shape, err := folder.extract(c.Context, x, data)
	if err != nil {
		return err
	}
	r.Layer, r.Shape = x.Layer(), shape
	say("3. Extract their features: %s numbers a picture from layer %s,\n   in %.2f s (%.0f images/s)\n\n", formatShape(shape), r.Layer, r.ExtractS, r.ImagesPerS)

	correct, err := classify(data, rows)
	if err != nil {
		return err
	}
	for k, name := range data.Classes {
		r.Classes = append(r.Classes, demoClass{Name: name, Reference: reference[k], Tested: tested[k], Correct: correct[k], Accuracy: ratio(correct[k], tested[k])})
		r.Tested += tested[k]
		r.Correct += correct[k]
	}
	r.Accuracy = ratio(r.Correct, r.Tested)
	if r.PixelAccuracy, err = pixelAccuracy(data, x.Recipe()); err != nil {
		return err
	}
	say("4. Learn each class's mean direction, and classify the other pictures by the nearest.\n"+
		"   The same rule on the pictures themselves, without the network, gets %.1f %% right.\n\n", 100*r.PixelAccuracy)
	if err := trainDemo(c, m, data, folder, &r); err != nil {
		return err
	}
	t := r.Training
	say("5. Fine-tune: train a new head, and the network from layer %s on (%s parameters in all),\n   in %d epochs and %.1f s\n\n",
		t.From, thousands(t.Trained), t.Epochs, t.Seconds)
	r.Seconds = time.Since(start).Seconds()
	for _, note := range folder.notes() {
		advise(c, "%s", note)
	}
	if c.Bool("json") {
		return printJSON(c, r)
	}
	say("6. Evaluate both on the pictures that neither has learned from:\n\n")
	printAccuracy(c.App.Writer, r)
	say("\n7. Export the trained network as one ONNX file of %s bytes. Read back, its outputs differ from\n   the trained network's by %.1g at most.\n", thousands(int(t.Bytes)), t.Difference)
	say("\nAll in %.1f s.\n\n%s", r.Seconds, demoNext(dir, data.Classes[0]))
	return nil
}

// classify learns the classes from the rows in "train" and returns how many of each class in "val" are recognised.
// There is a row for each image of the data set.
func classify(data *features.Dataset, rows []float32) ([]int, error) {
	dim := len(rows) / len(data.Items)
	var known, unknown []float32
	var labels, want []int
	for i, it := range data.Items {
		row := rows[i*dim : (i+1)*dim]
		if it.Split == "train" {
			known, labels = append(known, row...), append(labels, it.Label)
		} else {
			unknown, want = append(unknown, row...), append(want, it.Label)
		}
	}
	rule, err := features.FitCentroids(known, labels, len(data.Classes))
	if err != nil {
		return nil, err
	}
	got, err := rule.Predict(unknown)
	if err != nil {
		return nil, err
	}
	correct := make([]int, len(data.Classes))
	for i, k := range got {
		if k == want[i] {
			correct[k]++
		}
	}
	return correct, nil
}

// pixelAccuracy tells how good the rule is without a network: on the values of the pictures, which black leaves at 0.
func pixelAccuracy(data *features.Dataset, recipe zoo.Recipe) (float64, error) {
	recipe.Mean = [3]float64{}
	dim := onnx.NumElements(recipe.Shape())
	rows := make([]float32, len(data.Items)*dim)
	for i, it := range data.Items {
		f, err := it.Open()
		if err != nil {
			return 0, err
		}
		err = recipe.Load(f, rows[i*dim:(i+1)*dim])
		f.Close()
		if err != nil {
			return 0, fmt.Errorf("%s: %w", it.Path, err)
		}
	}
	correct, err := classify(data, rows)
	if err != nil {
		return 0, err
	}
	right, all := 0, 0
	for k, n := range data.Split("val").Counts() {
		right, all = right+correct[k], all+n
	}
	return ratio(right, all), nil
}

func ratio(part, whole int) float64 { return float64(part) / float64(max(whole, 1)) }

func printAccuracy(w io.Writer, r demoResult) {
	line := func(name string, mean, tuned, tested int) {
		fmt.Fprintf(w, "   %-10s %3d of %3d %6.1f %%   %3d of %3d %6.1f %%\n", name, mean, tested, 100*ratio(mean, tested), tuned, tested, 100*ratio(tuned, tested))
	}
	fmt.Fprintf(w, "   %-10s %-19s   %s\n", "", "nearest mean", "fine-tuned")
	for _, k := range r.Classes {
		line(k.Name, k.Correct, k.Finetuned, k.Tested)
	}
	line("all", r.Correct, r.Training.Correct, r.Tested)
}

// demoNext says how to go on.
func demoNext(dir, class string) string {
	own := `
The same on pictures of your own, in a folder with a folder for each class:
  onnxcnn extract-features resnet50.onnx photos -o features.npz --recipe torchvision-v1
  onnxcnn finetune resnet50.onnx photos -o run --recipe torchvision-v1
The rule is features.FitCentroids in the Go package github.com/onnxcnn/onnxcnn/features.
`
	if dir == "" {
		return "To try other commands on this network and these pictures:\n  onnxcnn demo -o tryout\n" + own
	}
	quoted := func(elem ...string) string {
		return argument(filepath.Join(append([]string{dir}, elem...)...))
	}
	model, images := quoted("backbone.onnx"), quoted("images")
	return fmt.Sprintf("The networks, the pictures and the features are in %s:\n"+
		"  onnxcnn summary %s\n"+
		"  onnxcnn extract-features %s %s -o %s\n"+
		"  onnxcnn predict %s %s --top 2\n",
		quoted(), model, model, images, quoted("features.npz"), quoted("classifier.onnx"), quoted("images", "val", class)) + own
}

// extract computes the rows of all images, and writes them to the folder if there is one.
func (f *demoFolder) extract(ctx context.Context, x *features.Extractor, data *features.Dataset) (rows []float32, shape []int, err error) {
	file, err := f.createFeatures(data)
	if err != nil {
		return nil, nil, err
	}
	if file != nil {
		defer file.Discard()
	}
	for b, err := range x.Batches(ctx, data) {
		if err != nil {
			return nil, nil, err
		}
		rows, shape = append(rows, b.Features...), b.Shape
		if file != nil {
			if err := file.Write(b); err != nil {
				return nil, nil, err
			}
		}
	}
	if file != nil {
		err = file.Close()
	}
	return rows, shape, err
}
