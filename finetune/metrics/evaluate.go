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

// EvaluateOptions say how a network is evaluated. The zero value takes everything from the model.
type EvaluateOptions struct {
	// Features say how images become the network's input and what runs it; At, Pool, Views and Augment do not apply.
	Features features.Options

	// Labels are the names of the network's outputs in their order. They need not be given where the model stores
	// them; if they are, they must be the same.
	Labels []string

	// AllowMissing lets classes that the network knows be without images. A class of the data that the network does
	// not know is always an error.
	AllowMissing bool

	Skip   func(*features.Skip) // told of each image that is skipped, at once; may be nil
	Report Options
}

// Evaluation is how good a network is on a data set.
type Evaluation struct {
	Model     string         `json:"model"`           // the model's file, "" where it has none
	Data      string         `json:"data"`            // where the images are from; Evaluate leaves it empty
	Split     string         `json:"split,omitempty"` // the part of the data set, likewise
	Skipped   []SkippedImage `json:"skipped"`
	Seconds   float64        `json:"seconds"`
	PerSecond float64        `json:"images_per_s"`
	*Report

	Predictions Predictions     `json:"-"` // of the images that were not skipped
	Items       []features.Item `json:"-"` // the image of each sample
}

// SkippedImage is an image that could not be read.
type SkippedImage struct {
	Path   string `json:"path"`
	Reason string `json:"error"`
}

// WriteJSON writes the evaluation as JSON, without the predictions.
func (e *Evaluation) WriteJSON(w io.Writer) error { return writeJSON(w, e) }

// Evaluate runs a network on the images of a data set that have a label, and compares.
//
// The classes of the data set are matched with the network's outputs by name; see [MatchClasses] for what is an error.
// Where the outputs have no names, and are as many as the classes, the classes are taken in their order, and
// Features.Warn is told. Probabilities are computed as [features.NewClassifier] says; a network with a single output
// has two classes.
//
// Images that cannot be read are skipped, unless Features.Strict. It is an error if none can be read.
func Evaluate(ctx context.Context, m *onnx.Model, d *features.Dataset, o EvaluateOptions) (*Evaluation, error) {
	run := &evaluation{o: o, data: d, result: &Evaluation{Model: m.Path(), Skipped: []SkippedImage{}}}
	labelled, err := run.labelled()
	if err != nil {
		return nil, err
	}
	run.labels, err = labelsOf(m, o.Labels)
	if err == nil && run.labels != nil {
		// Before anything is computed.
		run.output, err = MatchClasses(run.labels, d.Classes, o.AllowMissing)
	}
	if err != nil {
		return nil, named(m, err)
	}
	classifier, err := features.NewClassifier(m, run.labels, o.Features)
	if err != nil {
		return nil, err
	}
	defer classifier.Close()
	start := time.Now()
	for p, err := range classifier.Predict(ctx, labelled, 0) {
		var s *features.Skip
		switch {
		case errors.As(err, &s) && !o.Features.Strict:
			run.skip(s)
		case err != nil:
			return nil, err
		default:
			if err := run.add(p); err != nil {
				return nil, named(m, err)
			}
		}
	}
	e := run.result
	if len(e.Items) == 0 {
		return nil, fmt.Errorf("none of the %d images could be read", len(labelled.Items))
	}
	e.Seconds = time.Since(start).Seconds()
	e.PerSecond = float64(len(labelled.Items)) / e.Seconds
	e.Report, err = Compute(e.Predictions, o.Report)
	return e, err
}

// named puts the model's file before an error.
func named(m *onnx.Model, err error) error {
	if m.Path() == "" {
		return err
	}
	return fmt.Errorf("%s: %w", m.Path(), err)
}

// evaluation is an evaluation under way.
type evaluation struct {
	o      EvaluateOptions
	data   *features.Dataset
	labels []string // of the outputs, nil where not known
	output []int    // of each class of the data, nil until known
	result *Evaluation
}

// labelled returns the images that have a label.
func (r *evaluation) labelled() (*features.Dataset, error) {
	if len(r.data.Classes) == 0 {
		return nil, errors.New("the images have no classes: they must lie in a folder for each class")
	}
	part := &features.Dataset{Classes: r.data.Classes}
	for _, it := range r.data.Items {
		if it.Label >= 0 || it.Unlisted() { // a whole part that cannot be read is skipped by name
			part.Items = append(part.Items, it)
		}
	}
	if len(part.Items) == 0 {
		return nil, errors.New("no images to evaluate on")
	}
	if n := len(r.data.Items) - len(part.Items); n > 0 {
		r.warn(fmt.Sprintf("images that lie in no class folder do not count: %d", n))
	}
	return part, nil
}

func (r *evaluation) warn(s string) {
	if r.o.Features.Warn != nil {
		r.o.Features.Warn(s)
	}
}

func (r *evaluation) skip(s *features.Skip) {
	if r.o.Skip != nil {
		r.o.Skip(s)
	}
	r.result.Skipped = append(r.result.Skipped, SkippedImage{s.Item.Path, s.Err.Error()})
}

// add takes in what the network says of an image.
func (r *evaluation) add(p features.Prediction) error {
	e := r.result
	k := len(p.Scores)
	if e.Predictions.Classes == nil {
		if err := r.match(p.Scores); err != nil {
			return err
		}
		// For ImageNet's 50,000 images these are 400 MB, which must not be copied as they grow.
		e.Predictions.Probabilities = make([]float64, 0, len(r.data.Items)*k)
	}
	n := len(e.Predictions.Probabilities)
	e.Predictions.Probabilities = slices.Grow(e.Predictions.Probabilities, k)[:n+k]
	for _, s := range p.Scores {
		e.Predictions.Probabilities[n+s.Class] = s.Probability
	}
	e.Predictions.Labels = append(e.Predictions.Labels, r.output[p.Item.Label])
	e.Predictions.Paths = append(e.Predictions.Paths, p.Item.Path)
	e.Items = append(e.Items, p.Item)
	return nil
}

// match names the outputs when the first image tells how many there are.
func (r *evaluation) match(scores []features.Score) error {
	k, classes := len(scores), r.data.Classes
	if r.output != nil {
		r.result.Predictions.Classes = r.labels
		return nil
	}
	labels := make([]string, k) // ImageNet's where the classifier takes it for such a network
	for _, s := range scores {
		labels[s.Class] = s.Label
	}
	var err error
	if labels[0] != "" {
		if r.output, err = MatchClasses(labels, classes, r.o.AllowMissing); err == nil {
			r.result.Predictions.Classes = labels
			return nil
		}
	}
	if k != len(classes) {
		return fmt.Errorf("the network tells %d classes apart and does not store their names, and there are %d class folders: give the names of the classes in the order of the outputs", k, len(classes))
	}
	r.warn(fmt.Sprintf("the model does not store the names of its classes: its outputs are taken for the class folders in byte order, %s", names(classes)))
	r.result.Predictions.Classes = classes
	r.output = make([]int, k)
	for i := range r.output {
		r.output[i] = i
	}
	return nil
}
