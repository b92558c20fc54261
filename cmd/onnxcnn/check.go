package main

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
	"github.com/urfave/cli/v2"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "list everything that is wrong with a model at once, each with its remedy",
		ArgsUsage: "MODEL",
		Description: `Reads the model and reports every problem: what breaks the ONNX specification, operators and attributes
that are not supported, shapes that do not fit, a fixed batch size, labels or a recipe for its pictures
that are missing or broken.

An "error" keeps the network from running; then the exit status is 1. A "warning" does not.

   onnxcnn check model.onnx
   onnxcnn check model.onnx --json`,
		Flags:  []cli.Flag{jsonFlag(), quietFlag()},
		Action: checkModel,
	}
}

// problemJSON is a problem as --json shows it.
type problemJSON struct {
	Fatal  bool   `json:"fatal"`
	Node   string `json:"node,omitempty"`
	What   string `json:"what"`
	Remedy string `json:"remedy"`
}

func checkModel(c *cli.Context) error {
	m, path, err := onlyModel(c)
	if err != nil {
		return err
	}
	defer m.Close()
	problems := append(backend.Check(m), checkMetadata(m)...)
	fatal := 0
	list := []problemJSON{}
	for _, p := range problems {
		if p.Fatal {
			fatal++
		}
		list = append(list, problemJSON{p.Fatal, p.Node, p.What, p.Remedy})
	}
	switch {
	case c.Bool("json"):
		if err := printJSON(c, list); err != nil {
			return err
		}
	case len(list) == 0:
		fmt.Fprintf(c.App.Writer, "%s: no problems\n", path)
	default:
		for _, p := range list {
			printProblem(c, p)
		}
	}
	if fatal > 0 {
		return fmt.Errorf("%s cannot be run: %s", path, count(fatal, "error"))
	}
	return nil
}

func printProblem(c *cli.Context, p problemJSON) {
	kind := "warning"
	if p.Fatal {
		kind = "error"
	}
	fmt.Fprintf(c.App.Writer, "%s: ", kind)
	if p.Node != "" {
		fmt.Fprintf(c.App.Writer, "%s: ", p.Node)
	}
	fmt.Fprintf(c.App.Writer, "%s\n    remedy: %s\n", p.What, p.Remedy)
}

// checkMetadata reports what predict and its like need and the model does not say.
func checkMetadata(m *onnx.Model) []backend.Problem {
	var out []backend.Problem
	_, found, err := zoo.RecipeOf(m)
	switch {
	case err != nil:
		out = append(out, backend.Problem{What: err.Error(), Remedy: "correct onnxcnn.preprocess in the model's metadata"})
	case !found:
		out = append(out, backend.Problem{What: "the model does not say how pictures become its input",
			Remedy: "name a recipe with --recipe, or put one into the metadata as onnxcnn.preprocess"})
	}
	labels, err := zoo.LabelsOf(m)
	switch {
	case err != nil:
		out = append(out, backend.Problem{What: err.Error(), Remedy: "correct onnxcnn.labels in the model's metadata"})
	case labels == nil:
		out = append(out, backend.Problem{What: "the model does not name its classes",
			Remedy: "put a JSON array of names into the metadata as onnxcnn.labels"})
	}
	return out
}

// count writes a number with its noun: 1 error, 2 errors.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", thousands(n), noun)
}
