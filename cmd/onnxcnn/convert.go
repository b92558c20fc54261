package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/near"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
	"github.com/urfave/cli/v2"
)

func convertCommand() *cli.Command {
	return &cli.Command{
		Name:      "convert",
		Usage:     "port weights or a whole model to ONNX, or change an ONNX model",
		ArgsUsage: "IN OUT",
		Description: `IN is a file of weights for the architecture that --arch names (PyTorch .pth and .pt, safetensors, npz, Keras
weights), or a whole model: ONNX, Keras (.h5, .keras) or TensorFlow.js (model.json). What it is, the content tells.
OUT is an ONNX file (.onnx, or with .gz or .zst behind), or the weights alone (.safetensors, .npz).

Weights are matched by name; a prefix (module.) or the dictionaries of a checkpoint (state_dict) are found and
reported. Missing, unexpected and misshapen tensors are listed all at once. Nothing in a PyTorch file is executed.

A model whose inputs and outputs the changes keep is compared with what it was before. With --reference the result is
compared with what it ought to compute, layer by layer; the first that diverges is named, with the likely cause.
A difference makes the command fail, and nothing is written. --reference ort compares with what ONNX Runtime computes of
the source.

   onnxcnn convert resnet50.pth resnet50.onnx --arch resnet50 --recipe torchvision-v1
   onnxcnn convert checkpoint.pth birds.onnx --arch resnet18 --labels birds.txt --reference torch.npz
   onnxcnn convert mobilenet.h5 mobilenet.onnx --recipe keras-tf
   onnxcnn convert model.onnx small.onnx --fp16 --fold-bn --batch dynamic --opset 13
   onnxcnn convert model.onnx app.onnx --bake-preprocess --input-size 320x320
   onnxcnn convert model.onnx features.onnx --no-head
   onnxcnn convert model.onnx weights.safetensors`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "arch", Usage: "architecture `NAME` that the weights belong to (\"onnxcnn zoo list\" names them), or a .json file with what Keras' model.to_json() gives"},
			&cli.StringFlag{Name: "group", Usage: "take the tensors below `NAME` of a checkpoint that has several copies (model_ema)"},
			&cli.BoolFlag{Name: "allow-missing", Usage: "accept weights that the file lacks, or has in another shape: they stay as they begin"},
			&cli.StringFlag{Name: "labels", Usage: "put the names of the classes in `FILE` (one a line, or a JSON array) into the model"},
			&cli.StringFlag{Name: "recipe", Usage: "put the recipe `NAME` (torchvision-v1, keras-caffe, ...) or that of a JSON file into the model"},
			&cli.IntFlag{Name: "opset", Usage: fmt.Sprintf("write operator set `N`, %d to %d", convert.MinOpset, convert.MaxOpset)},
			&cli.BoolFlag{Name: "fp32", Usage: "weights, inputs, outputs and computation of a model in half precision in float32, so that it can be trained"},
			&cli.BoolFlag{Name: "fp16", Usage: "weights and computation in half precision, inputs and outputs in float32"},
			&cli.StringFlag{Name: "batch", Usage: "`dynamic` makes a fixed batch free"},
			&cli.StringFlag{Name: "input-size", Usage: "`HxW` of the pictures, or one number for both"},
			&cli.BoolFlag{Name: "bake-preprocess", Usage: "scaling and normalisation of the recipe inside: the input is uint8, NHWC, RGB"},
			&cli.BoolFlag{Name: "fold-bn", Usage: "fold batch normalisations into the convolutions before them"},
			&cli.BoolFlag{Name: "no-head", Usage: "leave the last layer out: the output are the features of the picture"},
			&cli.IntFlag{Name: "new-head", Usage: "start the last layer anew, for `N` classes"},
			&cli.StringFlag{Name: "at", Usage: "only the part that computes `LAYER` (a number or name, see \"onnxcnn layers\")"},
			&cli.StringFlag{Name: "reference", Usage: "compare with `REFERENCE`: a folder test_data_set_0, an npz file with inputs and values by name, or what ort (ONNX Runtime) computes of the source"},
			toleranceFlag(),
			ortLibFlag(), threadsFlag(), seedFlag(), quietFlag(), jsonFlag(),
		},
		Action: convertModel,
	}
}

// conversion is what convert reports.
type conversion struct {
	File       string              `json:"file"`
	From       string              `json:"from"` // format of the source
	Arch       string              `json:"arch,omitempty"`
	Weights    *convert.Report     `json:"weights,omitempty"`
	Steps      convert.StepsReport `json:"steps"`
	Parameters int                 `json:"parameters"`
	Nodes      int                 `json:"nodes"`
	Opset      int                 `json:"opset"`
	Bytes      int64               `json:"bytes"`
	Difference *float64            `json:"difference,omitempty"` // from the source, as a share of the largest number
	Comparison *convert.Comparison `json:"comparison,omitempty"` // with the reference
}

// source is what is converted.
type source struct {
	model  *onnx.Model
	report conversion
	arch   *zoo.Arch
	close  func() error
}

func convertModel(c *cli.Context) error {
	in, rest, err := firstArg(c, "what is to be converted? Give a file")
	switch {
	case err != nil:
		return err
	case len(rest) != 1:
		return withHint(usagef("convert takes two files, IN and OUT"), "%s", seeHelp(c.Command))
	}
	out := rest[0]
	if !isModelName(out) && !isWeightsName(out) {
		return usagef("%s: the name must end in .onnx (or .onnx.gz, .onnx.zst), .safetensors or .npz", out)
	}
	steps, err := stepsOf(c)
	if err != nil {
		return err
	}
	src, err := openSource(c, in, steps)
	if err != nil {
		return err
	}
	defer src.close()    //nolint:errcheck // it was only read
	if src.arch != nil { // its builder has made these
		steps.Height, steps.Width, steps.NewHead = 0, 0, 0
	}
	recipe, err := recipeOf(c, src.model)
	if err != nil {
		return err
	}
	if steps.Bake, err = bakeOf(c, recipe); err != nil {
		return err
	}
	res := src.report
	m, did, err := steps.Apply(src.model)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	res.Steps, res.File = did, out
	if m == src.model {
		clone := *m
		clone.Metadata = append([]onnx.Entry(nil), m.Metadata...)
		m = &clone
	}
	if err := setMetadata(c, m, src, recipe, steps); err != nil {
		return err
	}
	if faults := m.Check(); len(faults) > 0 {
		return fmt.Errorf("%s: the result is not right: %w", in, errors.Join(faults...))
	}
	if steps.KeepsResults() && steps != (convert.Steps{Seed: steps.Seed}) {
		if err := compareWithSource(c, src.model, m, steps, &res); err != nil {
			return err
		}
	}
	if path := c.String("reference"); path != "" {
		if err := compareWithReference(c, src.model, m, path, &res); err != nil {
			return err
		}
	}
	if err := c.Context.Err(); err != nil {
		return err // most of the above cannot be stopped
	}
	if isWeightsName(out) {
		err = convert.SaveWeights(out, m)
	} else {
		m.ProducerName, m.ProducerVersion = "onnxcnn", version()
		err = m.Save(out, onnx.SaveOptions{})
	}
	if err != nil {
		return err
	}
	if err := res.describe(m); err != nil {
		return err
	}
	return printConversion(c, res)
}

func isWeightsName(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".safetensors" || ext == ".npz"
}

func isModelName(name string) bool {
	return filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")) == ".onnx"
}

// stepsOf reads the flags that change a model.
func stepsOf(c *cli.Context) (convert.Steps, error) {
	s := convert.Steps{At: c.String("at"), NoHead: c.Bool("no-head"), NewHead: c.Int("new-head"), Seed: uint64(c.Int64("seed")),
		FoldBN: c.Bool("fold-bn"), Opset: c.Int("opset"), Float16: c.Bool("fp16"), Float32: c.Bool("fp32")}
	switch batch := c.String("batch"); {
	case batch == "dynamic":
		s.DynamicBatch = true
	case batch != "":
		return s, usagef("--batch %s: only dynamic is known", batch)
	case c.IsSet("opset") && (s.Opset < convert.MinOpset || s.Opset > convert.MaxOpset):
		return s, usagef("--opset %d: want %d to %d", s.Opset, convert.MinOpset, convert.MaxOpset)
	case c.IsSet("new-head") && s.NewHead < 1:
		return s, usagef("--new-head %d: want the number of classes", s.NewHead)
	case slices.Contains(backend.Providers(), providerName(c.String("reference"))) && (c.IsSet("input-size") && !c.IsSet("arch") || c.Bool("bake-preprocess") || s.NewHead > 0 && !c.IsSet("arch")):
		return s, usagef("--reference %s compares with the source, which --input-size, --bake-preprocess and --new-head change", c.String("reference"))
	case c.IsSet("tolerance") && !c.IsSet("reference"):
		return s, usagef("--tolerance is about a reference: name it with --reference")
	case s.Float16 && s.Float32:
		return s, usagef("--fp16 and --fp32 exclude each other")
	case s.NoHead && s.NewHead > 0 || s.At != "" && (s.NoHead || s.NewHead > 0):
		return s, usagef("--at, --no-head and --new-head exclude each other")
	}
	if _, err := toleranceOf(c); err != nil {
		return s, err
	}
	if c.IsSet("input-size") {
		size, err := parseSize(c.String("input-size"))
		if err != nil || size == [2]int{} {
			return s, usagef("--input-size %s: want a number, or height and width as 224x320", c.String("input-size"))
		}
		s.Height, s.Width = size[0], size[1]
	}
	return s, nil
}

// openSource reads what is to be converted.
func openSource(c *cli.Context, in string, steps convert.Steps) (*source, error) {
	name := c.String("arch")
	if name != "" && filepath.Ext(name) != ".json" {
		return openWeights(c, in, name, steps)
	}
	if c.IsSet("group") {
		return nil, usagef("--group is about files of weights: name their architecture with --arch")
	}
	o := convert.KerasOptions{AllowMissing: c.Bool("allow-missing")}
	if name != "" {
		var err error
		if o.Config, err = os.ReadFile(name); err != nil {
			return nil, missingFile(name, err)
		}
	}
	keras, err := convert.IsKeras(in)
	if err == nil && keras || name != "" {
		o.Size = [2]int{steps.Height, steps.Width}
		m, report, err := convert.ReadKeras(in, o)
		if err != nil {
			return nil, err
		}
		return &source{model: m, report: conversion{From: report.Format, Weights: &report}, close: func() error { return nil }}, nil
	}
	m, err := openModel(in)
	if err == nil {
		return &source{model: m, report: conversion{From: "ONNX"}, close: m.Close}, nil
	}
	var format *onnx.FormatError
	if errors.As(err, &format) {
		if w, err := convert.ReadWeights(in); err == nil {
			defer w.Close()
			return nil, withHint(usagef("%s: %s weights without the network that they belong to", in, w.Format), "name its architecture: --arch resnet50, say (\"onnxcnn zoo list\" shows all), or a file with what Keras' model.to_json() gives: --arch model.json")
		} else if !strings.Contains(err.Error(), "not a file of weights that is known here") {
			return nil, err
		}
	}
	return nil, err
}

// openWeights puts a file of weights into its architecture.
func openWeights(c *cli.Context, in, name string, steps convert.Steps) (*source, error) {
	arch, ok := zoo.Lookup(name)
	if !ok {
		err := usagef("--arch %s: there is no such architecture", name)
		if s := near.Name(strings.ToLower(name), zoo.Names()); s != "" {
			return nil, withHint(err, "did you mean %q?", s)
		}
		return nil, withHint(err, "\"onnxcnn zoo list\" shows them")
	}
	w, err := convert.ReadWeights(in)
	if err != nil {
		return nil, missingFile(in, err)
	}
	o := convert.FillOptions{AllowMissing: c.Bool("allow-missing"), NewHead: steps.NewHead, Seed: steps.Seed}
	if g := c.String("group"); g != "" {
		o.Group = strings.TrimSuffix(g, ".") + "."
	}
	m, report, err := arch.Load(w, zoo.BuildOptions{Size: [2]int{steps.Height, steps.Width}, Seed: steps.Seed}, o)
	if err != nil {
		_ = w.Close() // it was only read
		if report.Format == "Keras HDF5" && arch.Source != "keras" {
			err = withHint(err, "the weights of Keras' own networks have other names than %s's: put what model.to_json() gives into a file, and name that: --arch model.json", arch.Source)
		}
		return nil, err
	}
	return &source{model: m, report: conversion{From: report.Format, Arch: arch.Name, Weights: &report}, arch: &arch, close: w.Close}, nil
}

// recipeOf returns the recipe that --recipe names, or that the model has; nil where there is none.
func recipeOf(c *cli.Context, m *onnx.Model) (*zoo.Recipe, error) {
	if !c.IsSet("recipe") {
		r, ok, err := zoo.RecipeOf(m)
		if err != nil || !ok {
			return nil, err
		}
		return &r, nil
	}
	return baseRecipe(c, m)
}

// bakeOf returns the preprocessing that goes into the model.
func bakeOf(c *cli.Context, r *zoo.Recipe) (*convert.Preprocess, error) {
	if !c.Bool("bake-preprocess") {
		return nil, nil
	}
	if r == nil {
		return nil, withHint(usagef("--bake-preprocess: the model has no recipe"), "name it with --recipe: %s", strings.Join(zoo.RecipeNames(), ", "))
	}
	return &convert.Preprocess{Channels: r.Channels, Scale: r.Scale, Mean: r.Mean, Std: r.Std}, nil
}

// setMetadata puts recipe and labels into the model, and takes out those that are true no more.
func setMetadata(c *cli.Context, m *onnx.Model, src *source, r *zoo.Recipe, steps convert.Steps) error {
	if r != nil {
		v := *r
		if steps.Bake != nil {
			v.Name, v.Scale, v.Mean, v.Std = "", 1, [3]float64{}, [3]float64{1, 1, 1}
			if v.Channels == "BGR" {
				v.Channels = "RGB"
			}
		}
		fitted, err := features.RecipeFor(m, &v)
		if err != nil {
			return err
		}
		if err := zoo.SetRecipe(m, fitted); err != nil {
			return err
		}
	} else if src.arch != nil {
		advise(c, "the file does not say how pictures become the network's input: give --recipe (%s, if these are the published weights)", src.arch.Recipe)
	}
	if file := c.String("labels"); file != "" {
		labels, err := readLabels(file)
		if err != nil {
			return err
		}
		if out := m.Graph.Outputs[0].Type; out != nil && out.HasShape && len(out.Shape) > 0 {
			if d := out.Shape[len(out.Shape)-1].Size; d >= 0 && d != len(labels) {
				return fmt.Errorf("%s: %s, and the model has %s", file, count(len(labels), "label"), count(d, "output"))
			}
		}
		return zoo.SetLabels(m, labels)
	}
	if steps.At != "" || steps.NoHead || c.Int("new-head") > 0 {
		kept := m.Metadata[:0:0]
		for _, e := range m.Metadata {
			if e.Key != zoo.LabelsKey {
				kept = append(kept, e)
			}
		}
		m.Metadata = kept
	}
	return nil
}

// compareWithSource compares what the model computes with what it computed before, on random numbers.
func compareWithSource(c *cli.Context, before, after *onnx.Model, steps convert.Steps, res *conversion) error {
	in, err := convert.RandomInputs(before, uint64(c.Int64("seed")), nil)
	if err != nil {
		advise(c, "the result is not compared with the source: %v", err)
		return nil
	}
	tolerance := 1e-3
	if steps.Float16 || steps.Float32 {
		tolerance = 5e-2
	}
	d, err := convert.Deviation(c.Context, before, after, in, convert.CompareOptions{Threads: c.Int("threads")})
	if err != nil {
		return fmt.Errorf("comparing the result with the source: %w", err)
	}
	res.Difference = &d
	if !(d <= tolerance) {
		return fmt.Errorf("the result differs from the source by %.3g of the outputs' scale, more than %g: nothing was written", d, tolerance)
	}
	return nil
}

// compareWithReference compares a model with what it ought to compute.
func compareWithReference(c *cli.Context, before, after *onnx.Model, path string, res *conversion) error {
	o := convert.CompareOptions{Threads: c.Int("threads"), Diagnose: true, Tolerance: c.Float64("tolerance")}
	r, err := referenceOf(c, before, after, path, o)
	if err != nil {
		return err
	}
	if res.Comparison, err = convert.Compare(c.Context, after, r, o); err != nil {
		return err
	}
	if !res.Comparison.OK() {
		if c.Bool("json") {
			if err := printJSON(c, res); err != nil {
				return err
			}
		} else {
			printComparison(c, res.Comparison, false)
		}
		return fmt.Errorf("the result does not compute what %s has: nothing was written", path)
	}
	return nil
}

// referenceOf returns what --reference names: a file or folder, or what a provider computes of the source.
func referenceOf(c *cli.Context, before, after *onnx.Model, path string, o convert.CompareOptions) (*convert.Reference, error) {
	if !slices.Contains(backend.Providers(), providerName(path)) {
		r, err := convert.ReadReference(path, after)
		return r, missingFile(path, err)
	}
	in, err := convert.RandomInputs(before, uint64(c.Int64("seed")), nil)
	if err != nil {
		return nil, fmt.Errorf("inputs for --reference %s: %w", path, err)
	}
	return convert.ReferenceBy(c.Context, before, in, path, o)
}

// describe fills in what the file has become.
func (r *conversion) describe(m *onnx.Model) error {
	info, err := os.Stat(r.File)
	if err != nil {
		return err
	}
	r.Bytes = info.Size()
	r.Nodes, r.Opset = len(m.Graph.Nodes), m.OpsetVersion("")
	layers, err := backend.Layers(m, nil)
	for _, l := range layers {
		r.Parameters += l.Params
	}
	if err != nil { // of a model that the engine does not know: all its numbers
		for _, t := range m.Graph.Initializers {
			r.Parameters += t.Len()
		}
	}
	return nil
}

func printConversion(c *cli.Context, r conversion) error {
	if c.Bool("json") {
		return printJSON(c, r)
	}
	w := c.App.Writer
	if p := r.Weights; p != nil {
		fmt.Fprintf(w, "%s: %s of %s taken from the file", r.From, thousands(p.Matched), count(p.Parameters, "tensor"))
		if p.Prefix != "" {
			fmt.Fprintf(w, ", under %s", p.Prefix)
		}
		if p.Converted > 0 {
			fmt.Fprintf(w, ", %d converted to the model's type", p.Converted)
		}
		fmt.Fprintln(w)
		for _, line := range []struct {
			what  string
			names []string
		}{{"started anew", p.New}, {"not expected, and left out", p.Unexpected}, {"missing", missingNames(p)}} {
			if n := len(line.names); n > 0 {
				fmt.Fprintf(w, "%s: %s\n", line.what, strings.Join(line.names[:min(n, 20)], ", "))
			}
		}
		for _, g := range p.Others {
			fmt.Fprintf(w, "not used: %s (%s)\n", g.Name, count(g.Tensors, "tensor"))
		}
		for _, note := range p.Notes {
			advise(c, "%s", note)
		}
	}
	if r.Steps.Folded > 0 {
		fmt.Fprintf(w, "folded: %s\n", count(r.Steps.Folded, "normalisation"))
	}
	if h := r.Steps.Half; h != nil {
		fmt.Fprintf(w, "half precision: %s; %s became 0\n", count(h.Tensors, "tensor"), count(h.Zeroed, "number"))
		for _, k := range h.Kept {
			fmt.Fprintf(w, "single precision: %s\n", k)
		}
	}
	if r.Comparison != nil {
		printComparison(c, r.Comparison, false)
	}
	if r.Difference != nil {
		fmt.Fprintf(w, "verified: differs from the source by at most %.2g of the outputs' scale\n", *r.Difference)
	}
	fmt.Fprintf(w, "%s: %s parameters, %s, opset %d, %s bytes\n", r.File, thousands(r.Parameters), count(r.Nodes, "node"), r.Opset, thousands(int(r.Bytes)))
	return nil
}

func missingNames(r *convert.Report) []string {
	var names []string
	for _, m := range r.Missing {
		names = append(names, m.Name)
	}
	for _, m := range r.Misshapen {
		names = append(names, m.Name)
	}
	return names
}
