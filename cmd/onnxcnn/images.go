package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// imageFlags are the flags of commands that run a network on images, followed by more.
func imageFlags(more ...cli.Flag) []cli.Flag {
	return append(more,
		&cli.IntFlag{Name: "batch", Value: 32, Usage: "run `N` images at once"},
		&cli.BoolFlag{Name: "strict", Usage: "stop at the first image that cannot be read, instead of skipping it"},
		&cli.BoolFlag{Name: "stored-statistics", Usage: "normalise by the statistics in the file, if the network was exported in training mode"},
		&cli.IntFlag{Name: "max-pixels", Usage: "skip images of more than `N` pixels; 0 means 178956970"},
	)
}

// imagesOf returns the data set that the arguments name: files, folders, and "-" for a list on the standard input.
func imagesOf(c *cli.Context, args []string) (*features.Dataset, error) {
	if len(args) == 0 {
		return nil, noImages(c)
	}
	if i := slices.Index(args, "-"); i >= 0 && slices.Contains(args[i+1:], "-") {
		return nil, usagef("- is given twice, but the standard input can be read only once")
	}
	var sets []*features.Dataset
	for _, arg := range args {
		var d *features.Dataset
		var err error
		if arg == "-" {
			d, err = features.List(c.App.Reader)
		} else {
			d, err = features.Open(arg)
		}
		if err != nil {
			return nil, missingPath(err)
		}
		sets = append(sets, d)
	}
	all := features.Merge(sets...)
	for _, note := range all.Notes {
		advise(c, "%s", note)
	}
	return all, nil
}

// imageOptions are what imageFlags, recipeFlags and engineFlags say, without the recipe.
func imageOptions(c *cli.Context) (features.Options, error) {
	o := features.Options{
		Batch: c.Int("batch"), Strict: c.Bool("strict"), MaxPixels: c.Int("max-pixels"),
		StoredStatistics: c.Bool("stored-statistics"),
		Provider:         c.String("provider"), Threads: c.Int("threads"),
		Warn: func(s string) { advise(c, "%s", s) },
	}
	if o.Batch < 1 {
		return o, usagef("--batch %d: want 1 or more", o.Batch)
	}
	var err error
	o.Size, err = parseSize(c.String("size"))
	return o, err
}

// imageNetwork opens the command's model with the options of imageOptions and the recipe for its images.
func imageNetwork(c *cli.Context, path string) (*onnx.Model, features.Options, error) {
	o, err := imageOptions(c)
	if err != nil {
		return nil, o, err
	}
	m, err := openModel(path)
	if err != nil {
		return nil, o, err
	}
	if o.Recipe, err = chosenRecipe(c, m); err != nil {
		_ = m.Close() // it was only read
		return nil, o, err
	}
	return m, o, nil
}

// modelAndImages returns the model's file name and the images of commands that take both.
func modelAndImages(c *cli.Context) (model string, images []string, err error) {
	if model, images, err = modelArg(c); err == nil && len(images) == 0 {
		err = noImages(c)
	}
	return model, images, err
}

func noImages(c *cli.Context) error {
	return withHint(usagef("which images? Give files or folders, or - to read a list of files from the standard input"), "%s", seeHelp(c.Command))
}

// modelAndFolder returns the model's file name and the folder of images of commands that take one.
func modelAndFolder(c *cli.Context) (model, dir string, err error) {
	model, rest, err := modelArg(c)
	switch {
	case err != nil:
		return "", "", err
	case len(rest) == 0:
		return "", "", withHint(usagef("which images? Give a folder with a folder of images for each class"), "%s", seeHelp(c.Command))
	case len(rest) > 1:
		return "", "", withHint(usagef("%s takes one folder of images, not also %q", c.Command.Name, rest[1]), "%s", seeHelp(c.Command))
	}
	return model, rest[0], nil
}

// skips names skipped images on the standard error and remembers them.
type skips struct {
	c    *cli.Context
	bar  *bar
	list []skipped
}

// skipped is an image without a result, as --json prints it.
type skipped struct {
	Path   string `json:"path"`
	Reason string `json:"error"`
}

func (s *skips) add(k *features.Skip) {
	s.bar.clear()
	fmt.Fprintf(s.c.App.ErrWriter, "onnxcnn: skipped %s: %s\n", printable(k.Item.Path), visible(k.Err.Error()))
	s.list = append(s.list, skipped{k.Item.Path, k.Err.Error()})
}

// result is the error with which a command ends that had to skip images: total is how many there were.
func (s *skips) result(total int) error {
	switch n := len(s.list); {
	case n == 0:
		return nil
	case n == total:
		return fmt.Errorf("none of the %d images could be read", n)
	default:
		return skippedf("%d of %s skipped", n, wereOf(total))
	}
}

// wereOf says how many images there were that something was done to.
func wereOf(n int) string {
	if n == 1 {
		return "1 image was"
	}
	return fmt.Sprintf("%d images were", n)
}
