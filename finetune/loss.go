package finetune

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// lossKind resolves "auto", and says how many outputs the network needs for so many classes, of which an image has one or,
// with multi, any number.
func lossKind(loss string, classes int, multi bool) (kind string, outputs int, err error) {
	switch loss {
	case "bce":
		if multi {
			return "bce", classes, nil
		}
		if classes != 2 {
			return "", 0, fmt.Errorf("loss bce is for two classes, the data has %d: use ce", classes)
		}
		return "bce", 1, nil
	case "", "auto", "ce":
		switch {
		case !multi:
			return "ce", classes, nil
		case loss == "ce":
			return "", 0, errors.New("loss ce is for images of one class each, and these have any number: use bce")
		}
		return "bce", classes, nil
	}
	return "", 0, fmt.Errorf("loss %q is none of auto, ce, bce", loss)
}

// target makes what the loss compares the logits with. A target is a row of numbers from 0 to 1, one an output: for ce how
// much of each class there is, 1 in all; for bce how likely each is, on its own. A single output is the second class of
// two.
type target struct {
	kind      string
	outputs   int
	smoothing float64
	weights   []float64 // of ce, by class; nil: all 1
	pos       []float64 // of bce, by output: the weight of what is there; nil: all 1
}

// rows returns the targets of images of one class each.
func (t *target) rows(labels []int) ([]float32, error) {
	classes := max(t.outputs, 2)
	y := make([]float32, len(labels)*t.outputs)
	for i, k := range labels {
		switch {
		case k < 0 || k >= classes:
			return nil, fmt.Errorf("label %d is not one of %d classes", k, classes)
		case t.outputs == 1:
			y[i] = float32(k)
		default:
			y[i*t.outputs+k] = 1
		}
	}
	return y, nil
}

// check makes sure that targets are what they should be.
func (t *target) check(y []float32) error {
	if len(y) == 0 || len(y)%t.outputs != 0 {
		return fmt.Errorf("%d targets for a network of %d outputs", len(y), t.outputs)
	}
	for i, v := range y {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("target %v of image %d is not between 0 and 1", v, i/t.outputs)
		}
	}
	return nil
}

// values fills in what the training graph gets for targets y. For bce these are the targets, smoothed. For ce they are
// weighted, too, so that the loss of the batch is PyTorch's CrossEntropyLoss, the weighted mean: with targets of one class y_n
//
//	sum_n w[y_n]*(1-s)*-log p[y_n] / W  +  s/C * sum_n sum_c w[c]*-log p_n[c] / W,  W = sum_n w[y_n]
//
// and with mixed ones sum_n sum_c w[c]*y_n[c] in place of w[y_n]. weight returns W (for bce: the number of images).
func (t *target) values(y, dst []float32) (weight float64) {
	if t.kind == "bce" {
		for i, v := range y {
			dst[i] = float32(float64(v)*(1-t.smoothing) + t.smoothing/2)
		}
		return float64(len(y) / t.outputs)
	}
	w := func(i int) float64 {
		if t.weights == nil {
			return 1
		}
		return t.weights[i%t.outputs]
	}
	for i, v := range y {
		weight += w(i) * float64(v)
	}
	if weight == 0 {
		clear(dst)
		return 0
	}
	for i, v := range y {
		dst[i] = float32((float64(v)*(1-t.smoothing) + t.smoothing/float64(t.outputs)) * w(i) / weight)
	}
	return weight
}

// loss computes the loss of a batch of logits in double precision, as the training graph has it.
func (t *target) loss(logits, y []float32) (loss, weight float64) {
	row := make([]float32, len(y))
	weight = t.values(y, row)
	if t.kind == "bce" {
		for i, y := range row {
			x, pos := float64(logits[i]), 1.0
			if t.pos != nil {
				pos = t.pos[i%t.outputs]
			}
			loss += (1-float64(y))*x + (1+(pos-1)*float64(y))*softplus(-x)
		}
		return loss / float64(max(len(row), 1)), weight
	}
	for at := 0; at < len(row); at += t.outputs {
		x, y := logits[at:at+t.outputs], row[at:at+t.outputs]
		top := float64(x[argmax(x)])
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(float64(v) - top)
		}
		log := top + math.Log(sum)
		for k, v := range x {
			if y[k] != 0 {
				loss += float64(y[k]) * (log - float64(v))
			}
		}
	}
	return loss, weight
}

// softplus is log(1+e^x).
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// correct counts what the logits say rightly: for ce the images whose (foremost) class they name, for bce the outputs on
// the right side.
func (t *target) correct(logits, y []float32) int {
	n := 0
	for at := 0; at < len(y); at += t.outputs {
		if t.kind == "ce" {
			if argmax(logits[at:at+t.outputs]) == argmax(y[at:at+t.outputs]) {
				n++
			}
			continue
		}
		for i := at; i < at+t.outputs; i++ {
			if (logits[i] > 0) == (y[i] > 0.5) {
				n++
			}
		}
	}
	return n
}

// decisions is how many of n images can be right, as correct counts.
func (t *target) decisions(n int) int {
	if t.kind == "bce" {
		return n * t.outputs
	}
	return n
}

// same reports whether two rows of logits name the same class or, for bce, the same classes.
func (t *target) same(a, b []float32) bool {
	if t.kind == "ce" {
		return argmax(a) == argmax(b)
	}
	for i, v := range a {
		if (v > 0) != (b[i] > 0) {
			return false
		}
	}
	return true
}

// argmax returns the index of the largest value, the first where there are several.
func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// balanced returns the weights that give every class the same influence: n / (classes * n of the class).
func balanced(counts []int) []float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	w := make([]float64, len(counts))
	for k, n := range counts {
		w[k] = float64(total) / float64(len(counts)*max(n, 1))
	}
	return w
}

const (
	targetsName = "onnxcnn:targets"
	lossName    = "onnxcnn:loss"
	posName     = "onnxcnn:pos_weight"
)

// balancedPos returns the weights that make those who have a class count as much as those who have not: PyTorch's advice
// for pos_weight, the number of the others over that of the class's own.
func balancedPos(counts []int, total int) []float64 {
	w := make([]float64, len(counts))
	for k, n := range counts {
		w[k] = float64(max(total-n, 1)) / float64(max(n, 1))
	}
	return w
}

// node returns what computes the loss from logits and targets, and the constant that it needs if any. The targets of ce
// have the weights, and the divisor of the mean, in them.
func (t *target) node(logits string) (*onnx.Node, *onnx.Tensor) {
	n := &onnx.Node{Name: lossName, Domain: op.Internal, OpType: "SoftTargetLoss", Inputs: []string{logits, targetsName}, Outputs: []string{lossName}}
	if t.kind == "ce" {
		n.Attrs = append(n.Attrs, op.Attr("reduction", "sum"))
		return n, nil
	}
	n.OpType = "BCEWithLogits"
	if t.pos == nil {
		return n, nil
	}
	pos := onnx.New(onnx.Float, t.outputs)
	pos.Name = posName
	for i, v := range t.pos {
		pos.Float32s()[i] = float32(v)
	}
	n.Inputs = append(n.Inputs, posName)
	return n, pos
}
