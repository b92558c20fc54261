package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/near"
	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

const recipeCategory = "How images become the network's input"

// recipeFlags are the flags by which commands that read images are told the recipe, followed by more.
func recipeFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "recipe", Category: recipeCategory,
			Usage: "`NAME` of a recipe (torchvision-v1, keras-caffe, ...) or of a JSON file. By default what the model says"},
		&cli.StringFlag{Name: "size", Category: recipeCategory,
			Usage: "`HxW` of the network's input, or one number for both; what is resized to changes in proportion"},
		&cli.StringFlag{Name: "mean", Category: recipeCategory,
			Usage: "`M,M,M` taken off the scaled values, in the order of the channels"},
		&cli.StringFlag{Name: "std", Category: recipeCategory,
			Usage: "`S,S,S` by which they are divided then"},
		&cli.Float64Flag{Name: "scale", Category: recipeCategory,
			Usage: "factor `F` for the values 0 to 255: input = (value*F - mean) / std"},
	}, more...)
}

// chosenRecipe returns the recipe for a model's images as the flags and the model's metadata have it.
func chosenRecipe(c *cli.Context, m *onnx.Model) (*zoo.Recipe, error) {
	base, err := baseRecipe(c, m)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		to   *[3]float64
	}{{"mean", &base.Mean}, {"std", &base.Std}} {
		if !c.IsSet(f.name) {
			continue
		}
		if *f.to, err = parseTriple(c.String(f.name)); err != nil {
			return nil, usagef("--%s: %w", f.name, err)
		}
	}
	if c.IsSet("scale") {
		base.Scale = c.Float64("scale")
	}
	r, err := features.RecipeFor(m, base)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Args().First(), err)
	}
	return &r, nil
}

func baseRecipe(c *cli.Context, m *onnx.Model) (*zoo.Recipe, error) {
	name := c.String("recipe")
	if name == "" {
		r, ok, err := zoo.RecipeOf(m)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", c.Args().First(), err)
		case !ok:
			return nil, withHint(usagef("%s: %w", c.Args().First(), features.ErrNoRecipe),
				"give --recipe with a JSON file or one of %s; a wrong one gives poor results without any error", strings.Join(zoo.RecipeNames(), ", "))
		}
		return &r, nil
	}
	if r, ok := zoo.RecipeByName(name); ok {
		return &r, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if s := near.Name(name, zoo.RecipeNames()); s != "" {
			return nil, withHint(usagef("--recipe %s: neither a recipe nor a file", name), "did you mean %q?", s)
		}
		return nil, withHint(usagef("--recipe %s: neither a recipe nor a file", name), "recipes are %s", strings.Join(zoo.RecipeNames(), ", "))
	}
	r, err := zoo.ParseRecipe(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &r, nil
}

// parseSize reads 224 or 224x320; the zero value for "".
func parseSize(s string) ([2]int, error) {
	if s == "" {
		return [2]int{}, nil
	}
	h, w, two := strings.Cut(s, "x")
	if !two {
		w = h
	}
	a, errA := strconv.Atoi(h)
	b, errB := strconv.Atoi(w)
	if errA != nil || errB != nil || a < 1 || b < 1 {
		return [2]int{}, usagef("--size %s: want a number, or height and width as 224x320", s)
	}
	return [2]int{a, b}, nil
}

// parseTriple reads three numbers with commas between, or one for all.
func parseTriple(s string) (v [3]float64, err error) {
	parts := strings.Split(s, ",")
	if len(parts) == 1 {
		parts = []string{s, s, s}
	}
	if len(parts) != 3 {
		return v, fmt.Errorf("%q: want three numbers with commas between", s)
	}
	for i, p := range parts {
		if v[i], err = strconv.ParseFloat(strings.TrimSpace(p), 64); err != nil {
			return v, fmt.Errorf("%q is no number", p)
		}
	}
	return v, nil
}
