package finetune

import (
	"context"
	"time"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Cost is what training on a batch takes, measured.
type Cost struct {
	Tensors int // weights that are trained
	Trained int // parameters in them
	Frozen  int // parameters that are not trained

	// Memory is about how many bytes training takes: weights, gradients, what the optimiser remembers, the best weights so
	// far, and what lies between layers, forward and backward. Kept activations of the frozen part are not in it.
	Memory int

	Prefix  time.Duration // of the frozen part, for the batch
	Step    time.Duration // of the trained part forward and backward, and the update
	Forward time.Duration // of the trained part without training
}

// Measure runs a batch of images ([N, ...] in the network's layout) through everything that a step consists of but the
// update, twice, and says what the second time took. Nothing is changed.
func (t *Trainer) Measure(ctx context.Context, images *onnx.Tensor) (Cost, error) {
	c := Cost{Tensors: len(t.net.Params), Trained: t.net.Trained, Frozen: t.net.Frozen}
	targets := make([]float32, images.Shape[0]*t.target.outputs)
	for range 2 {
		start := time.Now()
		cut, err := t.Cut(ctx, images)
		if err != nil {
			return c, err
		}
		c.Prefix = time.Since(start)
		start = time.Now()
		if _, _, err := t.Gradients(ctx, cut, targets); err != nil {
			return c, err
		}
		c.Step = time.Since(start)
		start = time.Now()
		if _, err := t.Logits(ctx, cut); err != nil {
			return c, err
		}
		c.Forward = time.Since(start)
	}
	copies := 3 // weights, gradients, the best weights
	copies += t.opt.rules[0].States()
	if t.ema != nil {
		copies++
	}
	c.Memory = 4*(copies*t.net.Trained+t.net.Frozen) + t.steps[images.Shape[0]].p.Memory()
	return c, nil
}
