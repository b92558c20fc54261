package main

import (
	"fmt"
	"image"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/internal/sheet"
)

func filtersCommand() *cli.Command {
	return &cli.Command{
		Name:      "filters",
		Usage:     "show images that excite the filters of a layer",
		ArgsUsage: "MODEL -o FILE --layer L",
		Description: `Looks for images that a filter answers to most: gradient ascent on pixels, from noise, on the mean of the filter's map. The
images begin small and grow in --scales steps by --factor to --size pixels, so that large structures come before fine ones.
FILE (.png or .jpg) shows an image for each filter, with its answer and that to the random start.

--jitter, --tv and --decorrelate make images that look more like photographs. Where the layer is a classifier, its filters
are the classes. --weights draws the filters of the first convolution as they are, without any ascent.

  onnxcnn filters inception_v3.onnx -o filters.png --layer mixed4 --filters 0-15 --recipe keras-tf
  onnxcnn filters vgg16.onnx -o one.png --layer 28 --filters 265 --size 224 --scales 8 --jitter 4 --decorrelate
  onnxcnn filters resnet50.onnx -o conv1.png --weights`,
		Flags: recipeFlags(
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the picture to `FILE`: .png or .jpg"},
			&cli.StringFlag{Name: "layer", Usage: "`L` is a number, name or block, see \"onnxcnn layers\""},
			&cli.StringFlag{Name: "filters", Value: "0-8", Usage: "`LIST` of filters: 0,3,17 or 0-15"},
			&cli.IntFlag{Name: "image-size", Value: 160, Usage: "images of `N`xN pixels"},
			&cli.IntFlag{Name: "scales", Value: 6, Usage: "grow in `N` sizes"},
			&cli.Float64Flag{Name: "factor", Value: 1.2, Usage: "each `F` times as large as the one before"},
			&cli.IntFlag{Name: "steps", Value: 20, Usage: "`N` steps of ascent at each size"},
			&cli.Float64Flag{Name: "lr", Value: 0.03, Usage: "learning rate `R` of Adam, of pixels from 0 to 1"},
			&cli.Float64Flag{Name: "blur", Value: 0.7, Usage: "smooth an image that has grown by a bell of `S` pixels; 0 for not at all"},
			&cli.IntFlag{Name: "jitter", Usage: "shift the images by up to `N` pixels before each step"},
			&cli.Float64Flag{Name: "tv", Usage: "weight `W` against differences of neighbouring pixels, as 0.1"},
			&cli.BoolFlag{Name: "decorrelate", Usage: "ascend in a space of colours as photographs have them"},
			&cli.BoolFlag{Name: "weights", Usage: "draw the weights of the first convolution instead"},
			seedFlag(), threadsFlag(), quietFlag(), jsonFlag(),
		),
		Action: showFilters,
	}
}

func showFilters(c *cli.Context) error {
	path, err := onlyModelArg(c)
	if err != nil {
		return err
	}
	out := c.String("output")
	switch {
	case out == "":
		return withHint(usagef("where to? Give -o FILE"), "%s", seeHelp(c.Command))
	case c.String("layer") == "" && !c.Bool("weights"):
		return withHint(usagef("which layer? Give --layer, or --weights"), "\"onnxcnn layers %s\" lists them", path)
	}
	if err := checkPicture(out); err != nil {
		return err
	}
	filters, err := parseFilters(c.String("filters"))
	if err != nil {
		return usagef("--filters: %w", err)
	}
	m, err := openModel(path)
	if err != nil {
		return err
	}
	defer m.Close()
	recipe, err := chosenRecipe(c, m)
	if err != nil {
		return err
	}
	if c.Bool("weights") {
		images, err := gradcam.WeightImages(m, *recipe, 48)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return drawWeights(out, filepath.Base(path)+": filters of the first convolution", images)
	}
	for name, v := range map[string]float64{"image-size": float64(c.Int("image-size")), "scales": float64(c.Int("scales")), "factor": c.Float64("factor"),
		"steps": float64(c.Int("steps")), "lr": c.Float64("lr")} {
		if !(v > 0) {
			return usagef("--%s %v: want more than 0", name, v)
		}
	}
	o := gradcam.FilterOptions{Recipe: *recipe, Layer: c.String("layer"), Filters: filters, Size: c.Int("image-size"), Scales: c.Int("scales"),
		Factor: c.Float64("factor"), Steps: c.Int("steps"), Rate: c.Float64("lr"), Blur: c.Float64("blur"), Jitter: c.Int("jitter"),
		TV: c.Float64("tv"), Decorrelate: c.Bool("decorrelate"), Seed: uint64(c.Int64("seed")), Threads: c.Int("threads")}
	if o.Blur == 0 {
		o.Blur = -1
	}
	var progress *bar
	o.Progress = func(done, total int) {
		if progress == nil {
			progress = newBar(c, total, "steps")
		}
		progress.set(done)
	}
	images, err := gradcam.VisualizeFilters(c.Context, m, o)
	if progress != nil {
		progress.clear()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	drawn, err := gradcam.DrawFilters(images, fmt.Sprintf("%s: filters of layer %s", filepath.Base(path), o.Layer))
	if err != nil {
		return err
	}
	if err := writePicture(out, drawn); err != nil {
		return err
	}
	type answer struct {
		Filter int     `json:"filter"`
		Start  float64 `json:"start"`
		End    float64 `json:"end"`
	}
	list := []answer{}
	for _, f := range images {
		list = append(list, answer{f.Filter, f.Start, f.End})
	}
	if c.Bool("json") {
		return printJSON(c, list)
	}
	if !c.Bool("quiet") {
		for _, a := range list {
			fmt.Fprintf(c.App.Writer, "filter %d: %.4g at the random start, %.4g in the end\n", a.Filter, a.Start, a.End)
		}
	}
	return nil
}

// parseFilters reads a list of numbers and ranges.
func parseFilters(text string) ([]int, error) {
	const most = 4096
	var out []int
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(from)
		b := a
		if err == nil && isRange {
			b, err = strconv.Atoi(to)
		}
		if err != nil || a < 0 || b < a {
			return nil, fmt.Errorf("%q is neither a number nor a range such as 0-15", part)
		}
		if b-a >= most || len(out)+b-a >= most {
			return nil, fmt.Errorf("more than %d filters", most)
		}
		for i := a; i <= b; i++ {
			out = append(out, i)
		}
	}
	return out, nil
}

// drawWeights draws filters as a grid with their numbers.
func drawWeights(out, title string, images []image.Image) error {
	columns := int(math.Ceil(math.Sqrt(float64(len(images)))))
	s := sheet.Sheet{Title: title}
	for i, img := range images {
		if i%columns == 0 {
			s.Rows = append(s.Rows, nil)
		}
		row := &s.Rows[len(s.Rows)-1]
		*row = append(*row, sheet.Cell{Image: img, Text: strconv.Itoa(i)})
	}
	drawn, err := s.Draw()
	if err != nil {
		return err
	}
	return writePicture(out, drawn)
}
