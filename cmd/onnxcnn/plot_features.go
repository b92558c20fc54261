package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features/embed"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func plotFeaturesCommand() *cli.Command {
	return &cli.Command{
		Name:      "plot-features",
		Usage:     "place extracted features in two dimensions, in the colours of their classes",
		ArgsUsage: "FILE.npz -o FILE.png",
		Description: `FILE.npz is what extract-features wrote. Images that the network takes for alike lie close together: where classes form
groups, a simple head will tell them apart.

pca shows the two directions in which the features differ most. tsne keeps neighbours together instead, which shows groups
better; distances between groups and sizes of groups mean little. It takes some thousand images.

  onnxcnn extract-features resnet50.onnx photos -o photos.npz
  onnxcnn plot-features photos.npz -o photos.png
  onnxcnn plot-features photos.npz -o photos.png --method tsne --perplexity 15`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "draw to `FILE`.png"},
			&cli.StringFlag{Name: "method", Value: "pca", Usage: "`NAME` is pca or tsne"},
			&cli.Float64Flag{Name: "perplexity", DefaultText: "30, or less for few images", Usage: "of tsne: about `N` neighbours count"},
			&cli.IntFlag{Name: "iterations", Value: 1000, Usage: "of tsne: `N` steps"},
			threadsFlag(), quietFlag(),
		},
		Action: plotFeatures,
	}
}

func plotFeatures(c *cli.Context) error {
	out, method := c.String("output"), c.String("method")
	switch {
	case c.NArg() != 1:
		return withHint(usagef("which features? Give one file that extract-features wrote"), "%s", seeHelp(c.Command))
	case !strings.EqualFold(filepath.Ext(out), ".png"):
		return usagef("where to? Give -o FILE.png")
	case method != "pca" && method != "tsne":
		return usagef("--method %s: want pca or tsne", method)
	case c.Float64("perplexity") < 0 || c.Int("iterations") < 1:
		return usagef("--perplexity %v --iterations %d: want more than 0", c.Float64("perplexity"), c.Int("iterations"))
	}
	path := c.Args().First()
	set, err := readFeatures(path)
	if err != nil {
		return err
	}
	var points []embed.Point
	title, x, y := filepath.Base(path)+" · PCA", "", ""
	if method == "pca" {
		var share []float64
		points, share, err = embed.PCA(set.features, set.n)
		name := func(i int) string {
			if i >= len(share) {
				return ""
			}
			return fmt.Sprintf("component %d (%.1f %% of the variance)", i+1, 100*share[i])
		}
		x, y = name(0), name(1)
	} else {
		title = filepath.Base(path) + " · t-SNE"
		progress := newBar(c, c.Int("iterations"), "steps")
		o := embed.TSNEOptions{Perplexity: c.Float64("perplexity"), Iterations: c.Int("iterations"), Threads: c.Int("threads"),
			Progress: func(done, _ int) { progress.set(done) }}
		points, err = embed.TSNE(c.Context, set.features, set.n, o)
		progress.clear()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(out, func(w io.Writer) error { return embed.Plot(w, points, set.labels, set.classes, title, x, y) })
}

// featureSet is what extract-features wrote.
type featureSet struct {
	features []float32
	n        int
	labels   []int
	classes  []string
}

func readFeatures(path string) (featureSet, error) {
	var s featureSet
	arrays, err := npz.ReadFile(path)
	if err != nil {
		return s, missingFile(path, err)
	}
	for _, t := range arrays {
		switch {
		case t.Name == "features" && t.Type == onnx.Float && len(t.Shape) >= 2:
			s.features, s.n = t.Float32s(), t.Shape[0]
		case t.Name == "labels" && t.Type == onnx.Int64:
			for _, v := range t.Int64s() {
				s.labels = append(s.labels, int(v))
			}
		case t.Name == "classes" && t.Type == onnx.String:
			s.classes = t.Strings
		}
	}
	if s.features == nil {
		return s, fmt.Errorf("%s: there is no array \"features\" of float32: give a file that extract-features wrote", path)
	}
	if len(s.classes) == 0 {
		s.labels = nil
	}
	return s, nil
}
