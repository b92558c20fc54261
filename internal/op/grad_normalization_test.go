package op_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestBatchNormalizationGradients(t *testing.T) {
	in := func(shape ...int) []*onnx.Tensor {
		c := shape[1]
		return []*onnx.Tensor{normal64(1, shape...), normal64(2, c), normal64(3, c), normal64(4, c), positive64(5, c)}
	}
	eps := op.Attr("epsilon", float32(0.1))
	train := gradNode("BatchNormalization", op.Attr("training_mode", 1), eps)
	internal := gradNode("TrainBatchNorm", eps)
	internal.Domain = op.Internal
	wide := []*onnx.Tensor{normal64(1, 2, 2, 3), normal64(2, 2, 3), normal64(3, 2, 3), normal64(4, 2, 3), positive64(5, 2, 3)}
	checkGradients(t, []gradCase{
		{name: "inference", node: gradNode("BatchNormalization", eps), in: in(2, 3, 4, 5)},
		{name: "frozen", node: gradNode("BatchNormalization", eps), in: in(2, 3, 4, 5), fixed: []int{1, 2, 3, 4}},
		{name: "affine", node: gradNode("BatchNormalization", eps), in: in(2, 3, 2, 5), fixed: []int{0, 3, 4}},
		{name: "matrix", node: gradNode("BatchNormalization", eps), in: in(4, 3)},
		{name: "matrix, frozen", node: gradNode("BatchNormalization", eps), in: in(4, 3), fixed: []int{1, 2, 3, 4}},
		{name: "training", node: train, in: in(2, 3, 4, 5), fixed: []int{3, 4}},
		{name: "training, opset 9 without running statistics", node: gradNode("BatchNormalization", eps), opset: 9, in: in(2, 3, 5)},
		{name: "training, matrix", node: train, in: in(5, 3), fixed: []int{3, 4}},
		{name: "training, affine only", node: train, in: in(5, 3), fixed: []int{0, 3, 4}},
		{name: "spatial=0", node: gradNode("BatchNormalization", eps, op.Attr("spatial", 0)), opset: 7, in: wide},
		{name: "spatial=0, frozen", node: gradNode("BatchNormalization", eps, op.Attr("spatial", 0)), opset: 7, in: wide, fixed: []int{1, 2, 3, 4}},
		{name: "TrainBatchNorm", node: internal, in: in(3, 2, 3, 2)[:3]},
		{name: "TrainBatchNorm, matrix", node: internal, in: in(6, 2)[:3]},
		{name: "TrainBatchNorm, one picture", node: internal, in: in(1, 2, 3, 2)[:3], fixed: []int{1}},
	})
}

func TestNormalizationGradients(t *testing.T) {
	x := func(more ...*onnx.Tensor) []*onnx.Tensor {
		return append([]*onnx.Tensor{normal64(1, 3, 4, 2, 3)}, more...)
	}
	eps := op.Attr("epsilon", float32(0.05))
	var cases []gradCase
	for _, c := range []struct {
		name   string
		axis   int
		shapes [][]int
	}{
		{"last axis", -1, [][]int{{3}, {3}}},
		{"no bias", -1, [][]int{{3}}},
		{"three axes", 1, [][]int{{4, 2, 3}, {4, 2, 3}}},
		{"stretched", 2, [][]int{{2, 1}, {3}}},
		{"scalars", 1, [][]int{{}, {1}}},
		{"leading ones", 3, [][]int{{1, 1, 3}, {1, 1}}},
		{"everything", 0, [][]int{{3, 4, 2, 3}, {3}}},
	} {
		in := x()
		for i, s := range c.shapes {
			in = append(in, normal64(uint64(2+i), s...))
		}
		cases = append(cases, gradCase{name: "LayerNormalization, " + c.name, node: gradNode("LayerNormalization", eps, op.Attr("axis", c.axis)), in: in})
		cases = append(cases, gradCase{name: "RMSNormalization, " + c.name, node: gradNode("RMSNormalization", eps, op.Attr("axis", c.axis)), in: in[:2]})
	}
	cases = append(cases,
		gradCase{name: "LayerNormalization, many rows", node: gradNode("LayerNormalization", eps), in: []*onnx.Tensor{normal64(1, 37, 4), normal64(2, 4), normal64(3, 4)}},
		gradCase{name: "LayerNormalization, scale only", node: gradNode("LayerNormalization", eps), in: x(normal64(2, 3), normal64(3, 3)), fixed: []int{0, 2}},
		gradCase{name: "InstanceNormalization", node: gradNode("InstanceNormalization", eps), in: x(normal64(2, 4), normal64(3, 4))},
		gradCase{name: "InstanceNormalization, input only", node: gradNode("InstanceNormalization", eps), in: x(normal64(2, 4), normal64(3, 4)), fixed: []int{1, 2}},
		gradCase{name: "InstanceNormalization, scale only", node: gradNode("InstanceNormalization", eps), in: x(normal64(2, 4), normal64(3, 4)), fixed: []int{0, 2}},
		gradCase{name: "GroupNormalization", node: gradNode("GroupNormalization", eps, op.Attr("num_groups", 2)), in: x(normal64(2, 4), normal64(3, 4))},
		gradCase{name: "GroupNormalization, one group", node: gradNode("GroupNormalization", eps, op.Attr("num_groups", 1)), in: x(normal64(2, 4), normal64(3, 4))},
		gradCase{name: "GroupNormalization of opset 18", node: gradNode("GroupNormalization", eps, op.Attr("num_groups", 2)), opset: 18, in: x(normal64(2, 2), normal64(3, 2))},
		gradCase{name: "LRN", node: gradNode("LRN", op.Attr("size", 3), op.Attr("alpha", float32(0.9)), op.Attr("beta", float32(0.75)), op.Attr("bias", float32(2))), in: x()},
		gradCase{name: "LRN, even window", node: gradNode("LRN", op.Attr("size", 2), op.Attr("alpha", float32(0.5)), op.Attr("beta", float32(0.5))), in: x()},
		gradCase{name: "LRN, matrix", node: gradNode("LRN", op.Attr("size", 5), op.Attr("alpha", float32(1.5)), op.Attr("beta", float32(1.2))), in: []*onnx.Tensor{normal64(1, 2, 9)}},
		gradCase{name: "LpNormalization", node: gradNode("LpNormalization"), in: x()},
		gradCase{name: "LpNormalization, order 1", node: gradNode("LpNormalization", op.Attr("p", 1), op.Attr("axis", 1)), in: x()},
		gradCase{name: "MeanVarianceNormalization", node: gradNode("MeanVarianceNormalization"), in: x()},
		gradCase{name: "MeanVarianceNormalization, axes", node: gradNode("MeanVarianceNormalization", op.Attr("axes", []int{1, 3})), in: x()},
	)
	checkGradients(t, cases)
}

// A TrainBatchNorm whose statistics are used has the same gradients as one whose statistics are not: they are handed on.
func TestTrainBatchNormHandsStatisticsOn(t *testing.T) {
	n := gradNode("TrainBatchNorm", op.Attr("epsilon", float32(0.1)))
	n.Domain = op.Internal
	in := []*onnx.Tensor{normal64(1, 3, 2, 3, 2), normal64(2, 2), normal64(3, 2)}
	plain := gradientsOf(t, gradCase{node: n}, in)
	m, train := gradModel(gradCase{node: n, outputs: 3}, in, true)
	r := onnx.New(onnx.Double, in[0].Shape...)
	copy(onnx.Data[float64](r), weightsOf(r, 0))
	r.Name = "r"
	m.Graph.Initializers = append(m.Graph.Initializers, r)
	m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{Domain: op.Internal, OpType: "Dot", Inputs: []string{"y0", "r"}, Outputs: []string{"loss"}})
	m.Graph.Outputs = []*onnx.Value{{Name: "loss"}}
	p, err := graph.CompileTraining(m, graph.TrainOptions{Train: train, Loss: "loss", Outputs: []string{"y1", "y2"}, Pool: gradPool})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.RunInto(context.Background(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range in {
		compareGradient(t, train[i], onnx.Data[float64](out[3+i]), plain[i], 1e-12)
	}
}

// Statistics as outputs, and reductions other than sums, are refused with a message before anything is computed.
func TestStatisticsHaveNoGradient(t *testing.T) {
	stats := func() []*onnx.Tensor {
		return []*onnx.Tensor{normal64(1, 4, 2), normal64(2, 2), normal64(3, 2), normal64(4, 2), positive64(5, 2)}
	}
	scatter := []*onnx.Tensor{normal64(1, 3, 2), onnx.Of([]int{1, 2}, []int64{1, 2}), normal64(2, 1, 2)}
	training := gradNode("TrainBatchNorm")
	training.Domain = op.Internal
	for _, c := range []struct {
		gradCase
		from int // the output that the loss is of
		want string
	}{
		{gradCase{name: "running mean", node: gradNode("BatchNormalization", op.Attr("training_mode", 1)), in: stats(), outputs: 3}, 1, "statistic"},
		{gradCase{name: "batch mean", node: training, in: stats()[:3], outputs: 3}, 1, "statistic"},
		{gradCase{name: "layer's mean", node: gradNode("LayerNormalization"), in: stats()[:2], outputs: 3}, 1, "statistic"},
		{gradCase{name: "products", node: gradNode("ScatterElements", op.Attr("reduction", "mul")), in: scatter}, 0, "reduction mul"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, train := gradModel(c.gradCase, c.in, true)
			m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{OpType: "ReduceSum", Inputs: []string{fmt.Sprint("y", c.from)}, Outputs: []string{"loss"},
				Attrs: []*onnx.Attribute{op.Attr("keepdims", 0)}})
			m.Graph.Outputs = []*onnx.Value{{Name: "loss"}}
			_, err := graph.CompileTraining(m, graph.TrainOptions{Train: train, Loss: "loss", Pool: gradPool})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
