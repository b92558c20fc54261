package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// tensors are a node's inputs or outputs.
type tensors = []*onnx.Tensor

// Operators that only give a shape say so, and those whose shape is not known yet say that.
func TestAliasersAndUnknownValues(t *testing.T) {
	for _, name := range []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze"} {
		n := node(name, 2, 1, nil)
		if name == "Flatten" {
			n = node(name, 1, 1, nil)
		}
		o, _, err := Make(n, MaxOpset, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := o.(Aliaser); !ok || !a.Aliases() {
			t.Errorf("%s is no Aliaser", name)
		}
	}
	x, v := Info{Type: onnx.Float, Shape: []int{2, 3}}, Info{Type: onnx.Int64, Shape: []int{2}}
	one := Info{Type: onnx.Int64, Shape: []int{1}}
	for _, c := range []struct {
		node *onnx.Node
		in   []Info
	}{
		{node("Reshape", 2, 1, nil), []Info{x, v}},
		{node("Squeeze", 2, 1, nil), []Info{x, v}},
		{node("Unsqueeze", 2, 1, nil), []Info{x, v}},
		{node("Expand", 2, 1, nil), []Info{x, v}},
		{node("Tile", 2, 1, nil), []Info{x, v}},
		{node("Slice", 3, 1, nil), []Info{x, v, v, {}, {}}},
		{node("Split", 2, 1, nil), []Info{x, one}},
		{node("Pad", 2, 1, nil), []Info{x, {Type: onnx.Int64, Shape: []int{4}}, {}, {}}},
		{node("ConstantOfShape", 1, 1, nil), []Info{v}},
		{node("Range", 3, 1, nil), []Info{one, one, one}},
		{node("OneHot", 3, 1, nil), []Info{x, one, v}},
		{node("NonZero", 1, 1, nil), []Info{x}},
		{node("Compress", 2, 1, nil), []Info{x, {Type: onnx.Bool, Shape: []int{2}}}},
		{node("TopK", 2, 2, nil), []Info{x, one}},
		{node("Unique", 1, 1, nil), []Info{x}},
		{node("Resize", 3, 1, nil), []Info{x, {}, {Type: onnx.Float, Shape: []int{2}}, {}}},
		{node("Resize", 4, 1, nil), []Info{x, {}, {}, v}},
		{node("Resize", 4, 1, attrs{"coordinate_transformation_mode": "tf_crop_and_resize"}), []Info{x, {Type: onnx.Float, Shape: []int{4}}, {}, v}},
	} {
		o, _, err := Make(c.node, MaxOpset, nil)
		if err != nil {
			t.Fatal(c.node.OpType, err)
		}
		out, err := o.Infer(c.in)
		if err != nil || !out[0].Dynamic || out[0].Type == onnx.Undefined {
			t.Errorf("%s: %+v, %v: want a dynamic shape of known type", c.node.OpType, out, err)
		}
	}
}

// The ONNX project's own cases of the operators that move, pick and resize.
func TestMovementNodeCases(t *testing.T) {
	for _, opType := range []string{
		"Compress", "Concat", "ConstantOfShape", "DepthToSpace", "Einsum", "Expand", "EyeLike", "Flatten", "Gather",
		"GatherElements", "GatherND", "NonZero", "OneHot", "Pad", "Range", "Reshape", "Resize", "Scatter",
		"ScatterElements", "ScatterND", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose",
		"Trilu", "Unique", "Unsqueeze", "Upsample",
	} {
		t.Run(opType, func(t *testing.T) { runNodeCases(t, opType, nil) })
	}
}
