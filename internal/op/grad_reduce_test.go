package op_test

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func axesOf(v ...int64) *onnx.Tensor { return onnx.Of([]int{len(v)}, v) }

func TestReduceGradients(t *testing.T) {
	var cases []gradCase
	for _, name := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"} {
		x := normal64(3, 2, 3, 4)
		if name == "ReduceLogSum" {
			x = positive64(3, 2, 3, 4)
		}
		cases = append(cases,
			gradCase{name: name + ", all", node: gradNode(name), in: []*onnx.Tensor{x}},
			gradCase{name: name + ", all, to a scalar", node: gradNode(name, op.Attr("keepdims", 0)), in: []*onnx.Tensor{x}},
			gradCase{name: name + ", axes an input", node: gradNode(name, op.Attr("keepdims", 0)), in: []*onnx.Tensor{x, axesOf(0, -1)}},
			gradCase{name: name + ", axes an input, kept", node: gradNode(name), in: []*onnx.Tensor{x, axesOf(1)}},
			gradCase{name: name + ", axes an attribute", node: gradNode(name, op.Attr("axes", []int{1}), op.Attr("keepdims", 0)), opset: 11, in: []*onnx.Tensor{x}},
			gradCase{name: name + ", last axis", node: gradNode(name, op.Attr("axes", []int{-1})), opset: 11, in: []*onnx.Tensor{x}},
			gradCase{name: name + ", no axes", node: gradNode(name, op.Attr("noop_with_empty_axes", 1)), in: []*onnx.Tensor{x, axesOf()}},
		)
	}
	for _, name := range []string{"CumSum"} {
		for _, exclusive := range []int{0, 1} {
			for _, reverse := range []int{0, 1} {
				cases = append(cases, gradCase{name: name, node: gradNode(name, op.Attr("exclusive", exclusive), op.Attr("reverse", reverse)),
					in: []*onnx.Tensor{normal64(1, 2, 4, 3), onnx.Of([]int{}, []int64{1})}})
			}
		}
	}
	cases = append(cases,
		gradCase{name: "ReduceProd, one zero", node: gradNode("ReduceProd"), in: []*onnx.Tensor{values64(2, 0, 3)}},
		gradCase{name: "ReduceProd, two zeros", node: gradNode("ReduceProd"), in: []*onnx.Tensor{values64(0, 2, 0, 3)}},
		gradCase{name: "ReduceLogSumExp, large", node: gradNode("ReduceLogSumExp"), in: []*onnx.Tensor{values64(1000, 1001, 999)}},
	)
	checkGradients(t, cases)
}

func TestSoftmaxGradients(t *testing.T) {
	var cases []gradCase
	for _, name := range []string{"Softmax", "LogSoftmax"} {
		cases = append(cases,
			gradCase{name: name, node: gradNode(name), in: []*onnx.Tensor{normal64(1, 3, 5)}},
			gradCase{name: name + ", channels", node: gradNode(name, op.Attr("axis", 1)), in: []*onnx.Tensor{normal64(1, 2, 4, 3)}},
			gradCase{name: name + ", many columns", node: gradNode(name, op.Attr("axis", 0)), in: []*onnx.Tensor{normal64(1, 2, 300)}},
			gradCase{name: name + ", opset 12: all after the axis together", opset: 12, node: gradNode(name), in: []*onnx.Tensor{normal64(1, 2, 3, 2)}},
			gradCase{name: name + ", opset 12, axis 0", opset: 12, node: gradNode(name, op.Attr("axis", 0)), in: []*onnx.Tensor{normal64(1, 2, 3)}},
			gradCase{name: name + ", opset 12, axis beyond the last", opset: 12, node: gradNode(name, op.Attr("axis", 2)), in: []*onnx.Tensor{normal64(1, 2, 3)}},
			gradCase{name: name + ", large", node: gradNode(name), in: []*onnx.Tensor{values64(1000, 1001, 999)}},
		)
	}
	checkGradients(t, cases)
}

func TestDropoutGradients(t *testing.T) {
	yes, no := onnx.Of([]int{}, []bool{true}), onnx.Of([]int{}, []bool{false})
	ratio := onnx.Of([]int{}, []float32{0.4})
	seed := onnx.Of([]int{}, []int64{42})
	x := normal64(1, 3, 17)
	train := func(attrs ...*onnx.Attribute) *onnx.Node {
		return &onnx.Node{Name: "n", Domain: op.Internal, OpType: "TrainDropout", Attrs: attrs}
	}
	checkGradients(t, []gradCase{
		{name: "Dropout, no training", node: gradNode("Dropout"), in: []*onnx.Tensor{x}},
		{name: "Dropout, training off", node: gradNode("Dropout"), in: []*onnx.Tensor{x, ratio, no}, fixed: []int{1}},
		{name: "Dropout, training", node: gradNode("Dropout", op.Attr("seed", 3)), in: []*onnx.Tensor{x, ratio, yes}, fixed: []int{1}},
		{name: "Dropout, training, default ratio", node: gradNode("Dropout"), in: []*onnx.Tensor{x, nil, yes}},
		{name: "Dropout, opset 10", opset: 10, node: gradNode("Dropout", op.Attr("ratio", float32(0.3))), in: []*onnx.Tensor{x}},
		{name: "Dropout, opset 6, training", opset: 6, node: gradNode("Dropout", op.Attr("ratio", float32(0.3))), in: []*onnx.Tensor{x}},
		{name: "TrainDropout", node: train(), in: []*onnx.Tensor{x, seed}},
		{name: "TrainDropout, ratio and salt", node: train(op.Attr("ratio", float32(0.2)), op.Attr("salt", 7)), in: []*onnx.Tensor{x, seed}},
		{name: "TrainDropout, nothing dropped", node: train(op.Attr("ratio", float32(0))), in: []*onnx.Tensor{x, seed}},
		{name: "TrainDropout, all dropped", node: train(op.Attr("ratio", float32(1))), in: []*onnx.Tensor{x, seed}},
	})
}

func TestLossGradients(t *testing.T) {
	labels := func(shape []int, v ...int64) *onnx.Tensor { return onnx.Of(shape, v) }
	pair := labels([]int{3}, 2, 0, 3)
	grid := labels([]int{2, 3}, 0, 3, 1, 2, 2, 0)
	loss := func(name string, attrs ...*onnx.Attribute) *onnx.Node { return gradNode(name, attrs...) }
	internal := func(name string, attrs ...*onnx.Attribute) *onnx.Node {
		return &onnx.Node{Name: "n", Domain: op.Internal, OpType: name, Attrs: attrs}
	}
	flat, deep, weights := normal64(1, 3, 4), normal64(2, 2, 4, 3), positive64(3, 4)
	var cases []gradCase
	for _, reduction := range []string{"none", "mean", "sum"} {
		r := op.Attr("reduction", reduction)
		ignore, smooth := op.Attr("ignore_index", 2), op.Attr("label_smoothing", float32(0.3))
		for _, name := range []string{"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"} {
			cases = append(cases,
				gradCase{name: name + ", " + reduction, node: loss(name, r), in: []*onnx.Tensor{flat, pair}},
				gradCase{name: name + ", weights, " + reduction, node: loss(name, r), in: []*onnx.Tensor{flat, pair, weights}, fixed: []int{2}},
				gradCase{name: name + ", ignored, three dimensions, " + reduction, opset: 12, node: loss(name, r, ignore), in: []*onnx.Tensor{deep, grid, weights}, fixed: []int{2}},
			)
		}
		cases = append(cases,
			gradCase{name: "log_prob too, " + reduction, outputs: 2, node: loss("SoftmaxCrossEntropyLoss", r, ignore), in: []*onnx.Tensor{deep, grid, weights}, fixed: []int{2}},
			gradCase{name: "labels, smoothed, " + reduction, node: internal("SoftTargetLoss", r, smooth, ignore), in: []*onnx.Tensor{flat, pair, weights}, fixed: []int{2}},
			gradCase{name: "probabilities, " + reduction, node: internal("SoftTargetLoss", r, smooth), in: []*onnx.Tensor{deep, positive64(5, 2, 4, 3), weights}, fixed: []int{1, 2}},
			gradCase{name: "probabilities, no weights, " + reduction, node: internal("SoftTargetLoss", r), in: []*onnx.Tensor{flat, positive64(5, 3, 4)}, fixed: []int{1}},
			gradCase{name: "BCEWithLogits, " + reduction, node: internal("BCEWithLogits", r), in: []*onnx.Tensor{flat, positive64(5, 3, 4)}, fixed: []int{1}},
			gradCase{name: "BCEWithLogits, pos_weight, " + reduction, node: internal("BCEWithLogits", r), in: []*onnx.Tensor{flat, positive64(5, 3, 4), weights}, fixed: []int{1, 2}},
		)
	}
	checkGradients(t, cases)
	refused(t, gradCase{name: "targets", node: internal("SoftTargetLoss"), in: []*onnx.Tensor{flat, positive64(5, 3, 4)}}, "cannot be trained")
	refused(t, gradCase{name: "pos_weight", node: internal("BCEWithLogits"), in: []*onnx.Tensor{flat, positive64(5, 3, 4), weights}, fixed: []int{1}}, "cannot be trained")
}
