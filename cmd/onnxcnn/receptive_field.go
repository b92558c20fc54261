package main

import (
	"fmt"
	"image"
	"image/color"
	"path/filepath"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func receptiveFieldCommand() *cli.Command {
	return &cli.Command{
		Name:      "receptive-field",
		Usage:     "say how much of the image each layer's positions see",
		ArgsUsage: "MODEL [-o FILE]",
		Description: `Lists for each layer the receptive field of its positions in pixels of the input: SIZE, STRIDE (by how much it moves
from one position to the next; 0 where all see the same), START (its first pixel for the first position; negative in the
padding). Height and width are written as HxW where they differ. Araujo, Norris and Sim 2019, doi:10.23915/distill.00021.

FILE (.png or .jpg) shows what the position in the middle sees: of --layer, or of layers at which the field grows.
With --image it is drawn on a picture, which is resized to the input.

  onnxcnn receptive-field vgg16.onnx
  onnxcnn receptive-field resnet50.onnx -o fields.png --image cat.jpg
  onnxcnn receptive-field resnet50.onnx --layer layer3 --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "draw the fields to `FILE`: .png or .jpg"},
			&cli.StringFlag{Name: "image", Usage: "draw them on the picture `IMAGE`"},
			&cli.StringFlag{Name: "layer", Usage: "only layer `L`: number, name or block, see \"onnxcnn layers\""},
			inputFlag(), quietFlag(), jsonFlag(),
		},
		Action: receptiveField,
	}
}

// fieldJSON is a receptive field as --json shows it. Lists are height and width.
type fieldJSON struct {
	Index   int     `json:"index"`
	Name    string  `json:"name"`
	Op      string  `json:"op"`
	Shape   []int   `json:"shape"`
	Size    *[2]int `json:"size,omitempty"`
	Stride  *[2]int `json:"stride,omitempty"`
	Start   *[2]int `json:"start,omitempty"`
	Problem string  `json:"problem,omitempty"`
}

func receptiveField(c *cli.Context) error {
	path, err := onlyModelArg(c)
	if err != nil {
		return err
	}
	out := c.String("output")
	if out == "" && c.String("image") != "" {
		return usagef("--image is what -o FILE draws on: give that, too")
	}
	if out != "" {
		if err := checkPicture(out); err != nil {
			return err
		}
	}
	m, err := openModel(path)
	if err != nil {
		return err
	}
	defer m.Close()
	shapes, err := inputShapes(m, c.StringSlice("input"))
	if err != nil {
		return err
	}
	fields, err := gradcam.Fields(m, shapes)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if sel := c.String("layer"); sel != "" {
		if fields, err = fieldOf(fields, sel); err != nil {
			return err
		}
	}
	if out != "" {
		if err := drawFields(c, m, shapes, fields, out); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(c, fieldsJSON(fields))
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LAYER\tNAME\tOPERATOR\tOUTPUT\tSIZE\tSTRIDE\tSTART")
	for _, f := range fields {
		numbers := fmt.Sprintf("%s\t%s\t%s", hw(f.Size), hw(f.Stride), hw(f.Start))
		if f.Err != nil {
			numbers = "-\t-\t-"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", f.Layer.Index, f.Layer.Name, f.Layer.Op, formatShape(f.Layer.Shape), numbers)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, f := range fields {
		if f.Err != nil { // those behind have the same reason
			advise(c, "from layer %d on fields are not known: %v", f.Layer.Index, f.Err)
			break
		}
	}
	return nil
}

// fieldOf selects a layer's field.
func fieldOf(fields []gradcam.ReceptiveField, sel string) ([]gradcam.ReceptiveField, error) {
	i, err := gradcam.FindField(fields, sel)
	if err != nil {
		return nil, usagef("--layer: %w", err)
	}
	return fields[i : i+1], nil
}

func fieldsJSON(fields []gradcam.ReceptiveField) []fieldJSON {
	list := []fieldJSON{}
	for _, f := range fields {
		j := fieldJSON{Index: f.Layer.Index, Name: f.Layer.Name, Op: f.Layer.Op, Shape: f.Layer.Shape}
		if f.Err != nil {
			j.Problem = f.Err.Error()
		} else {
			j.Size, j.Stride, j.Start = &f.Size, &f.Stride, &f.Start
		}
		list = append(list, j)
	}
	return list
}

// hw writes height and width, once where they are the same.
func hw(v [2]int) string {
	if v[0] == v[1] {
		return fmt.Sprint(v[0])
	}
	return fmt.Sprintf("%dx%d", v[0], v[1])
}

// maxFields is how many layers a picture shows that were not chosen.
const maxFields = 12

func drawFields(c *cli.Context, m *onnx.Model, shapes map[string][]int, fields []gradcam.ReceptiveField, out string) error {
	size, err := gradcam.InputSize(m, shapes)
	if err != nil {
		return err
	}
	picture, err := fieldGround(c.String("image"), size)
	if err != nil {
		return err
	}
	chosen := fields
	if c.String("layer") == "" {
		chosen = gradcam.GrowingFields(fields, maxFields)
	}
	if len(chosen) == 0 {
		return fmt.Errorf("%s: no layer has a field that moves over the image: there is nothing to draw", c.Args().First())
	}
	drawn, err := gradcam.DrawFields(picture, size, chosen, fmt.Sprintf("%s: receptive fields of an input of %dx%d", filepath.Base(c.Args().First()), size[0], size[1]))
	if err != nil {
		return err
	}
	return writePicture(out, drawn)
}

// fieldGround is what fields are drawn on: a picture resized to the input, or a plain one, at least some 200 pixels wide.
func fieldGround(path string, size [2]int) (image.Image, error) {
	times := max((200+size[1]-1)/size[1], 1)
	h, w := times*size[0], times*size[1]
	if path == "" {
		plain := image.NewNRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				v := uint8(215)
				if (x/(8*times)+y/(8*times))%2 == 0 {
					v = 235
				}
				plain.SetNRGBA(x, y, color.NRGBA{v, v, v, 255})
			}
		}
		return plain, nil
	}
	p, err := readPicture(path)
	if err != nil {
		return nil, err
	}
	return resizedPicture(p, h, w)
}
