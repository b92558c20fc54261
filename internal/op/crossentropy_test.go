package op

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// lossRows are the loss of a node with its gradient, for scores x and targets t.
func lossRows(name string, a attrs, x, t *onnx.Tensor, loss float32, grad ...float32) []opCase {
	n, g := node(name, 2, 1, a), internalNode("CrossEntropyGrad", 3, 1, a)
	if name == "BCEWithLogits" {
		n, g = internalNode(name, 2, 1, a), internalNode("BCEWithLogitsGrad", 3, 1, a)
	}
	return []opCase{
		{name: name, node: n, in: []*onnx.Tensor{x, t}, want: []*onnx.Tensor{f32(nil, loss)}},
		{name: name + ", gradient", node: g, in: []*onnx.Tensor{f32(nil, 1), x, t}, want: []*onnx.Tensor{f32(x.Shape, grad...)}},
	}
}

// Case 28: nothing overflows, labels outside of the range are refused with the label, and a batch without a label that
// counts has the loss 0 and gradients 0.
func TestCase28(t *testing.T) {
	const sce = "SoftmaxCrossEntropyLoss"
	inf := float32(math.Inf(1))
	one := func(y int64) *onnx.Tensor { return i64([]int{1}, y) }
	two := []int{1, 2}
	var cases []opCase
	add := func(rows []opCase) { cases = append(cases, rows...) }
	add(lossRows(sce, nil, f32(two, 1000, 0), one(1), 1000, 1, -1))
	add(lossRows(sce, nil, f32(two, 1000, 0), one(0), 0, 0, 0))
	add(lossRows(sce, nil, f32(two, -inf, 0), one(1), 0, 0, 0))
	add(lossRows(sce, nil, f32([]int{1, 1}, 7), one(0), 0, 0))
	add(lossRows(sce, attrs{"ignore_index": -100}, f32([]int{2, 2}, 1, inf, 2, 4), i64([]int{2}, -100, -100), 0, 0, 0, 0, 0))
	add(lossRows(sce, attrs{"ignore_index": 5}, f32([]int{2, 2}, 1, inf, 0, 0), i64([]int{2}, 5, 1), float32(math.Ln2), 0, 0, 0.5, -0.5))
	add(lossRows("BCEWithLogits", nil, f32(two, 1000, -1000), f32(two, 0, 1), 1000, 0.5, -0.5))
	add(lossRows("BCEWithLogits", nil, f32(two, 1000, -1000), f32(two, 1, 0), 0, 0, 0))
	cases = append(cases, opCase{name: "Softmax", node: node("Softmax", 1, 1, nil), in: []*onnx.Tensor{f32([]int{1, 3}, 1000, 1001, 1002)},
		want: []*onnx.Tensor{f32([]int{1, 3}, 0.09003057, 0.24472848, 0.66524094)}})
	for _, name := range []string{sce, "NegativeLogLikelihoodLoss"} {
		for _, y := range []int64{-1, 2, math.MaxInt64} {
			cases = append(cases, opCase{name: name, node: node(name, 2, 1, nil), in: []*onnx.Tensor{f32(two, 0, 0), one(y)},
				wantErr: fmt.Sprintf("label %d of sample 0 is outside of [0,2)", y)})
		}
	}
	cases = append(cases,
		opCase{name: "int32", node: node(sce, 2, 1, nil), in: []*onnx.Tensor{f32(two, 0, 0), i32([]int{1}, 3)}, wantErr: "label 3 of sample 0"},
		opCase{name: "gradient", node: internalNode("CrossEntropyGrad", 3, 1, nil), in: []*onnx.Tensor{f32(nil, 1), f32(two, 0, 0), one(2)}, wantErr: "label 2 of sample 0"},
		opCase{name: "weight 0 and probability 0", node: node(sce, 3, 1, nil), in: []*onnx.Tensor{f32(two, -inf, 0), one(0), f32([]int{2}, 0, 1)}, want: []*onnx.Tensor{f32(nil, 0)}},
	)
	runCases(t, cases)
}

func TestLossRefusals(t *testing.T) {
	const sce = "SoftmaxCrossEntropyLoss"
	x, y := f32([]int{2, 3}, 1, 2, 3, 4, 5, 6), i64([]int{2}, 0, 1)
	scalar := f32(nil, 1)
	runCases(t, []opCase{
		{name: "labels of int32, losses of each, log_prob", node: node(sce, 2, 2, attrs{"reduction": "none"}), in: []*onnx.Tensor{f32([]int{1, 2}, 0, 0), i32([]int{1}, 1)},
			want: []*onnx.Tensor{f32([]int{1}, math.Ln2), f32([]int{1, 2}, -math.Ln2, -math.Ln2)}},
		{name: "reduction", node: node(sce, 2, 1, attrs{"reduction": "avg"}), in: []*onnx.Tensor{x, y}, wantErr: `"avg" is not`},
		{name: "scores of rank 1", node: node(sce, 2, 1, nil), in: []*onnx.Tensor{f32([]int{2}, 1, 2), y}, wantErr: "want [N,C]"},
		{name: "scores of integers", node: node(sce, 2, 1, nil), in: []*onnx.Tensor{y, y}, wantErr: "not supported"},
		{name: "labels of floats", node: node(sce, 2, 1, nil), in: []*onnx.Tensor{x, x}, wantErr: "labels are of type"},
		{name: "labels of another shape", node: node(sce, 2, 1, nil), in: []*onnx.Tensor{x, i64([]int{3}, 0, 1, 2)}, wantErr: "labels have shape [3]"},
		{name: "probabilities of another shape", node: internalNode("SoftTargetLoss", 2, 1, nil), in: []*onnx.Tensor{x, scalar}, wantErr: "probabilities have shape"},
		{name: "too few weights", node: node(sce, 3, 1, nil), in: []*onnx.Tensor{x, y, f32([]int{2}, 1, 1)}, wantErr: "weights are"},
		{name: "label_smoothing", node: internalNode("SoftTargetLoss", 2, 1, attrs{"label_smoothing": 1.5}), in: []*onnx.Tensor{x, y}, wantErr: "from 0 to 1"},
		{name: "gradient of another shape", node: internalNode("CrossEntropyGrad", 3, 1, nil), in: []*onnx.Tensor{x, x, y}, wantErr: "gradient of the loss"},
		{name: "gradient of bad labels", node: internalNode("CrossEntropyGrad", 3, 1, nil), in: []*onnx.Tensor{scalar, x, scalar}, wantErr: "probabilities"},
		{name: "BCE, targets of another shape", node: internalNode("BCEWithLogits", 2, 1, nil), in: []*onnx.Tensor{x, scalar}, wantErr: "differ"},
		{name: "BCE, pos_weight", node: internalNode("BCEWithLogits", 3, 1, nil), in: []*onnx.Tensor{x, x, f32([]int{2}, 1, 1)}, wantErr: "pos_weight"},
		{name: "BCE, reduction", node: internalNode("BCEWithLogits", 2, 1, attrs{"reduction": "avg"}), in: []*onnx.Tensor{x, x}, wantErr: `"avg" is not`},
		{name: "BCE, gradient of another shape", node: internalNode("BCEWithLogitsGrad", 3, 1, nil), in: []*onnx.Tensor{x, x, x}, wantErr: "gradient of the loss"},
		{name: "BCE, gradient of bad targets", node: internalNode("BCEWithLogitsGrad", 3, 1, nil), in: []*onnx.Tensor{x, x, scalar}, wantErr: "differ"},
		{name: "Softmax gradient, axis", node: internalNode("SoftmaxGrad", 2, 1, attrs{"axis": 4}), in: []*onnx.Tensor{x, x}, wantErr: "axis 4"},
		{name: "Softmax gradient, shapes", node: internalNode("SoftmaxGrad", 2, 1, nil), in: []*onnx.Tensor{x, scalar}, wantErr: "differ"},
		{name: "ReduceProd gradient, rank", node: internalNode("ReduceProdGrad", 2, 1, nil), in: []*onnx.Tensor{scalar, x}, wantErr: "not a reduction"},
		{name: "ReduceProd gradient, size", node: internalNode("ReduceProdGrad", 2, 1, nil), in: []*onnx.Tensor{f32([]int{2, 2}, 1, 1, 1, 1), x}, wantErr: "not a reduction"},
		{name: "ReduceProd gradient, integers", node: internalNode("ReduceProdGrad", 2, 1, nil), in: []*onnx.Tensor{y, x}, wantErr: "not supported"},
		{name: "ReduceProd gradient, types", node: internalNode("ReduceProdGrad", 2, 1, nil), in: []*onnx.Tensor{f64([]int{1, 1}, 1), x}, wantErr: "different types"},
		{name: "ReduceMax gradient, shapes", node: internalNode("ReduceExtremeGrad", 3, 1, nil), in: []*onnx.Tensor{scalar, x, x}, wantErr: "differ"},
		{name: "ReduceMax gradient, ties go to the first", node: internalNode("ReduceExtremeGrad", 3, 1, nil),
			in:   []*onnx.Tensor{f32([]int{2, 1}, 5, 7), f32([]int{2, 3}, 1, 4, 4, 9, 9, 0), f32([]int{2, 1}, 4, 9)},
			want: []*onnx.Tensor{f32([]int{2, 3}, 0, 5, 0, 7, 0, 0)}},
		{name: "ReduceMax gradient, NaN", node: internalNode("ReduceExtremeGrad", 3, 1, nil),
			in:   []*onnx.Tensor{f32([]int{1}, 5), f32([]int{2}, 1, float32(math.NaN())), f32([]int{1}, float32(math.NaN()))},
			want: []*onnx.Tensor{f32([]int{2}, 0, 5)}},
	})
}

// TestLossesEqualPyTorch compares cross_entropy and binary_cross_entropy_with_logits, with their gradients.
func TestLossesEqualPyTorch(t *testing.T) {
	python := reftest.Python(t, "torch")
	type job struct {
		Loss              string // "ce", "bce"
		Shape             []int
		X, Probs, Weights []float32
		Labels            []int64
		Reduction         string
		Smoothing         float32
	}
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, f func() float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(f())
		}
		return v
	}
	var jobs []job
	for _, reduction := range []string{"mean", "sum", "none"} {
		for _, shape := range [][]int{{4, 5}, {2, 3, 4}} {
			n, c := prod(shape), shape[1]
			x := func() []float32 { return draw(n, func() float64 { return 3 * r.NormFloat64() }) }
			labels := make([]int64, n/c)
			for i := range labels {
				labels[i] = int64(r.IntN(c))
			}
			ignored := append([]int64{}, labels...)
			ignored[1] = -100
			w := draw(c, func() float64 { return 0.5 + r.Float64() })
			probs := draw(n, r.Float64)
			jobs = append(jobs,
				job{"ce", shape, x(), nil, nil, labels, reduction, 0},
				job{"ce", shape, x(), nil, w, ignored, reduction, 0},
				job{"ce", shape, x(), nil, w, ignored, reduction, 0.1},
				job{"ce", shape, x(), nil, nil, labels, reduction, 0.3},
				job{"ce", shape, x(), probs, nil, nil, reduction, 0},
				job{"ce", shape, x(), probs, w, nil, reduction, 0.2},
				job{"bce", shape, x(), probs, nil, nil, reduction, 0},
			)
		}
		jobs = append(jobs, job{"bce", []int{4, 3}, draw(12, r.NormFloat64), draw(12, r.Float64), []float32{0.5, 2, 3}, nil, reduction, 0})
	}
	arg, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", `
import json, sys, torch
import torch.nn.functional as F
results = []
for j in json.loads(sys.argv[1]):
    x = torch.tensor(j["X"]).reshape(j["Shape"]).requires_grad_()
    w = None if j["Weights"] is None else torch.tensor(j["Weights"])
    if j["Probs"] is None:
        t = torch.tensor(j["Labels"]).reshape(j["Shape"][:1] + j["Shape"][2:])
    else:
        t = torch.tensor(j["Probs"]).reshape(j["Shape"])
    if j["Loss"] == "ce":
        l = F.cross_entropy(x, t, weight=w, reduction=j["Reduction"], label_smoothing=j["Smoothing"])
    else:
        l = F.binary_cross_entropy_with_logits(x, t, pos_weight=w, reduction=j["Reduction"])
    (l * torch.linspace(1, 2, l.numel()).reshape(l.shape)).sum().backward()
    results.append([l.flatten().tolist(), x.grad.flatten().tolist()])
print(json.dumps(results))
`, string(arg)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want [][2][]float32
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	var cases []opCase
	for i, j := range jobs {
		a := attrs{"reduction": j.Reduction}
		name, grad := "BCEWithLogits", "BCEWithLogitsGrad"
		if j.Loss == "ce" {
			name, grad = "SoftTargetLoss", "CrossEntropyGrad"
			a["label_smoothing"], a["ignore_index"] = j.Smoothing, -100
		}
		samples := append([]int{j.Shape[0]}, j.Shape[2:]...)
		in := []*onnx.Tensor{f32(j.Shape, j.X...), nil, nil}
		if j.Probs != nil {
			in[1] = f32(j.Shape, j.Probs...)
		} else {
			in[1] = i64(samples, j.Labels...)
		}
		if j.Weights != nil {
			in[2] = f32([]int{len(j.Weights)}, j.Weights...)
		}
		shape := []int{}
		if j.Reduction == "none" {
			shape = samples
			if j.Loss == "bce" {
				shape = j.Shape
			}
		}
		up := make([]float32, prod(shape))
		for k := range up {
			up[k] = 1 + float32(k)/float32(max(1, len(up)-1))
		}
		what := fmt.Sprintf("%d: %s %v %s smoothing %v", i, j.Loss, j.Shape, j.Reduction, j.Smoothing)
		cases = append(cases,
			opCase{name: what, node: internalNode(name, 3, 1, a), in: in, want: []*onnx.Tensor{f32(shape, want[i][0]...)}, tol: 1e-6},
			opCase{name: what + ", gradient", node: internalNode(grad, 4, 1, a), in: append([]*onnx.Tensor{f32(shape, up...)}, in...),
				want: []*onnx.Tensor{f32(j.Shape, want[i][1]...)}, tol: 1e-6},
		)
	}
	runCases(t, cases)
}
