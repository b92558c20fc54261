package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/urfave/cli/v2"
)

func layersCommand() *cli.Command {
	return &cli.Command{
		Name:      "layers",
		Usage:     "number the layers of a network, as --at and --unfreeze-from take them",
		ArgsUsage: "MODEL",
		Description: `Lists the network's compute nodes in graph order: number, name, operator, output shape, parameters.
Constants, identities and shape arithmetic are not counted, so that the numbers of VGG16 are
those of torchvision's "features".

Where other commands take a layer (--at, --unfreeze-from) they accept the number, the name, the name of
a block (layer4) for its last layer, or the beginning of a name.

   onnxcnn layers vgg16.onnx
   onnxcnn layers resnet50.onnx --input 1x3x448x448
   onnxcnn layers resnet50.onnx --json`,
		Flags:  []cli.Flag{inputFlag(), jsonFlag()},
		Action: listLayers,
	}
}

// layerJSON is a layer as --json shows it.
type layerJSON struct {
	Index    int    `json:"index"`
	Name     string `json:"name"`
	Op       string `json:"op"`
	Output   string `json:"output"`
	Shape    []int  `json:"shape"` // null where it is not known
	Params   int    `json:"params"`
	MultAdds int    `json:"mult_adds"`
	Problem  string `json:"problem,omitempty"`
}

func toJSON(l backend.Layer) layerJSON {
	j := layerJSON{Index: l.Index, Name: l.Name, Op: l.Op, Output: l.Output, Shape: l.Shape, Params: l.Params, MultAdds: l.MultAdds}
	if l.Err != nil {
		j.Problem = l.Err.Error()
	}
	return j
}

func listLayers(c *cli.Context) error {
	m, _, err := onlyModel(c)
	if err != nil {
		return err
	}
	defer m.Close()
	layers, err := layersOf(c, m)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		list := []layerJSON{}
		for _, l := range layers {
			list = append(list, toJSON(l))
		}
		return printJSON(c, list)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LAYER\tNAME\tOPERATOR\tOUTPUT\tPARAMETERS")
	for _, l := range layers {
		params := "-"
		if l.Params > 0 {
			params = thousands(l.Params)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", l.Index, l.Name, l.Op, formatShape(l.Shape), params)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, l := range layers {
		if l.Err != nil {
			advise(c, "layer %d does not fit this input: %v", l.Index, l.Err)
		}
	}
	return nil
}
