package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// MultiEvaluation is how good a network is on images that have any number of classes each.
type MultiEvaluation struct {
	Model     string         `json:"model"`
	Data      string         `json:"data"`            // where the images are from; EvaluateMulti leaves it empty
	Split     string         `json:"split,omitempty"` // the part of the data set, likewise
	Skipped   []SkippedImage `json:"skipped"`
	Seconds   float64        `json:"seconds"`
	PerSecond float64        `json:"images_per_s"`
	*MultiReport

	Predictions MultiPredictions `json:"-"` // of the images that were not skipped
	Items       []features.Item  `json:"-"` // the image of each sample
}

// WriteJSON writes the evaluation as JSON, without the predictions.
func (e *MultiEvaluation) WriteJSON(w io.Writer) error { return writeJSON(w, e) }

// WriteFolder writes everything about the evaluation to a folder, as [Evaluation.WriteFolder] does: index.html, report.json,
// predictions.csv, precision_recall.png, roc.png and calibration.png.
func (e *MultiEvaluation) WriteFolder(dir string) error {
	return writeFolder(dir, []folderFile{
		{reportFile, e.WriteJSON},
		{predictionsFile, e.Predictions.WriteCSV},
		{recallFile, e.WritePrecisionRecall},
		{rocFile, e.WriteROC},
		{calibrationFile, e.WriteCalibration},
		{pageFile, e.WritePage},
	})
}

// EvaluateMulti runs a network on the images of a data set that have any number of classes each, and compares. The network
// must have an output a class, and either say that these are logits each on its own ([zoo.IsMultiLabel]) or end in
// Sigmoid. Names are matched as [Evaluate] does; of Report nothing applies.
func EvaluateMulti(ctx context.Context, m *onnx.Model, d *features.Dataset, o EvaluateOptions) (*MultiEvaluation, error) {
	e := &MultiEvaluation{Model: m.Path(), Skipped: []SkippedImage{}}
	labels, err := labelsOf(m, o.Labels)
	if err != nil {
		return nil, named(m, err)
	}
	if labels == nil {
		labels = d.Classes
		if o.Features.Warn != nil {
			o.Features.Warn(fmt.Sprintf("the model does not store the names of its classes: its outputs are taken for the classes in byte order, %s", names(labels)))
		}
	}
	output, err := MatchClasses(labels, d.Classes, o.AllowMissing)
	if err != nil {
		return nil, named(m, err)
	}
	c, err := features.NewClassifier(m, labels, o.Features)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if !c.MultiLabel() {
		return nil, named(m, errors.New("the network tells which one of its classes an image has, and these images have any number: train on them first, or give one class each"))
	}
	e.Predictions.Classes = labels
	start := time.Now()
	for p, err := range c.Predict(ctx, d, 0) {
		var s *features.Skip
		if errors.As(err, &s) && !o.Features.Strict {
			if o.Skip != nil {
				o.Skip(s)
			}
			e.Skipped = append(e.Skipped, SkippedImage{s.Item.Path, s.Err.Error()})
			continue
		}
		if err != nil {
			return nil, err
		}
		e.add(p, output)
	}
	if len(e.Predictions.Truth) == 0 {
		return nil, fmt.Errorf("none of the %d images could be read", len(d.Items))
	}
	e.Seconds = time.Since(start).Seconds()
	e.PerSecond = float64(len(d.Items)) / e.Seconds
	e.MultiReport, err = ComputeMulti(e.Predictions)
	return e, err
}

// add takes in what the network says of an image. output has the output of each class of the data.
func (e *MultiEvaluation) add(p features.Prediction, output []int) {
	all := &e.Predictions
	k := len(all.Classes)
	n := len(all.Truth)
	all.Truth = slices.Grow(all.Truth, k)[:n+k]
	all.Probabilities = slices.Grow(all.Probabilities, k)[:n+k]
	for _, s := range p.Scores {
		all.Truth[n+s.Class], all.Probabilities[n+s.Class] = false, s.Probability
	}
	for _, c := range p.Item.Labels {
		all.Truth[n+output[c]] = true
	}
	if p.Item.Label >= 0 {
		all.Truth[n+output[p.Item.Label]] = true
	}
	all.Paths = append(all.Paths, p.Item.Path)
	e.Items = append(e.Items, p.Item)
}
