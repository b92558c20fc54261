package convert

import (
	"context"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// A network in half precision becomes one of single precision throughout, and computes the same.
func TestFloat32(t *testing.T) {
	m := smallNet(13)
	half, _, err := Float16(m)
	if err != nil {
		t.Fatal(err)
	}
	// As a file has it that is of half precision from its input on.
	for _, v := range append(append([]*onnx.Value{}, half.Graph.Inputs...), half.Graph.Outputs...) {
		if v.Type != nil && v.Type.Elem == onnx.Float {
			v.Type.Elem = onnx.Float16
		}
	}
	for _, n := range half.Graph.Nodes {
		if a := n.Attr("to"); n.OpType == "Cast" && a.I == int64(onnx.Float) {
			setAttr(n, op.Attr("to", int(onnx.Float16)))
		}
	}
	single, err := Float32(half)
	if err != nil {
		t.Fatal(err)
	}
	infos, err := graph.Values(single, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, info := range infos {
		if info.Type.IsHalf() {
			t.Errorf("%s is of type %v", name, info.Type)
		}
	}
	for _, n := range single.Graph.Nodes {
		if n.OpType == "Cast" {
			t.Errorf("%v converts still", n)
		}
	}
	in, err := RandomInputs(half, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := Deviation(context.Background(), half, single, in, CompareOptions{}); err != nil || d > 1e-3 {
		t.Errorf("differs by %v, %v", d, err)
	}
	if _, err := Float32(single); err == nil {
		t.Error("a model without half precision is converted")
	}
	if half.Graph.Initializers[0].Type != onnx.Float16 {
		t.Error("the given model was changed")
	}
}

// Types that attributes and sub-graphs name.
func TestFloat32Attributes(t *testing.T) {
	halfOf := func(v ...float32) *onnx.Tensor {
		h, err := op.CastTensor(onnx.Of([]int{len(v)}, v), onnx.Float16)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	branch := func(v float32) *onnx.Graph {
		return &onnx.Graph{Nodes: []*onnx.Node{{OpType: "Constant", Outputs: []string{"b"}, Attrs: []*onnx.Attribute{{Name: "value", Type: onnx.AttrTensor, Tensor: halfOf(v)}}}},
			Outputs: []*onnx.Value{{Name: "b"}}}
	}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Inputs: []*onnx.Value{{Name: "x", Type: &onnx.Type{Elem: onnx.Float16, HasShape: true, Shape: []onnx.Dim{{Size: 1}}}},
			{Name: "p", Type: &onnx.Type{Elem: onnx.Bool, HasShape: true}}, {Name: "i", Type: &onnx.Type{Elem: onnx.Int32, HasShape: true, Shape: []onnx.Dim{{Size: 1}}}}},
		Nodes: []*onnx.Node{
			{OpType: "If", Inputs: []string{"p"}, Outputs: []string{"a"}, Attrs: []*onnx.Attribute{
				{Name: "then_branch", Type: onnx.AttrGraph, Graph: branch(2)}, {Name: "else_branch", Type: onnx.AttrGraph, Graph: branch(3)}}},
			{OpType: "Cast", Inputs: []string{"i"}, Outputs: []string{"c"}, Attrs: []*onnx.Attribute{op.Attr("to", int(onnx.Float16))}},
			{OpType: "Add", Inputs: []string{"x", "a"}, Outputs: []string{"s"}},
			{OpType: "Add", Inputs: []string{"s", "c"}, Outputs: []string{"y"}},
		},
		Outputs: []*onnx.Value{{Name: "y", Type: &onnx.Type{Elem: onnx.Float16}}},
	}}
	single, err := Float32(m)
	if err != nil {
		t.Fatal(err)
	}
	out, err := runModel(context.Background(), single, map[string]*onnx.Tensor{"x": onnx.Of([]int{1}, []float32{1}), "p": onnx.Of([]int{}, []bool{false}),
		"i": onnx.Of([]int{1}, []int32{10})}, backend.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if y := out["y"]; y.Type != onnx.Float || y.Float32s()[0] != 14 {
		t.Errorf("y is %v", y)
	}
}
