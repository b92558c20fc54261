package finetune

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// lossKind resolves "auto", and says how many outputs the network needs for so many classes.
func lossKind(loss string, classes int) (kind string, outputs int, err error) {
	switch loss {
	case "bce":
		if classes != 2 {
			return "", 0, fmt.Errorf("loss bce is for two classes, the data has %d: use ce", classes)
		}
		return "bce", 1, nil
	case "", "auto", "ce":
		return "ce", classes, nil
	}
	return "", 0, fmt.Errorf("loss %q is none of auto, ce, bce", loss)
}

// target makes what the loss compares the logits with.
type target struct {
	kind      string
	outputs   int
	smoothing float64
	weights   []float64 // by class; nil: all 1
}

// values fills in one row an image: for ce the share of each class, weighted so that the loss of the batch is
// PyTorch's CrossEntropyLoss, the weighted mean
//
//	sum_n w[y_n]*(1-s)*-log p[y_n] / W  +  s/C * sum_n sum_c w[c]*-log p_n[c] / W,  W = sum_n w[y_n]
//
// and for bce the probability of the second class. weight returns W (for bce: the number of images).
func (t *target) values(labels []int, dst []float32) (weight float64) {
	if t.kind == "bce" {
		for i, y := range labels {
			dst[i] = float32(float64(y)*(1-t.smoothing) + t.smoothing/2)
		}
		return float64(len(labels))
	}
	w := func(k int) float64 {
		if t.weights == nil {
			return 1
		}
		return t.weights[k]
	}
	for _, y := range labels {
		weight += w(y)
	}
	if weight == 0 {
		clear(dst)
		return 0
	}
	for i, y := range labels {
		row := dst[i*t.outputs : (i+1)*t.outputs]
		for k := range row {
			v := t.smoothing / float64(t.outputs) * w(k)
			if k == y {
				v += (1 - t.smoothing) * w(k)
			}
			row[k] = float32(v / weight)
		}
	}
	return weight
}

// check makes sure that labels are ones of the classes.
func (t *target) check(labels []int) error {
	classes := max(t.outputs, 2)
	for _, y := range labels {
		if y < 0 || y >= classes {
			return fmt.Errorf("label %d is not one of %d classes", y, classes)
		}
	}
	return nil
}

// loss computes the loss of a batch of logits in double precision, as the training graph has it.
func (t *target) loss(logits []float32, labels []int) (loss, weight float64) {
	row := make([]float32, t.outputs*len(labels))
	weight = t.values(labels, row)
	if t.kind == "bce" {
		for i, y := range row {
			x := float64(logits[i])
			loss += max(x, 0) - x*float64(y) + math.Log1p(math.Exp(-math.Abs(x)))
		}
		return loss / max(weight, 1), weight
	}
	for i := range labels {
		x, y := logits[i*t.outputs:(i+1)*t.outputs], row[i*t.outputs:(i+1)*t.outputs]
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

// correct counts the images whose class the logits name.
func (t *target) correct(logits []float32, labels []int) int {
	n := 0
	for i, y := range labels {
		if t.predict(logits[i*t.outputs:(i+1)*t.outputs]) == y {
			n++
		}
	}
	return n
}

// predict returns the class that a row of logits names.
func (t *target) predict(logits []float32) int {
	if t.kind == "bce" {
		if logits[0] > 0 {
			return 1
		}
		return 0
	}
	return argmax(logits)
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
)

// node returns what computes the loss from logits and targets. The targets of ce have the weights, and the divisor of the
// mean, in them.
func (t *target) node(logits string) *onnx.Node {
	n := &onnx.Node{Name: lossName, Domain: op.Internal, OpType: "SoftTargetLoss", Inputs: []string{logits, targetsName}, Outputs: []string{lossName}}
	if t.kind == "bce" {
		n.OpType = "BCEWithLogits"
		return n
	}
	n.Attrs = append(n.Attrs, op.Attr("reduction", "sum"))
	return n
}
