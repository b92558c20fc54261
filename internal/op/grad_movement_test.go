package op_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// list64 is a constant list of integers.
func list64(v ...int64) *onnx.Tensor { return onnx.Of([]int{len(v)}, v) }

func TestMovementGradients(t *testing.T) {
	x := func(shape ...int) []*onnx.Tensor { return []*onnx.Tensor{normal64(1, shape...)} }
	with := func(x *onnx.Tensor, more ...*onnx.Tensor) []*onnx.Tensor { return append([]*onnx.Tensor{x}, more...) }
	checkGradients(t, []gradCase{
		{name: "Reshape", node: gradNode("Reshape"), in: with(normal64(1, 2, 3, 4), list64(0, -1))},
		{name: "Reshape of opset 1", node: gradNode("Reshape", op.Attr("shape", []int{4, -1})), opset: 1, in: x(2, 6)},
		{name: "Flatten", node: gradNode("Flatten", op.Attr("axis", 2)), in: x(2, 3, 4)},
		{name: "Squeeze", node: gradNode("Squeeze"), in: x(1, 3, 1)},
		{name: "Squeeze, axes", node: gradNode("Squeeze"), in: with(normal64(1, 1, 3, 1), list64(-1))},
		{name: "Unsqueeze", node: gradNode("Unsqueeze"), in: with(normal64(1, 2, 3), list64(0, 2))},
		{name: "Unsqueeze of opset 11", node: gradNode("Unsqueeze", op.Attr("axes", []int{1})), opset: 11, in: x(2, 3)},
		{name: "Transpose", node: gradNode("Transpose", op.Attr("perm", []int{2, 0, 3, 1})), in: x(2, 3, 4, 5)},
		{name: "Transpose, reversed", node: gradNode("Transpose"), in: x(2, 3, 4)},
		{name: "Expand", node: gradNode("Expand"), in: with(normal64(1, 3, 1), list64(2, 1, 4))},
		{name: "Tile", node: gradNode("Tile"), in: with(normal64(1, 2, 1, 3), list64(2, 1, 3))},
		{name: "Tile, once", node: gradNode("Tile"), in: with(normal64(1, 2, 3), list64(1, 1))},
		{name: "Concat", node: gradNode("Concat", op.Attr("axis", 1)), in: with(normal64(1, 2, 3, 2), normal64(2, 2, 1, 2), normal64(3, 2, 2, 2))},
		{name: "Concat, last axis, one side", node: gradNode("Concat", op.Attr("axis", -1)), in: with(normal64(1, 2, 3), normal64(2, 2, 1)), fixed: []int{0}},
		{name: "Concat of one", node: gradNode("Concat", op.Attr("axis", 0)), in: x(2, 3)},
		{name: "Split", node: gradNode("Split", op.Attr("axis", 1)), in: with(normal64(1, 2, 6), list64(1, 3, 2)), outputs: 3},
		{name: "Split, last piece smaller", node: gradNode("Split", op.Attr("num_outputs", 2)), in: x(5, 2), outputs: 2},
		{name: "Slice", node: gradNode("Slice"), in: with(normal64(1, 4, 5), list64(1, 0), list64(3, 4))},
		{name: "Slice, backwards", node: gradNode("Slice"), in: with(normal64(1, 4, 7), list64(-1, 9), list64(-9, 1), list64(0, 1), list64(-1, -2))},
		{name: "Slice, far steps", node: gradNode("Slice"), in: with(normal64(1, 7, 2), list64(1), list64(99), list64(0), list64(3))},
		{name: "Slice, a single one backwards", node: gradNode("Slice"), in: with(normal64(1, 3, 4), list64(2), list64(1), list64(1), list64(-1))},
		{name: "Slice of opset 1", node: gradNode("Slice", op.Attr("starts", []int{1}), op.Attr("ends", []int{-1}), op.Attr("axes", []int{1})), opset: 1, in: x(2, 5)},
		{name: "Gather, repeated", node: gradNode("Gather", op.Attr("axis", 1)), in: with(normal64(1, 2, 4, 3), onnx.Of([]int{2, 2}, []int64{0, -1, 3, 0}))},
		{name: "Gather, scalar index", node: gradNode("Gather"), in: with(normal64(1, 4, 3), onnx.Of([]int{}, []int64{2}))},
		{name: "Gather, last axis", node: gradNode("Gather", op.Attr("axis", -1)), in: with(normal64(1, 3, 4), onnx.Of([]int{3}, []int32{1, 1, -4}))},
		{name: "GatherElements", node: gradNode("GatherElements", op.Attr("axis", 1)), in: with(normal64(1, 2, 3), onnx.Of([]int{2, 4}, []int64{0, 0, 2, -1, 1, 1, 1, 0}))},
		{name: "GatherND", node: gradNode("GatherND"), in: with(normal64(1, 2, 3, 2), onnx.Of([]int{3, 2}, []int64{0, 1, 0, 1, -1, 2}))},
		{name: "GatherND, batch", node: gradNode("GatherND", op.Attr("batch_dims", 1)), in: with(normal64(1, 2, 3, 2), onnx.Of([]int{2, 2, 1}, []int64{2, 0, 1, 1}))},
		{name: "Trilu, upper", node: gradNode("Trilu"), in: with(normal64(1, 2, 3, 4), onnx.Of([]int{}, []int64{1}))},
		{name: "Trilu, lower", node: gradNode("Trilu", op.Attr("upper", 0)), in: x(3, 3)},
		{name: "DepthToSpace", node: gradNode("DepthToSpace", op.Attr("blocksize", 2)), in: x(2, 8, 2, 3)},
		{name: "DepthToSpace, CRD", node: gradNode("DepthToSpace", op.Attr("blocksize", 2), op.Attr("mode", "CRD")), in: x(2, 8, 2, 3)},
		{name: "SpaceToDepth, CRD", node: gradNode("SpaceToDepth", op.Attr("blocksize", 2), op.Attr("mode", "CRD")), in: x(2, 2, 4, 6)},
		{name: "SpaceToDepth", node: gradNode("SpaceToDepth", op.Attr("blocksize", 2)), in: x(2, 2, 4, 6)},
		{name: "ReverseSequence", node: gradNode("ReverseSequence"), in: with(normal64(1, 3, 2, 2), list64(3, 2))},
		{name: "ReverseSequence, batch first", node: gradNode("ReverseSequence", op.Attr("batch_axis", 0), op.Attr("time_axis", 1)), in: with(normal64(1, 2, 3), list64(1, 3))},
		{name: "MaxUnpool", node: gradNode("MaxUnpool", op.Attr("kernel_shape", []int{2, 2}), op.Attr("strides", []int{2, 2})),
			in: with(normal64(1, 1, 2, 1, 2), onnx.Of([]int{1, 2, 1, 2}, []int64{4, 3, 8, 15}))},
		{name: "MaxUnpool, output shape", node: gradNode("MaxUnpool", op.Attr("kernel_shape", []int{2}), op.Attr("strides", []int{2})),
			in: with(normal64(1, 1, 2, 2), onnx.Of([]int{1, 2, 2}, []int64{1, 2, 4, 7}), list64(1, 2, 6))},
		{name: "CenterCropPad", node: gradNode("CenterCropPad", op.Attr("axes", []int{-1, 0})), in: with(normal64(1, 2, 3, 4), list64(1, 5))},
		{name: "ScatterElements", node: gradNode("ScatterElements", op.Attr("axis", 1)),
			in: with(normal64(1, 2, 4), onnx.Of([]int{2, 3}, []int64{1, 3, 1, 0, -1, 2}), normal64(2, 2, 3))},
		{name: "ScatterElements, sums", node: gradNode("ScatterElements", op.Attr("reduction", "add")),
			in: with(normal64(1, 3, 2), onnx.Of([]int{2, 2}, []int64{1, 1, 1, 0}), normal64(2, 2, 2))},
		{name: "Scatter", node: gradNode("Scatter"), opset: 10, in: with(normal64(1, 3, 2), onnx.Of([]int{1, 2}, []int64{1, 2}), normal64(2, 1, 2))},
		{name: "ScatterND", node: gradNode("ScatterND"),
			in: with(normal64(1, 4, 2), onnx.Of([]int{3, 1}, []int64{1, 3, 1}), normal64(2, 3, 2))},
		{name: "ScatterND, sums", node: gradNode("ScatterND", op.Attr("reduction", "add")),
			in: with(normal64(1, 2, 2), onnx.Of([]int{3, 2}, []int64{1, 0, 0, 0, 1, 0}), normal64(2, 3))},
		{name: "TopK", node: gradNode("TopK", op.Attr("axis", 0)), in: with(normal64(1, 5, 2), list64(3)), outputs: 2},
		{name: "TopK, smallest, values only", node: gradNode("TopK", op.Attr("largest", 0)), in: with(normal64(1, 2, 5), list64(2))},
	})
}

func TestPadGradients(t *testing.T) {
	pad := func(mode string) *onnx.Node { return gradNode("Pad", op.Attr("mode", mode)) }
	x := func(pads ...int64) []*onnx.Tensor { return []*onnx.Tensor{normal64(1, 2, 3, 4, 3), list64(pads...)} }
	cases := []gradCase{
		{name: "constant, trained", node: pad("constant"), in: append(x(0, 1, 0, 2, 0, 0, 3, -1), normal64(2))},
		{name: "constant, all cut off", node: pad("constant"), in: x(0, 0, -4, 0, 0, 0, 2, 0)},
		{name: "opset 2", node: gradNode("Pad", op.Attr("pads", []int{1, 0, -1, 2})), opset: 2, in: []*onnx.Tensor{normal64(1, 3, 2)}},
		{name: "two axes", node: pad("reflect"), in: append(x(1, 2, 2, 3), nil, list64(-1, 2))},
		{name: "wrap, more than there is", node: pad("wrap"), in: x(0, 0, 9, 0, 0, 0, 5, 2)},
		{name: "no pads", node: pad("edge"), in: x(0, 0, 0, 0, 0, 0, 0, 0)},
	}
	for _, mode := range []string{"constant", "reflect", "edge", "wrap"} {
		cases = append(cases,
			gradCase{name: mode, node: pad(mode), in: x(0, 0, 2, 1, 0, 0, 1, 2)},
			gradCase{name: mode + ", negative", node: pad(mode), in: x(0, -1, -1, 1, 1, 0, 2, -1)},
		)
	}
	checkGradients(t, cases)
}

func TestResizeGradients(t *testing.T) {
	sizes := func(in *onnx.Tensor, to ...int64) []*onnx.Tensor { return []*onnx.Tensor{in, nil, nil, list64(to...)} }
	scales := func(in *onnx.Tensor, by ...float32) []*onnx.Tensor {
		return []*onnx.Tensor{in, nil, onnx.Of([]int{len(by)}, by)}
	}
	var cases []gradCase
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		for _, coords := range []string{"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"} {
			node := func(more ...*onnx.Attribute) *onnx.Node {
				return gradNode("Resize", append(more, op.Attr("mode", mode), op.Attr("coordinate_transformation_mode", coords))...)
			}
			cases = append(cases,
				gradCase{name: mode + ", " + coords + ", larger", node: node(), in: sizes(normal64(1, 1, 2, 3, 4), 1, 2, 7, 6)},
				gradCase{name: mode + ", " + coords + ", smaller", node: node(), in: scales(normal64(1, 2, 1, 5, 6), 1, 1, 0.6, 0.5)},
			)
		}
		crop := gradNode("Resize", op.Attr("mode", mode), op.Attr("coordinate_transformation_mode", "tf_crop_and_resize"), op.Attr("extrapolation_value", float32(3)))
		cases = append(cases, gradCase{name: mode + ", crop", node: crop, in: []*onnx.Tensor{normal64(1, 1, 1, 4, 4),
			onnx.Of([]int{8}, []float32{0, 0, 0.2, -0.3, 1, 1, 1.4, 0.8}), nil, list64(1, 1, 3, 5)}})
		cases = append(cases, gradCase{name: mode + ", one axis", node: gradNode("Resize", op.Attr("mode", mode), op.Attr("axes", []int{1})),
			in: sizes(normal64(1, 2, 4, 3), 5)})
	}
	for _, mode := range []string{"linear", "cubic"} {
		cases = append(cases,
			gradCase{name: mode + ", antialias", node: gradNode("Resize", op.Attr("mode", mode), op.Attr("antialias", 1)), in: sizes(normal64(1, 1, 1, 7, 6), 1, 1, 3, 4)},
			gradCase{name: mode + ", exclude_outside", node: gradNode("Resize", op.Attr("mode", mode), op.Attr("exclude_outside", 1)), in: sizes(normal64(1, 1, 1, 4, 3), 1, 1, 6, 7)},
		)
	}
	for _, mode := range []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"} {
		cases = append(cases, gradCase{name: mode, node: gradNode("Resize", op.Attr("nearest_mode", mode)), in: sizes(normal64(1, 1, 1, 4, 4), 1, 1, 8, 2)})
	}
	cases = append(cases,
		gradCase{name: "same size", node: gradNode("Resize"), in: sizes(normal64(1, 1, 2, 3, 3), 1, 2, 3, 3)},
		gradCase{name: "opset 10", node: gradNode("Resize"), opset: 10, in: []*onnx.Tensor{normal64(1, 1, 1, 3, 3), onnx.Of([]int{4}, []float32{1, 1, 2, 1.5})}},
		gradCase{name: "Upsample", node: gradNode("Upsample", op.Attr("mode", "linear")), opset: 9, in: []*onnx.Tensor{normal64(1, 1, 2, 3, 3), onnx.Of([]int{4}, []float32{1, 1, 2, 2})}},
		gradCase{name: "Upsample of opset 7", node: gradNode("Upsample", op.Attr("scales", []float32{1, 1, 2, 2})), opset: 7, in: []*onnx.Tensor{normal64(1, 1, 2, 3, 3)}},
	)
	for i := range cases {
		cases[i].fixed = []int{1, 2} // the roi and the scales, which are floats too
	}
	checkGradients(t, cases)
}

// Outputs of a Split that nobody uses, and empty parts, do not stop the gradient.
func TestGradientsOfPartsAndOfNothing(t *testing.T) {
	compile := func(n *onnx.Node, in *onnx.Tensor, more ...*onnx.Tensor) []float64 {
		t.Helper()
		x := *in
		x.Name = "x"
		g := &onnx.Graph{Name: "g", Initializers: []*onnx.Tensor{&x}}
		n.Inputs = []string{"x"}
		for i, m := range more {
			m.Name = string(rune('a' + i))
			g.Initializers = append(g.Initializers, m)
			n.Inputs = append(n.Inputs, m.Name)
		}
		g.Nodes = []*onnx.Node{n, {OpType: "ReduceSumSquare", Inputs: []string{"y"}, Outputs: []string{"loss"}, Attrs: []*onnx.Attribute{op.Attr("keepdims", 0)}}}
		g.Outputs = []*onnx.Value{{Name: "loss"}}
		m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.MaxOpset}}, Graph: g}
		p, err := graph.CompileTraining(m, graph.TrainOptions{Train: []string{"x"}, Loss: "loss", Pool: gradPool})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.RunInto(context.Background(), []*onnx.Tensor{in}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return onnx.Data[float64](out[1])
	}
	one := func(opType string, attrs ...*onnx.Attribute) *onnx.Node {
		return &onnx.Node{Name: "n", OpType: opType, Outputs: []string{"y"}, Attrs: attrs}
	}
	split := one("Split", op.Attr("num_outputs", 3))
	split.Outputs = []string{"", "y", "z"}
	x := onnx.Of([]int{6}, []float64{1, 2, 3, 4, 5, 6})
	for _, c := range []struct {
		name      string
		got, want []float64
	}{
		{"Split, one part used", compile(split, x), []float64{0, 0, 6, 8, 0, 0}},
		{"TopK, equal elements", compile(one("TopK"), onnx.Of([]int{3}, []float64{2, 5, 5}), list64(1)), []float64{0, 10, 0}},
		{"Slice of nothing", compile(one("Slice"), x, list64(3), list64(3)), []float64{0, 0, 0, 0, 0, 0}},
		{"Gather of nothing", compile(one("Gather"), x, onnx.Of([]int{0}, []int64{})), []float64{0, 0, 0, 0, 0, 0}},
		{"Tile, no times", compile(one("Tile"), x, list64(0)), []float64{0, 0, 0, 0, 0, 0}},
		{"Pad, all cut off", compile(one("Pad"), x, list64(-6, 0)), []float64{0, 0, 0, 0, 0, 0}},
		{"Expand of nothing", compile(one("Expand"), onnx.New(onnx.Double, 0, 1), list64(1, 3)), []float64{}},
		{"Tile of nothing", compile(one("Tile"), onnx.New(onnx.Double, 0, 2), list64(2, 2)), []float64{}},
		{"Resize of nothing", compile(one("Resize"), onnx.New(onnx.Double, 0, 2), onnx.New(onnx.Float, 0), onnx.Of([]int{2}, []float32{1, 2})), []float64{}},
	} {
		if fmt.Sprint(c.got) != fmt.Sprint(c.want) {
			t.Errorf("%s: gradient %v, want %v", c.name, c.got, c.want)
		}
	}
}
