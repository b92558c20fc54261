package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func evaluateCommand() *cli.Command {
	return &cli.Command{
		Name:      "evaluate",
		Usage:     "tell how good a network is on labelled images",
		ArgsUsage: "MODEL DIR",
		Description: `DIR has a folder of images for each class. If it has train and val (or validation) inside, the images in val count,
or those of --split.

The folders must have the names of the network's classes, which the model stores. The names of others are given by
--classes; without any, the folders in byte order are taken for the network's outputs, with a warning, if there are
as many.

It shows accuracy, precision, recall and F1 of each class, the area under the ROC curve (AUC), log loss and
calibration, and the commonest and the most confident mistakes. --report writes a folder with a page for the browser
(index.html), charts (PNG), report.json, and predictions.csv with a line an image.

With --labels-csv images may have any number of classes: it shows average precision, AUC, precision, recall and F1 of
each class, and the threshold that would be best for its F1. The report has precision-recall curves then.

  onnxcnn evaluate flowers.onnx flowers/val
  onnxcnn evaluate flowers.onnx flowers --report report
  onnxcnn evaluate resnet50.onnx imagenet/val --classes labels.txt --recipe torchvision-v1 --top 5`,
		Flags: engineFlags(recipeFlags(imageFlags(
			&cli.StringFlag{Name: "report", Usage: "write a page, charts and tables to the folder `DIR`, which must be new, empty or an older report"},
			&cli.IntSliceFlag{Name: "top", Usage: "show how often the right class is among the `K` most probable; may be repeated. By default 5, where there are more classes"},
			&cli.StringFlag{Name: "split", Usage: "use the images of `PART`: val, train, test or all. By default val, where there is one"},
			&cli.StringFlag{Name: "classes", Usage: "`FILE` with the class names in the order of the outputs, one a line or as a JSON array; they must be the stored ones, if the model stores some"},
			&cli.StringFlag{Name: "labels-csv", Usage: "`FILE` with the images in DIR and their classes, any number each, as finetune takes it"},
			&cli.BoolFlag{Name: "allow-missing", Usage: "let classes of the network be without folder"},
			jsonFlag(),
		)...)...),
		Action: evaluate,
	}
}

func evaluate(c *cli.Context) error {
	model, dir, err := modelAndFolder(c)
	switch {
	case err != nil:
		return err
	case c.IsSet("report") && c.String("report") == "":
		return usagef("--report: the name of the folder is empty")
	case slices.ContainsFunc(c.IntSlice("top"), func(k int) bool { return k < 1 }):
		return usagef("--top %v: want 1 or more", c.IntSlice("top"))
	}
	o := metrics.EvaluateOptions{AllowMissing: c.Bool("allow-missing")}
	o.Report.TopK = c.IntSlice("top")
	if len(o.Report.TopK) == 0 {
		o.Report.TopK = nil
	}
	var m *onnx.Model
	if m, o.Features, err = imageNetwork(c, model); err != nil {
		return err
	}
	defer m.Close()
	if file := c.String("classes"); file != "" {
		if o.Labels, err = readLabels(file); err != nil {
			return err
		}
	}
	data, split, err := evaluationImages(c, dir)
	if err != nil {
		return err
	}
	report := c.String("report")
	if report != "" {
		if err := metrics.CheckFolder(report); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	progress := newBar(c, len(data.Items), "images")
	defer progress.clear()
	skip := &skips{c: c, bar: progress}
	o.Features.Progress = func(p features.Progress) { progress.set(p.Done) }
	o.Skip = skip.add
	var e evaluated
	var print func(io.Writer) error
	if c.String("labels-csv") != "" {
		var r *metrics.MultiEvaluation
		if r, err = metrics.EvaluateMulti(c.Context, m, data, o); err == nil {
			r.Model, r.Data, r.Split = model, dir, split
			e, print = r, func(w io.Writer) error { return printMulti(w, r) }
		}
	} else {
		var r *metrics.Evaluation
		if r, err = metrics.Evaluate(c.Context, m, data, o); err == nil {
			r.Model, r.Data, r.Split = model, dir, split
			e, print = r, func(w io.Writer) error { return printEvaluation(w, r) }
		}
	}
	progress.clear()
	if err != nil {
		return adviseClasses(c, err)
	}
	if report != "" {
		if err := e.WriteFolder(report); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	if c.Bool("json") {
		err = e.WriteJSON(c.App.Writer)
	} else {
		err = print(c.App.Writer)
		if report != "" {
			fmt.Fprintf(c.App.Writer, "\nReport: %s\n", metrics.Page(report))
		}
	}
	return errors.Join(err, skip.result(len(data.Items)))
}

// evaluated is an evaluation of images of one class each, or of any number.
type evaluated interface {
	WriteFolder(dir string) error
	WriteJSON(w io.Writer) error
}

// adviseClasses says what to do where classes and folders do not match.
func adviseClasses(c *cli.Context, err error) error {
	var wrong *metrics.ClassError
	switch {
	case !errors.As(err, &wrong):
		return err
	case len(wrong.Extra) == 0:
		return withHint(err, "--allow-missing evaluates on the classes that are there")
	case !c.IsSet("classes"):
		return withHint(err, "rename the folders: each must have the name of a class")
	}
	return withHint(err, "each name in --classes must be that of a folder")
}

// evaluationImages returns the images to evaluate on, and the name of the split that they are.
func evaluationImages(c *cli.Context, dir string) (*features.Dataset, string, error) {
	want := c.String("split")
	if !slices.Contains([]string{"", "val", "train", "test", "all"}, want) {
		return nil, "", usagef("--split %s: want val, train, test or all", want)
	}
	if dir == "-" {
		return nil, "", usagef("evaluate takes a folder, not a list: the folders are the classes")
	}
	var data *features.Dataset
	var err error
	if table := c.String("labels-csv"); table != "" {
		data, err = tableOf(c, table, dir, false)
	} else {
		data, err = imagesOf(c, []string{dir})
	}
	if err != nil {
		return nil, "", err
	}
	isSplit := slices.ContainsFunc(data.Items, func(it features.Item) bool { return it.Split != "" })
	switch {
	case !isSplit && want != "" && want != "all":
		return nil, "", usagef("--split %s: %s has no folders train and val", want, dir)
	case !isSplit || want == "all":
		return data, "", nil
	case want == "":
		want = "val"
	}
	part := data.Split(want)
	if len(part.Items) == 0 {
		return nil, "", fmt.Errorf("%s: no images in %s", dir, want)
	}
	return part, want, nil
}

// printEvaluation prints the numbers: the totals first, since they are what one looks for.
func printEvaluation(w io.Writer, e *metrics.Evaluation) error {
	b := &strings.Builder{}
	line := func(name, value, note string) {
		fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("%-19s %-9s %s", name, value, note), " "))
	}
	line("accuracy", percentOf(e.Accuracy), fmt.Sprintf("%s of %s (95 %% confidence: %s to %s)",
		thousands(e.Correct), thousands(e.Samples), percentOf(e.AccuracyLow), percentOf(e.AccuracyHigh)))
	for _, t := range e.TopK {
		line(fmt.Sprintf("top-%d accuracy", t.K), percentOf(t.Accuracy), "")
	}
	line("balanced accuracy", percentOf(e.BalancedAccuracy), "mean recall of the classes")
	line("macro F1", measure(e.Macro.F1), fmt.Sprintf("weighted %s", measure(e.Weighted.F1)))
	line("AUC", value(e.AUC), "mean area under the ROC curves, one class against the others")
	line("average precision", value(e.AveragePrecision), "mean of the classes")
	line("log loss", measure(e.LogLoss), "")
	line("Brier score", measure(e.Brier), "")
	line("calibration error", measure(e.CalibrationError), fmt.Sprintf("expected, %d bins", len(e.Calibration)))
	b.WriteString("\n")
	classTable(b, e.Report)
	confusedTable(b, e.Confused)
	mistakeTable(b, e.Mistakes)
	if e.Seconds > 0 {
		fmt.Fprintf(b, "\n%s images in %.2f s (%.1f images/s)\n", thousands(e.Samples+len(e.Skipped)), e.Seconds, e.PerSecond)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func percentOf(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }

func measure(v float64) string { return fmt.Sprintf("%.4f", v) }

// value prints a measure that may be undefined.
func value(v metrics.Value) string {
	if !v.Defined() {
		return "-"
	}
	return measure(float64(v))
}

func classTable(w io.Writer, r *metrics.Report) {
	wide := len("weighted average")
	for _, k := range r.Classes {
		wide = max(wide, utf8.RuneCountInString(k.Name))
	}
	row := func(name, support, precision, recall, f1, auc, ap string) {
		s := fmt.Sprintf("%-*s %8s %10s %8s %8s %8s %8s", wide, name, support, precision, recall, f1, auc, ap)
		fmt.Fprintln(w, strings.TrimRight(s, " "))
	}
	averages := func(name string, a metrics.Averages, auc, ap string) {
		row(name, thousands(r.Samples), measure(a.Precision), measure(a.Recall), measure(a.F1), auc, ap)
	}
	row("class", "images", "precision", "recall", "F1", "AUC", "AP")
	for _, k := range r.Classes {
		row(k.Name, thousands(k.Support), measure(k.Precision), measure(k.Recall), measure(k.F1), value(k.AUC), value(k.AveragePrecision))
	}
	averages("macro average", r.Macro, value(r.AUC), value(r.AveragePrecision))
	averages("weighted average", r.Weighted, "", "")
}

// shown is how many lines the tables of mistakes have.
const shown = 10

func confusedTable(w io.Writer, pairs []metrics.Pair) {
	if len(pairs) == 0 {
		return
	}
	fmt.Fprintln(w, "\nmost often confused:")
	for _, p := range pairs[:min(len(pairs), shown)] {
		fmt.Fprintf(w, "%8s  %s taken for %s: %s of its images\n", thousands(p.Count), p.Actual, p.Predicted, percentOf(p.Share))
	}
}

func mistakeTable(w io.Writer, list []metrics.Mistake) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "\nmost confident mistakes:")
	for _, m := range list[:min(len(list), shown)] {
		fmt.Fprintf(w, "%8s  %s for %s: %s\n", percentOf(m.Probability), m.Predicted, m.Actual, printable(m.Path))
	}
}
