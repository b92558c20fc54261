package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/onnxcnn/onnxcnn/internal/near"
	"github.com/onnxcnn/onnxcnn/zoo"
	"github.com/urfave/cli/v2"
)

func zooCommand() *cli.Command {
	return &cli.Command{
		Name:  "zoo",
		Usage: "known architectures and pretrained networks",
		Description: `Pretrained networks are fetched once with "onnxcnn zoo pull", checked, and kept as ONNX files in the folder zoo
of $ONNXCNN_HOME, or of the user's cache folder. From then on every command takes the name in place of a file:

   onnxcnn zoo list
   onnxcnn zoo pull resnet50
   onnxcnn predict resnet50 dog.jpg`,
		Subcommands: []*cli.Command{zooListCommand(), zooShowCommand(), zooPullCommand()},
		Action: func(c *cli.Context) error {
			if name := c.Args().First(); name != "" {
				return unknownCommand("onnxcnn zoo", c.Command.Subcommands, name)
			}
			return withHint(usagef("list, show or pull?"), "%s", seeHelp(c.Command))
		},
	}
}

func zooListCommand() *cli.Command {
	return &cli.Command{
		Name:      "list",
		Usage:     "list pretrained networks and architectures",
		ArgsUsage: " ",
		Description: `Lists the pretrained networks that can be fetched, with their accuracy on ImageNet's validation images as published,
and then the architectures without pretrained weights, which "onnxcnn train" takes. The name of an architecture alone
stands for the networks marked with *.

   onnxcnn zoo list`,
		Flags:  []cli.Flag{jsonFlag()},
		Action: listZoo,
	}
}

func zooShowCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show what is known of a network",
		ArgsUsage: "NAME",
		Description: `Shows the architecture, where its weights come from, their size, checksum, licence and accuracy, and the recipe by which
pictures become inputs.

   onnxcnn zoo show resnet50`,
		Flags:  []cli.Flag{jsonFlag()},
		Action: showZoo,
	}
}

func zooPullCommand() *cli.Command {
	return &cli.Command{
		Name:      "pull",
		Usage:     "fetch a pretrained network",
		ArgsUsage: "NAME",
		Description: `Downloads the weights, checks size and SHA-256 (its first 8 digits, where no more is published), and writes the network
as an ONNX file, with recipe and labels, into the cache. A download that was cut goes on where it ended. Proxies are
those of HTTPS_PROXY and NO_PROXY. Prints the name of the ONNX file.

A machine without a way to the internet takes a file that was fetched elsewhere:

   onnxcnn zoo pull vgg16
   onnxcnn zoo pull vgg16 --from vgg16-397923af.pth`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "take the weights from `FILE` instead of downloading them"},
			&cli.BoolFlag{Name: "again", Usage: "fetch and convert even if it is in the cache"},
			quietFlag(),
			jsonFlag(),
		},
		Action: pullZoo,
	}
}

// zooEntry is a line of the list.
type zooEntry struct {
	Name    string  `json:"name"`
	Arch    string  `json:"arch"`
	Default bool    `json:"default"`
	Params  int     `json:"params"`
	Input   string  `json:"input"`
	Top1    float64 `json:"top1,omitempty"`
	Top5    float64 `json:"top5,omitempty"`
	Bytes   int64   `json:"bytes,omitempty"`
	Weights bool    `json:"weights"` // pretrained ones can be fetched
	Cached  bool    `json:"cached"`

	size string
}

func zooEntries() []zooEntry {
	var entries, bare []zooEntry
	byArch := map[string][]zoo.Pretrained{}
	for _, p := range zoo.Pretraineds() {
		byArch[p.Arch] = append(byArch[p.Arch], p)
	}
	for _, a := range zoo.Archs() {
		e := zooEntry{Name: a.Name, Arch: a.Name, Params: a.Params, Input: fmt.Sprintf("%dx%dx%d", a.Channels, a.Size[0], a.Size[1])}
		if len(byArch[a.Name]) == 0 {
			bare = append(bare, e)
		}
		for _, p := range byArch[a.Name] {
			e.Name, e.Default, e.Top1, e.Top5, e.Bytes, e.size = p.Name, p.Default, p.Top1, p.Top5, p.Bytes, p.Size()
			e.Weights, e.Cached = true, p.Cached()
			entries = append(entries, e)
		}
	}
	return append(entries, bare...)
}

func listZoo(c *cli.Context) error {
	if c.NArg() > 0 {
		return withHint(usagef("zoo list takes no argument"), "%s", seeHelp(c.Command))
	}
	entries := zooEntries()
	if c.Bool("json") {
		return printJSON(c, entries)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tINPUT\tPARAMS\tTOP-1\tTOP-5\tSIZE\tCACHED")
	percent := func(v float64) string {
		if v == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", v)
	}
	for _, e := range entries {
		name, cached := e.Name, "-"
		if e.Default {
			name += " *"
		}
		if e.Cached {
			cached = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, e.Input, thousands(e.Params), percent(e.Top1), percent(e.Top5), cmp.Or(e.size, "-"), cached)
	}
	return w.Flush()
}

// zooDetails is what zoo show tells.
type zooDetails struct {
	Arch     string           `json:"arch"`
	Layout   string           `json:"layout"`
	Paper    string           `json:"paper"`
	Params   int              `json:"params"`
	Channels int              `json:"channels"`
	Size     [2]int           `json:"size"`
	Classes  int              `json:"classes"`
	Weights  []zooDetailsFile `json:"weights"`
}

type zooDetailsFile struct {
	zoo.Pretrained
	RecipeDetails zoo.Recipe `json:"recipe_details"`
	Checksum      string     `json:"checksum"` // "full" or "prefix"
	Path          string     `json:"path"`
	Cached        bool       `json:"cached"`
}

func showZoo(c *cli.Context) error {
	name, err := zooName(c)
	if err != nil {
		return err
	}
	var files []zoo.Pretrained
	arch := name
	if p, ok := zoo.LookupPretrained(name); ok {
		arch, files = p.Arch, []zoo.Pretrained{p}
	}
	a, ok := zoo.Lookup(arch)
	if !ok {
		return unknownNetwork(name)
	}
	if _, ok := zoo.Lookup(name); ok { // the architecture's name: all its files
		files = nil
		for _, p := range zoo.Pretraineds() {
			if p.Arch == a.Name {
				files = append(files, p)
			}
		}
	}
	d := zooDetails{Arch: a.Name, Layout: a.Source, Paper: a.Paper, Params: a.Params, Channels: a.Channels, Size: a.Size, Classes: a.Classes, Weights: []zooDetailsFile{}}
	for _, p := range files {
		f := zooDetailsFile{Pretrained: p, Checksum: "prefix", Cached: p.Cached()}
		if p.FullChecksum() {
			f.Checksum = "full"
		}
		f.RecipeDetails, _ = zoo.RecipeByName(p.Recipe)
		if f.Path, err = p.CachedPath(); err != nil {
			return err
		}
		d.Weights = append(d.Weights, f)
	}
	if c.Bool("json") {
		return printJSON(c, d)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	row := func(what, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	row("architecture", "%s (names of parameters: %s)", d.Arch, d.Layout)
	row("paper", "%s", d.Paper)
	row("parameters", "%s", thousands(d.Params))
	row("input", "%dx%dx%d", d.Channels, d.Size[0], d.Size[1])
	row("outputs", "%d", d.Classes)
	for _, f := range d.Weights {
		fmt.Fprintln(w)
		row("weights", "%s (%s)", f.Name, f.Source)
		row("address", "%s", f.URL)
		row("size", "%s", f.Size())
		if f.Checksum == "full" {
			row("SHA-256", "%s", f.SHA256)
		} else {
			row("SHA-256", "%s... (the first %d digits are published)", f.SHA256, len(f.SHA256))
		}
		row("licence", "%s", f.Licence)
		if f.Top1 > 0 {
			row("accuracy", "%.2f top-1, %.2f top-5 (ImageNet, as published)", f.Top1, f.Top5)
		}
		row("recipe", "%s: resize %v, crop %dx%d, %s", f.Recipe, f.RecipeDetails.ResizeTo, f.RecipeDetails.Size[0], f.RecipeDetails.Size[1], f.RecipeDetails.Interpolation)
		if f.Cached {
			row("cached", "%s", f.Path)
		} else {
			row("cached", "no: onnxcnn zoo pull %s", f.Name)
		}
	}
	return w.Flush()
}

func pullZoo(c *cli.Context) error {
	name, err := zooName(c)
	if err != nil {
		return err
	}
	var bytes *bar
	last := int64(-1)
	pulled, err := zoo.Pull(c.Context, name, zoo.PullOptions{
		From:  c.String("from"),
		Again: c.Bool("again"),
		Progress: func(done, total int64) {
			if bytes == nil || total != last {
				bytes, last = newBar(c, int(max(total, 0)), "bytes"), total
			}
			bytes.set(int(done))
		},
		Notify: func(msg string) {
			if bytes != nil {
				bytes.clear()
			}
			advise(c, "%s", msg)
		},
	})
	if bytes != nil {
		bytes.clear()
	}
	var offline *zoo.OfflineError
	var sum *zoo.ChecksumError
	var part *zoo.PartialError
	switch {
	case errors.As(err, new(*zoo.UnknownNameError)):
		return unknownNetwork(name)
	case errors.As(err, &offline):
		return withHint(err, "%s", offline.Hint())
	case errors.As(err, &sum) && c.String("from") != "":
		return withHint(err, "the file is to be that of %s", pulled.Pretrained.URL)
	case err != nil && c.String("from") != "":
		return missingFile(c.String("from"), err)
	case errors.As(err, &part):
		return withHint(err, "%s bytes have arrived and are kept: the same command goes on from there", thousands(int(part.Bytes)))
	case err != nil:
		return err
	}
	if c.Bool("json") {
		return printJSON(c, pulled)
	}
	switch {
	case pulled.Cached:
		advise(c, "%s was fetched before", pulled.Pretrained.Name)
	case pulled.Checked != "sha256":
		advise(c, "the SHA-256 was checked as far as it is published: %s", pulled.Pretrained.SHA256)
	}
	_, err = fmt.Fprintln(c.App.Writer, pulled.Path)
	return err
}

// zooName returns the command's only argument.
func zooName(c *cli.Context) (string, error) {
	if c.NArg() != 1 || c.Args().First() == "" {
		return "", withHint(usagef("which network? Give one name"), `"onnxcnn zoo list" lists them`)
	}
	return c.Args().First(), nil
}

// unknownNetwork says that there is no network of that name to fetch, and which may be meant.
func unknownNetwork(name string) error {
	err := usagef("%w", &zoo.UnknownNameError{Name: name})
	if _, ok := zoo.Lookup(name); ok {
		return withHint(err, `"onnxcnn train %s DIR" trains it from the beginning`, name)
	}
	names := zoo.Names()
	for _, p := range zoo.Pretraineds() {
		names = append(names, p.Name)
	}
	if s := near.Name(strings.ToLower(name), names); s != "" {
		return withHint(err, "did you mean %q?", s)
	}
	return withHint(err, `"onnxcnn zoo list" lists the names`)
}
