package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/internal/near"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// notForTraining are flags of finetune that are about a base which was trained before.
var notForTraining = []string{"unfreeze-from", "at", "head", "pool", "bn", "base-lr-scale", "layer-lr-decay", "phases", "cache"}

func trainCommand() *cli.Command {
	flags := slices.DeleteFunc(finetuneFlags(), func(f cli.Flag) bool { return slices.Contains(notForTraining, f.Names()[0]) })
	return &cli.Command{
		Name:      "train",
		Usage:     "train an architecture from random weights",
		ArgsUsage: "ARCH DIR -o RUN",
		Description: `ARCH is the name of an architecture; "onnxcnn zoo list" shows them. The network gets as many outputs as DIR has classes,
and weights drawn by --seed as the framework that it comes from draws them; all of them are trained, and the statistics of
its normalisations are those of the batches.

DIR has a folder of images for each class, or such folders in "train" and "val", as for finetune; or IDX files as MNIST
and Fashion-MNIST have them (train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, the same for t10k, which is the
split test). RUN gets the same files as from finetune.

  onnxcnn train mnist_cnn fashion-mnist -o run --epochs 10 --batch 64
  onnxcnn evaluate run/model.onnx fashion-mnist --split test
  onnxcnn train cats_dogs_dropout photos -o run2 --augment standard --epochs 30
  onnxcnn train resnet18 photos -o run3 --image-size 128 --optimizer sgd --lr 0.05 --schedule cosine --warmup 2`,
		Flags:  engineFlags(append(imageSizeFlags(), flags...)...),
		Action: train,
	}
}

func train(c *cli.Context) error {
	arch, rest, dir, err := architectureArgs(c)
	if err != nil {
		return err
	}
	o, err := finetuneOptions(c)
	if err != nil {
		return err
	}
	o.Head, o.UnfreezeFrom, o.BN, o.BaseLRScale = "keep", "all", "train", 1
	data, err := finetuneData(c, rest, o)
	if err != nil {
		return err
	}
	outputs, err := data.Outputs(o.Loss)
	if err != nil {
		return err
	}
	m, err := arch.Build(zoo.BuildOptions{Classes: outputs, Size: o.Size, Seed: o.Seed})
	if err != nil {
		return err
	}
	recipe, ok := zoo.RecipeByName(arch.Recipe)
	if !ok {
		return fmt.Errorf("%s: there is no recipe %q", arch.Name, arch.Recipe)
	}
	size := o.Size
	if size == [2]int{} {
		size = arch.Size
	}
	if err := zoo.SetRecipe(m, recipe.WithSize(size[0], size[1])); err != nil {
		return err
	}
	if o.Recipe, err = chosenRecipe(c, m); err != nil {
		return err
	}
	return runFinetune(c, m, data, dir, o)
}

// architectureArgs reads ARCH, DIR and -o.
func architectureArgs(c *cli.Context) (arch zoo.Arch, data, dir string, err error) {
	args := c.Args().Slice()
	switch {
	case len(args) == 0 || args[0] == "":
		return arch, "", "", withHint(usagef("which architecture? Give the name of one"), "\"onnxcnn zoo list\" shows them")
	case len(args) == 1:
		return arch, "", "", withHint(usagef("which images? Give a folder with a folder of images for each class, or with IDX files"), "%s", seeHelp(c.Command))
	case len(args) > 2:
		return arch, "", "", withHint(usagef("train takes one folder of images, not also %q", args[2]), "%s", seeHelp(c.Command))
	case c.String("output") == "":
		return arch, "", "", withHint(usagef("where to? Give a folder for the results with -o RUN"), "%s", seeHelp(c.Command))
	}
	arch, ok := zoo.Lookup(args[0])
	if !ok {
		err := usagef("there is no architecture %q", args[0])
		if strings.HasSuffix(args[0], ".onnx") {
			return arch, "", "", withHint(err, "finetune trains the network in a file: --unfreeze-from all trains all of it")
		}
		if s := near.Name(args[0], zoo.Names()); s != "" {
			return arch, "", "", withHint(err, "did you mean %q?", s)
		}
		return arch, "", "", withHint(err, "\"onnxcnn zoo list\" shows them")
	}
	return arch, args[1], c.String("output"), nil
}
