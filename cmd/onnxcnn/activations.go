package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func activationsCommand() *cli.Command {
	return &cli.Command{
		Name:      "activations",
		Usage:     "show what the filters of a layer answer to an image, or measure all layers on a folder",
		ArgsUsage: "MODEL IMAGE -o FILE --layer L | MODEL IMAGE... --stats",
		Description: `FILE (.png or .jpg) is a grid of every filter of the layer, with its number and its largest value; filters that answer
the same everywhere (rectified ones: nothing) are gray and counted as dead. With the extension .npy it holds the maps, [C,H,W].

With --stats, a table has a line for each layer, or for --layer only: units, how many of them are dead (the same number
everywhere in all images), mean, standard deviation, sparsity (the share of exact zeros), and range. Many dead units say
that a learning rate was too high, or that a network is larger than its task.

  onnxcnn activations vgg16.onnx cat.jpg -o conv1.png --layer 1 --recipe torchvision-v1
  onnxcnn activations run/model.onnx cat.jpg -o maps.npy --layer layer2
  onnxcnn activations run/model.onnx photos --stats
  onnxcnn activations run/model.onnx photos --stats --json`,
		Flags: engineFlags(recipeFlags(
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the grid, or the maps, to `FILE`: .png, .jpg or .npy"},
			&cli.StringFlag{Name: "layer", Usage: "layer `L`: number, name or block, see \"onnxcnn layers\""},
			&cli.BoolFlag{Name: "stats", Usage: "measure layers over all images instead of drawing one"},
			&cli.StringFlag{Name: "palette", Value: "viridis", Usage: "`NAME` of the colours: " + strings.Join(gradcam.Palettes(), ", ")},
			&cli.BoolFlag{Name: "same-scale", Usage: "draw all filters in one scale, instead of each in its own"},
			&cli.IntFlag{Name: "columns", DefaultText: "about as many as rows", Usage: "put `K` filters in a row"},
			&cli.IntFlag{Name: "width", DefaultText: "64 or more", Usage: "make each map at least `N` pixels wide"},
			&cli.IntFlag{Name: "batch", Value: 8, Usage: "run `N` images at once"},
			&cli.IntFlag{Name: "max-pixels", Usage: "skip images of more than `N` pixels; 0 means 178956970"},
			jsonFlag(),
		)...),
		Action: activations,
	}
}

func activations(c *cli.Context) error {
	path, paths, err := modelArg(c)
	if err != nil {
		return err
	}
	out, ext := c.String("output"), strings.ToLower(filepath.Ext(c.String("output")))
	switch {
	case c.Bool("stats") && out != "":
		return usagef("--stats prints a table and draws nothing: leave -o out")
	case c.Bool("stats"):
	case out == "":
		return withHint(usagef("where to? Give -o FILE, or --stats"), "%s", seeHelp(c.Command))
	case c.String("layer") == "":
		return withHint(usagef("which layer? Give --layer"), "\"onnxcnn layers %s\" lists them", path)
	}
	if out != "" {
		if err := checkPicture(out, ".npy"); err != nil {
			return err
		}
	}
	for _, n := range []string{"columns", "width"} {
		if c.Int(n) < 0 {
			return usagef("--%s %d: want 0 or more", n, c.Int(n))
		}
	}
	if p := c.String("palette"); p == "" || (gradcam.Style{Palette: p}).Check() != nil {
		return usagef("--palette %s: want one of %s", p, strings.Join(gradcam.Palettes(), ", "))
	}
	m, o, err := imageNetwork(c, path)
	if err != nil {
		return err
	}
	defer m.Close()
	data, err := imagesOf(c, paths)
	if err != nil {
		return err
	}
	o.At = c.String("layer")
	if c.Bool("stats") {
		return activationStatistics(c, m, data, o)
	}
	if len(data.Items) > 1 {
		advise(c, "the first of %d images is shown; --stats measures all", len(data.Items))
	}
	a, err := gradcam.ActivationsOf(c.Context, m, data, o)
	if err != nil {
		return err
	}
	dead := a.Dead()
	number := ""
	if a.Index >= 0 {
		number = fmt.Sprintf("%d, ", a.Index)
	}
	text := fmt.Sprintf("layer %s%s: %s of %dx%d, %d dead", number, a.Layer, plural(a.Maps.C, "filter"), a.Maps.H, a.Maps.W, len(dead))
	if ext == ".npy" {
		err = atomicfile.Write(out, func(w io.Writer) error {
			return npz.WriteNPY(w, onnx.Of([]int{a.Maps.C, a.Maps.H, a.Maps.W}, a.Maps.Data))
		})
	} else {
		err = drawActivations(c, a, out, fmt.Sprintf("%s · %s", filepath.Base(data.Items[0].Path), text))
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, struct {
			Path  string `json:"path"`
			Layer string `json:"layer"`
			Index int    `json:"layer_index"` // -1 where no layer computes it
			Shape [3]int `json:"shape"`
			Dead  []int  `json:"dead"`
		}{data.Items[0].Path, a.Layer, a.Index, [3]int{a.Maps.C, a.Maps.H, a.Maps.W}, append([]int{}, dead...)})
	}
	if !c.Bool("quiet") {
		fmt.Fprintf(c.App.Writer, "%s: %s\n", out, text)
	}
	return nil
}

func drawActivations(c *cli.Context, a *gradcam.Activations, out, title string) error {
	picture, err := a.Grid(gradcam.GridOptions{Palette: c.String("palette"), Columns: c.Int("columns"), Width: c.Int("width"),
		Shared: c.Bool("same-scale"), Title: title})
	if err != nil {
		return withHint(fmt.Errorf("%s: %w", out, err), "give a smaller --width")
	}
	return writePicture(out, picture)
}

func activationStatistics(c *cli.Context, m *onnx.Model, data *features.Dataset, o features.Options) error {
	progress := newBar(c, len(data.Items), "images")
	defer progress.clear()
	o.Progress = func(p features.Progress) { progress.set(p.Done) }
	skip := &skips{c: c, bar: progress}
	layers, err := gradcam.StatisticsOf(c.Context, m, data, o, skip.add)
	if err != nil {
		return err
	}
	progress.clear()
	result := skip.result(len(data.Items))
	if len(layers) == 0 {
		return result
	}
	if c.Bool("json") {
		if err := printJSON(c, layers); err != nil {
			return err
		}
		return result
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LAYER\tNAME\tOPERATOR\tUNITS\tDEAD\tMEAN\tDEVIATION\tSPARSITY\tRANGE")
	for _, l := range layers {
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%d (%.1f %%)\t%.4g\t%.4g\t%.1f %%\t%.3g to %.3g\n",
			l.Index, l.Name, l.Op, l.Units, l.Dead, 100*float64(l.Dead)/float64(l.Units), l.Mean, l.Std, 100*l.Sparsity, l.Min, l.Max)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return result
}
