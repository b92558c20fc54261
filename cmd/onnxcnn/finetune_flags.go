package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/zoo"
)

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
		&cli.StringFlag{Name: "pool", Value: "auto", Category: networkCategory, Usage: "how maps become the head's input: `HOW` is avg, max, flatten, or auto for what the network's classifier did (for a network without one: flatten up to 32768 numbers, else avg)"},
		&cli.StringFlag{Name: "bn", Value: "frozen", Category: networkCategory, Usage: "batch normalisation in trained layers: `MODE` is frozen, affine (scale and shift learn) or train (statistics of the batch, too)"},

		&cli.StringFlag{Name: "phases", Category: networkCategory, Usage: "train other layers in turn: `LIST` of LAYER:EPOCHS or LAYER:EPOCHS@RATE, as head:3,layer4:5@1e-4,all:2; in place of --unfreeze-from and --epochs"},

		&cli.IntFlag{Name: "epochs", Value: 10, Category: learningCategory, Usage: "go through the images `N` times"},
		&cli.IntFlag{Name: "batch", Value: 32, Category: learningCategory, Usage: "learn from `N` images at once"},
		&cli.StringFlag{Name: "last-batch", Value: "auto", Category: learningCategory, Usage: "`HOW` is drop (leave an incomplete last batch out), keep, or auto (a last batch of one joins the one before where normalisations train)"},
		&cli.Float64Flag{Name: "lr", Value: 1e-3, Category: learningCategory, Usage: "learning rate `R` of the head"},
		&cli.BoolFlag{Name: "lr-find", Category: learningCategory, Usage: "train no network: try rising learning rates, draw the loss into RUN/lr_find.png, and suggest one"},
		&cli.Float64Flag{Name: "base-lr-scale", Value: 0.1, Category: learningCategory, Usage: "`FACTOR` by which the base's learning rate is smaller"},
		&cli.Float64Flag{Name: "layer-lr-decay", Value: 1, Category: learningCategory, Usage: "let each convolution or linear layer of the base learn at `D` times the rate of the one behind it, as 0.9; 1 for the same rate"},
		&cli.StringFlag{Name: "optimizer", Value: "adam", Category: learningCategory, Usage: "`NAME` is adam, adamw, sgd, rmsprop or adagrad"},
		&cli.Float64Flag{Name: "momentum", Value: 0.9, Category: learningCategory, Usage: "`M` of sgd"},
		&cli.BoolFlag{Name: "nesterov", Category: learningCategory, Usage: "sgd with Nesterov's momentum"},
		&cli.Float64Flag{Name: "weight-decay", Category: learningCategory, Usage: "`D`, as PyTorch's optimisers take it"},
		&cli.BoolFlag{Name: "no-decay-bias", Category: learningCategory, Usage: "leave biases and normalisations out of weight decay"},
		&cli.StringFlag{Name: "schedule", Value: "constant", Category: learningCategory, Usage: "learning rate over time: `KIND` is constant, cosine, step, onecycle or plateau"},
		&cli.Float64Flag{Name: "warmup", Category: learningCategory, Usage: "let the learning rate rise over the first `N` epochs"},
		&cli.StringFlag{Name: "loss", Value: "auto", Category: learningCategory, Usage: "`NAME` is ce, bce (two classes, one output; or any number of classes an image) or auto"},
		&cli.Float64Flag{Name: "label-smoothing", Category: learningCategory, Usage: "spread this `SHARE` of each target over all classes"},
		&cli.StringFlag{Name: "class-weights", Value: "none", Category: learningCategory, Usage: "`HOW` is balanced (rare classes count more) or none"},
		&cli.StringFlag{Name: "pos-weight", Category: learningCategory, Usage: "with bce, let it count `W` times that a class is there; one number for all classes or a list, as 2,1,5"},
		&cli.Float64Flag{Name: "grad-clip", Category: learningCategory, Usage: "limit the norm of the gradients to `N`; 0 for no limit"},
		&cli.Float64Flag{Name: "ema", Category: learningCategory, Usage: "validate and export weights averaged with decay `D`, as 0.999"},
		&cli.StringFlag{Name: "monitor", Value: "val_loss", Category: learningCategory, Usage: "the best epoch is that of the best `METRIC`: val_loss, val_acc, train_loss or train_acc"},
		&cli.IntFlag{Name: "patience", Category: learningCategory, Usage: "stop after `N` epochs without a better one; 0 for never"},
		&cli.DurationFlag{Name: "time", Category: learningCategory, Usage: "be done after `T`, as 20m or 1h30m, with the best epoch by then; 0 for no limit"},
		seedFlag(),

		&cli.StringFlag{Name: "val", Category: dataCategory, Usage: "validate on the images in `DIR`"},
		&cli.Float64Flag{Name: "val-split", Value: 0.2, Category: dataCategory, Usage: "without a split in the data, validate on this `SHARE` of each class"},
		&cli.StringFlag{Name: "augment", Category: dataCategory, Usage: "change training images at random: `SPEC` is standard, or a list such as rotate=15,hflip=0.5"},
		&cli.Float64Flag{Name: "mixup", Category: dataCategory, Usage: "blend training images with each other, by shares from Beta(`A`,A), as 0.2; 0 for never"},
		&cli.Float64Flag{Name: "cutmix", Category: dataCategory, Usage: "put pieces of training images into each other, of areas from Beta(`A`,A), as 1; 0 for never"},
		&cli.StringFlag{Name: "labels-csv", Category: dataCategory, Usage: "`FILE` with the images in DIR and their classes, any number each: the first column has paths, the others classes (\"onnxcnn help finetune\" says more)"},
		&cli.StringFlag{Name: "cache", Value: "auto", Category: dataCategory, Usage: "`MODE` auto computes once what the frozen layers say, where it stays the same, and keeps it for later runs (up to 8 GiB in $ONNXCNN_HOME, or the user's cache folder); off computes it in every epoch"},
		&cli.IntFlag{Name: "max-pixels", Category: dataCategory, Usage: "skip images of more than `N` pixels; 0 means 178956970"},
		jsonFlag(),
	}
}

// finetuneOptions reads the flags.
func finetuneOptions(c *cli.Context) (finetune.Options, error) {
	o := finetune.Options{
		NetOptions: finetune.NetOptions{
			At: c.String("at"), Head: c.String("head"), Pool: c.String("pool"), UnfreezeFrom: c.String("unfreeze-from"), BN: c.String("bn"),
			Seed: uint64(c.Int64("seed")), Warn: func(s string) { advise(c, "warning: %s", s) },
		},
		OptimOptions: finetune.OptimOptions{
			Optimizer: c.String("optimizer"), LR: c.Float64("lr"), BaseLRScale: c.Float64("base-lr-scale"), LayerDecay: c.Float64("layer-lr-decay"), Momentum: c.Float64("momentum"),
			Nesterov: c.Bool("nesterov"), WeightDecay: c.Float64("weight-decay"), NoDecayBias: c.Bool("no-decay-bias"),
			GradClip: c.Float64("grad-clip"), EMA: c.Float64("ema"),
		},
		Epochs: c.Int("epochs"), Batch: c.Int("batch"), Loss: c.String("loss"), LabelSmoothing: c.Float64("label-smoothing"),
		ClassWeights: c.String("class-weights"), Time: c.Duration("time"), LastBatch: c.String("last-batch"),
		Mix: finetune.Mixer{Mixup: c.Float64("mixup"), Cutmix: c.Float64("cutmix")}, Schedule: c.String("schedule"), Warmup: c.Float64("warmup"),
		ValSplit: c.Float64("val-split"), Monitor: c.String("monitor"), Patience: c.Int("patience"), Cache: c.String("cache"),
		Resume: c.Bool("resume"), Force: c.Bool("force"), Provider: c.String("provider"), Threads: c.Int("threads"), MaxPixels: c.Int("max-pixels"),
	}
	for _, f := range []struct {
		name string
		v    float64
	}{{"epochs", float64(o.Epochs)}, {"batch", float64(o.Batch)}, {"lr", o.LR}, {"base-lr-scale", o.BaseLRScale}, {"layer-lr-decay", o.LayerDecay}, {"val-split", o.ValSplit}} {
		if c.IsSet(f.name) && !(f.v > 0) {
			return o, usagef("--%s %v: want more than 0", f.name, f.v)
		}
	}
	if o.Resume && o.Force {
		return o, usagef("--resume goes on with a run, --force replaces it: give one of them")
	}
	if c.IsSet("momentum") && o.Optimizer != "sgd" {
		return o, usagef("--momentum is for --optimizer sgd, not for %s", o.Optimizer)
	}
	if o.BN != "frozen" && c.IsSet("bn") && o.UnfreezeFrom == "none" && c.String("phases") == "" {
		advise(c, "warning: --bn %s has nothing to say where no layer of the base is trained: see --unfreeze-from", o.BN)
	}
	if c.String("phases") == "" && o.Warmup > 0 && o.Warmup >= float64(o.Epochs) {
		advise(c, "warning: --warmup %v lasts as long as training (%s): the rate is never reached", o.Warmup, plural(o.Epochs, "epoch"))
	}
	if c.String("phases") != "" && (c.IsSet("epochs") || c.IsSet("unfreeze-from")) {
		return o, usagef("--phases says which layers are trained and how long: leave --epochs and --unfreeze-from out")
	}
	var err error
	if o.Phases, err = finetune.ParsePhases(c.String("phases")); err != nil {
		return o, usagef("--phases: %w", err)
	}
	if o.PosWeight, err = parseWeights(c.String("pos-weight")); err != nil {
		return o, usagef("--pos-weight: %w", err)
	}
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

// parseWeights reads a list of numbers.
func parseWeights(list string) ([]float64, error) {
	if list == "" {
		return nil, nil
	}
	var all []float64
	for _, s := range strings.Split(list, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", s)
		}
		all = append(all, v)
	}
	return all, nil
}

// finetuneData reads the folders of images, or a table of them.
func finetuneData(c *cli.Context, dir string, o finetune.Options) (*finetune.Data, error) {
	table := c.String("labels-csv")
	var all *features.Dataset
	var err error
	if table != "" {
		all, err = tableOf(c, table, dir, c.String("loss") == "ce")
	} else {
		all, err = imagesOf(c, []string{dir})
	}
	if err != nil {
		return nil, err
	}
	var val *features.Dataset
	if v := c.String("val"); v != "" {
		if table != "" {
			return nil, usagef(`--val is for folders of classes: say with a column "split" in --labels-csv which images are for validation`)
		}
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

// tableOf reads the images of a table in a folder. With one, each has one class.
func tableOf(c *cli.Context, file, dir string, one bool) (*features.Dataset, error) {
	d, err := features.OpenTable(file, dir)
	if err == nil && one {
		err = d.OneLabel()
	}
	if err != nil {
		return nil, missingPath(err)
	}
	for _, note := range d.Notes {
		advise(c, "%s", note)
	}
	return d, nil
}
