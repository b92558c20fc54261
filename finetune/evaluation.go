package finetune

import (
	"context"
	"fmt"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// evaluate measures the exported file on the images of validation, as everyone who gets it can, and writes report.json
// and confusion.png.
func (r *run) evaluate(ctx context.Context, res *Result) error {
	m, err := onnx.Open(res.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	o := metrics.EvaluateOptions{Features: features.Options{Batch: r.o.Batch, Threads: r.o.Threads}}
	data := &features.Dataset{Items: r.val.items, Classes: r.data.Classes}
	if r.data.MultiLabel() {
		return r.evaluateMulti(ctx, m, data, o, res)
	}
	e, err := metrics.Evaluate(ctx, m, data, o)
	if err != nil {
		return fmt.Errorf("evaluating on the images of validation: %w", err)
	}
	e.Split = "val"
	res.Report = e.Report
	if err := atomicfile.Write(r.dir.path("report.json"), e.WriteJSON); err != nil {
		return err
	}
	return atomicfile.Write(r.dir.path("confusion.png"), e.WriteConfusion)
}

// evaluateMulti does the same for images of any number of classes: there is no confusion between these, but a curve of each.
func (r *run) evaluateMulti(ctx context.Context, m *onnx.Model, data *features.Dataset, o metrics.EvaluateOptions, res *Result) error {
	e, err := metrics.EvaluateMulti(ctx, m, data, o)
	if err != nil {
		return fmt.Errorf("evaluating on the images of validation: %w", err)
	}
	e.Split = "val"
	res.Multi = e.MultiReport
	if err := atomicfile.Write(r.dir.path("report.json"), e.WriteJSON); err != nil {
		return err
	}
	return atomicfile.Write(r.dir.path("precision_recall.png"), e.WritePrecisionRecall)
}
