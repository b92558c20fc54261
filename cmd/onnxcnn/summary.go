package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/urfave/cli/v2"
)

func summaryCommand() *cli.Command {
	return &cli.Command{
		Name:      "summary",
		Usage:     "show the layers, output shapes, parameters and sizes of a network",
		ArgsUsage: "MODEL",
		Description: `Prints the table that torchinfo prints for PyTorch models. Blocks come from the scopes in the names of
the nodes; the row of a block shows the parameters of all that is in it. The number behind a layer is
the one that --at and --unfreeze-from take. Parameters that are frozen stand in parentheses.

Where layers do not fit the input that --input gives (a classifier made for pictures of another size),
the table shows their shapes as "?" and says which layer is the first.

With --outputs it shows the network as finetune trains it: with a new head (--head, --pool) for so many classes, and
layers frozen or not as --unfreeze-from (none by default there) and --bn say. --batch measures a step of training on so
many images: its time, and about how much memory it takes.

   onnxcnn summary vgg16.onnx
   onnxcnn summary vgg16.onnx --input 150x150
   onnxcnn summary vgg16.onnx --input 1x3x150x150 --unfreeze-from 10
   onnxcnn summary vgg16.onnx --input 150x150 --outputs 1 --head 256,relu --unfreeze-from 10 --batch 16`,
		Flags: []cli.Flag{
			inputFlag(),
			&cli.StringFlag{Name: "unfreeze-from", Value: "all",
				Usage: "first `LAYER` that is trained: a number or a name; all, or none"},
			&cli.IntFlag{Name: "outputs", Usage: "show what finetune trains for `N` outputs: as many as classes, or 1 with --loss bce"},
			&cli.StringFlag{Name: "head", Value: "linear", Usage: "with --outputs, the new head's `LAYERS`, as finetune takes them"},
			&cli.StringFlag{Name: "pool", Value: "auto", Usage: "with --outputs, `HOW` maps become the head's input, as finetune takes it"},
			&cli.StringFlag{Name: "bn", Value: "frozen", Usage: "with --outputs, the `MODE` of batch normalisations, as finetune takes it"},
			&cli.IntFlag{Name: "batch", Usage: "with --outputs, measure a step of training on `N` images"},
			threadsFlag(),
			&cli.BoolFlag{Name: "mult-adds", Usage: "add a column with the multiplications and additions of each layer"},
			jsonFlag(),
		},
		Action: summarize,
	}
}

func summarize(c *cli.Context) error {
	m, path, err := onlyModel(c)
	if err != nil {
		return err
	}
	defer m.Close()
	shapes, err := inputShapes(m, c.StringSlice("input"))
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	var s *summary
	if c.IsSet("outputs") {
		s, err = trainingSummary(c, name, m, shapes)
	} else {
		s, err = modelSummary(c, name, m, shapes)
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, s)
	}
	_, err = fmt.Fprint(c.App.Writer, s.table(c.Bool("mult-adds")))
	return err
}

// modelSummary is of a network as it is.
func modelSummary(c *cli.Context, name string, m *onnx.Model, shapes map[string][]int) (*summary, error) {
	for _, f := range []string{"head", "pool", "bn", "batch"} {
		if c.IsSet(f) {
			return nil, usagef("--%s says something about training: give --outputs N, too", f)
		}
	}
	layers, err := layersOf(c, m)
	if err != nil {
		return nil, err
	}
	first, err := firstTrained(layers, c.String("unfreeze-from"))
	if err != nil {
		return nil, err
	}
	return newSummary(name, m, layers, shapes, func(i int) int {
		if i < first {
			return 0
		}
		return layers[i].Params
	}), nil
}

// firstTrained returns the index of the first layer that --unfreeze-from trains, len(layers) for none.
func firstTrained(layers []backend.Layer, sel string) (int, error) {
	switch sel {
	case "all":
		return 0, nil
	case "none":
		return len(layers), nil
	}
	l, err := backend.FindFirstLayer(layers, sel)
	if err != nil {
		return 0, usagef("--unfreeze-from: %w", err)
	}
	return l.Index, nil
}

// summary is what the command tells, in the form that --json shows.
type summary struct {
	Model  string        `json:"model"`
	Layers []summaryJSON `json:"layers"`
	// NoFit says which layer is the first that does not fit the input.
	NoFit        string  `json:"no_fit,omitempty"`
	Params       int     `json:"params"`
	Trainable    int     `json:"trainable_params"`
	NonTrainable int     `json:"non_trainable_params"`
	MultAdds     int     `json:"mult_adds"`
	InputMB      float64 `json:"input_mb"`
	ActivationMB float64 `json:"forward_backward_mb"`
	ParamsMB     float64 `json:"params_mb"`
	TotalMB      float64 `json:"total_mb"`

	// What finetune would train; nothing where that was not asked for.
	Tensors int           `json:"trainable_tensors,omitempty"`
	Step    *stepMeasured `json:"training_step,omitempty"`

	layers  []backend.Layer
	trained []int // parameters of each layer that are trained
}

type summaryJSON struct {
	layerJSON
	Trainable bool `json:"trainable"`
}

// newSummary adds layers up. trained says how many parameters of a layer are trained.
func newSummary(name string, m *onnx.Model, layers []backend.Layer, shapes map[string][]int, trained func(i int) int) *summary {
	s := &summary{Model: name, layers: layers, Layers: []summaryJSON{}}
	weights := map[string]onnx.DataType{}
	for _, t := range m.Graph.Initializers {
		weights[t.Name] = t.Type
	}
	var activations, params int // bytes
	for i, l := range layers {
		n := trained(i)
		s.trained = append(s.trained, n)
		s.Layers = append(s.Layers, summaryJSON{toJSON(l), n > 0})
		s.Params += l.Params
		s.Trainable += n
		s.MultAdds += l.MultAdds
		typ := onnx.Float
		for _, in := range l.Node.Inputs {
			if t, ok := weights[in]; ok {
				typ = t
				break
			}
		}
		params += typ.Bytes(l.Params)
		if l.Params > 0 && l.Shape != nil {
			// As torchinfo counts: the outputs of layers with parameters, once forward and once backward.
			activations += 2 * typ.Bytes(onnx.NumElements(l.Shape))
		}
		if l.Err != nil && s.NoFit == "" {
			s.NoFit = l.Err.Error()
		}
	}
	s.NonTrainable = s.Params - s.Trainable
	const mb = 1e6
	s.InputMB = float64(inputBytes(m, shapes)) / mb
	s.ActivationMB = float64(activations) / mb
	s.ParamsMB = float64(params) / mb
	s.TotalMB = s.InputMB + s.ActivationMB + s.ParamsMB
	return s
}

// inputBytes returns the size of the inputs: of the shapes given, else of those declared, with 1 for a free dimension.
func inputBytes(m *onnx.Model, shapes map[string][]int) int {
	total := 0
	for _, in := range m.Graph.RequiredInputs() {
		typ, n := onnx.Float, 1
		if in.Type != nil {
			if in.Type.Elem.Known() {
				typ = in.Type.Elem
			}
			for _, d := range in.Type.Shape {
				n *= max(1, d.Size)
			}
		}
		if shape, ok := shapes[in.Name]; ok {
			n = onnx.NumElements(shape)
		}
		total += typ.Bytes(n)
	}
	return total
}

// row is a line of the table: a layer, or a block of several.
type row struct {
	depth int
	label string
	last  int // index of the layer whose output is the row's
	from  int // the row stands for layers from..last
}

// rows arranges layers as a tree, by the scopes in their names.
func rows(layers []backend.Layer) []row {
	paths := make([][]string, len(layers))
	for i, l := range layers {
		paths[i] = scopes(l)
	}
	var out []row
	var walk func(from, to, depth int, parent string)
	walk = func(from, to, depth int, parent string) {
		for from < to {
			path := paths[from]
			if len(path) <= depth {
				out = append(out, row{depth: depth, label: layers[from].Op, from: from, last: from})
				from++
				continue
			}
			end := from + 1
			for end < to && len(paths[end]) > depth && paths[end][depth] == path[depth] {
				end++
			}
			name := strings.TrimPrefix(path[depth], parent+".")
			if end == from+1 {
				name = strings.Join(append([]string{name}, path[depth+1:]...), "/")
				out = append(out, row{depth: depth, label: fmt.Sprintf("%s (%s)", layers[from].Op, name), from: from, last: from})
			} else {
				out = append(out, row{depth: depth, label: name, from: from, last: end - 1})
				walk(from, end, depth+1, path[depth])
			}
			from = end
		}
	}
	walk(0, len(layers), 0, "")
	return out
}

// scopes splits a layer's name at its slashes. A name without slashes is split at its dots, as PyTorch names modules:
// layer1.0.conv1. The last part is left out where it only repeats the operator, as in /layer1/layer1.0/conv1/Conv,
// /layer1/layer1.0/relu_1/Relu and Conv_0.
func scopes(l backend.Layer) []string {
	at := "/"
	if !strings.Contains(l.Name, at) {
		at = "."
	}
	parts := strings.Split(strings.Trim(l.Name, at), at)
	if name, _, _ := strings.Cut(parts[len(parts)-1], "_"); name == l.Op {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// table lays the summary out as torchinfo does.
func (s *summary) table(multAdds bool) string {
	lines := [][]string{{"Layer (type (var_name)): number", "Output Shape", "Param #", "Mult-Adds"}}
	all := append([]row{{depth: -1, label: s.Model, last: len(s.layers) - 1}}, rows(s.layers)...)
	for i, r := range all {
		label := r.label
		switch {
		case r.depth == 0:
			label = "├─" + label
		case r.depth > 0:
			label = strings.Repeat("│    ", r.depth) + "└─" + label
		}
		if block := i+1 < len(all) && all[i+1].depth > r.depth; !block && r.depth >= 0 {
			label += fmt.Sprintf(": %d", r.last)
		}
		shape := "--"
		params, frozen, macs := 0, 0, 0
		if len(s.layers) > 0 {
			shape = bracketed(s.layers[r.last].Shape)
			for j := r.from; j <= r.last; j++ {
				params += s.layers[j].Params
				macs += s.layers[j].MultAdds
				frozen += s.layers[j].Params - s.trained[j]
			}
		}
		count := dashed(params)
		switch {
		case frozen > 0 && frozen == params:
			count = "(" + count + ")"
		case frozen > 0:
			count = fmt.Sprintf("%s (%s frozen)", count, thousands(frozen))
		}
		lines = append(lines, []string{label, shape, count, dashed(macs)})
	}
	columns := 3
	if multAdds {
		columns = 4
	}
	widths := []int{40, 24, 24, 24}
	for _, l := range lines {
		for j := range columns {
			widths[j] = max(widths[j], utf8.RuneCountInString(l[j]))
		}
	}
	total := columns - 1
	for j := range columns {
		total += widths[j]
	}
	rule := strings.Repeat("=", total) + "\n"
	var b strings.Builder
	b.WriteString(rule)
	for i, l := range lines {
		text := ""
		for j := range columns {
			text += l[j] + strings.Repeat(" ", widths[j]-utf8.RuneCountInString(l[j])+1)
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
		if i == 0 {
			b.WriteString(rule)
		}
	}
	unit, scale := "M", 1e6
	if s.MultAdds >= 1e9 {
		unit, scale = "G", 1e9
	}
	b.WriteString(rule)
	fmt.Fprintf(&b, "Total params: %s\n", thousands(s.Params))
	fmt.Fprintf(&b, "Trainable params: %s\n", thousands(s.Trainable))
	fmt.Fprintf(&b, "Non-trainable params: %s\n", thousands(s.NonTrainable))
	fmt.Fprintf(&b, "Total mult-adds (%s): %.2f\n", unit, float64(s.MultAdds)/scale)
	b.WriteString(rule)
	fmt.Fprintf(&b, "Input size (MB): %.2f\n", s.InputMB)
	fmt.Fprintf(&b, "Forward/backward pass size (MB): %.2f\n", s.ActivationMB)
	fmt.Fprintf(&b, "Params size (MB): %.2f\n", s.ParamsMB)
	fmt.Fprintf(&b, "Estimated Total Size (MB): %.2f\n", s.TotalMB)
	b.WriteString(rule)
	if s.Tensors > 0 {
		fmt.Fprintf(&b, "Trained tensors: %s\n", thousands(s.Tensors))
	}
	if t := s.Step; t != nil {
		fmt.Fprintf(&b, "Training step of %d images: %.3g s, and %.3g s for the frozen layers (measured)\n", t.Batch, t.StepSeconds, t.FrozenSeconds)
		fmt.Fprintf(&b, "Memory of training (MB): about %.2f\n", t.MemoryMB)
	}
	if s.NoFit != "" {
		fmt.Fprintf(&b, "The first layer that does not fit this input: %s\n", s.NoFit)
	}
	return b.String()
}

// bracketed writes a shape as torchinfo does: [1, 64, 150, 150].
func bracketed(shape []int) string {
	if shape == nil {
		return "?"
	}
	return strings.ReplaceAll(fmt.Sprint(shape), " ", ", ")
}

func dashed(n int) string {
	if n == 0 {
		return "--"
	}
	return thousands(n)
}
