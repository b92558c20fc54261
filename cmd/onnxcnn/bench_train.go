package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/onnx"
)

const trainCategory = "Training (--train), as finetune takes them"

// benchTrainFlags are those that mean something only with --train.
func benchTrainFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "train", Category: trainCategory, Usage: "measure a step of training"},
		&cli.StringFlag{Name: "unfreeze-from", Value: "none", Category: trainCategory, Usage: "train the base from layer `N` on: a number, a name, a block, none or all"},
		&cli.StringFlag{Name: "input-size", Category: trainCategory, Usage: "images of `SIZE`: 224 or 224x160 (height x width); by default what the model declares"},
		&cli.StringFlag{Name: "optimizer", Value: "adam", Category: trainCategory, Usage: "`NAME` is adam, adamw, sgd, rmsprop or adagrad"},
		&cli.StringFlag{Name: "head", Value: "linear", Category: trainCategory, Usage: "`LAYERS` before the last linear one"},
		&cli.StringFlag{Name: "pool", Value: "auto", Category: trainCategory, Usage: "how maps become the head's input: `HOW` is auto, avg, max or flatten"},
		&cli.StringFlag{Name: "bn", Value: "frozen", Category: trainCategory, Usage: "batch normalisation in trained layers: `MODE` is frozen, affine or train"},
		&cli.StringFlag{Name: "loss", Value: "ce", Category: trainCategory, Usage: "`NAME` is ce, or bce (one output)"},
		&cli.IntFlag{Name: "classes", Value: 2, Category: trainCategory, Usage: "learn `K` classes"},
	}
}

// trainFlagNames are the flags that are handed to the measuring process.
var trainFlagNames = []string{"unfreeze-from", "input-size", "optimizer", "head", "pool", "bn", "loss", "classes"}

// trainArgs are the flags of training for the measuring process.
func trainArgs(c *cli.Context) []string {
	if !c.Bool("train") {
		return nil
	}
	args := []string{"--train"}
	for _, name := range trainFlagNames {
		if c.IsSet(name) {
			args = append(args, "--"+name, fmt.Sprint(c.Value(name)))
		}
	}
	return args
}

func checkTrainFlags(c *cli.Context) error {
	if !c.Bool("train") {
		for _, name := range trainFlagNames {
			if c.IsSet(name) {
				return usagef("--%s means something only with --train", name)
			}
		}
		return nil
	}
	switch {
	case c.Bool("profile"):
		return usagef("--profile shows the time of inference: it goes without --train")
	case len(c.StringSlice("input")) > 0:
		return usagef("--input: the size of images in training is --input-size")
	case c.Int("classes") < 2:
		return usagef("--classes %d: want 2 or more", c.Int("classes"))
	case c.String("loss") != "ce" && c.String("loss") != "bce":
		return usagef("--loss %s: want ce or bce", c.String("loss"))
	}
	_, err := parseSize(c.String("input-size"))
	return err
}

// trainingCost is what training takes beside the time of a step.
type trainingCost struct {
	Trained int     `json:"trained_parameters"`
	Frozen  int     `json:"frozen_parameters"`
	Cached  float64 `json:"cached_step_s,omitempty"` // a step on kept activations; 0 where nothing is frozen
}

// benchTraining prepares steps of training on random images.
func benchTraining(c *cli.Context, m *onnx.Model, batch int) (*measured, error) {
	o := finetune.NetOptions{UnfreezeFrom: c.String("unfreeze-from"), Head: c.String("head"), Pool: c.String("pool"), BN: c.String("bn"), Seed: uint64(c.Int64("seed"))}
	size, err := parseSize(c.String("input-size"))
	if err != nil {
		return nil, err
	}
	if size != [2]int{} {
		if o.Shape, err = imageShape(m, size); err != nil {
			return nil, err
		}
	}
	outputs := c.Int("classes")
	if c.String("loss") == "bce" {
		if outputs != 2 {
			return nil, usagef("--loss bce is for two classes, not %d", outputs)
		}
		outputs = 1
	}
	n, err := finetune.Split(m, outputs, o)
	if err != nil {
		return nil, err
	}
	e := engineOptions(c)
	t, err := finetune.NewTrainer(n, finetune.TrainerOptions{
		OptimOptions: finetune.OptimOptions{Optimizer: c.String("optimizer"), Momentum: 0.9, LR: 1e-4},
		Loss:         c.String("loss"), Seed: o.Seed, Threads: e.Threads, Provider: e.Provider, Warn: e.Warn,
	})
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(o.Seed, 1))
	x := randomTensor(r, onnx.Float, append([]int{batch}, n.Shape...))
	y := make([]float32, batch*outputs)
	for i := range batch {
		if k := r.IntN(max(outputs, 2)); k < outputs {
			y[i*outputs+k] = 1
		}
	}
	learn := func(ctx context.Context, cut []*onnx.Tensor) error {
		_, err := t.Step(ctx, cut, y, 1)
		return err
	}
	return &measured{
		run: func() error {
			cut, err := t.Cut(c.Context, x)
			if err != nil {
				return err
			}
			return learn(c.Context, cut)
		},
		done: func() (trainingCost, error) {
			cost := trainingCost{Trained: n.Trained, Frozen: n.Frozen}
			if slices.Equal(n.Cut, []string{n.Input}) {
				return cost, nil
			}
			cut, err := t.Cut(c.Context, x)
			var times []float64
			for i := 0; err == nil && i < c.Int("runs"); i++ {
				start := time.Now()
				err = learn(c.Context, cut)
				times = append(times, time.Since(start).Seconds())
			}
			if err != nil {
				return cost, err
			}
			slices.Sort(times)
			cost.Cached = median(times)
			return cost, nil
		},
		close: t.Close,
	}, nil
}

// imageShape returns the shape of an image of that height and width for a model's input.
func imageShape(m *onnx.Model, size [2]int) ([]int, error) {
	in, err := features.ImageInput(m)
	if err != nil {
		return nil, err
	}
	whole, err := wholeShape(size[:], in.Type)
	if err != nil {
		return nil, usagef("--input-size %dx%d: %w", size[0], size[1], err)
	}
	if len(whole) == len(size) { // nothing is declared
		return []int{3, size[0], size[1]}, nil
	}
	return whole[1:], nil
}

// benchStep is what bench --train --json prints of each provider and batch size.
type benchStep struct {
	Model    string  `json:"model"`
	Provider string  `json:"provider"` // of the frozen part
	Batch    int     `json:"batch"`
	Threads  int     `json:"threads"`
	Runs     int     `json:"runs"`
	Open     float64 `json:"open_s"`
	First    float64 `json:"first_s"`
	Step     float64 `json:"step_s"` // median
	Min      float64 `json:"min_s"`
	Rate     float64 `json:"images_per_s"`
	Peak     float64 `json:"peak_mb,omitempty"`
	Ratio    float64 `json:"ratio,omitempty"`
	trainingCost
	CachedRatio float64 `json:"cached_ratio,omitempty"` // of a step on kept activations to one without
}

func printTraining(c *cli.Context, all []benchResult) error {
	var steps []benchStep
	for _, r := range all {
		s := benchStep{Model: r.Model, Provider: r.Provider, Batch: r.Batch, Threads: r.Threads, Runs: r.Runs, Open: r.Open, First: r.First,
			Step: r.Median, Min: r.Min, Rate: r.Rate, Peak: r.Peak, Ratio: r.Ratio, trainingCost: r.training}
		s.CachedRatio = s.Cached / s.Step
		steps = append(steps, s)
	}
	if c.Bool("json") {
		return printJSON(c, steps)
	}
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "provider\tbatch\tthreads\truns\ttrained\topen s\tfirst s\tstep s\tmin s\timages/s\tpeak MB\tratio\tcached s\tof step\t")
	number := func(v float64, format string) string {
		if v == 0 {
			return ""
		}
		return fmt.Sprintf(format, v)
	}
	for _, s := range steps {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%.3f\t%.3f\t%.4f\t%.4f\t%.1f\t%.0f\t%s\t%s\t%s\t\n", s.Provider, s.Batch, s.Threads, s.Runs, thousands(s.Trained),
			s.Open, s.First, s.Step, s.Min, s.Rate, s.Peak, number(s.Ratio, "%.2f"), number(s.Cached, "%.4f"), number(s.CachedRatio, "%.3f"))
	}
	return t.Flush()
}
