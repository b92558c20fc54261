package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func gradcamCommand() *cli.Command {
	return &cli.Command{
		Name:      "gradcam",
		Usage:     "show what a network looks at: heat maps over images",
		ArgsUsage: "MODEL IMAGE... -o FILE",
		Description: `FILE (.png or .jpg) shows each image as the network sees it, and beside it a map for each class and method. With the
extension .npy it holds the raw maps, neither rectified nor scaled, at the layer's resolution: one of shape [H,W], several
of shape [N,H,W], by image, class, method. Without --class the predicted class is explained. The model may be any
classifier with convolutions; gradients are those of the logits, whatever the file ends in.

` + methodHelp() + `
  onnxcnn gradcam resnet50.onnx cat.jpg -o cam.png --recipe torchvision-v1
  onnxcnn gradcam run/model.onnx photos -o cam.png --method gradcam,layercam,integrated-gradients
  onnxcnn gradcam vgg16.onnx cat.jpg -o cam.png --recipe torchvision-v1 --layer 22 --class tabby --class 207
  onnxcnn gradcam run/model.onnx cat.jpg -o map.npy
  onnxcnn gradcam run/model.onnx photos --metrics --json`,
		Flags: engineFlags(recipeFlags(
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the picture, or the maps, to `FILE`: .png, .jpg or .npy"},
			&cli.StringFlag{Name: "method", Value: "gradcam", Usage: "`M` of the list above; several with commas between"},
			&cli.StringFlag{Name: "layer", DefaultText: "the last one with spatial extent before pooling", Usage: "look at layer `L`: number, name or block, see \"onnxcnn layers\""},
			&cli.StringSliceFlag{Name: "class", DefaultText: "the predicted one", Usage: "explain class `C`, a label or a number; may be given several times"},
			&cli.IntFlag{Name: "top", Usage: "explain the `K` most probable classes of each image"},
			&cli.IntFlag{Name: "images", Value: 8, Usage: "take at most `N` images of a folder, evenly spread over it; 0 takes all"},
			&cli.BoolFlag{Name: "metrics", Usage: "say how good each map is: areas under the deletion and insertion curves, and ROAD"},
			&cli.StringFlag{Name: "palette", DefaultText: "turbo, for maps of pixels inferno", Usage: "`NAME` of the colours: " + strings.Join(gradcam.Palettes(), ", ")},
			&cli.Float64Flag{Name: "alpha", Value: 0.5, Usage: "`A` from 0 to 1: how much the colours cover the picture"},
			&cli.BoolFlag{Name: "fade", Usage: "cover the picture less where the map is low"},
			&cli.StringFlag{Name: "contour", Usage: "draw contours at these shares `V,V` of the largest value, as 0.5,0.8"},
			&cli.IntFlag{Name: "width", DefaultText: "about 320", Usage: "make each picture about `N` pixels wide"},
			&cli.StringFlag{Name: "labels", Usage: "`FILE` with the class names in the order of the outputs, one a line or as a JSON array"},
			&cli.IntFlag{Name: "batch", Value: 16, Usage: "run `N` passes at once in methods that need many"},
			&cli.IntFlag{Name: "channels", Usage: "scorecam and ablationcam: take only the `N` channels that vary most; 0 takes all"},
			&cli.IntFlag{Name: "samples", Value: 25, Usage: "smoothgrad: `N` noisy images"},
			&cli.IntFlag{Name: "steps", Value: 50, Usage: "integrated-gradients: `N` steps"},
			&cli.StringFlag{Name: "baseline", DefaultText: "black for integrated-gradients, zero for occlusion", Usage: "start from, or cover with, `B`: black, white, gray, zero (in the network's units) or blur"},
			&cli.IntFlag{Name: "window", DefaultText: "a seventh of the image", Usage: "occlusion: cover squares of `N` pixels"},
			&cli.IntFlag{Name: "stride", DefaultText: "half the window", Usage: "occlusion: move them by `N` pixels"},
			seedFlag(), jsonFlag(),
		)...),
		Action: explain,
	}
}

// methodHelp lists the methods with their papers.
func methodHelp() string {
	var b strings.Builder
	for _, m := range gradcam.Methods() {
		fmt.Fprintf(&b, "  %-21s %s\n", m.Name, m.Paper)
	}
	return b.String()
}

// explanation is what --json prints of an image.
type explanation struct {
	Path string    `json:"path"`
	Maps []camJSON `json:"maps"`
}

// camJSON is a map as --json shows it.
type camJSON struct {
	Method       string                `json:"method"`
	Layer        string                `json:"layer,omitempty"`
	LayerIndex   *int                  `json:"layer_index,omitempty"`
	Shape        [2]int                `json:"shape"` // height and width
	Class        int                   `json:"class"`
	Label        string                `json:"label"`
	Probability  float64               `json:"probability"`
	Logit        float64               `json:"logit"`
	Peak         [2]int                `json:"peak"` // row and column in the network's input
	Max          float64               `json:"max"`
	Min          float64               `json:"min"`
	Note         string                `json:"note,omitempty"`
	Completeness *gradcam.Completeness `json:"completeness,omitempty"`
	Quality      *gradcam.Quality      `json:"quality,omitempty"`
}

// explainFlags is what the command's flags say beyond [gradcam.Options].
type explainFlags struct {
	out     string
	methods []string
	style   gradcam.Style
}

func readExplainFlags(c *cli.Context) (explainFlags, error) {
	f := explainFlags{out: c.String("output")}
	ext := strings.ToLower(filepath.Ext(f.out))
	switch {
	case f.out == "" && !c.Bool("metrics") && !c.Bool("json"):
		return f, withHint(usagef("where to? Give -o FILE"), "%s", seeHelp(c.Command))
	case f.out != "":
		if err := checkPicture(f.out, ".npy"); err != nil {
			return f, err
		}
	}
	pixels := 0
	for _, name := range strings.Split(c.String("method"), ",") {
		m, err := gradcam.MethodByName(strings.TrimSpace(name))
		if err != nil {
			return f, usagef("--method: %w", err)
		}
		if m.Pixels {
			pixels++
		}
		f.methods = append(f.methods, m.Name)
	}
	if ext == ".npy" && pixels > 0 && pixels < len(f.methods) {
		return f, usagef("-o %s: maps of a layer and of pixels differ in size: give one kind of --method", f.out)
	}
	for _, n := range []string{"top", "images", "channels", "window", "stride", "width"} {
		if c.Int(n) < 0 {
			return f, usagef("--%s %d: want 0 or more", n, c.Int(n))
		}
	}
	for _, n := range []string{"batch", "samples", "steps"} {
		if c.Int(n) < 1 {
			return f, usagef("--%s %d: want 1 or more", n, c.Int(n))
		}
	}
	if c.Int("top") > 0 && len(c.StringSlice("class")) > 0 {
		return f, usagef("--top and --class exclude each other")
	}
	f.style = gradcam.Style{Palette: c.String("palette"), Alpha: c.Float64("alpha"), Fade: c.Bool("fade")}
	if text := c.String("contour"); text != "" {
		for _, s := range strings.Split(text, ",") {
			v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
			if err != nil {
				return f, usagef("--contour %s: %q is no number", text, s)
			}
			f.style.Contour = append(f.style.Contour, v)
		}
	}
	if err := f.style.Check(); err != nil {
		return f, usagef("%w", err)
	}
	return f, nil
}

// explainer opens the command's model as the flags have it.
func explainer(c *cli.Context, m *onnx.Model, progress *bar) (*gradcam.Explainer, error) {
	recipe, err := chosenRecipe(c, m)
	if err != nil {
		return nil, err
	}
	o := gradcam.Options{
		Layer: c.String("layer"), Recipe: recipe, Batch: c.Int("batch"), Seed: uint64(c.Int64("seed")),
		Samples: c.Int("samples"), Steps: c.Int("steps"), Baseline: c.String("baseline"),
		Window: c.Int("window"), Stride: c.Int("stride"), Channels: c.Int("channels"),
		Provider: c.String("provider"), Threads: c.Int("threads"),
		Warn:     func(s string) { advise(c, "%s", s) },
		Progress: func(done, total int) { progress.describe(fmt.Sprintf("pass %d of %d", done, total)) },
	}
	if o.Size, err = parseSize(c.String("size")); err != nil {
		return nil, err
	}
	if file := c.String("labels"); file != "" {
		if o.Labels, err = readLabels(file); err != nil {
			return nil, err
		}
	}
	return gradcam.New(m, o)
}

func explain(c *cli.Context) error {
	path, paths, err := modelArg(c)
	if err != nil {
		return err
	}
	f, err := readExplainFlags(c)
	if err != nil {
		return err
	}
	data, err := imagesOf(c, paths)
	if err != nil {
		return err
	}
	m, err := openModel(path)
	if err != nil {
		return err
	}
	defer m.Close()
	items := spread(data.Items, c.Int("images"))
	if len(items) < len(data.Items) {
		advise(c, "%d of %d images; --images N takes more", len(items), len(data.Items))
	}
	progress := newBar(c, len(items), "images")
	defer progress.clear()
	x, err := explainer(c, m, progress)
	if err != nil {
		return err
	}
	defer x.Close()
	figure := gradcam.Figure{Style: f.style, Width: c.Int("width"), Title: figureTitle(x, f.methods)}
	skip := &skips{c: c, bar: progress}
	for i, it := range items {
		row, err := explainImage(c, x, it, f.methods)
		var s *features.Skip
		switch {
		case errors.As(err, &s):
			skip.add(s)
		case err != nil:
			return err
		default:
			figure.Rows = append(figure.Rows, row)
		}
		progress.set(i + 1)
	}
	progress.clear()
	result := skip.result(len(items))
	if len(figure.Rows) == 0 {
		return result
	}
	if err := writeExplanations(f.out, figure); err != nil {
		return err
	}
	if err := printExplanations(c, x, f.out, figure.Rows); err != nil {
		return err
	}
	return result
}

// figureTitle names the methods and, where one looks at it, the layer.
func figureTitle(x *gradcam.Explainer, names []string) string {
	var titles []string
	layer := ""
	for _, n := range names {
		m, _ := gradcam.MethodByName(n)
		titles = append(titles, m.Title)
		if !m.Pixels {
			layer = fmt.Sprintf(" · layer %d, %s", x.Layer().Index, x.Layer().Name)
		}
	}
	return strings.Join(titles, ", ") + layer
}

// explainImage makes the maps of an image. One that cannot be read is a [features.Skip].
func explainImage(c *cli.Context, x *gradcam.Explainer, it features.Item, methods []string) (gradcam.Explained, error) {
	row := gradcam.Explained{Name: filepath.Base(it.Path)}
	p, err := decodeItem(it, x.Recipe())
	if err != nil {
		return row, &features.Skip{Item: it, Err: err}
	}
	if row.Image, err = x.Image(c.Context, p); err != nil {
		return row, fmt.Errorf("%s: %w", it.Path, err)
	}
	row.Name = it.Path
	classes := row.Image.Top(max(c.Int("top"), 1))
	if names := c.StringSlice("class"); len(names) > 0 {
		classes = nil
		for _, n := range names {
			k, err := row.Image.Class(n)
			if err != nil {
				return row, usagef("--class: %w", err)
			}
			classes = append(classes, k)
		}
	}
	for _, class := range classes {
		for _, method := range methods {
			m, err := x.Explain(c.Context, row.Image, method, class)
			if err != nil {
				return row, fmt.Errorf("%s: %w", it.Path, err)
			}
			var q *gradcam.Quality
			if c.Bool("metrics") {
				if q, err = x.Measure(c.Context, row.Image, m); err != nil {
					return row, fmt.Errorf("%s: %w", it.Path, err)
				}
			}
			row.Maps, row.Quality = append(row.Maps, m), append(row.Quality, q)
		}
	}
	return row, nil
}

func decodeItem(it features.Item, r zoo.Recipe) (*zoo.Picture, error) {
	f, err := it.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return zoo.Decode(f, zoo.DecodeOptions{StoredOrientation: r.StoredOrientation})
}

// writeExplanations writes the picture or, where the extension is .npy, the maps; nothing for no file.
func writeExplanations(out string, f gradcam.Figure) error {
	if out == "" {
		return nil
	}
	if strings.EqualFold(filepath.Ext(out), ".npy") {
		var all []float32
		n, h, w := 0, 0, 0
		for _, r := range f.Rows {
			for _, m := range r.Maps {
				all = append(all, m.Values...)
				n, h, w = n+1, m.H, m.W
			}
		}
		shape := []int{n, h, w}
		if n == 1 {
			shape = shape[1:]
		}
		return atomicfile.Write(out, func(w io.Writer) error { return npz.WriteNPY(w, onnx.Of(shape, all)) })
	}
	// The names below the pictures have little room.
	f.Rows = slices.Clone(f.Rows)
	for i := range f.Rows {
		f.Rows[i].Name = filepath.Base(f.Rows[i].Name)
	}
	picture, err := f.Draw()
	if err != nil {
		return withHint(fmt.Errorf("%s: %w", out, err), "give a smaller --images, --top or --width")
	}
	return writePicture(out, picture)
}

func printExplanations(c *cli.Context, x *gradcam.Explainer, out string, rows []gradcam.Explained) error {
	list := []explanation{}
	h, w := x.Recipe().Size[0], x.Recipe().Size[1]
	index := x.Layer().Index
	for _, r := range rows {
		e := explanation{Path: r.Name}
		for i, m := range r.Maps {
			j := camJSON{
				Method: m.Method, Layer: m.Layer, Shape: [2]int{m.H, m.W}, Class: m.Class, Label: r.Image.Label(m.Class),
				Probability: r.Image.Probability(m.Class), Logit: float64(r.Image.Logits[m.Class]),
				Max: float64(slices.Max(m.Values)), Min: float64(slices.Min(m.Values)),
				Note: m.Note, Completeness: m.Completeness, Quality: r.Quality[i],
			}
			j.Peak[0], j.Peak[1] = m.Peak(h, w)
			if m.Layer != "" {
				j.LayerIndex = &index
			}
			e.Maps = append(e.Maps, j)
		}
		list = append(list, e)
	}
	if c.Bool("json") {
		return printJSON(c, list)
	}
	if c.Bool("quiet") && !c.Bool("metrics") {
		return nil
	}
	for _, e := range list {
		for _, m := range e.Maps {
			printMap(c, e.Path, m)
		}
	}
	if out != "" {
		fmt.Fprintln(c.App.Writer, out)
	}
	return nil
}

func printMap(c *cli.Context, path string, m camJSON) {
	where := "of the pixels"
	if m.LayerIndex != nil {
		where = fmt.Sprintf("of layer %d %q, %dx%d", *m.LayerIndex, m.Layer, m.Shape[0], m.Shape[1])
	}
	fmt.Fprintf(c.App.Writer, "%s: %s (class %d), %.2f %%: %s %s, largest at row %d, column %d\n",
		path, m.Label, m.Class, 100*m.Probability, m.Method, where, m.Peak[0], m.Peak[1])
	if m.Note != "" {
		fmt.Fprintf(c.App.Writer, "  %s\n", m.Note)
	}
	if k := m.Completeness; k != nil {
		fmt.Fprintf(c.App.Writer, "  sums to %.4f, the logit's difference from the baseline is %.4f\n", k.Sum, k.Difference)
	}
	if q := m.Quality; q != nil {
		fmt.Fprintf(c.App.Writer, "  deletion %.4f (less is better), insertion %.4f (more is better), ROAD %+.4f (above 0 is better than chance)\n",
			q.Deletion.Area, q.Insertion.Area, q.Road)
	}
}
