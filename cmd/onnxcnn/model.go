package main

import (
	"errors"
	"fmt"
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

// missingFile says plainly that a file does not exist.
func missingFile(file string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: there is no such file", file)
	}
	return err
}

func inputFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "input", Aliases: []string{"i"},
		Usage: "`SHAPE` of the input, as 1x3x224x224, or NAME=SHAPE where there are several. By default what the file declares, with 1 for a variable batch"}
}

// inputShapes reads the values of --input for a model: shapes by the names of its inputs.
func inputShapes(m *onnx.Model, values []string) (map[string][]int, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var names []string
	for _, in := range m.Graph.RequiredInputs() {
		names = append(names, in.Name)
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
			return nil, withHint(usagef("--input %s: the model has no input %q", v, name), "it has %s", strings.Join(names, ", "))
		}
		if shapes[name] != nil {
			return nil, usagef("--input %s: the shape of %q is given twice", v, name)
		}
		shape, err := parseShape(text)
		if err != nil {
			return nil, usagef("--input %s: %w", v, err)
		}
		shapes[name] = shape
	}
	return shapes, nil
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
