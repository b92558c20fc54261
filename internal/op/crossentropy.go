package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "SoftmaxCrossEntropyLoss", Since: 12, MinIn: 2, MaxIn: 3, MaxOut: 2, New: func(s *Spec) (Op, error) {
		return s.crossEntropy(true)
	}})
	register(Def{Type: "NegativeLogLikelihoodLoss", Since: 12, MinIn: 2, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return s.crossEntropy(false)
	}})
	register(Def{Domain: Internal, Type: "SoftTargetLoss", Since: 1, MinIn: 2, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		o, err := s.crossEntropy(true)
		o.soft, o.smoothing = true, float64(s.Float("label_smoothing", 0))
		if err == nil && !(o.smoothing >= 0 && o.smoothing <= 1) {
			err = fmt.Errorf(`attribute "label_smoothing": want a number from 0 to 1, got %v`, o.smoothing)
		}
		return o, err
	}})
}

// lossReduction is what becomes of the losses of the samples.
type lossReduction int

const (
	reduceLossMean lossReduction = iota
	reduceLossSum
	reduceLossNone
)

// lossReduction reads the attribute reduction, "mean" where it is absent.
func (s *Spec) lossReduction() (lossReduction, error) {
	switch r := s.String("reduction", "mean"); r {
	case "mean":
		return reduceLossMean, nil
	case "sum":
		return reduceLossSum, nil
	case "none":
		return reduceLossNone, nil
	default:
		return 0, fmt.Errorf(`attribute "reduction": %q is not "mean", "sum" or "none"`, r)
	}
}

// crossEntropy is the family SoftmaxCrossEntropyLoss, NegativeLogLikelihoodLoss and, for training, SoftTargetLoss. The
// first input is of shape [N,C,D1,...]: scores, or for NegativeLogLikelihoodLoss logarithms of probabilities. The loss
// of a sample with label y is -weight[y]*log p[y]; 0 where y is ignore_index. Any other label outside of [0,C) is an
// error. Reduction "mean" divides the sum by the weights of all labels that count; where none does, the mean is 0.
//
// log p is computed as (x-m)-log(sum(exp(x-m))), with m the largest score, which cannot overflow. A class of weight 0
// has no loss, even where its probability is 0. SoftmaxCrossEntropyLoss gives log p as a second output.
//
// SoftTargetLoss is PyTorch's cross_entropy. Labels are smoothed by label_smoothing s: the loss is that of probabilities
// t = (1-s)*onehot+s/C, -sum(weight[c]*t[c]*log p[c]). Where the second input has the type and shape of the first, it is
// t before smoothing; the mean is then over the number of samples.
type crossEntropy struct {
	softmax   bool // the input are scores, not logarithms of probabilities
	soft      bool // SoftTargetLoss
	smoothing float64
	reduction lossReduction
	ignore    int64
	hasIgnore bool
}

func (s *Spec) crossEntropy(softmax bool) (crossEntropy, error) {
	o := crossEntropy{softmax: softmax, hasIgnore: s.Has("ignore_index"), ignore: int64(s.Int("ignore_index", 0))}
	var err error
	o.reduction, err = s.lossReduction()
	return o, err
}

// probabilities reports whether the target is not labels.
func probabilities(t onnx.DataType) bool { return t == onnx.Float || t == onnx.Double }

// samples returns the shape of the losses of single samples.
func (o crossEntropy) samples(in []Info) ([]int, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	x, target := in[0], in[1]
	if len(x.Shape) < 2 {
		return nil, fmt.Errorf("scores have shape %v, want [N,C] or more dimensions", x.Shape)
	}
	shape := append([]int{x.Shape[0]}, x.Shape[2:]...)
	switch {
	case o.soft && target.Type == x.Type:
		if !sameShape(target.Shape, x.Shape) {
			return nil, fmt.Errorf("probabilities have shape %v, the scores %v", target.Shape, x.Shape)
		}
	case target.Type != onnx.Int32 && target.Type != onnx.Int64:
		return nil, fmt.Errorf("labels are of type %v, want int32 or int64", target.Type)
	case !sameShape(target.Shape, shape):
		return nil, fmt.Errorf("labels have shape %v, the scores %v", target.Shape, x.Shape)
	}
	if w := in[2]; !w.Absent() && (w.Type != x.Type || len(w.Shape) != 1 || w.Shape[0] != x.Shape[1]) {
		return nil, fmt.Errorf("weights are %v%v, want %v[%d]", w.Type, w.Shape, x.Type, x.Shape[1])
	}
	return shape, nil
}

func (o crossEntropy) Infer(in []Info) ([]Info, error) {
	shape, err := o.samples(in)
	if err != nil {
		return nil, err
	}
	if o.reduction != reduceLossNone {
		shape = []int{}
	}
	out := []Info{{Type: in[0].Type, Shape: shape}}
	if o.softmax && !o.soft {
		out = append(out, Info{Type: in[0].Type, Shape: in[0].Shape})
	}
	return out, nil
}

// lossTargets is what the samples should be.
type lossTargets[T float] struct {
	classes, inner int
	labels         []int64 // -1: ignored; nil where probs are given
	probs          []T     // laid out as the scores
	weights        []T     // nil: all 1
	smoothing      float64
}

func targetsOf[T float](o crossEntropy, in []*onnx.Tensor) (lossTargets[T], error) {
	shape := in[0].Shape
	t := lossTargets[T]{classes: shape[1], inner: prod(shape[2:]), smoothing: o.smoothing}
	if len(in) > 2 && in[2] != nil {
		t.weights = onnx.Data[T](in[2])
	}
	if probabilities(in[1].Type) {
		t.probs = onnx.Data[T](in[1])
		return t, nil
	}
	t.labels = make([]int64, in[1].Len())
	if in[1].Type == onnx.Int64 {
		copy(t.labels, onnx.Data[int64](in[1]))
	} else {
		for i, v := range onnx.Data[int32](in[1]) {
			t.labels[i] = int64(v)
		}
	}
	for i, v := range t.labels {
		switch {
		case o.hasIgnore && v == o.ignore:
			t.labels[i] = -1
		case v < 0 || v >= int64(t.classes):
			return t, fmt.Errorf("label %d of sample %d is outside of [0,%d)", v, i, t.classes)
		}
	}
	return t, nil
}

// weight is that of a class.
func (t *lossTargets[T]) weight(c int) float64 {
	if t.weights == nil {
		return 1
	}
	return float64(t.weights[c])
}

// fill sets row to weight[c]*t[c] for sample s, and returns the sample's share of the mean's divisor. Ignored samples
// have zeros only.
func (t *lossTargets[T]) fill(row []float64, s int) float64 {
	even := t.smoothing / float64(t.classes)
	if t.probs != nil {
		p := t.probs[s/t.inner*t.classes*t.inner+s%t.inner:]
		for c := range row {
			row[c] = t.weight(c) * ((1-t.smoothing)*float64(p[c*t.inner]) + even)
		}
		return 1
	}
	y := t.labels[s]
	if y < 0 {
		clear(row)
		return 0
	}
	for c := range row {
		row[c] = even
		if t.smoothing != 0 {
			row[c] *= t.weight(c)
		}
	}
	w := t.weight(int(y))
	row[y] += (1 - t.smoothing) * w
	return w
}

// divisor is the number, or the weight, of the samples that count.
func (t *lossTargets[T]) divisor(samples int) float64 {
	if t.labels == nil {
		return float64(samples)
	}
	sum := 0.0
	for _, y := range t.labels {
		if y >= 0 {
			sum += t.weight(int(y))
		}
	}
	return sum
}

func (o crossEntropy) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		return runCrossEntropy[float32](rt, o, in, out)
	}
	return runCrossEntropy[float64](rt, o, in, out)
}

func runCrossEntropy[T float](rt *Runtime, o crossEntropy, in, out []*onnx.Tensor) error {
	t, err := targetsOf[T](o, in)
	if err != nil {
		return err
	}
	x := onnx.Data[T](in[0])
	var logProb []T
	if len(out) > 1 && out[1] != nil {
		logProb = onnx.Data[T](out[1])
	}
	samples := in[0].Shape[0] * t.inner
	losses := make([]float64, samples)
	rt.Pool.For(samples, max(1, 1<<11/max(t.classes, 1)), func(lo, hi int) {
		row, target := make([]float64, t.classes), make([]float64, t.classes)
		for s := lo; s < hi; s++ {
			at := s/t.inner*t.classes*t.inner + s%t.inner
			gatherRow(row, x[at:], t.inner)
			if o.softmax {
				logSoftmaxRow(row)
			}
			if logProb != nil {
				for c, v := range row {
					logProb[at+c*t.inner] = T(v)
				}
			}
			t.fill(target, s)
			for c, w := range target {
				if w != 0 {
					losses[s] -= w * row[c]
				}
			}
		}
	})
	if out[0] == nil {
		return nil
	}
	storeLosses(o.reduction, losses, t.divisor(samples), onnx.Data[T](out[0]))
	return nil
}

// storeLosses writes the losses, reduced. The mean of nothing is 0.
func storeLosses[T float](r lossReduction, losses []float64, divisor float64, y []T) {
	if r == reduceLossNone {
		for i, v := range losses {
			y[i] = T(v)
		}
		return
	}
	sum := 0.0
	for _, v := range losses {
		sum += v
	}
	if r == reduceLossMean && divisor != 0 {
		sum /= divisor
	}
	y[0] = T(sum)
}

// lossScale returns by what the gradient of sample s is multiplied: that of its own loss, or that of the reduced one.
func lossScale[T float](r lossReduction, dloss []T, divisor float64) func(s int) float64 {
	scale := 0.0
	switch r {
	case reduceLossNone:
		return func(s int) float64 { return float64(dloss[s]) }
	case reduceLossSum:
		scale = float64(dloss[0])
	case reduceLossMean:
		if divisor != 0 {
			scale = float64(dloss[0]) / divisor
		}
	}
	return func(int) float64 { return scale }
}

// gatherRow reads elements that lie stride apart.
func gatherRow[T float](row []float64, x []T, stride int) {
	for c := range row {
		row[c] = float64(x[c*stride])
	}
}

// logSoftmaxRow makes scores logarithms of probabilities.
func logSoftmaxRow(row []float64) {
	m := math.Inf(-1)
	for _, v := range row {
		if v > m || v != v {
			m = v
		}
	}
	sum := 0.0
	for i, v := range row {
		row[i] = v - m
		sum += math.Exp(v - m)
	}
	log := math.Log(sum)
	for i := range row {
		row[i] -= log
	}
}

func init() {
	register(Def{Domain: Internal, Type: "CrossEntropyGrad", Since: 1, MinIn: 3, MaxIn: 4, MaxOut: 1, New: func(s *Spec) (Op, error) {
		o, err := s.crossEntropy(s.Bool("softmax", true))
		o.soft, o.smoothing = true, float64(s.Float("label_smoothing", 0))
		return crossEntropyGrad{o}, err
	}})
	registerGrad("", "SoftmaxCrossEntropyLoss", func(g *Grad) error { return g.crossEntropy(true) })
	registerGrad("", "NegativeLogLikelihoodLoss", func(g *Grad) error { return g.crossEntropy(false) })
	registerGrad(Internal, "SoftTargetLoss", func(g *Grad) error { return g.crossEntropy(true) })
}

// crossEntropy is the gradient of the family by the scores.
func (g *Grad) crossEntropy(softmax bool) error {
	if g.Wanted(1) || g.Wanted(2) {
		return errors.New("targets and class weights cannot be trained")
	}
	var terms []string
	if g.Up[0] != "" {
		attrs := []*onnx.Attribute{Attr("softmax", bit(softmax))}
		for _, name := range []string{"reduction", "ignore_index", "label_smoothing"} {
			if a := g.Node.Attr(name); a != nil {
				attrs = append(attrs, a)
			}
		}
		terms = g.AddInternal("CrossEntropyGrad", 1, []string{g.Up[0], g.Input(0), g.Input(1), g.Input(2)}, attrs...)
	}
	if len(g.Up) > 1 && g.Up[1] != "" {
		terms = append(terms, g.AddInternal("LogSoftmaxGrad", 1, []string{g.Up[1], g.Output(1)}, Attr("axis", 1))...)
	}
	d := terms[0]
	if len(terms) > 1 {
		d = g.Add("Sum", terms)
	}
	g.Set(0, d)
	return nil
}

// crossEntropyGrad is the gradient of the cross entropies by the scores, from that of the loss, and the inputs. It is
// p*sum(t)-t for a sample with weighted target probabilities t, or with softmax=0, where the input are logarithms of
// probabilities, -t.
type crossEntropyGrad struct{ crossEntropy }

func (o crossEntropyGrad) Infer(in []Info) ([]Info, error) {
	shape, err := o.samples(in[1:])
	if err != nil {
		return nil, err
	}
	if o.reduction != reduceLossNone {
		shape = []int{}
	}
	if in[0].Type != in[1].Type || !sameShape(in[0].Shape, shape) {
		return nil, fmt.Errorf("gradient of the loss is %v%v, want %v%v", in[0].Type, in[0].Shape, in[1].Type, shape)
	}
	return []Info{{Type: in[1].Type, Shape: in[1].Shape}}, nil
}

func (o crossEntropyGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		return runCrossEntropyGrad[float32](rt, o.crossEntropy, in, out)
	}
	return runCrossEntropyGrad[float64](rt, o.crossEntropy, in, out)
}

func runCrossEntropyGrad[T float](rt *Runtime, o crossEntropy, in, out []*onnx.Tensor) error {
	t, err := targetsOf[T](o, in[1:])
	if err != nil {
		return err
	}
	x, dx := onnx.Data[T](in[1]), onnx.Data[T](out[0])
	samples := in[1].Shape[0] * t.inner
	scale := lossScale(o.reduction, onnx.Data[T](in[0]), t.divisor(samples))
	rt.Pool.For(samples, max(1, 1<<11/max(t.classes, 1)), func(lo, hi int) {
		row, target := make([]float64, t.classes), make([]float64, t.classes)
		for s := lo; s < hi; s++ {
			at := s/t.inner*t.classes*t.inner + s%t.inner
			counts := t.fill(target, s) != 0 || t.labels == nil
			total := 0.0
			for _, v := range target {
				total += v
			}
			d := scale(s)
			switch {
			case !counts && total == 0: // ignored: 0, whatever the scores are
				clear(row)
				d = 0
			case o.softmax:
				gatherRow(row, x[at:], t.inner)
				logSoftmaxRow(row)
				for c, v := range row {
					row[c] = math.Exp(v) * total
				}
			default:
				clear(row)
			}
			for c, v := range row {
				dx[at+c*t.inner] = T(d * (v - target[c]))
			}
		}
	})
	return nil
}
