package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/urfave/cli/v2"
)

// imagesResult is how fast features come from image files. Rates are images a second.
type imagesResult struct {
	Model   string  `json:"model"`
	Batch   int     `json:"batch"`
	Threads int     `json:"threads"`
	Images  int     `json:"images"`
	Runs    int     `json:"runs"`
	Files   float64 `json:"files_per_s"`
	Network float64 `json:"network_per_s"`
	Decode  float64 `json:"decode_per_s"`
	Ratio   float64 `json:"ratio"` // of files to network
}

// benchImages measures the extraction of features from image files beside the network alone.
func benchImages(c *cli.Context, path string, batches []int) error {
	if p := splitProviders(c.String("provider")); len(p) != 1 {
		return usagef("--images measures one provider")
	}
	m, err := openModel(path)
	if err != nil {
		return err
	}
	defer m.Close()
	recipe, err := baseRecipe(c, m)
	if err != nil {
		return err
	}
	data, err := imagesOf(c, c.StringSlice("images"))
	if err != nil {
		return err
	}
	var all []imagesResult
	for _, batch := range batches {
		x, err := features.New(m, features.Options{Batch: batch, Recipe: recipe, Provider: c.String("provider"), Threads: c.Int("threads"),
			Warn: func(s string) { advise(c, "%s", s) }})
		if err != nil {
			return err
		}
		s, err := x.Speed(c.Context, data, c.Int("runs"))
		if closeErr := x.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
		all = append(all, imagesResult{Model: path, Batch: batch, Threads: threadsOf(c.Int("threads")), Images: s.Images, Runs: c.Int("runs"),
			Files: s.Files, Network: s.Network, Decode: s.Decode, Ratio: s.Files / s.Network})
	}
	if c.Bool("json") {
		return printJSON(c, all)
	}
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "batch\tthreads\timages\truns\tdecoding alone/s\tnetwork alone/s\tfiles to features/s\tratio\t")
	for _, r := range all {
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t%.2f\t\n", r.Batch, r.Threads, r.Images, r.Runs, r.Decode, r.Network, r.Files, r.Ratio)
	}
	return t.Flush()
}
