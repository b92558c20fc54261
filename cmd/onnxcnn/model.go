package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
	"github.com/urfave/cli/v2"
)

// layersOf lists the layers of the model for the shapes that --input gives.
func layersOf(c *cli.Context, m *onnx.Model) ([]backend.Layer, error) {
	shapes, err := inputShapes(m, c.StringSlice("input"))
	if err != nil {
		return nil, err
	}
	layers, err := backend.Layers(m, shapes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path(), err)
	}
	return layers, nil
}

// openModel reads the command's model: a file, or where there is none of that name a pretrained network of the zoo.
func openModel(path string) (*onnx.Model, error) {
	m, err := onnx.Open(path)
	if !errors.Is(err, os.ErrNotExist) {
		return m, err
	}
	var absent *zoo.NotPulledError
	pretrained, zooErr := zoo.Open(path)
	switch {
	case zooErr == nil:
		return pretrained, nil
	case errors.As(zooErr, &absent):
		return nil, withHint(fmt.Errorf("%s: there is no such file, and the pretrained network has not been fetched yet", path),
			"onnxcnn zoo pull %s", path)
	case errors.As(zooErr, new(*zoo.UnknownNameError)):
		return nil, missingFile(path, err)
	}
	return nil, zooErr
}

// missingFile says plainly that a file does not exist, if that is so and not another one that it names is missing.
func missingFile(file string, err error) error {
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, missing := os.Stat(file); errors.Is(missing, os.ErrNotExist) {
		return fmt.Errorf("%s: there is no such file", file)
	}
	return err
}

// itHas tells which inputs a model has.
func itHas(names []string) string {
	if len(names) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(names, ", ")
}

// missingPath says plainly that a file or folder does not exist, if that is what an error says.
func missingPath(err error) error {
	var missing *fs.PathError
	if errors.As(err, &missing) && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: there is no such file or folder", missing.Path)
	}
	return err
}

func inputFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "input", Aliases: []string{"i"},
		Usage: "`SHAPE` of the input, as 1x3x224x224, or the size of images alone, as 224x224 or 224; NAME=SHAPE where there are several. By default what the file declares, with 1 for a variable batch"}
}

// inputShapes reads the values of --input for a model: shapes by the names of its inputs.
func inputShapes(m *onnx.Model, values []string) (map[string][]int, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var names []string
	inputs := map[string]*onnx.Value{}
	for _, in := range m.Graph.RequiredInputs() {
		names = append(names, in.Name)
		inputs[in.Name] = in
	}
	shapes := map[string][]int{}
	for _, v := range values {
		name, text, named := strings.Cut(v, "=")
		if !named {
			text = v
			if len(names) != 1 {
				return nil, withHint(usagef("--input %s: the model has %d inputs", v, len(names)),
					"write NAME=SHAPE, where NAME is %s", strings.Join(names, ", "))
			}
			name = names[0]
		}
		if !slices.Contains(names, name) {
			return nil, withHint(usagef("--input %s: the model has no input %q", v, name), "%s", itHas(names))
		}
		if shapes[name] != nil {
			return nil, usagef("--input %s: the shape of %q is given twice", v, name)
		}
		shape, err := parseShape(text)
		if err != nil {
			return nil, usagef("--input %s: %w", v, err)
		}
		if shapes[name], err = wholeShape(shape, inputs[name].Type); err != nil {
			return nil, withHint(usagef("--input %s: %w", v, err), "inputs are declared as %s", declaredInputs(m))
		}
	}
	return shapes, nil
}

// wholeShape makes the shape of an input of a shape that was given: of an input of images, the height and width, or one
// number for both, are enough.
func wholeShape(given []int, declared *onnx.Type) ([]int, error) {
	if declared == nil || !declared.HasShape || len(given) == len(declared.Shape) {
		return given, nil
	}
	rank := len(declared.Shape)
	if rank != 4 || len(given) > 2 {
		return nil, fmt.Errorf("%d dimensions, the input has %d", len(given), rank)
	}
	h, w := given[0], given[len(given)-1]
	colours := func(d onnx.Dim) bool { return d.Size == 1 || d.Size == 3 }
	switch first, last := declared.Shape[1], declared.Shape[3]; {
	case colours(first):
		return []int{1, first.Size, h, w}, nil
	case colours(last):
		return []int{1, h, w, last.Size}, nil
	}
	return nil, fmt.Errorf("the size of images alone will not do: the input is not declared to have one or three channels")
}

// declaredInputs lists the shapes that a model declares for its inputs.
func declaredInputs(m *onnx.Model) string {
	var all []string
	for _, in := range m.Graph.RequiredInputs() {
		var dims []string
		if in.Type != nil {
			for _, d := range in.Type.Shape {
				switch {
				case d.Size >= 0:
					dims = append(dims, strconv.Itoa(d.Size))
				case d.Param != "":
					dims = append(dims, d.Param)
				default:
					dims = append(dims, "?")
				}
			}
		}
		all = append(all, in.Name+" "+strings.Join(dims, "x"))
	}
	return strings.Join(all, ", ")
}

// maxDim bounds a dimension on the command line, so that products of a few stay within an int.
const maxDim = 1 << 24

// parseShape reads a shape such as 1x3x224x224.
func parseShape(s string) ([]int, error) {
	var shape []int
	for _, f := range strings.Split(s, "x") {
		d, err := strconv.Atoi(f)
		if err != nil || d < 1 || d > maxDim {
			return nil, fmt.Errorf("%q is not a shape such as 1x3x224x224", s)
		}
		shape = append(shape, d)
	}
	return shape, nil
}

// formatShape writes a shape as --input takes it, "?" where it is not known.
func formatShape(shape []int) string {
	if shape == nil {
		return "?"
	}
	if len(shape) == 0 {
		return "scalar"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", "x")
}

// thousands writes a number with commas: 14,714,688.
func thousands(n int) string {
	s := strconv.Itoa(n)
	start := 1
	if n < 0 {
		start = 2
	}
	for i := len(s) - 3; i >= start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
