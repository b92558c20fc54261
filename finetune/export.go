package finetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// What an exported model says of its origin, in its metadata.
const (
	BaseKey = "onnxcnn.base_sha256" // of the file that training started from
	RunKey  = "onnxcnn.run"         // the run's options as JSON
)

// Export returns the network as it is now: base and head as one model with the trained weights, averaged ones where there
// are some. Names and normalisations are the base's. Labels and recipe may be left out (nil).
func (t *Trainer) Export(labels []string, recipe *zoo.Recipe) (*onnx.Model, error) {
	m := *t.net.Model
	g := *m.Graph
	m.Graph = &g
	now := t.snapshot()
	g.Initializers = slices.Clone(g.Initializers)
	for i, w := range g.Initializers {
		if v := now[w.Name]; v != nil {
			c := *w
			c.Raw = v.Raw
			g.Initializers[i] = &c
		}
	}
	return &m, describe(&m, labels, recipe)
}

// describe sets labels and recipe in a model's metadata, and takes out those that are nil.
func describe(m *onnx.Model, labels []string, recipe *zoo.Recipe) error {
	m.Metadata = slices.Clone(m.Metadata)
	// What stays keeps its place: an export of what was not trained is the same file.
	m.Metadata = slices.DeleteFunc(m.Metadata, func(e onnx.Entry) bool {
		return e.Key == zoo.LabelsKey && labels == nil || e.Key == zoo.RecipeKey && recipe == nil || e.Key == zoo.MultiLabelKey
	})
	if labels != nil {
		if err := zoo.SetLabels(m, labels); err != nil {
			return err
		}
	}
	if recipe != nil {
		if err := zoo.SetRecipe(m, *recipe); err != nil {
			return err
		}
	}
	return nil
}

// HeadModel returns the head alone, of a model from [Trainer.Export]: its input is what the base gives.
func (t *Trainer) HeadModel(whole *onnx.Model) (*onnx.Model, error) {
	return headModel(whole, t.net.headFirst, t.net.shapes)
}

// headModel returns the part of a network from a node on, where shapes has those of values for one image.
func headModel(whole *onnx.Model, first int, shapes map[string][]int) (*onnx.Model, error) {
	s := suffixOf(whole.Graph, first)
	if len(s.cut) != 1 {
		return nil, fmt.Errorf("the head reads %d values (%q), want one", len(s.cut), s.cut)
	}
	shape := shapes[s.cut[0]]
	if shape == nil {
		return nil, fmt.Errorf("the shape of %q, which the head reads, is not known", s.cut[0])
	}
	used := map[string]bool{}
	for _, node := range s.nodes {
		for in := range node.Uses() {
			used[in] = true
		}
	}
	m := *whole
	m.Graph = &onnx.Graph{Name: "head", Nodes: s.nodes, Inputs: []*onnx.Value{declare(s.cut[0], shape)}, Outputs: whole.Graph.Outputs}
	for _, w := range whole.Graph.Initializers {
		if used[w.Name] {
			m.Graph.Initializers = append(m.Graph.Initializers, w)
		}
	}
	m.Metadata = slices.DeleteFunc(slices.Clone(m.Metadata), func(e onnx.Entry) bool { return e.Key == zoo.RecipeKey })
	return &m, nil
}

// cutLogits says what a trained network makes of the values at its cut.
type cutLogits func(ctx context.Context, cut []*onnx.Tensor) (*onnx.Tensor, error)

// export writes model.onnx and head.onnx, and compares what the file says with what logits says.
func (r *run) export(ctx context.Context, res *Result, m *onnx.Model, logits cutLogits) (Check, error) {
	if err := r.sign(m); err != nil {
		return Check{}, err
	}
	if faults := m.Check(); len(faults) > 0 {
		return Check{}, errors.Join(faults...)
	}
	if err := m.Save(res.Model, onnx.SaveOptions{}); err != nil {
		return Check{}, err
	}
	head, err := r.trainer.HeadModel(m)
	if err != nil {
		return Check{}, err
	}
	if err := head.Save(res.Head, onnx.SaveOptions{}); err != nil {
		return Check{}, err
	}
	want, err := r.takeSamples(ctx, logits)
	if err != nil {
		return Check{}, err
	}
	if err := r.dir.writeSamples(want); err != nil {
		return Check{}, err
	}
	return verify(ctx, res.Model, want, verifyOptions{target: r.trainer.target, tolerance: tolerance, threads: r.o.Threads, warn: r.o.Warn})
}

// sign says in a model of the run where it is from.
func (r *run) sign(m *onnx.Model) error {
	if digest := r.base.Digest(); digest != "" {
		m.SetMeta(BaseKey, digest)
	}
	text, err := json.Marshal(r.config)
	if err != nil {
		return err
	}
	m.SetMeta(RunKey, string(text))
	if r.data.MultiLabel() {
		m.SetMeta(zoo.MultiLabelKey, "true")
	}
	m.ProducerName, m.ProducerVersion = "onnxcnn", software()
	return nil
}

// software names this build.
func software() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range append([]*debug.Module{&info.Main}, info.Deps...) {
			if d.Path == "github.com/onnxcnn/onnxcnn" && d.Version != "" {
				return d.Version
			}
		}
	}
	return "(unknown version)"
}
