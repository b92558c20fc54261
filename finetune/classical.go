package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// classical is a head that is fitted to the features of all images at once. What it gives are logits: their softmax are
// the probabilities of the classes.
type classical interface {
	fit(ctx context.Context, rows []float32, labels []int, o fitOptions) error
	// logits says what the fitted rule makes of a row.
	logits(row []float32) ([]float64, error)
	// nodes appends the fitted rule to a graph: it reads rows, [N, D].
	nodes(b *builder, rows string) (string, error)
}

// fitOptions are what the heads are fitted for.
type fitOptions struct {
	classes int
	weights []float64 // by class; nil: all 1
	threads int
}

// parseClassical reads "logreg", "logreg=C", "knn", "knn=K" or "centroid"; nil is any other head.
func parseClassical(spec string) (classical, error) {
	name, value, given := strings.Cut(strings.TrimSpace(spec), "=")
	switch {
	case name == "logreg":
		h := &logregHead{c: 1}
		if given {
			c, err := strconv.ParseFloat(value, 64)
			if err != nil || !(c > 0) || math.IsInf(c, 0) {
				return nil, fmt.Errorf("head %q: C, the inverse of the penalty, is a number above 0", spec)
			}
			h.c = c
		}
		return h, nil
	case name == "knn":
		h := &knnHead{k: 5}
		if given {
			k, err := strconv.Atoi(value)
			if err != nil || k < 1 {
				return nil, fmt.Errorf("head %q: the number of neighbours is 1 or more", spec)
			}
			h.k = k
		}
		return h, nil
	case spec == "centroid":
		return &centroidHead{}, nil
	}
	return nil, nil
}

// suits reports what in the options a classical head has no use for.
func (o *Options) suits(h classical) error {
	if h == nil {
		return nil
	}
	var errs []error
	refuse := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fmt.Errorf("head %s is fitted to features that stay the same: %s", o.Head, fmt.Sprintf(format, args...)))
		}
	}
	refuse(o.UnfreezeFrom != "" && o.UnfreezeFrom != "none", "the base cannot be unfrozen (%s)", o.UnfreezeFrom)
	refuse(len(o.Phases) > 0, "there are no phases (%s)", formatPhases(o.Phases))
	refuse(!o.Augment.IsNone(), "images cannot be augmented (%s)", o.Augment)
	refuse(!o.Mix.IsNone(), "images cannot be mixed")
	refuse(o.Loss == "bce", "loss bce is not for it")
	return errors.Join(errs...)
}

// constant adds a weight and returns its name.
func (b *builder) constant(name string, shape []int, data []float32) string {
	t := onnx.Of(shape, data)
	t.Name = b.fresh(name)
	b.g.Initializers = append(b.g.Initializers, t)
	return t.Name
}

// affine appends weight*value + bias, with a weight of [out, in].
func (b *builder) affine(value string, weight, bias []float32) string {
	out := len(bias)
	inputs := []string{value, b.constant("head.weight", []int{out, len(weight) / out}, weight), b.constant("head.bias", []int{out}, bias)}
	return b.node("Gemm", inputs, op.Attr("transB", 1))
}

// reduce appends a reduction along axis 1.
func (b *builder) reduce(opType, value string, keep int) string {
	if b.opset >= 18 {
		axes := onnx.Of([]int{1}, []int64{1})
		axes.Name = b.fresh("head.axes")
		b.g.Initializers = append(b.g.Initializers, axes)
		return b.node(opType, []string{value, axes.Name}, op.Attr("keepdims", keep))
	}
	return b.node(opType, []string{value}, op.Attr("axes", []int{1}), op.Attr("keepdims", keep))
}

// logregHead is logistic regression with inverse penalty c.
type logregHead struct {
	c    float64
	rule *features.Logistic
}

func (h *logregHead) fit(ctx context.Context, rows []float32, labels []int, o fitOptions) (err error) {
	h.rule, err = features.FitLogistic(ctx, rows, labels, o.classes, features.LogisticOptions{C: h.c, ClassWeights: o.weights, Threads: o.threads})
	return err
}

func (h *logregHead) logits(row []float32) ([]float64, error) { return h.rule.Scores(row) }

func (h *logregHead) nodes(b *builder, rows string) (string, error) {
	return b.affine(rows, h.rule.Weight, h.rule.Bias), nil
}

// knnHead is the rule of the k nearest neighbours. Its logits are the logarithms of the shares, with voteFloor added,
// so that no votes are no infinity.
type knnHead struct {
	k    int
	rule *features.Neighbours
}

const voteFloor = 1e-6

func (h *knnHead) fit(_ context.Context, rows []float32, labels []int, o fitOptions) (err error) {
	h.rule, err = features.FitNeighbours(rows, labels, o.classes, h.k)
	return err
}

func (h *knnHead) logits(row []float32) ([]float64, error) {
	s, err := h.rule.Scores(row)
	for k := range s {
		s[k] = math.Log(s[k] + voteFloor)
	}
	return s, err
}

// nodes finds the rows t with the smallest |x-t|²: those with the largest (x-c)·(t-c) - |t-c|²/2, which is linear in x.
// c, the mean of the rows, keeps the numbers small that differences are taken of.
func (h *knnHead) nodes(b *builder, rows string) (string, error) {
	if b.opset < 10 {
		return "", fmt.Errorf("head knn needs TopK of opset 10, the network has opset %d: raise it with \"onnxcnn convert --opset 17\"", b.opset)
	}
	n, dim := len(h.rule.Labels), h.rule.Dim
	mean := make([]float64, dim)
	for i, v := range h.rule.Rows {
		mean[i%dim] += float64(v) / float64(n)
	}
	weight, bias, votes := make([]float32, n*dim), make([]float32, n), make([]float32, n*h.rule.Classes)
	for i := range n {
		sum := 0.0
		for j, v := range h.rule.Rows[i*dim : (i+1)*dim] {
			d := float64(v) - mean[j]
			weight[i*dim+j] = float32(d)
			sum -= d*mean[j] + d*d/2
		}
		bias[i] = float32(sum)
		votes[i*h.rule.Classes+h.rule.Labels[i]] = 1
	}
	k := onnx.Of([]int{1}, []int64{int64(h.k)})
	k.Name = b.fresh("head.k")
	b.g.Initializers = append(b.g.Initializers, k)
	nearest := b.node("TopK", []string{b.affine(rows, weight, bias), k.Name}, op.Attr("axis", 1))
	index := b.fresh("/head/nearest")
	last := b.g.Nodes[len(b.g.Nodes)-1]
	last.Outputs = []string{nearest, index}
	all := b.node("Gather", []string{b.constant("head.votes", []int{n, h.rule.Classes}, votes), index}, op.Attr("axis", 0))
	shares := b.reduce("ReduceMean", all, 0)
	return b.node("Log", []string{b.node("Add", []string{shares, b.scalar("head.floor", voteFloor)})}), nil
}

// centroidHead is the rule of the nearest centroid by angle. Its logits are the cosines times a scale, that under which
// the softmax fits the rows best.
type centroidHead struct {
	rule  *features.Centroids
	scale float64
}

const (
	maxScale   = 100
	scaleSteps = 60    // bisections: the bits of a float64
	noLength   = 1e-12 // added to the length of a row, so that one of zeros is not divided by 0
)

func (h *centroidHead) fit(_ context.Context, rows []float32, labels []int, o fitOptions) (err error) {
	if h.rule, err = features.FitCentroids(rows, labels, o.classes); err != nil {
		return err
	}
	var cosines [][]float64
	for i := range labels {
		c, err := h.rule.Scores(rows[i*h.rule.Dim : (i+1)*h.rule.Dim])
		if err != nil {
			return err
		}
		cosines = append(cosines, c)
	}
	h.scale = bestScale(cosines, labels)
	return nil
}

// bestScale returns the factor, at most maxScale, under which the cross entropy of the softmax of rows is least. That is
// convex in the factor, and its derivative the mean of (the expected value of a row) - (the value at the label).
func bestScale(rows [][]float64, labels []int) float64 {
	slope := func(s float64) float64 {
		sum := 0.0
		for i, row := range rows {
			top, total, mean := slices.Max(row), 0.0, 0.0
			for _, v := range row {
				e := math.Exp(s * (v - top))
				total += e
				mean += e * v
			}
			sum += mean/total - row[labels[i]]
		}
		return sum
	}
	lo, hi := 0.0, float64(maxScale)
	if slope(hi) <= 0 {
		return hi
	}
	for range scaleSteps {
		if mid := (lo + hi) / 2; slope(mid) <= 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return max(hi, 1) // a scale of 0 would make all classes the same
}

func (h *centroidHead) logits(row []float32) ([]float64, error) {
	s, err := h.rule.Scores(row)
	for k := range s {
		s[k] *= h.scale
	}
	return s, err
}

func (h *centroidHead) nodes(b *builder, rows string) (string, error) {
	length := b.node("Add", []string{b.reduce("ReduceL2", rows, 1), b.scalar("head.least", noLength)})
	weight := make([]float32, len(h.rule.Weight))
	for i, v := range h.rule.Weight {
		weight[i] = float32(float64(v) * h.scale)
	}
	return b.affine(b.node("Div", []string{rows, length}), weight, make([]float32, h.rule.Classes)), nil
}

// fit fits a classical head to the features of the training images, and writes the run folder. It counts as one epoch.
func (r *run) fit(ctx context.Context) (*Result, error) {
	h := r.head
	start := time.Now()
	rows, labels, err := r.rows(r.train)
	if err != nil {
		return nil, err
	}
	if err := h.fit(ctx, rows, labels, fitOptions{classes: len(r.data.Classes), weights: r.trainer.target.weights, threads: r.o.Threads}); err != nil {
		return nil, fmt.Errorf("head %s: %w", r.o.Head, err)
	}
	e := Epoch{Epoch: 1, Phase: 1, Best: true}
	if e.TrainLoss, e.TrainAcc, err = r.fitted(h, r.train, rows); err != nil {
		return nil, err
	}
	if rows, _, err = r.rows(r.val); err != nil {
		return nil, err
	}
	if e.ValLoss, e.ValAcc, err = r.fitted(h, r.val, rows); err != nil {
		return nil, err
	}
	e.Seconds = time.Since(start).Seconds()
	r.history = []Epoch{e}
	if r.o.Epoch != nil {
		r.o.Epoch(e)
	}
	m, err := r.net.withHead(h)
	if err != nil {
		return nil, err
	}
	if err := describe(m, r.data.Classes, &r.recipe); err != nil {
		return nil, err
	}
	return r.write(ctx, m, ending{}, func(_ context.Context, cut []*onnx.Tensor) (*onnx.Tensor, error) {
		n, size := cut[0].Shape[0], cut[0].Len()/cut[0].Shape[0]
		out := onnx.New(onnx.Float, n, len(r.data.Classes))
		for i := range n {
			s, err := h.logits(cut[0].Float32s()[i*size : (i+1)*size])
			if err != nil {
				return nil, err
			}
			for k, v := range s {
				out.Float32s()[i*len(s)+k] = float32(v)
			}
		}
		return out, nil
	})
}

// rows returns the features of a part's images, one after the other, and their labels.
func (r *run) rows(p *part) ([]float32, []int, error) {
	cut, err := p.cache.batch(count(len(p.items)), r.net.shapes)
	if err != nil {
		return nil, nil, err
	}
	var labels []int
	for _, it := range p.items {
		labels = append(labels, it.Label)
	}
	return cut[0].Float32s(), labels, nil
}

// fitted returns how good a head is on the rows of a part's images.
func (r *run) fitted(h classical, p *part, rows []float32) (loss, accuracy float64, err error) {
	n := len(p.items)
	size := len(rows) / n
	var logits []float32
	for i := range n {
		s, err := h.logits(rows[i*size : (i+1)*size])
		if err != nil {
			return 0, 0, err
		}
		for _, v := range s {
			logits = append(logits, float32(v))
		}
	}
	t, y := r.trainer.target, r.targets(p, count(n))
	loss, _ = t.loss(logits, y)
	return loss, float64(t.correct(logits, y)) / float64(n), nil
}

// withHead returns the network with a fitted head in the place of its linear one.
func (n *Network) withHead(h classical) (*onnx.Model, error) {
	m := *n.Model
	g := n.Model.Graph.Clone()
	m.Graph = g
	last := g.Nodes[len(g.Nodes)-1]
	g.Nodes = g.Nodes[:len(g.Nodes)-1]
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t *onnx.Tensor) bool { return slices.Contains(last.Inputs[1:], t.Name) })
	b := &builder{g: g, opset: m.OpsetVersion(""), taken: map[string]bool{}, head: map[string]bool{}}
	if b.opset < 7 {
		return nil, fmt.Errorf("the network has opset %d, and fitted heads need 7 or newer: raise it with \"onnxcnn convert --opset 17\"", b.opset)
	}
	b.collectNames()
	logits, err := h.nodes(b, last.Inputs[0])
	if err != nil {
		return nil, err
	}
	end := g.Nodes[len(g.Nodes)-1]
	end.Outputs[slices.Index(end.Outputs, logits)] = n.Logits
	return &m, nil
}
