package main

import (
	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// stepMeasured is what a step of training takes.
type stepMeasured struct {
	Batch         int     `json:"batch"`
	StepSeconds   float64 `json:"step_s"`
	FrozenSeconds float64 `json:"frozen_s"`
	MemoryMB      float64 `json:"memory_mb"`
}

// trainingSummary is of a network as finetune trains it.
func trainingSummary(c *cli.Context, name string, m *onnx.Model, shapes map[string][]int) (*summary, error) {
	outputs, batch := c.Int("outputs"), c.Int("batch")
	switch {
	case outputs < 1:
		return nil, usagef("--outputs %d: want 1 or more", outputs)
	case c.IsSet("batch") && batch < 1:
		return nil, usagef("--batch %d: want 1 or more", batch)
	}
	o := finetune.NetOptions{Head: c.String("head"), Pool: c.String("pool"), BN: c.String("bn"), Warn: func(s string) { advise(c, "warning: %s", s) }}
	if c.IsSet("unfreeze-from") {
		o.UnfreezeFrom = c.String("unfreeze-from")
	}
	for _, s := range shapes { // there is one input of images
		if len(s) != 4 {
			return nil, usagef("--input: images have four dimensions, as in 1x3x224x224")
		}
		o.Shape = s[1:]
	}
	n, err := finetune.Split(m, outputs, o)
	if err != nil {
		return nil, finetuneHint(c.Context, err)
	}
	input := map[string][]int{n.Input: append([]int{1}, n.Shape...)}
	layers, err := backend.Layers(n.Model, input)
	if err != nil {
		return nil, err
	}
	s := newSummary(name, n.Model, layers, input, func(i int) int { return n.TrainedIn(layers[i]) })
	s.Tensors = len(n.Params)
	if batch == 0 {
		return s, nil
	}
	t, err := finetune.NewTrainer(n, finetune.TrainerOptions{Threads: c.Int("threads")})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	cost, err := t.Measure(c.Context, onnx.New(onnx.Float, append([]int{batch}, n.Shape...)...))
	if err != nil {
		return nil, err
	}
	s.Step = &stepMeasured{Batch: batch, StepSeconds: cost.Step.Seconds(), FrozenSeconds: cost.Prefix.Seconds(), MemoryMB: float64(cost.Memory) / 1e6}
	return s, nil
}
