package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/urfave/cli/v2"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run a model on arrays",
		ArgsUsage: "MODEL [NAME=]FILE...",
		Description: `Computes the model's outputs, or with --at the outputs of layers inside of it, and writes them to an npz
file by name, or to an npy file where it is one. Without -o it prints name, type, shape, minimum, maximum
and mean of each.

Inputs are NumPy files (.npy) or ONNX tensors (.pb), each as NAME=FILE; the name may be left out where
the model has one input. An .npz file gives all the inputs that it has arrays for.

   onnxcnn run model.onnx input=x.npy -o out.npz
   onnxcnn run model.onnx x.npy
   onnxcnn run model.onnx x.npy --at layer4 --at 12 -o features.npz`,
		Flags: engineFlags(
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the arrays to `FILE`: .npz, or .npy for a single one"},
			&cli.StringSliceFlag{Name: "at", Usage: "compute the output of `LAYER` (a number or name, see \"onnxcnn layers\") instead of the model's; may be repeated"},
			jsonFlag(),
		),
		Action: runModel,
	}
}

func runModel(c *cli.Context) error {
	path, files, err := modelArg(c)
	if err != nil {
		return err
	}
	out := c.String("output")
	switch ext := filepath.Ext(out); {
	case out != "" && ext != ".npz" && ext != ".npy":
		return usagef("-o %s: the name must end in .npz or .npy", out)
	case ext == ".npy" && len(c.StringSlice("at")) > 1:
		return usagef("-o %s: an npy file holds one array, not %d; use .npz", out, len(c.StringSlice("at")))
	}
	m, err := openModel(path)
	if err != nil {
		return err
	}
	defer m.Close()
	inputs, err := readInputs(m, files)
	if err != nil {
		return err
	}
	opts := engineOptions(c)
	if opts.Outputs, err = outputsAt(c, m, inputs); err != nil {
		return err
	}
	s, err := backend.Open(m, opts)
	if err != nil {
		return err
	}
	defer s.Close()
	results, err := s.Run(c.Context, inputs)
	if err != nil {
		return err
	}
	names := opts.Outputs
	if names == nil {
		for _, v := range s.Outputs() {
			names = append(names, v.Name)
		}
	}
	var tensors []*onnx.Tensor
	for _, n := range names {
		t := *results[n]
		t.Name = n
		tensors = append(tensors, &t)
	}
	if out != "" {
		return writeArrays(out, tensors)
	}
	return describe(c, tensors)
}

// outputsAt returns the names of the values that --at selects, nil where it is not given. A name that is no layer but
// one of the model's outputs is taken, too.
func outputsAt(c *cli.Context, m *onnx.Model, inputs map[string]*onnx.Tensor) ([]string, error) {
	at := c.StringSlice("at")
	if len(at) == 0 {
		return nil, nil
	}
	shapes := map[string][]int{}
	for name, t := range inputs {
		shapes[name] = t.Shape
	}
	layers, err := backend.Layers(m, shapes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path(), err)
	}
	var names []string
	for _, sel := range at {
		l, err := backend.FindLayer(layers, sel)
		if err != nil {
			return nil, usagef("--at: %w", err)
		}
		if !slices.Contains(names, l.Output) {
			names = append(names, l.Output)
		}
	}
	return names, nil
}

// readInputs reads the arguments NAME=FILE, FILE or FILE.npz into tensors by the names of the model's inputs.
func readInputs(m *onnx.Model, args []string) (map[string]*onnx.Tensor, error) {
	var names []string
	for _, v := range m.Graph.RequiredInputs() {
		names = append(names, v.Name)
	}
	inputs := map[string]*onnx.Tensor{}
	add := func(arg, name string, t *onnx.Tensor) error {
		if !slices.Contains(names, name) {
			return withHint(usagef("%s: the model has no input %q", arg, name), "%s", itHas(names))
		}
		if inputs[name] != nil {
			return usagef("%s: input %q is given twice", arg, name)
		}
		inputs[name] = t
		return nil
	}
	for _, arg := range args {
		name, file, named := strings.Cut(arg, "=")
		if _, err := os.Stat(arg); !named || err == nil && !slices.Contains(names, name) {
			name, file = "", arg // a file with "=" in its name is still a file
		}
		tensors, err := readArrays(file)
		if err != nil {
			return nil, err
		}
		switch {
		case name == "" && filepath.Ext(file) == ".npz":
			for _, t := range tensors {
				if err := add(arg, t.Name, t); err != nil {
					return nil, err
				}
			}
			continue
		case name == "" && len(names) != 1:
			return nil, withHint(usagef("%s: for which input? The model has %d", arg, len(names)),
				"write NAME=%s, where NAME is %s", file, strings.Join(names, ", "))
		case name == "":
			name = names[0]
		case len(tensors) != 1:
			if t := npz.Find(tensors, name); t != nil {
				tensors = []*onnx.Tensor{t}
				break
			}
			return nil, usagef("%s: the file has %s, none of them named %q", arg, count(len(tensors), "array"), name)
		}
		if err := add(arg, name, tensors[0]); err != nil {
			return nil, err
		}
	}
	for _, n := range names {
		if inputs[n] == nil {
			return nil, withHint(usagef("input %q is missing", n), "give it as %s=FILE.npy", n)
		}
	}
	return inputs, nil
}

// readArrays reads an npy, npz or pb file.
func readArrays(file string) ([]*onnx.Tensor, error) {
	if filepath.Ext(file) == ".pb" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, missingFile(file, err)
		}
		t, err := onnx.ParseTensor(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return []*onnx.Tensor{t}, nil
	}
	tensors, err := npz.ReadFile(file)
	return tensors, missingFile(file, err)
}

// writeArrays writes an npz file, or an npy file of a single array.
func writeArrays(file string, tensors []*onnx.Tensor) error {
	if filepath.Ext(file) == ".npy" && len(tensors) != 1 {
		return usagef("-o %s: an npy file holds one array, and the model has %d outputs; use .npz", file, len(tensors))
	}
	return atomicfile.Write(file, func(w io.Writer) error {
		if filepath.Ext(file) == ".npy" {
			return npz.WriteNPY(w, tensors[0])
		}
		z := npz.NewWriter(w)
		for _, t := range tensors {
			if err := z.Add(t); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

// arrayJSON describes an array; the numbers are null where it has no elements or they are no real numbers.
type arrayJSON struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Shape []int    `json:"shape"`
	Min   *float64 `json:"min"`
	Max   *float64 `json:"max"`
	Mean  *float64 `json:"mean"`
	// NonFinite counts infinities and NaNs, which the numbers above leave out.
	NonFinite int `json:"non_finite"`
}

func describe(c *cli.Context, tensors []*onnx.Tensor) error {
	list := []arrayJSON{}
	for _, t := range tensors {
		list = append(list, newArrayJSON(t))
	}
	if c.Bool("json") {
		return printJSON(c, list)
	}
	for _, a := range list {
		line := fmt.Sprintf("%s: %s %s", a.Name, a.Type, formatShape(a.Shape))
		if a.Min != nil {
			line += fmt.Sprintf(", min %.6g, max %.6g, mean %.6g", *a.Min, *a.Max, *a.Mean)
		}
		if a.NonFinite > 0 {
			line += fmt.Sprintf(", and %s not finite", thousands(a.NonFinite))
		}
		fmt.Fprintln(c.App.Writer, line)
	}
	return nil
}

func newArrayJSON(t *onnx.Tensor) arrayJSON {
	a := arrayJSON{Name: t.Name, Type: t.Type.String(), Shape: t.Shape}
	if a.Shape == nil {
		a.Shape = []int{}
	}
	lo, hi, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0
	for v := range numbers(t) {
		if math.IsInf(v, 0) || math.IsNaN(v) {
			a.NonFinite++
			continue
		}
		lo, hi, sum, n = min(lo, v), max(hi, v), sum+v, n+1
	}
	if n > 0 {
		mean := sum / float64(n)
		a.Min, a.Max, a.Mean = &lo, &hi, &mean
	}
	return a
}

// numbers yields the elements of a tensor of real numbers or booleans; none for strings and complex numbers.
func numbers(t *onnx.Tensor) func(yield func(float64) bool) {
	switch t.Type {
	case onnx.Float:
		return widened[float32](t)
	case onnx.Double:
		return widened[float64](t)
	case onnx.Int8:
		return widened[int8](t)
	case onnx.Int16:
		return widened[int16](t)
	case onnx.Int32:
		return widened[int32](t)
	case onnx.Int64:
		return widened[int64](t)
	case onnx.Uint8:
		return widened[uint8](t)
	case onnx.Uint16:
		return widened[uint16](t)
	case onnx.Uint32:
		return widened[uint32](t)
	case onnx.Uint64:
		return widened[uint64](t)
	case onnx.Bool:
		b := *t
		b.Type = onnx.Uint8 // 0 and 1
		return widened[uint8](&b)
	case onnx.Float16:
		return func(yield func(float64) bool) {
			for _, v := range onnx.Data[onnx.Float16Bits](t) {
				if !yield(float64(v.Float32())) {
					return
				}
			}
		}
	case onnx.BFloat16:
		return func(yield func(float64) bool) {
			for _, v := range onnx.Data[onnx.BFloat16Bits](t) {
				if !yield(float64(v.Float32())) {
					return
				}
			}
		}
	}
	return func(func(float64) bool) {}
}

func widened[T interface {
	onnx.Element
	~float32 | ~float64 | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}](t *onnx.Tensor) func(yield func(float64) bool) {
	return func(yield func(float64) bool) {
		for _, v := range onnx.Data[T](t) {
			if !yield(float64(v)) {
				return
			}
		}
	}
}
