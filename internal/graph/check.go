package graph

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Problem is something about a model that keeps it from running, or that its user should know.
type Problem struct {
	Node   string // label of the node, "" where it is about the whole model
	What   string
	Remedy string
	Fatal  bool // the native engine cannot run the model
}

// Check lists all problems of a model at once.
func Check(m *onnx.Model) []Problem {
	var out []Problem
	for _, err := range m.Check() {
		out = append(out, Problem{What: err.Error(), Remedy: "the file breaks the ONNX specification: export it again", Fatal: true})
	}
	if m.Graph == nil {
		return out
	}
	if err := checkOpsets(m); err != nil {
		out = append(out, Problem{What: err.Error(), Remedy: fmt.Sprintf("export the model with an opset from 7 to %d", op.MaxOpset), Fatal: true})
	}
	inlined, err := m.Inlined()
	if err != nil {
		return append(out, Problem{What: err.Error(), Remedy: "export the model without local functions", Fatal: true})
	}
	before := len(out)
	out = append(out, checkNodes(inlined.Graph, inlined.OpsetVersion)...)
	constants := LeftOut(m.Graph)
	for _, v := range constants {
		out = append(out, Problem{What: fmt.Sprintf("input %q is a constant of TensorFlow's graph whose value the exporter left out", v), Remedy: "convert the Keras model itself: onnxcnn convert model.keras model.onnx"})
	}
	for _, v := range m.Graph.RequiredInputs() {
		if slices.Contains(constants, v.Name) {
			continue
		}
		if v.Type != nil && v.Type.HasShape && len(v.Type.Shape) > 1 && v.Type.Shape[0].Size >= 0 && v.Type.Shape[0].Param == "" {
			out = append(out, Problem{What: fmt.Sprintf("input %q has a fixed batch of %d", v.Name, v.Type.Shape[0].Size),
				Remedy: "export it with a free batch dimension (dynamic_shapes in PyTorch, dynamic_axes in its older exporter) if batches of another size fail"})
		}
	}
	if n := foldedNorms(m.Graph); n > 0 {
		out = append(out, Problem{What: fmt.Sprintf("the exporter has folded batch normalisation into convolutions (%d of them)", n),
			Remedy: "it runs; to fine-tune it with its normalisation, export it with optimize=False (dynamo=False: do_constant_folding=False and training=TrainingMode.PRESERVE)"})
	}
	for _, p := range out[:before] {
		if p.Fatal {
			return out
		}
	}
	layers, err := Layers(m, nil)
	if err != nil && len(out) == before {
		return append(out, Problem{What: err.Error(), Remedy: "give the input's shape with --input"})
	}
	for _, l := range layers {
		if l.Err != nil {
			out = append(out, Problem{What: l.Err.Error(), Remedy: "the shapes of the model do not fit each other: export it again", Fatal: true})
		}
	}
	return out
}

// LeftOut names inputs that are constants inside of TensorFlow's graph ("net/normalization/Sub/y:0"): tf2onnx makes inputs of
// tensors that a traced function holds on to, such as the mean and the variance of Keras' Normalization, and leaves their
// values out of the file.
func LeftOut(g *onnx.Graph) []string {
	var names []string
	in := g.RequiredInputs()
	for _, v := range in {
		if strings.Contains(v.Name, "/") && strings.HasSuffix(v.Name, ":0") {
			names = append(names, v.Name)
		}
	}
	if len(names) == len(in) {
		return nil // that is how the inputs are called
	}
	return names
}

// checkNodes makes every operator, sub-graphs included, and reports what it hears.
func checkNodes(g *onnx.Graph, opsets func(string) int) []Problem {
	var out []Problem
	for _, n := range g.Nodes {
		label := n.String()
		_, d, err := op.Make(n, opsets(n.Domain), func(msg string) {
			out = append(out, Problem{Node: label, What: msg, Remedy: "it runs; check the results"})
		})
		switch {
		case err != nil && d == nil:
			out = append(out, Problem{Node: label, What: err.Error(), Remedy: remedyOf(n), Fatal: true})
		case err != nil:
			out = append(out, Problem{Node: label, What: err.Error(), Remedy: "export the model again, or with another opset", Fatal: true})
		}
		for s := range n.Subgraphs() {
			out = append(out, checkNodes(s, opsets)...)
		}
	}
	return out
}

// remedyOf says what to do about an operator that is not there: ONNX Runtime has those of ONNX and of Microsoft.
func remedyOf(n *onnx.Node) string {
	if isONNX(n.Domain) || n.Domain == "ai.onnx.ml" || n.Domain == microsoft {
		return "run the model with --provider ort, or export it with other operators"
	}
	return "export the model with standard operators"
}

// foldedNorm is the name that PyTorch's older exporter gives to a weight with batch normalisation folded into it.
var foldedNorm = regexp.MustCompile(`^onnx::Conv_[0-9]+$`)

// ruleKey is the metadata of a node in which today's exporter lists the rewritings that made it.
const ruleKey = "pkg.onnxscript.rewriter.rule_name"

// foldedNorms counts the layers of a graph that have batch normalisation folded into them, as far as names and metadata tell.
func foldedNorms(g *onnx.Graph) int {
	count := 0
	for _, n := range g.Nodes {
		if n.OpType == "Conv" && foldedNorm.MatchString(input(n, 1)) ||
			slices.ContainsFunc(n.Metadata, func(e onnx.Entry) bool { return e.Key == ruleKey && strings.Contains(e.Value, "FuseBatchNorm") }) {
			count++
		}
	}
	return count
}
