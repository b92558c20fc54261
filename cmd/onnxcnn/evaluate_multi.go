package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/onnxcnn/onnxcnn/finetune/metrics"
)

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
	line("calibration error", measure(e.CalibrationError), fmt.Sprintf("expected, %d bins", len(e.Calibration)))
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
