package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

type tensors = []*onnx.Tensor

func TestReshape(t *testing.T) {
	x := seq([]int{2, 3, 4}, 1, 24)
	two := func(a attrs) *onnx.Node { return node("Reshape", 2, 1, a) }
	runCases(t, []opCase{
		{name: "case 9: copy and infer", node: two(nil), in: tensors{x, i64([]int{2}, 0, -1)}, want: tensors{seq([]int{2, 12}, 1, 24)}},
		{name: "case 9: allowzero", node: two(attrs{"allowzero": 1}), in: tensors{f32([]int{3, 0}), i64([]int{1}, 0)}, want: tensors{f32([]int{0})}},
		{name: "case 9: counts differ", node: two(nil), in: tensors{f32([]int{1, 0}), i64([]int{2}, 0, 1)}, wantErr: "(0 elements) does not fit shape [1 1] (1 elements)"},
		{name: "case 9: allowzero with -1", node: two(attrs{"allowzero": 1}), in: tensors{f32([]int{0, 3}), i64([]int{2}, 0, -1)}, wantErr: "both 0 and -1"},
		{name: "case 9: no multiple", node: two(nil), in: tensors{seq([]int{2, 3}, 1, 6), i64([]int{2}, 4, -1)}, wantErr: "shape [2 3] does not fit the target shape [4 -1]"},
		{name: "case 9: two -1", node: two(nil), in: tensors{seq([]int{2, 3}, 1, 6), i64([]int{2}, -1, -1)}, wantErr: "more than one -1"},
		{name: "case 9: copies what is not there", node: two(nil), in: tensors{seq([]int{2}, 1, 2), i64([]int{2}, 2, 0)}, wantErr: "copies dimension 1"},
		{name: "case 18: batch of none", node: two(nil), in: tensors{f32([]int{0, 3, 2}), i64([]int{2}, 0, -1)}, want: tensors{f32([]int{0, 6})}},
		{name: "to a scalar", node: two(nil), in: tensors{f32([]int{1, 1}, 5), i64([]int{0})}, want: tensors{f32([]int{}, 5)}},
		{name: "int32 target", node: two(nil), in: tensors{x, i32([]int{2}, 4, 6)}, want: tensors{seq([]int{4, 6}, 1, 24)}},
		{name: "strings", node: two(nil), in: tensors{fill(onnx.String, 2, 2), i64([]int{1}, 4)}, want: tensors{fill(onnx.String, 4)}},
		{name: "halves", node: two(nil), in: tensors{fill(onnx.Float16, 2, 2), i64([]int{1}, 4)}, want: tensors{fill(onnx.Float16, 4)}},
		{name: "attribute", opset: 1, node: node("Reshape", 1, 1, attrs{"shape": []int{0, -1}, "consumed_inputs": []int{0}}), in: tensors{x}, want: tensors{seq([]int{2, 12}, 1, 24)}},
		{name: "attribute in a late opset", node: node("Reshape", 1, 1, attrs{"shape": []int{24}}), in: tensors{x}, want: tensors{seq([]int{24}, 1, 24)}},
		{name: "no shape", node: node("Reshape", 1, 1, nil), in: tensors{x}, wantErr: "shape is missing"},
		{name: "negative", node: two(nil), in: tensors{x, i64([]int{2}, -2, 12)}, wantErr: "has dimension -2"},
		{name: "huge", node: two(nil), in: tensors{x, i64([]int{3}, 1<<62, 1<<62, -1)}, wantErr: "does not fit"},
		{name: "huge without -1", node: two(nil), in: tensors{x, i64([]int{3}, 1<<62, 1<<62, 16)}, wantErr: "too large"},
		{name: "target of a wrong type", node: two(nil), in: tensors{x, f32([]int{1}, 24)}, wantErr: "want int64 or int32, got float32"},
		{name: "target of a wrong rank", node: two(nil), in: tensors{x, i64([]int{1, 1}, 24)}, wantErr: "want a vector"},
	})
}

func TestFlatten(t *testing.T) {
	x := seq([]int{2, 3, 4}, 1, 24)
	axis := func(a int) *onnx.Node { return node("Flatten", 1, 1, attrs{"axis": a}) }
	runCases(t, []opCase{
		{name: "case 9: -1", node: axis(-1), in: tensors{x}, want: tensors{seq([]int{6, 4}, 1, 24)}},
		{name: "case 9: 0", node: axis(0), in: tensors{x}, want: tensors{seq([]int{1, 24}, 1, 24)}},
		{name: "case 9: 3", node: axis(3), in: tensors{x}, want: tensors{seq([]int{24, 1}, 1, 24)}},
		{name: "case 9: default", opset: 1, node: node("Flatten", 1, 1, nil), in: tensors{x}, want: tensors{seq([]int{2, 12}, 1, 24)}},
		{name: "case 9: default of a vector", node: node("Flatten", 1, 1, nil), in: tensors{seq([]int{4}, 1, 4)}, want: tensors{seq([]int{4, 1}, 1, 4)}},
		{name: "scalar", node: axis(0), in: tensors{f32(nil, 3)}, want: tensors{f32([]int{1, 1}, 3)}},
		{name: "no batch", node: axis(1), in: tensors{f32([]int{0, 3, 2})}, want: tensors{f32([]int{0, 6})}},
		{name: "outside", node: axis(4), in: tensors{x}, wantErr: "axis 4 is outside [-3,3]"},
		{name: "overflow beside nothing", node: axis(2), in: tensors{f32([]int{1 << 62, 4, 0})}, wantErr: "too large"},
	})
}

func TestSqueeze(t *testing.T) {
	two := node("Squeeze", 2, 1, nil)
	runCases(t, []opCase{
		{name: "case 10: axes input", node: two, in: tensors{f32([]int{1, 3, 1, 1}, 1, 2, 3), i64([]int{2}, -1, 2)}, want: tensors{f32([]int{1, 3}, 1, 2, 3)}},
		{name: "case 10: not 1", node: two, in: tensors{seq([]int{2, 3}, 1, 6), i64([]int{1}, 1)}, wantErr: "dimension 1 of shape [2 3] is 3, not 1"},
		{name: "case 10: all", node: node("Squeeze", 1, 1, nil), in: tensors{f32([]int{1, 3, 1}, 1, 2, 3)}, want: tensors{f32([]int{3}, 1, 2, 3)}},
		{name: "attribute", opset: 1, node: node("Squeeze", 1, 1, attrs{"axes": []int{0}}), in: tensors{f32([]int{1, 3, 1}, 1, 2, 3)}, want: tensors{f32([]int{3, 1}, 1, 2, 3)}},
		{name: "attribute in a late opset", node: node("Squeeze", 1, 1, attrs{"axes": []int{0}}), in: tensors{f32([]int{1, 1}, 1)}, want: tensors{f32([]int{1}, 1)}},
		{name: "axes of a wrong type", node: two, in: tensors{f32([]int{1}, 1), f32([]int{1}, 0)}, wantErr: "want int64"},
		{name: "twice", node: two, in: tensors{f32([]int{1, 1}, 1), i64([]int{2}, 0, -2)}, wantErr: "named twice"},
		{name: "strings", node: node("Squeeze", 1, 1, nil), in: tensors{fill(onnx.String, 1, 2)}, want: tensors{fill(onnx.String, 2)}},
	})
}

func TestUnsqueeze(t *testing.T) {
	two := node("Unsqueeze", 2, 1, nil)
	x := f32([]int{2}, 5, 6)
	runCases(t, []opCase{
		{name: "case 10: axes input", node: two, in: tensors{x, i64([]int{2}, -1, 0)}, want: tensors{f32([]int{1, 2, 1}, 5, 6)}},
		{name: "case 10: attribute", opset: 11, node: node("Unsqueeze", 1, 1, attrs{"axes": []int{-1, 0}}), in: tensors{x}, want: tensors{f32([]int{1, 2, 1}, 5, 6)}},
		{name: "scalar axis", node: two, in: tensors{x, i64(nil, 1)}, want: tensors{f32([]int{2, 1}, 5, 6)}},
		{name: "outside", node: two, in: tensors{x, i64([]int{1}, 2)}, wantErr: "axis 2 is outside [-2,1]"},
		{name: "twice", node: two, in: tensors{x, i64([]int{2}, 0, 0)}, wantErr: "named twice"},
		{name: "no axes", node: node("Unsqueeze", 1, 1, nil), in: tensors{x}, wantErr: "axes are missing"},
		{name: "axes of a wrong type", node: two, in: tensors{x, f32([]int{1}, 0)}, wantErr: "want int64"},
	})
}

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
