package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/sheet"
	"github.com/onnxcnn/onnxcnn/zoo"
)

func augmentCommand() *cli.Command {
	return &cli.Command{
		Name:      "augment",
		Usage:     "show what training makes of images that it changes at random",
		ArgsUsage: "IMAGE... -o FILE",
		Description: `FILE (.png or .jpg) shows each image as the network sees it, and then changed versions with what was done to each.
An IMAGE may also be a folder of images: then there is a row for each of a few of them. Training on that folder with
the same seed, recipe and SPEC sees view N in epoch N.

SPEC is none, standard, or a list such as "rotate=15,hflip=0.5,crop=0.8..1,jitter=0.2"; standard may be the first of
the list, and stands for crop=0.8..1,rotate=30,shear=10,hflip=0.5. Of a step that is not named nothing is done.
P is a probability; of A..B one number means the interval between it and 1. Where torchvision has a step, it does the
same with the same numbers.

The order is: crop, flips, one map of shear, zoom, rotation and translation, perspective, RandAugment, TrivialAugment,
brightness to hue in random order, sharpness, autocontrast to invert, gray, blur, erase.

` + indent(zoo.AugmentHelp()) + `
  onnxcnn augment cat.jpg -o grid.png
  onnxcnn augment cat.jpg -o grid.png --augment randaugment=2,magnitude=15 --count 20
  onnxcnn augment photos -o grid.png --augment standard,jitter=0.4,erase=0.5 --images 5 --size 150`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the grid to `FILE`, .png or .jpg"},
			&cli.StringFlag{Name: "augment", Value: "standard", Usage: "how to change images: `SPEC` as above"},
			&cli.IntFlag{Name: "count", Value: 12, DefaultText: "12, of several images 5", Usage: "show `N` versions of an image"},
			&cli.IntFlag{Name: "columns", DefaultText: "4 to 7, for several images a row each", Usage: "put `K` pictures in a row"},
			&cli.IntFlag{Name: "images", Value: 8, Usage: "show at most `N` images of a folder, evenly spread over it; 0 shows all"},
			&cli.StringFlag{Name: "recipe", Value: "torchvision-v1", Category: recipeCategory, Usage: "`NAME` of a recipe, or of a JSON file"},
			&cli.StringFlag{Name: "size", Category: recipeCategory, Usage: "`HxW` of the pictures, or one number for both; by default the recipe's"},
			seedFlag(), quietFlag(),
		},
		Action: augment,
	}
}

// indent puts two spaces before each line.
func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}

func augment(c *cli.Context) error {
	out := c.String("output")
	switch ext := strings.ToLower(filepath.Ext(out)); {
	case out == "":
		return withHint(usagef("where to? Give -o FILE"), "%s", seeHelp(c.Command))
	case ext != ".png" && ext != ".jpg" && ext != ".jpeg":
		return usagef("-o %s: the extension is none of .png .jpg .jpeg", out)
	}
	a, err := zoo.ParseAugment(c.String("augment"))
	if err != nil {
		return withHint(usagef("--augment: %w", err), "%s", seeHelp(c.Command))
	}
	for _, f := range []struct {
		name     string
		min, max int
	}{{"count", 1, 1000}, {"columns", 0, 1000}, {"images", 0, 10000}} {
		if n := c.Int(f.name); n < f.min || n > f.max {
			return usagef("--%s %d: want %d to %d", f.name, n, f.min, f.max)
		}
	}
	if c.String("recipe") == "" {
		return usagef("--recipe: want a name, one of %s", strings.Join(zoo.RecipeNames(), ", "))
	}
	size, err := parseSize(c.String("size"))
	if err != nil {
		return err
	}
	recipe, err := baseRecipe(c, nil)
	if err != nil {
		return err
	}
	r := *recipe
	if size[0] > 0 {
		r = r.WithSize(size[0], size[1])
	}
	if err := r.Validate(); err != nil {
		return usagef("--size %s: %w", c.String("size"), err)
	}
	data, err := imagesOf(c, c.Args().Slice())
	if err != nil {
		return err
	}
	items := spread(data.Items, c.Int("images"))
	if len(items) < len(data.Items) {
		advise(c, "%d of %d images; --images N shows more", len(items), len(data.Items))
	}
	g := grid{recipe: r, augment: a, seed: uint64(c.Int64("seed")), count: c.Int("count"), columns: c.Int("columns")}
	if len(items) > 1 {
		if !c.IsSet("count") {
			g.count = 5
		}
		if g.columns == 0 {
			g.columns = g.count + 1
		}
	}
	if g.columns == 0 {
		g.columns = squarest(g.count + 1)
	}
	rows := len(items) * ((g.count + g.columns) / g.columns)
	tooLarge := func(err error) error {
		return withHint(fmt.Errorf("%s: %w", out, err), "give a smaller --count, --images or --size")
	}
	if err := sheet.Fits(rows, g.columns, r.Size[1], r.Size[0]); err != nil {
		return tooLarge(err)
	}
	progress := newBar(c, len(items), "images")
	defer progress.clear()
	s := sheet.Sheet{Title: fmt.Sprintf("%s  (seed %d)", a, g.seed)}
	skip := &skips{c: c, bar: progress}
	for i, it := range items {
		rows, err := g.rows(it)
		progress.set(i + 1)
		if err != nil {
			skip.add(&features.Skip{Item: it, Err: err})
			continue
		}
		s.Rows = append(s.Rows, rows...)
		if err := c.Context.Err(); err != nil {
			return err
		}
	}
	progress.clear()
	result := skip.result(len(items))
	if len(s.Rows) == 0 {
		return result
	}
	picture, err := s.Draw()
	if err != nil {
		return tooLarge(err)
	}
	if err := writePicture(out, picture); err != nil {
		return err
	}
	if !c.Bool("quiet") {
		fmt.Fprintf(c.App.Writer, "%s: %s of %s, %dx%d pixels\n", out,
			plural(g.count, "version"), plural(len(items)-len(skip.list), "image"), picture.Rect.Dx(), picture.Rect.Dy())
	}
	return result
}

// plural is a number with the name of what is counted.
func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// spread picks at most n of the items (0: all), evenly spread over them.
func spread(items []features.Item, n int) []features.Item {
	if n == 0 || n >= len(items) {
		return items
	}
	picked := make([]features.Item, n)
	for i := range picked {
		picked[i] = items[i*len(items)/n]
	}
	return picked
}

// squarest returns the number of columns, 4 to 7, that leaves the fewest cells of a grid empty.
func squarest(cells int) int {
	best, empty := cells, cells
	for columns := 4; columns <= 7 && columns < cells; columns++ {
		if e := (columns - cells%columns) % columns; e <= empty {
			best, empty = columns, e
		}
	}
	return best
}

// grid makes the rows of a sheet.
type grid struct {
	recipe         zoo.Recipe
	augment        zoo.Augment
	seed           uint64
	count, columns int
}

// rows shows an image: first as it is, then changed, so many pictures a row.
func (g grid) rows(it features.Item) ([][]sheet.Cell, error) {
	f, err := it.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := zoo.Decode(f, zoo.DecodeOptions{StoredOrientation: g.recipe.StoredOrientation})
	if err != nil {
		return nil, err
	}
	plain, _, err := g.recipe.Image(p, zoo.Augment{}, 0)
	if err != nil {
		return nil, err
	}
	cells := []sheet.Cell{{Image: plain, Title: filepath.Base(it.Path), Text: "as validation sees it"}}
	for view := 1; view <= g.count; view++ {
		img, notes, err := g.recipe.Image(p, g.augment, zoo.ViewSeed(g.seed, it.Name(), view-1))
		if err != nil {
			return nil, err
		}
		text := strings.ReplaceAll(strings.Join(notes, ","), " ", "\u00a0") // lines break between changes only
		text = strings.ReplaceAll(text, ",", ", ")
		if text == "" {
			text = "unchanged"
		}
		cells = append(cells, sheet.Cell{Image: img, Title: fmt.Sprint("view ", view), Text: text})
	}
	return slices.Collect(slices.Chunk(cells, g.columns)), nil
}
