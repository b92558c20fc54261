package finetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// What an exported model says of its origin, in its metadata.
const (
	BaseKey = "onnxcnn.base_sha256" // of the file that training started from
	RunKey  = "onnxcnn.run"         // the run's options as JSON
)

// Check is how an exported file compares with the trainer.
type Check struct {
	Images     int     // that were run through both, in batches of one and three
	Difference float64 // largest difference of logits
	Largest    float64 // magnitude of a logit
	Agree      int     // images of which both name the same class
}

// tolerance is the difference that is allowed between a file and the trainer, as a share of the largest logit: the frozen
// part is fused with other nodes in the whole network.
const tolerance = 1e-3

// MismatchError says that an exported file gives other results than the trainer.
type MismatchError struct {
	File  string
	Check Check
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: differs from the trained network by %.3g at logits of up to %.3g (%d of %d images have the same class): do not use it",
		e.File, e.Check.Difference, e.Check.Largest, e.Check.Agree, e.Check.Images)
}

// Export returns the network as it is now: base and head as one model with the trained weights, averaged ones where there
// are some. Names and normalisations are the base's. Labels and recipe may be left out (nil).
func (t *Trainer) Export(labels []string, recipe *zoo.Recipe) (*onnx.Model, error) {
	m := *t.net.Model
	g := *m.Graph
	m.Graph = &g
	m.Metadata = slices.Clone(m.Metadata)
	s := t.snapshot()
	now := map[string]*onnx.Tensor{}
	put := func(name string, shape []int, data []float32) {
		c := *g.Initializer(name)
		c.Raw = onnx.Of([]int{len(data)}, data).Raw
		now[name] = &c
	}
	for i, p := range t.net.Params {
		put(p.Name, p.Value.Shape, s.params[i])
	}
	for i, b := range t.buffers {
		put(b.value.Name, b.value.Shape, s.buffers[i])
	}
	g.Initializers = slices.Clone(g.Initializers)
	for i, w := range g.Initializers {
		if c := now[w.Name]; c != nil {
			g.Initializers[i] = c
		}
	}
	m.Metadata = slices.DeleteFunc(m.Metadata, func(e onnx.Entry) bool { return e.Key == zoo.LabelsKey || e.Key == zoo.RecipeKey })
	if labels != nil {
		if err := zoo.SetLabels(&m, labels); err != nil {
			return nil, err
		}
	}
	if recipe != nil {
		if err := zoo.SetRecipe(&m, *recipe); err != nil {
			return nil, err
		}
	}
	return &m, nil
}

// HeadModel returns the head alone, of a model from [Trainer.Export]: its input is what the base gives.
func (t *Trainer) HeadModel(whole *onnx.Model) (*onnx.Model, error) {
	n := t.net
	s := suffixOf(whole.Graph, n.headFirst)
	if len(s.cut) != 1 {
		return nil, fmt.Errorf("the head reads %d values (%q), want one", len(s.cut), s.cut)
	}
	shape := n.shapes[s.cut[0]]
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

// export writes model.onnx and head.onnx, and compares what the file says with the trainer.
func (r *run) export(ctx context.Context, res *Result) (Check, error) {
	m, err := r.trainer.Export(r.data.Classes, &r.recipe)
	if err != nil {
		return Check{}, err
	}
	if digest := r.base.Digest(); digest != "" {
		m.SetMeta(BaseKey, digest)
	}
	text, err := json.Marshal(r.config)
	if err != nil {
		return Check{}, err
	}
	m.SetMeta(RunKey, string(text))
	m.ProducerName, m.ProducerVersion = "onnxcnn", software()
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
	return r.verify(ctx, res.Model)
}

// verify runs images through the file, one by one and three at once, and through the trainer.
func (r *run) verify(ctx context.Context, file string) (Check, error) {
	m, err := onnx.Open(file)
	if err != nil {
		return Check{}, err
	}
	defer m.Close()
	s, err := backend.Open(m, backend.Options{Threads: r.o.Threads, Warn: r.o.Warn})
	if err != nil {
		return Check{}, err
	}
	defer s.Close()
	var c Check
	items := r.val.items
	batches := [][]int{{0}, nil}
	for i := range 3 {
		batches[1] = append(batches[1], i%len(items))
	}
	err = r.loader.each(ctx, items, batches, -1, func(b *images) error {
		if err := b.firstError(items); err != nil {
			return err
		}
		cut, err := r.trainer.Cut(ctx, b.x)
		if err != nil {
			return err
		}
		want, err := r.trainer.Logits(ctx, cut)
		if err != nil {
			return err
		}
		out, err := s.Run(ctx, map[string]*onnx.Tensor{r.net.Input: b.x})
		if err != nil {
			return fmt.Errorf("%s, batch of %d: %w", file, len(b.index), err)
		}
		got := out[r.net.Logits]
		if got == nil || !slices.Equal(got.Shape, want.Shape) {
			return fmt.Errorf("%s: gives no logits of shape %v", file, want.Shape)
		}
		c.compare(got.Float32s(), want.Float32s(), r.trainer.target)
		return nil
	})
	if err == nil && (c.Agree < c.Images || !(c.Difference <= tolerance*max(c.Largest, 1e-3))) {
		err = &MismatchError{File: file, Check: c}
	}
	return c, err
}

// compare adds a batch of logits to the comparison. Two classes that lie as close together as rounding lets them are the
// same.
func (c *Check) compare(got, want []float32, t target) {
	for at := 0; at < len(want); at += t.outputs {
		g, w := got[at:at+t.outputs], want[at:at+t.outputs]
		c.Images++
		c.Largest = max(c.Largest, largest(w))
		worst := 0.0
		for i := range w {
			d := math.Abs(float64(g[i]) - float64(w[i]))
			if math.IsNaN(d) {
				d = math.Inf(1)
			}
			worst = max(worst, d)
		}
		c.Difference = max(c.Difference, worst)
		a, b := t.predict(g), t.predict(w)
		if a == b || t.outputs > 1 && math.Abs(float64(w[a])-float64(w[b])) <= 2*worst || t.outputs == 1 && math.Abs(float64(w[0])) <= worst {
			c.Agree++
		}
	}
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
