package finetune

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Check is how an exported file compares with the trainer.
type Check struct {
	Images     int     `json:"images"`         // that were run through both, in batches of one and three
	Difference float64 `json:"max_difference"` // of logits
	Largest    float64 `json:"largest"`        // magnitude of a logit
	Agree      int     `json:"same_class"`     // images of which both name the same class
}

// tolerance is the difference that is allowed between a file and the trainer, as a share of the logits' scale: the frozen
// part is fused with other nodes in the whole network.
const tolerance = 1e-3

// MismatchError says that an exported file gives other results than the trainer.
type MismatchError struct {
	File  string
	Check Check
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: differs from the trained network by %.3g at logits of up to %.3g (%d of %d images have the same class): do not use it",
		e.File, e.Check.Difference, e.Check.Largest, e.Check.Agree, e.Check.Images)
}

// verifyOptions say what a file is held to.
type verifyOptions struct {
	target    target
	tolerance float64 // allowed difference as a share of the largest logit, or of its scale (see [convert.Scale])
	threads   int
	warn      func(string)

	// base makes the file's input of images; nil where it takes them as they are.
	base func(ctx context.Context, images *onnx.Tensor) (*onnx.Tensor, error)
}

// verify reads a file back, runs the samples through it, one alone and all at once, and compares what it gives with what
// the trainer gave.
func verify(ctx context.Context, file string, want *samples, o verifyOptions) (Check, error) {
	var c Check
	m, err := onnx.Open(file)
	if err != nil {
		return c, err
	}
	defer m.Close()
	s, err := backend.Open(m, backend.Options{Threads: o.threads, Warn: o.warn})
	if err != nil {
		return c, err
	}
	defer s.Close()
	inputs, said := [2]map[string]*onnx.Tensor{}, [2]*onnx.Tensor{}
	for i, b := range []struct{ images, want *onnx.Tensor }{{want.first(), want.single}, {want.images, want.batch}} {
		x := b.images
		if o.base != nil {
			if x, err = o.base(ctx, x); err != nil {
				return c, err
			}
		}
		inputs[i] = map[string]*onnx.Tensor{s.Inputs()[0].Name: x}
		out, err := s.Run(ctx, inputs[i])
		if err != nil {
			return c, fmt.Errorf("%s, batch of %d: %w", file, x.Shape[0], err)
		}
		got := out[s.Outputs()[0].Name]
		if got.Type != onnx.Float || !slices.Equal(got.Shape, b.want.Shape) {
			return c, fmt.Errorf("%s: gives %v of shape %v, want logits of shape %v", file, got.Type, got.Shape, b.want.Shape)
		}
		said[i] = got
	}
	// Logits that are small beside what they are the sum of are as exact as that.
	check := func(scale float64) bool {
		allowed := o.tolerance * max(scale, 1e-3)
		c = Check{}
		c.compare(said[0].Float32s(), want.single.Float32s(), o.target, allowed)
		c.compare(said[1].Float32s(), want.batch.Float32s(), o.target, allowed)
		return c.Agree == c.Images && c.Difference <= allowed
	}
	scale := max(largest(want.single.Float32s()), largest(want.batch.Float32s()))
	if check(scale) {
		return c, nil
	}
	for _, in := range inputs {
		of, err := convert.Scale(ctx, m, s.Outputs()[0].Name, in, convert.CompareOptions{Threads: o.threads})
		if err != nil {
			return c, err
		}
		scale = max(scale, of)
	}
	if !check(scale) {
		return c, &MismatchError{File: file, Check: c}
	}
	return c, nil
}

// compare adds a batch of logits to the comparison. Two classes that lie so close together that an allowed difference may
// exchange them are the same.
func (c *Check) compare(got, want []float32, t target, allowed float64) {
	for at := 0; at < len(want); at += t.outputs {
		g, w := got[at:at+t.outputs], want[at:at+t.outputs]
		c.Images++
		c.Largest = max(c.Largest, largest(w))
		worst := 0.0
		for i := range w {
			d := math.Abs(float64(g[i]) - float64(w[i]))
			if math.IsNaN(d) {
				d = math.Inf(1)
			}
			worst = max(worst, d)
		}
		c.Difference = max(c.Difference, worst)
		if t.same(g, w) || t.undecided(w, g, allowed) {
			c.Agree++
		}
	}
}

// undecided reports whether what two rows of logits name differently lies within an allowed difference.
func (t *target) undecided(want, got []float32, allowed float64) bool {
	if t.kind == "ce" {
		return math.Abs(float64(want[argmax(got)])-float64(want[argmax(want)])) <= 2*allowed
	}
	for i, w := range want {
		if (w > 0) != (got[i] > 0) && math.Abs(float64(w)) > allowed {
			return false
		}
	}
	return true
}
