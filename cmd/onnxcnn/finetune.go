package main

import (
	"context"
	"errors"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/onnx"
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
images of validation), run.json, and events for TensorBoard. A run that was interrupted, or found the disk full, goes on
with --resume, to the same result as if it had not been. Images that cannot be read are named and left out, and the exit status is 3.

Where an image may have any number of classes, --labels-csv names a table: its first column has paths below DIR, then come
either a column "labels" with names separated by |, or a column for each class with 1 or 0; a column "split" may say train
or val. The loss is bce then. With --loss ce every image must have one class.

With --phases other layers are trained in turn. Each phase begins with the best epoch so far, at its own learning rate,
with schedule and --patience anew.

The base learns at --base-lr-scale times the rate of the head, and with --layer-lr-decay the more slowly, the nearer to
the image: each layer at so many times the rate of the one behind it.

  onnxcnn finetune resnet50.onnx photos -o run --recipe torchvision-v1
  onnxcnn finetune vgg16.onnx photos -o run --recipe torchvision-v1 --image-size 150 --head 256,relu --unfreeze-from 24 --augment standard
  onnxcnn finetune resnet50.onnx photos -o quick --head logreg
  onnxcnn finetune resnet50.onnx photos -o run3 --phases head:3,layer4:5@1e-4 --mixup 0.2 --time 20m
  onnxcnn finetune resnet50.onnx photos -o run2 --unfreeze-from layer4 --lr 1e-4 --schedule cosine --epochs 20 --patience 5`,
		Flags:  baseProvider(engineFlags(append(imageSizeFlags(), finetuneFlags()...)...)),
		Action: finetuneRun,
	}
}

// baseProvider gives --provider its other name: what is trained runs natively, whatever computes the frozen layers.
func baseProvider(flags []cli.Flag) []cli.Flag {
	for _, f := range flags {
		if s, ok := f.(*cli.StringFlag); ok && s.Name == "provider" {
			s.Aliases = []string{"base-provider"}
		}
	}
	return flags
}

func finetuneRun(c *cli.Context) error {
	model, images, err := modelAndFolder(c)
	if err != nil {
		return err
	}
	dir := c.String("output")
	if dir == "" {
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
	if o.BN != "frozen" && !slices.ContainsFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return n.OpType == "BatchNormalization" }) {
		advise(c, "warning: --bn %s has nothing to say: this network has no batch normalisation (exporters fold it into convolutions; PyTorch's keeps it with optimize=False)", o.BN)
	}
	data, err := finetuneData(c, images, o)
	if err != nil {
		return err
	}
	return runFinetune(c, m, data, dir, o)
}

// runFinetune trains, or looks for a learning rate, and shows how it goes.
func runFinetune(c *cli.Context, m *onnx.Model, data *finetune.Data, dir string, o finetune.Options) error {
	show := &finetuneView{c: c}
	defer show.bar.clear()
	o.Progress, o.Epoch, o.Start, o.NextPhase = show.progress, show.epoch, show.start, show.phaseBegins
	if c.Bool("lr-find") {
		found, err := finetune.FindLR(c.Context, m, data, dir, o, finetune.LRFinder{})
		show.bar.clear()
		if err != nil {
			if c.Context.Err() != nil {
				return err // it has no epochs to go on behind
			}
			return finetuneHint(c.Context, err)
		}
		return show.found(found)
	}
	res, err := finetune.Run(c.Context, m, data, dir, o)
	if err != nil {
		show.bar.clear()
		return finetuneHint(c.Context, err)
	}
	return show.result(dir, res)
}

// finetuneHint adds what to do about an error.
func finetuneHint(ctx context.Context, err error) error {
	var empty *finetune.EmptySelectionError
	var check *finetune.CheckpointError
	var stopped *finetune.InterruptedError
	var cache *finetune.CacheError
	var wrong *finetune.NotFiniteError
	switch {
	case errors.As(err, &cache):
		return withHint(err, "make room there, or let them be computed in every epoch by --cache off")
	case errors.As(err, &stopped) && stopped.Saved > 0 && ctx.Err() == nil:
		return withHint(err, "when that is put right, the same command with --resume goes on behind epoch %d, to the same result as without interruption", stopped.Saved)
	case errors.As(err, &stopped) && stopped.Saved > 0:
		return withHint(err, "the same command with --resume goes on behind epoch %d, to the same result as without interruption; \"onnxcnn export\" takes the best epoch so far", stopped.Saved)
	case ctx.Err() != nil:
		return withHint(err, "no epoch was whole yet: start again, with --resume or --force where the folder has files of this run")
	case errors.As(err, &wrong):
		return withHint(err, "take a lower --lr, limit gradients by --grad-clip 1, or let the rate rise with --warmup 1; \"onnxcnn predict MODEL IMAGE\" shows whether the recipe suits the network")
	case errors.Is(err, finetune.ErrRunExists):
		return withHint(err, "go on with it by --resume, replace it by --force, or give another folder")
	case errors.As(err, &empty):
		return withHint(err, "\"onnxcnn layers MODEL\" shows the layers and their weights")
	case errors.As(err, &check):
		return withHint(err, "resume with the flags and the images that the run was started with (run.json has the flags), or start anew with --force")
	}
	return err
}
