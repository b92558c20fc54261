package graph

import (
	"errors"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Values returns types and shapes of a graph's values by name, weights included, as far as they can be inferred; values
// that are known, such as shapes, come with them. inputs gives the shapes of inputs by name. Free dimensions of others have
// example sizes: those of one name the same, those of different names different ones. What lies in sub-graphs is left out.
func Values(m *onnx.Model, inputs map[string][]int) (map[string]op.Info, error) {
	if m.Graph == nil {
		return nil, errors.New("the model has no graph")
	}
	decl, err := declared(m.Graph.RequiredInputs(), inputs)
	if err != nil {
		return nil, err
	}
	w, err := load(m.Graph, decl, valueNames(m.Graph.Outputs), nil, Options{}, m.OpsetVersion)
	if err != nil {
		return nil, err
	}
	if err := w.constants(); err != nil {
		return nil, err
	}
	p, err := w.draft(m.Graph.Outputs, Options{})
	if err != nil {
		return nil, err
	}
	known := p.hints()
	for name, t := range w.consts {
		known[name] = infoOf(t)
	}
	return known, nil
}
