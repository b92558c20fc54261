package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/urfave/cli/v2"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "compare a model, node by node, with ONNX Runtime or with known results",
		ArgsUsage: "MODEL [[NAME=]FILE...]",
		Description: `Runs the model and compares what each of its layers gives with the reference: ONNX Runtime, a folder
test_data_set_0 as the ONNX project has them (input_0.pb, output_0.pb), or an npz file with the inputs and any
values, named after outputs, values, nodes or blocks of the model. The first layer that diverges is named, with the
likely cause where it is found by trying (order of channels, layout, padding, epsilon, order of flattening,
a missing ReLU). Then the exit status is 1.

Inputs may be given as for "run"; without any they are the reference's, else random numbers (--seed).
--write keeps inputs and outputs as a folder test_data_set_0, for this and other programs.

   onnxcnn verify model.onnx
   onnxcnn verify model.onnx --against test_data_set_0
   onnxcnn verify model.onnx --against torch.npz input=x.npy
   onnxcnn verify model.onnx x.npy --write tests`,
		Flags: engineFlags(
			&cli.StringFlag{Name: "against", Usage: "compare with `REFERENCE`: ort, another provider, a folder or an npz file (default: ort, where built in)"},
			&cli.StringFlag{Name: "write", Usage: "write inputs and outputs to test_data_set_0 in `DIR`"},
			toleranceFlag(),
			&cli.BoolFlag{Name: "all", Usage: "list all layers, not only those that differ most"},
			seedFlag(),
			jsonFlag(),
		),
		Action: verifyModel,
	}
}

func verifyModel(c *cli.Context) error {
	path, files, err := modelArg(c)
	if err != nil {
		return err
	}
	tolerance, err := toleranceOf(c)
	if err != nil {
		return err
	}
	m, err := openModel(path)
	if err != nil {
		return err
	}
	defer m.Close()
	var inputs map[string]*onnx.Tensor
	if len(files) > 0 {
		if inputs, err = readInputs(m, files); err != nil {
			return err
		}
	}
	engine := engineOptions(c)
	o := convert.CompareOptions{Provider: engine.Provider, Threads: engine.Threads, Warn: engine.Warn, Diagnose: true, Tolerance: tolerance}
	against := c.String("against")
	providers := backend.Providers()
	if against == "" && c.String("write") == "" && slices.Contains(providers, "ort") {
		against = "ort"
	}
	if against == "" && c.String("write") == "" {
		return withHint(usagef("what is the reference? ONNX Runtime is not built in"), "give --against with a folder test_data_set_0 or an npz file")
	}
	var res *convert.Comparison
	switch {
	case against == "":
	case slices.Contains(providers, providerName(against)):
		if inputs, err = inputsOr(c, m, inputs); err != nil {
			return err
		}
		res, err = convert.CompareProviders(c.Context, m, inputs, against, o)
		if errors.As(err, new(*backend.UnavailableError)) && !c.IsSet("against") {
			err = withHint(err, "known results will do as well: --against takes a folder test_data_set_0 or an npz file")
		}
	default:
		var r *convert.Reference
		if r, err = convert.ReadReference(against, m); err != nil {
			return missingFile(against, err)
		}
		if len(inputs) > 0 {
			r.Inputs = inputs
		}
		inputs = r.Inputs
		res, err = convert.Compare(c.Context, m, r, o)
	}
	if err != nil {
		return err
	}
	written, err := writeTestData(c, m, inputs, engine)
	if err != nil {
		return err
	}
	return printVerification(c, res, written)
}

// toleranceOf returns --tolerance, 0 where it is not given.
func toleranceOf(c *cli.Context) (float64, error) {
	t := c.Float64("tolerance")
	if c.IsSet("tolerance") && !(t > 0) {
		return 0, usagef("--tolerance %g: want a number above 0", t)
	}
	return t, nil
}

// toleranceFlag is about how far layers may be from their reference.
func toleranceFlag() cli.Flag {
	return &cli.Float64Flag{Name: "tolerance", Usage: "accept differences from the reference up to this share `T` of a layer's largest number (or of what it is the rest of, where larger numbers cancel out), instead of the operators' own"}
}

// providerName returns a provider's name without its options.
func providerName(s string) string {
	for i, r := range s {
		if r == ':' {
			return s[:i]
		}
	}
	return s
}

// inputsOr returns random inputs where none are given.
func inputsOr(c *cli.Context, m *onnx.Model, inputs map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	if inputs != nil {
		return inputs, nil
	}
	inputs, err := convert.RandomInputs(m, uint64(c.Int64("seed")), nil)
	if err != nil {
		return nil, withHint(err, "give the inputs as NAME=FILE.npy")
	}
	return inputs, nil
}

// writeTestData runs the model and writes a folder test_data_set_0, where one is asked for.
func writeTestData(c *cli.Context, m *onnx.Model, inputs map[string]*onnx.Tensor, o backend.Options) (string, error) {
	dir := c.String("write")
	if dir == "" {
		return "", nil
	}
	inputs, err := inputsOr(c, m, inputs)
	if err != nil {
		return "", err
	}
	s, err := backend.Open(m, o)
	if err != nil {
		return "", err
	}
	defer s.Close()
	out, err := s.Run(c.Context, inputs)
	if err != nil {
		return "", err
	}
	return convert.WriteTestData(filepath.Clean(dir), m, inputs, out)
}

// verification is what verify prints as JSON.
type verification struct {
	*convert.Comparison
	Written string `json:"written,omitempty"` // folder of test data
}

func printVerification(c *cli.Context, res *convert.Comparison, written string) error {
	if c.Bool("json") {
		if err := printJSON(c, verification{res, written}); err != nil {
			return err
		}
	} else {
		if res != nil {
			printComparison(c, res, c.Bool("all"))
		}
		if written != "" {
			fmt.Fprintf(c.App.Writer, "written: %s\n", written)
		}
	}
	if res != nil && !res.OK() {
		d := res.Layers[res.First]
		return fmt.Errorf("the model differs from %s from layer %s on", res.Source, layerName(d))
	}
	return nil
}

// layerName names a compared value for people.
func layerName(d convert.LayerDifference) string {
	if d.Index < 0 {
		return fmt.Sprintf("%q", d.Value)
	}
	return fmt.Sprintf("%d %q (%s)", d.Index, d.Node, d.Op)
}

// mostDifferent bounds the layers that are listed.
const mostDifferent = 10

// printComparison prints a table of the layers, of those that differ most if there are many.
func printComparison(c *cli.Context, res *convert.Comparison, all bool) {
	w := c.App.Writer
	shown := map[int]bool{}
	if order := byShare(res.Layers); !all && len(order) > mostDifferent {
		for _, i := range order[:mostDifferent] {
			shown[i] = true
		}
		if res.First >= 0 {
			shown[res.First] = true
		}
		fmt.Fprintf(w, "the %d of %d layers that differ most from %s:\n", len(shown), len(order), res.Source)
	} else {
		for i := range res.Layers {
			shown[i] = true
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "layer\tnode\toperator\tshape\tdifference\tof largest\t")
	for i, d := range res.Layers {
		if !shown[i] {
			continue
		}
		index, name, mark := "", d.Node, ""
		if d.Index >= 0 {
			index = fmt.Sprint(d.Index)
		} else {
			name = d.Value
		}
		diff, largest := fmt.Sprintf("%.3g", d.Difference), fmt.Sprintf("%.3g", d.Largest)
		if d.Difference < 0 {
			diff, largest = "?", "?"
		}
		if !d.OK {
			mark = "differs"
		}
		if d.What != "" {
			mark += " (" + d.What + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", index, name, d.Op, formatShape(d.Shape), diff, largest, mark)
	}
	_ = t.Flush() // the writer behind it remembers errors
	if n := len(res.Unmatched); n > 0 {
		advise(c, "%s: nothing in the model is named %q, %d of %d arrays of the reference", res.Source, res.Unmatched[:min(n, 5)], n, n+len(res.Layers))
	}
	if res.OK() {
		agree := "agree"
		if len(res.Layers) == 1 {
			agree = "agrees"
		}
		fmt.Fprintf(w, "%s %s with %s\n", count(len(res.Layers), "value"), agree, res.Source)
		return
	}
	fmt.Fprintf(w, "first difference: %s\n", layerName(res.Layers[res.First]))
	if res.Cause != "" {
		fmt.Fprintf(w, "likely cause: %s\n", res.Cause)
	} else {
		fmt.Fprintln(w, "likely cause: none of the usual ones (they were tried)")
	}
}

// byShare returns the places of layers, those first that use most of their tolerance.
func byShare(layers []convert.LayerDifference) []int {
	share := func(d convert.LayerDifference) float64 {
		switch {
		case d.Difference < 0:
			return 1e300
		case d.Difference == 0:
			return 0
		}
		return d.Difference / max(d.Tolerance, 1e-300)
	}
	order := make([]int, len(layers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := share(layers[a]), share(layers[b]); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return order
}
