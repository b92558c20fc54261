package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// evaluateMulti evaluates on images that have any number of classes each.
func evaluateMulti(c *cli.Context, m *onnx.Model, dir string, o metrics.EvaluateOptions) error {
	data, split, err := evaluationImages(c, dir)
	if err != nil {
		return err
	}
	progress := newBar(c, len(data.Items), "images")
	defer progress.clear()
	skip := &skips{c: c, bar: progress}
	o.Features.Progress = func(p features.Progress) { progress.set(p.Done) }
	o.Skip = skip.add
	e, err := metrics.EvaluateMulti(c.Context, m, data, o)
	progress.clear()
	if err != nil {
		return adviseClasses(c, err)
	}
	e.Data, e.Split = dir, split
	report := c.String("report")
	if report != "" {
		if err := e.WriteFolder(report); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	if c.Bool("json") {
		err = e.WriteJSON(c.App.Writer)
	} else {
		err = printMulti(c.App.Writer, e)
		if report != "" {
			fmt.Fprintf(c.App.Writer, "\nReport: %s\n", filepath.Join(report, "report.json"))
		}
	}
	return errors.Join(err, skip.result(len(data.Items)))
}

// printMulti prints the numbers: the totals first, since they are what one looks for.
func printMulti(w io.Writer, e *metrics.MultiEvaluation) error {
	b := &strings.Builder{}
	line := func(name, value, note string) {
		fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("%-23s %-9s %s", name, value, note), " "))
	}
	line("mean average precision", value(e.AveragePrecision), "over the classes")
	line("AUC", value(e.AUC), "mean area under the ROC curves")
	line("right answers", percentOf(e.Accuracy), fmt.Sprintf("of %s images with %d classes", thousands(e.Samples), len(e.Classes)))
	line("all classes right", percentOf(e.Exact), "of the images")
	line("micro F1", measure(e.Micro.F1), fmt.Sprintf("macro %s", measure(e.Macro.F1)))
	line("log loss", measure(e.LogLoss), "")
	b.WriteString("\n")
	wide := len("class")
	for _, k := range e.Classes {
		wide = max(wide, utf8.RuneCountInString(k.Name))
	}
	row := func(name string, cells ...string) {
		fmt.Fprintf(b, "%-*s", wide, name)
		for i, cell := range cells {
			fmt.Fprintf(b, " %*s", []int{8, 8, 8, 10, 8, 8, 10, 8}[i], cell)
		}
		b.WriteString("\n")
	}
	row("class", "images", "AP", "AUC", "precision", "recall", "F1", "threshold", "its F1")
	for _, k := range e.Classes {
		row(k.Name, thousands(k.Support), value(k.AveragePrecision), value(k.AUC), measure(k.Precision), measure(k.Recall), measure(k.F1), value(k.Threshold), value(k.BestF1))
	}
	if e.Seconds > 0 {
		fmt.Fprintf(b, "\n%s images in %.2f s (%.1f images/s)\n", thousands(e.Samples+len(e.Skipped)), e.Seconds, e.PerSecond)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
