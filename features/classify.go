package features

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// Score is a class and how probable it is.
type Score struct {
	Class       int     // index of the network's output
	Label       string  // its name, "" where none is known
	Probability float64 // 0 to 1
}

// Prediction is what a classifier says about an image.
type Prediction struct {
	Item   Item
	Scores []Score // the most probable first
}

// Classifier tells which classes images belong to. It is safe for concurrent use.
type Classifier struct {
	x      *Extractor
	labels []string
	final  activation
}

// activation is what the network's last node has made of its logits.
type activation int

const (
	logits     activation = iota
	multiLabel            // logits, each on its own
	probabilities
	eachProbability // probabilities, each on its own
	logProbabilities
)

// NewClassifier opens a network whose first output has a value a class. The class names are labels where they are
// given, else those in the model's metadata, else ImageNet's where there are 1000 outputs (or 1001, with TensorFlow's
// background class first), else none. Options.At, Pool, Views and Augment do not apply.
//
// Probabilities are the softmax of the outputs, unless the network itself ends in Softmax or Sigmoid, or its metadata say
// that an image may have several labels ([zoo.IsMultiLabel]): then each is the sigmoid of its output. A single output is
// taken for the logit or probability of class 1 of two, unless there is one label.
func NewClassifier(m *onnx.Model, labels []string, o Options) (*Classifier, error) {
	if m.Graph == nil || len(m.Graph.Outputs) == 0 {
		return nil, named(m, fmt.Errorf("the network has no output"))
	}
	if labels == nil {
		var err error
		if labels, err = zoo.LabelsOf(m); err != nil {
			return nil, named(m, err)
		}
	}
	out := m.Graph.Outputs[0].Name
	o.At, o.Pool, o.Views, o.Augment = out, PoolNone, 0, zoo.Augment{}
	x, err := New(m, o)
	if err != nil {
		return nil, err
	}
	final := finalActivation(m, out)
	if final == logits && zoo.IsMultiLabel(m) {
		final = multiLabel
	}
	return &Classifier{x: x, labels: labels, final: final}, nil
}

// Close releases the network.
func (c *Classifier) Close() error { return c.x.Close() }

// MultiLabel reports whether each output is a probability of its own, so that an image may have any number of the classes.
func (c *Classifier) MultiLabel() bool { return c.final == multiLabel || c.final == eachProbability }

// Final is the function that ends a network, behind its logits.
type Final string

// The functions that networks end in.
const (
	FinalNone       Final = ""
	FinalSoftmax    Final = "Softmax"
	FinalLogSoftmax Final = "LogSoftmax"
	FinalSigmoid    Final = "Sigmoid"
)

// Logits returns the name of the value that holds the logits of a network's first output, and the function that turns
// them into that output. Where it ends in none, that is the output itself.
func Logits(m *onnx.Model) (string, Final, error) {
	if m.Graph == nil || len(m.Graph.Outputs) == 0 {
		return "", "", fmt.Errorf("the network has no output")
	}
	out := m.Graph.Outputs[0].Name
	if n := finalNode(m, out); n != nil {
		switch f := Final(n.OpType); f {
		case FinalSoftmax, FinalLogSoftmax, FinalSigmoid:
			return n.Inputs[0], f, nil
		}
	}
	return out, FinalNone, nil
}

// finalActivation tells what has been made of the logits.
func finalActivation(m *onnx.Model, out string) activation {
	if n := finalNode(m, out); n != nil {
		switch n.OpType {
		case "Softmax":
			return probabilities
		case "Sigmoid", "HardSigmoid":
			return eachProbability
		case "LogSoftmax":
			return logProbabilities
		}
	}
	return logits
}

// finalNode looks behind renamings and reshapes at what computes an output; nil where that is an input.
func finalNode(m *onnx.Model, out string) *onnx.Node {
	p := newProducers(m.Graph)
	for range len(p.node) + 1 {
		n := p.node[out]
		if n == nil || len(n.Inputs) == 0 {
			return nil
		}
		switch n.OpType {
		case "Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "DequantizeLinear", "QuantizeLinear":
			out = n.Inputs[0]
		default:
			return n
		}
	}
	return nil
}

// Predict tells the top most probable classes of each image, all of them where top is 0 or less. A skipped image comes
// as an error of type *[Skip], after which the stream goes on; any other error is the last.
func (c *Classifier) Predict(ctx context.Context, d *Dataset, top int) iter.Seq2[Prediction, error] {
	return func(yield func(Prediction, error) bool) {
		for row, err := range c.x.Rows(ctx, d) {
			var p Prediction
			if err == nil {
				p.Item = row.Item
				p.Scores, err = c.scores(row, top)
			}
			if !yield(p, err) || err != nil && !IsSkip(err) {
				return
			}
		}
	}
}

func (c *Classifier) scores(row Row, top int) ([]Score, error) {
	if len(row.Shape) > 0 && slices.Max(row.Shape) != len(row.Features) || len(row.Features) == 0 {
		return nil, fmt.Errorf("output %q of shape %v is no list of classes", c.x.layer, row.Shape)
	}
	for _, v := range row.Features {
		if math.IsNaN(float64(v)) {
			return nil, fmt.Errorf("%s: the network's output is not a number", row.Item.Path)
		}
	}
	p := probabilitiesOf(row.Features, c.final)
	if len(p) == 1 && len(c.labels) != 1 {
		p = []float64{1 - p[0], p[0]}
	}
	labels, err := ClassNames(c.labels, len(p))
	if err != nil {
		return nil, err
	}
	all := make([]Score, len(p))
	for i, v := range p {
		all[i] = Score{Class: i, Probability: v}
		if labels != nil {
			all[i].Label = labels[i]
		}
	}
	slices.SortStableFunc(all, func(a, b Score) int { return cmp.Compare(b.Probability, a.Probability) })
	if top > 0 && top < len(all) {
		all = all[:top]
	}
	return all, nil
}

func probabilitiesOf(x []float32, final activation) []float64 {
	p := make([]float64, len(x))
	for i, v := range x {
		p[i] = float64(v)
	}
	switch {
	case final == probabilities, final == eachProbability:
	case final == logProbabilities:
		for i := range p {
			p[i] = math.Exp(p[i])
		}
	case len(p) == 1, final == multiLabel:
		for i := range p {
			p[i] = 1 / (1 + math.Exp(-p[i]))
		}
	default:
		// The largest is taken off first: exp overflows at 710.
		largest, sum := slices.Max(p), 0.0
		for i := range p {
			if p[i] != largest { // infinity less itself is not a number
				p[i] = math.Exp(p[i] - largest)
			} else {
				p[i] = 1
			}
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
		}
	}
	return p
}

// ClassNames returns the names of a network's n classes: labels where they are given, else ImageNet's where there are
// 1000 (or 1001, with TensorFlow's background class first), else nil.
func ClassNames(labels []string, n int) ([]string, error) {
	switch {
	case len(labels) == n:
		return labels, nil
	case labels != nil:
		return nil, fmt.Errorf("%s for %d classes", plural(len(labels), "label"), n)
	case n == 1000:
		return zoo.ImageNetLabels(), nil
	case n == 1001:
		return append([]string{"background"}, zoo.ImageNetLabels()...), nil
	}
	return nil, nil
}
