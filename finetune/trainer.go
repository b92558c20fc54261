package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TrainerOptions say how a [Trainer] changes weights.
type TrainerOptions struct {
	OptimOptions
	Loss           string    // "ce" (also "" and "auto"), or "bce": each output is right or wrong on its own
	LabelSmoothing float64   // share of the target that is spread over all classes
	ClassWeights   []float64 // of ce, by class; nil: all count the same
	PosWeight      []float64 // of bce, by output: how much more it counts that something is there than that it is not; nil: the same
	Seed           uint64    // of what Dropout drops
	Threads        int       // 0: one a processor
	Provider       string    // what runs the frozen part, as in [backend.Options]
	Warn           func(string)
}

// Trainer changes the weights of a network, a batch at a time. It is not safe for concurrent use.
type Trainer struct {
	net     *Network
	o       TrainerOptions
	pool    *par.Pool
	target  target
	suffix  suffix
	prefix  backend.Session // nil where the whole network is trained
	forward *graph.Program
	steps   map[int]*stepProgram // by batch size
	opt     *optimiser
	grads   []*onnx.Tensor
	ema     [][]float32 // averaged weights, nil without
	buffers []*buffer   // running statistics of normalisations in training mode
}

// stepProgram is the training graph for one batch size.
type stepProgram struct {
	p    *graph.Program
	in   []*onnx.Tensor
	into []*onnx.Tensor
	at   map[string]int // position of inputs
}

// StepResult is what a step says of its batch, before it changed the weights.
type StepResult struct {
	Loss    float64 // mean over the batch
	Weight  float64 // sum of the weights of its images: their number without class weights
	Correct int     // images whose class the network named; with bce outputs that were right
	Norm    float64 // of all gradients together, before clipping
}

// NotFiniteError says that training has gone astray.
type NotFiniteError struct{ What string }

func (e *NotFiniteError) Error() string {
	return e.What + " is not finite: the learning rate may be too high, or the images' recipe wrong"
}

// NewTrainer prepares a network for training. An operator of the trained part that has no gradient is refused here, with
// all that have none by name. Close releases it.
func NewTrainer(n *Network, o TrainerOptions) (*Trainer, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	t := &Trainer{net: n, o: o, pool: par.Shared(o.Threads), steps: map[int]*stepProgram{}}
	outputs := n.Outputs()
	kind, err := choice("loss", o.Loss, "auto", "ce", "bce")
	switch {
	case err != nil:
		return nil, err
	case kind == "auto":
		kind = "ce"
	}
	for _, w := range []struct {
		name, kind string
		list       []float64
	}{{"class weights", "ce", o.ClassWeights}, {"weights of what is there", "bce", o.PosWeight}} {
		if w.list != nil && (kind != w.kind || len(w.list) != outputs) {
			return nil, fmt.Errorf("%d %s for %d outputs and loss %s: want one an output, and loss %s", len(w.list), w.name, outputs, kind, w.kind)
		}
		for _, v := range w.list {
			if err := inRange(w.name, v, 0); err != nil {
				return nil, err
			}
		}
	}
	t.target = target{kind: kind, outputs: outputs, smoothing: o.LabelSmoothing, weights: o.ClassWeights, pos: o.PosWeight}
	t.suffix = suffixOf(n.Model.Graph, n.first)
	n.Cut = t.suffix.cut
	t.buffers = n.buffersOf(t.suffix)
	if err := t.compileForward(); err != nil {
		return nil, err
	}
	if _, err := t.program(2); err != nil {
		return nil, err
	}
	if !slices.Equal(n.Cut, []string{n.Input}) {
		shape := append([]int{-1}, n.Shape...)
		t.prefix, err = backend.Open(n.Model, backend.Options{Provider: o.Provider, Threads: o.Threads, Outputs: n.Cut,
			Shapes: map[string][]int{n.Input: shape}, Warn: o.Warn})
		if err != nil {
			return nil, err
		}
	}
	t.opt = newOptimiser(o.OptimOptions, n.Params, t.pool)
	for _, p := range n.Params {
		t.grads = append(t.grads, onnx.New(onnx.Float, p.Value.Shape...))
	}
	if o.EMA > 0 {
		for _, p := range n.Params {
			t.ema = append(t.ema, slices.Clone(p.Value.Float32s()))
		}
	}
	return t, nil
}

// Close releases the frozen part.
func (t *Trainer) Close() error {
	if t.prefix == nil {
		return nil
	}
	return t.prefix.Close()
}

// Outputs is how many logits the network gives.
func (n *Network) Outputs() int {
	out := n.Model.Graph.Outputs[0].Type
	if out == nil || len(out.Shape) < 2 {
		return 0
	}
	return out.Shape[1].Size
}

// weights returns the trained weights by name.
func (t *Trainer) weights() map[string]*onnx.Tensor {
	w := map[string]*onnx.Tensor{}
	for _, p := range t.net.Params {
		w[p.Name] = p.Value
	}
	return w
}

// compileForward makes what runs the trained part without training it. Weights and statistics are inputs: they change.
func (t *Trainer) compileForward() error {
	m, err := t.net.suffixModel(t.suffix, t.suffix.nodes, nil, nil, []string{t.net.Logits})
	if err != nil {
		return err
	}
	for _, v := range t.changing() {
		m.Graph.Inputs = append(m.Graph.Inputs, valueOf(v))
		m.Graph.Initializers = slices.DeleteFunc(m.Graph.Initializers, func(x *onnx.Tensor) bool { return x.Name == v.Name })
	}
	t.forward, err = graph.Compile(m, graph.Options{Pool: t.pool, Warn: t.o.Warn})
	return err
}

// changing lists what training changes: weights, then running statistics.
func (t *Trainer) changing() []*onnx.Tensor {
	var all []*onnx.Tensor
	for _, p := range t.net.Params {
		c := *p.Value
		c.Name = p.Name
		all = append(all, &c)
	}
	for _, b := range t.buffers {
		all = append(all, b.value)
	}
	return all
}

// valueOf declares a tensor.
func valueOf(t *onnx.Tensor) *onnx.Value {
	typ := &onnx.Type{Elem: t.Type, HasShape: true}
	for _, d := range t.Shape {
		typ.Shape = append(typ.Shape, onnx.Dim{Size: d})
	}
	return &onnx.Value{Name: t.Name, Type: typ}
}

// program returns the training graph for a batch size.
func (t *Trainer) program(batch int) (*stepProgram, error) {
	if s := t.steps[batch]; s != nil {
		return s, nil
	}
	nodes, more, err := t.trainingNodes()
	if err != nil {
		return nil, err
	}
	loss, pos := t.target.node(t.net.Logits)
	nodes = append(nodes, loss)
	more = append(more, declare(targetsName, []int{batch, t.target.outputs}))
	outputs := []string{lossName, t.net.Logits}
	for _, b := range t.buffers {
		outputs = append(outputs, b.batch)
	}
	m, err := t.net.suffixModel(t.suffix, nodes, t.weights(), more, outputs)
	if err != nil {
		return nil, err
	}
	if pos != nil {
		m.Graph.Initializers = append(m.Graph.Initializers, pos)
	}
	m.Opsets = append(slices.Clone(m.Opsets), onnx.Opset{Domain: op.Internal, Version: 1})
	shapes := map[string][]int{}
	for _, v := range m.Graph.Inputs {
		s := []int{}
		for _, d := range v.Type.Shape {
			if d.Size < 0 {
				d.Size = batch
			}
			s = append(s, d.Size)
		}
		shapes[v.Name] = s
	}
	var train []string
	for _, p := range t.net.Params {
		train = append(train, p.Name)
	}
	s := &stepProgram{at: map[string]int{}}
	s.p, err = graph.CompileTraining(m, graph.TrainOptions{Shapes: shapes, Train: train, Loss: lossName, Outputs: outputs[1:], Pool: t.pool, Warn: t.o.Warn})
	if err != nil {
		return nil, err
	}
	for i, v := range s.p.Inputs() {
		s.at[v.Name] = i
	}
	s.in = make([]*onnx.Tensor, len(s.at))
	s.into = make([]*onnx.Tensor, len(s.p.Outputs()))
	s.in[s.at[targetsName]] = onnx.New(onnx.Float, batch, t.target.outputs)
	for _, p := range t.net.Params {
		s.in[s.at[p.Name]] = p.Value
	}
	t.steps[batch] = s
	return s, nil
}

// Cut runs the frozen part on images ([N, ...] in the network's layout) and returns the values that the trained part
// reads, in the order of [Network.Cut].
func (t *Trainer) Cut(ctx context.Context, images *onnx.Tensor) ([]*onnx.Tensor, error) {
	if t.prefix == nil {
		return []*onnx.Tensor{images}, nil
	}
	res, err := t.prefix.Run(ctx, map[string]*onnx.Tensor{t.net.Input: images})
	if err != nil {
		return nil, err
	}
	out := make([]*onnx.Tensor, len(t.net.Cut))
	for i, name := range t.net.Cut {
		out[i] = res[name]
		if len(out[i].Shape) == 0 || out[i].Shape[0] != images.Shape[0] {
			return nil, fmt.Errorf("value %q, where the trained part begins, has shape %v for %d images", name, out[i].Shape, images.Shape[0])
		}
	}
	return out, nil
}

// Logits runs the trained part on what [Trainer.Cut] returns: with averaged weights, where there are some.
func (t *Trainer) Logits(ctx context.Context, cut []*onnx.Tensor) (*onnx.Tensor, error) {
	in := slices.Clone(cut)
	for i, v := range t.changing() {
		if i < len(t.ema) {
			v = onnx.Of(v.Shape, t.ema[i])
		}
		in = append(in, v)
	}
	out, err := t.forward.RunInto(ctx, in, nil)
	if err != nil {
		return nil, err
	}
	if want := len(out[0].Raw) / 4; len(out[0].Shape) != 2 || want != out[0].Shape[0]*t.target.outputs {
		return nil, fmt.Errorf("the network gives logits of shape %v, want %d an image", out[0].Shape, t.target.outputs)
	}
	return out[0], nil
}

// Targets returns the targets of images that belong to one class each: a row of numbers an image, one an output. Such rows
// may be mixed (see [Mixer]), and those of images of several classes have several ones.
func (t *Trainer) Targets(labels []int) ([]float32, error) { return t.target.rows(labels) }

// Gradients computes the loss of a batch, and the gradients of the weights in the order of [Network.Params], without
// changing anything. Targets are rows of numbers from 0 to 1, as those of [Trainer.Targets]. The gradients are valid until
// the next call.
func (t *Trainer) Gradients(ctx context.Context, cut []*onnx.Tensor, targets []float32) (StepResult, [][]float32, error) {
	if err := t.target.check(targets); err != nil {
		return StepResult{}, nil, err
	}
	n := len(targets) / t.target.outputs
	if len(cut) != len(t.net.Cut) || len(cut[0].Shape) == 0 || cut[0].Shape[0] != n {
		return StepResult{}, nil, errors.New("as many rows of targets as images, and all values of the cut are needed")
	}
	s, err := t.program(n)
	if err != nil {
		return StepResult{}, nil, err
	}
	for i, name := range t.net.Cut {
		s.in[s.at[name]] = cut[i]
	}
	r := StepResult{Weight: t.target.values(targets, s.in[s.at[targetsName]].Float32s())}
	t.feed(s)
	first := len(s.into) - len(t.grads)
	copy(s.into[first:], t.grads)
	out, err := s.p.RunInto(ctx, s.in, s.into)
	if err != nil {
		return StepResult{}, nil, err
	}
	r.Loss = float64(out[0].Float32s()[0])
	r.Correct = t.target.correct(out[1].Float32s(), targets)
	for i, b := range t.buffers {
		b.seen = out[2+i].Float32s()
	}
	grads := make([][]float32, len(t.grads))
	for i := range grads {
		grads[i] = out[first+i].Float32s()
	}
	r.Norm = t.opt.norm(grads)
	return r, grads, nil
}

// Step changes the weights once, at a learning rate that rate is a factor of: LR*rate for the head. Targets are those of
// [Trainer.Gradients]. A loss or gradients that are not finite are a [NotFiniteError]; then nothing has changed.
func (t *Trainer) Step(ctx context.Context, cut []*onnx.Tensor, targets []float32, rate float64) (StepResult, error) {
	r, grads, err := t.Gradients(ctx, cut, targets)
	if err != nil {
		return r, err
	}
	if !finite(r.Loss) {
		return r, &NotFiniteError{What: "the loss"}
	}
	if !finite(r.Norm) {
		return r, &NotFiniteError{What: "a gradient"}
	}
	t.opt.clip(grads, r.Norm)
	t.opt.step(t.net.Params, grads, t.o.LR*rate)
	for _, b := range t.buffers {
		b.update()
	}
	if t.ema != nil {
		average(t.pool, t.net.Params, t.ema, t.o.EMA)
	}
	return r, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
