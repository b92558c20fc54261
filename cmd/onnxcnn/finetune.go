package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func finetuneCommand() *cli.Command {
	return &cli.Command{
		Name:      "finetune",
		Usage:     "train a network on images of new classes, starting from what it knows",
		ArgsUsage: "MODEL DIR -o RUN",
		Description: `DIR has a folder of images for each class, or such folders in "train" and "val". The network's own classifier is
replaced by a head for the new classes. By default only the head is trained: --unfreeze-from N trains the layers from
number N on as well ("onnxcnn layers MODEL" shows the numbers; a name or a block such as layer4 will do).

RUN is a folder that gets model.onnx (the best epoch, with class names and recipe, verified after writing), head.onnx,
checkpoint.safetensors, history.csv, history.json, curves.png, report.json and confusion.png (how good it is on the
images of validation) and run.json. A run that was interrupted goes on with --resume, to the same result as if it had
not been. Images that cannot be read are named and left out, and the exit status is 3.

  onnxcnn finetune resnet50.onnx photos -o run --recipe torchvision-v1
  onnxcnn finetune vgg16.onnx photos -o run --recipe torchvision-v1 --image-size 150 --head 256,relu --unfreeze-from 24 --augment standard
  onnxcnn finetune resnet50.onnx photos -o quick --head logreg
  onnxcnn finetune resnet50.onnx photos -o run2 --unfreeze-from layer4 --lr 1e-4 --schedule cosine --epochs 20 --patience 5`,
		Flags:  engineFlags(append(imageSizeFlags(), finetuneFlags()...)...),
		Action: finetuneRun,
	}
}

// imageSizeFlags are recipeFlags, with --image-size as another name for --size.
func imageSizeFlags() []cli.Flag {
	flags := recipeFlags()
	for _, f := range flags {
		if s, ok := f.(*cli.StringFlag); ok && s.Name == "size" {
			s.Aliases = []string{"image-size"}
		}
	}
	return flags
}

const (
	networkCategory  = "What is trained"
	learningCategory = "How it learns"
	dataCategory     = "Data"
)

func finetuneFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the results to the folder `RUN`"},
		&cli.BoolFlag{Name: "resume", Usage: "go on from the last epoch in RUN"},
		&cli.BoolFlag{Name: "force", Usage: "replace an earlier run in RUN"},

		&cli.StringFlag{Name: "unfreeze-from", Value: "none", Category: networkCategory, Usage: "train the base from layer `N` on: a number, a name, a block, none or all"},
		&cli.StringFlag{Name: "at", Category: networkCategory, Usage: "end the base at `LAYER` instead of before its classifier"},
		&cli.StringFlag{Name: "head", Value: "linear", Category: networkCategory, Usage: "`LAYERS` before the last linear one, as 256,batchnorm,relu,dropout=0.5; linear for none; keep for the network's own head; or one that is fitted at once: logreg[=C], knn[=K], centroid"},
		&cli.StringFlag{Name: "pool", Value: "auto", Category: networkCategory, Usage: "how maps become the head's input: `HOW` is avg, max, flatten, or auto for what the network's classifier did"},
		&cli.StringFlag{Name: "bn", Value: "frozen", Category: networkCategory, Usage: "batch normalisation in trained layers: `MODE` is frozen, affine (scale and shift learn) or train (statistics of the batch, too)"},

		&cli.IntFlag{Name: "epochs", Value: 10, Category: learningCategory, Usage: "go through the images `N` times"},
		&cli.IntFlag{Name: "batch", Value: 32, Category: learningCategory, Usage: "learn from `N` images at once"},
		&cli.Float64Flag{Name: "lr", Value: 1e-3, Category: learningCategory, Usage: "learning rate `R` of the head"},
		&cli.Float64Flag{Name: "base-lr-scale", Value: 0.1, Category: learningCategory, Usage: "`FACTOR` by which the base's learning rate is smaller"},
		&cli.StringFlag{Name: "optimizer", Value: "adam", Category: learningCategory, Usage: "`NAME` is adam, adamw, sgd, rmsprop or adagrad"},
		&cli.Float64Flag{Name: "momentum", Value: 0.9, Category: learningCategory, Usage: "`M` of sgd"},
		&cli.BoolFlag{Name: "nesterov", Category: learningCategory, Usage: "sgd with Nesterov's momentum"},
		&cli.Float64Flag{Name: "weight-decay", Category: learningCategory, Usage: "`D`, as PyTorch's optimisers take it"},
		&cli.BoolFlag{Name: "no-decay-bias", Category: learningCategory, Usage: "leave biases and normalisations out of weight decay"},
		&cli.StringFlag{Name: "schedule", Value: "constant", Category: learningCategory, Usage: "learning rate over time: `KIND` is constant, cosine, step, onecycle or plateau"},
		&cli.Float64Flag{Name: "warmup", Category: learningCategory, Usage: "let the learning rate rise over the first `N` epochs"},
		&cli.StringFlag{Name: "loss", Value: "auto", Category: learningCategory, Usage: "`NAME` is ce, bce (two classes, one output) or auto (ce)"},
		&cli.Float64Flag{Name: "label-smoothing", Category: learningCategory, Usage: "spread this `SHARE` of each target over all classes"},
		&cli.StringFlag{Name: "class-weights", Value: "none", Category: learningCategory, Usage: "`HOW` is balanced (rare classes count more) or none"},
		&cli.Float64Flag{Name: "grad-clip", Category: learningCategory, Usage: "limit the norm of the gradients to `N`; 0 for no limit"},
		&cli.Float64Flag{Name: "ema", Category: learningCategory, Usage: "validate and export weights averaged with decay `D`, as 0.999"},
		&cli.StringFlag{Name: "monitor", Value: "val_loss", Category: learningCategory, Usage: "the best epoch is that of the best `METRIC`: val_loss, val_acc, train_loss or train_acc"},
		&cli.IntFlag{Name: "patience", Category: learningCategory, Usage: "stop after `N` epochs without a better one; 0 for never"},
		seedFlag(),

		&cli.StringFlag{Name: "val", Category: dataCategory, Usage: "validate on the images in `DIR`"},
		&cli.Float64Flag{Name: "val-split", Value: 0.2, Category: dataCategory, Usage: "without a split in the data, validate on this `SHARE` of each class"},
		&cli.StringFlag{Name: "augment", Category: dataCategory, Usage: "change training images at random: `SPEC` is standard, or a list such as rotate=15,hflip=0.5"},
		&cli.StringFlag{Name: "cache", Value: "auto", Category: dataCategory, Usage: "off computes what the frozen layers say in every epoch again (`MODE` auto: once, where it stays the same)"},
		&cli.IntFlag{Name: "max-pixels", Category: dataCategory, Usage: "skip images of more than `N` pixels; 0 means 178956970"},
		jsonFlag(),
	}
}

// finetuned is what finetune --json prints.
type finetuned struct {
	Run        string           `json:"run"`
	Model      string           `json:"model"`
	Head       string           `json:"head"`
	Classes    []string         `json:"classes"`
	Trained    int              `json:"trained_parameters"`
	Frozen     int              `json:"frozen_parameters"`
	BestEpoch  int              `json:"best_epoch"`
	Best       finetune.Epoch   `json:"best"`
	Early      bool             `json:"stopped_early"`
	Difference float64          `json:"export_max_difference"`
	Agree      int              `json:"export_same_class"`
	Compared   int              `json:"export_compared"`
	Skipped    []string         `json:"skipped"`
	History    []finetune.Epoch `json:"history"`
}

func finetuneRun(c *cli.Context) error {
	model, rest, err := modelArg(c)
	if err != nil {
		return err
	}
	dir := c.String("output")
	switch {
	case len(rest) == 0:
		return withHint(usagef("which images? Give a folder with a folder of images for each class"), "%s", seeHelp(c.Command))
	case len(rest) > 1:
		return withHint(usagef("finetune takes one folder of images, not also %q", rest[1]), "%s", seeHelp(c.Command))
	case dir == "":
		return withHint(usagef("where to? Give a folder for the results with -o RUN"), "%s", seeHelp(c.Command))
	}
	o, err := finetuneOptions(c)
	if err != nil {
		return err
	}
	m, err := openModel(model)
	if err != nil {
		return err
	}
	defer m.Close()
	if o.Recipe, err = chosenRecipe(c, m); err != nil {
		return err
	}
	data, err := finetuneData(c, rest[0], o)
	if err != nil {
		return err
	}
	show := &finetuneView{c: c}
	defer show.bar.clear()
	o.Progress, o.Epoch, o.Start = show.progress, show.epoch, show.start
	res, err := finetune.Run(c.Context, m, data, dir, o)
	if err != nil {
		show.bar.clear()
		return finetuneHint(c.Context, err)
	}
	return show.result(dir, res)
}

// finetuneOptions reads the flags.
func finetuneOptions(c *cli.Context) (finetune.Options, error) {
	o := finetune.Options{
		NetOptions: finetune.NetOptions{
			At: c.String("at"), Head: c.String("head"), Pool: c.String("pool"), UnfreezeFrom: c.String("unfreeze-from"), BN: c.String("bn"),
			Seed: uint64(c.Int64("seed")), Warn: func(s string) { advise(c, "warning: %s", s) },
		},
		OptimOptions: finetune.OptimOptions{
			Optimizer: c.String("optimizer"), LR: c.Float64("lr"), BaseLRScale: c.Float64("base-lr-scale"), Momentum: c.Float64("momentum"),
			Nesterov: c.Bool("nesterov"), WeightDecay: c.Float64("weight-decay"), NoDecayBias: c.Bool("no-decay-bias"),
			GradClip: c.Float64("grad-clip"), EMA: c.Float64("ema"),
		},
		Epochs: c.Int("epochs"), Batch: c.Int("batch"), Loss: c.String("loss"), LabelSmoothing: c.Float64("label-smoothing"),
		ClassWeights: c.String("class-weights"), Schedule: c.String("schedule"), Warmup: c.Float64("warmup"),
		ValSplit: c.Float64("val-split"), Monitor: c.String("monitor"), Patience: c.Int("patience"), Cache: c.String("cache"),
		Resume: c.Bool("resume"), Force: c.Bool("force"), Provider: c.String("provider"), Threads: c.Int("threads"), MaxPixels: c.Int("max-pixels"),
	}
	for _, f := range []struct {
		name string
		v    float64
	}{{"epochs", float64(o.Epochs)}, {"batch", float64(o.Batch)}, {"lr", o.LR}, {"base-lr-scale", o.BaseLRScale}, {"val-split", o.ValSplit}} {
		if !(f.v > 0) {
			return o, usagef("--%s %v: want more than 0", f.name, f.v)
		}
	}
	if o.Resume && o.Force {
		return o, usagef("--resume goes on with a run, --force replaces it: give one of them")
	}
	var err error
	if o.Size, err = parseSize(c.String("size")); err != nil {
		return o, err
	}
	if o.Augment, err = zoo.ParseAugment(c.String("augment")); err != nil {
		return o, usagef("--augment: %w", err)
	}
	if err := o.Validate(); err != nil {
		return o, usagef("%w", err)
	}
	return o, nil
}

// finetuneData reads the folders of images.
func finetuneData(c *cli.Context, dir string, o finetune.Options) (*finetune.Data, error) {
	all, err := imagesOf(c, []string{dir})
	if err != nil {
		return nil, err
	}
	var val *features.Dataset
	if v := c.String("val"); v != "" {
		if val, err = imagesOf(c, []string{v}); err != nil {
			return nil, err
		}
	}
	data, err := finetune.NewData(all, val, o.ValSplit, o.Seed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	for _, note := range data.Notes {
		advise(c, "%s", note)
	}
	return data, nil
}

// finetuneHint adds what to do about an error.
func finetuneHint(ctx context.Context, err error) error {
	var empty *finetune.EmptySelectionError
	var check *finetune.CheckpointError
	switch {
	case ctx.Err() != nil:
		return err
	case errors.Is(err, finetune.ErrRunExists):
		return withHint(err, "go on with it by --resume, replace it by --force, or give another folder")
	case errors.As(err, &empty):
		return withHint(err, "\"onnxcnn layers MODEL\" shows the layers and their weights")
	case errors.As(err, &check):
		return withHint(err, "resume with the flags that the run was started with (run.json has them), or start anew with --force")
	}
	return err
}

// finetuneView tells the user how a run goes.
type finetuneView struct {
	c     *cli.Context
	bar   bar
	phase string
	plan  finetune.Plan
}

func (v *finetuneView) progress(p finetune.Progress) {
	phase := fmt.Sprint(p.Phase, p.Epoch)
	if phase != v.phase {
		v.bar.clear()
		v.bar, v.phase = *newBar(v.c, p.Total, "images"), phase
	}
	if p.Phase == "train" {
		v.bar.describe(fmt.Sprintf("epoch %d, loss %.4f, accuracy %.3f", p.Epoch, p.Loss, p.Accuracy))
	}
	v.bar.set(p.Done)
}

func (v *finetuneView) start(p finetune.Plan) {
	v.bar.clear()
	v.plan = p
	for _, s := range p.Skipped {
		fmt.Fprintf(v.c.App.ErrWriter, "onnxcnn: skipped %v\n", s)
	}
	cached := ""
	if p.Cached {
		cached = ", what the frozen layers say is kept"
	}
	advise(v.c, "training %s of %s parameters on %d images of %d classes (%d for validation), from %s on%s",
		thousands(p.Trained), thousands(p.Trained+p.Frozen), p.Train, len(p.Classes), p.Val, strings.Join(p.Cut, ", "), cached)
	if p.First > 1 {
		advise(v.c, "going on with epoch %d", p.First)
	}
}

func (v *finetuneView) epoch(e finetune.Epoch) {
	v.bar.clear()
	v.phase = ""
	if v.c.Bool("json") || v.c.Bool("quiet") {
		return
	}
	best := ""
	if e.Best {
		best = "  best so far"
	}
	fmt.Fprintf(v.c.App.Writer, "epoch %d: loss %.4f, accuracy %.4f; validation: loss %.4f, accuracy %.4f (%.1f s)%s\n",
		e.Epoch, e.TrainLoss, e.TrainAcc, e.ValLoss, e.ValAcc, e.Seconds, best)
}

// result shows what has come of it.
func (v *finetuneView) result(dir string, res *finetune.Result) error {
	v.bar.clear()
	best := res.History[res.Best-1]
	if v.c.Bool("json") {
		out := finetuned{Run: dir, Model: res.Model, Head: res.Head, Classes: v.plan.Classes, Trained: v.plan.Trained, Frozen: v.plan.Frozen,
			BestEpoch: res.Best, Best: best, Early: res.Early, Difference: res.Check.Difference, Agree: res.Check.Agree,
			Compared: res.Check.Images, Skipped: []string{}, History: res.History}
		for _, s := range res.Skipped {
			out.Skipped = append(out.Skipped, s.Error())
		}
		if err := printJSON(v.c, out); err != nil {
			return err
		}
	} else if !v.c.Bool("quiet") {
		if res.Early {
			fmt.Fprintf(v.c.App.Writer, "stopped: no better epoch than %d\n", res.Best)
		}
		fmt.Fprintf(v.c.App.Writer, "%s: epoch %d, validation accuracy %.4f, loss %.4f\n", filepath.ToSlash(res.Model), res.Best, best.ValAcc, best.ValLoss)
		fmt.Fprintln(v.c.App.Writer, verified(res.Check))
	}
	if n := len(res.Skipped); n > 0 {
		return skippedf("%d images were skipped", n)
	}
	return nil
}
