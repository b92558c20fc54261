package walk

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func node(op, out string, in ...string) *onnx.Node {
	return &onnx.Node{OpType: op, Inputs: in, Outputs: []string{out, ""}}
}

func TestGraph(t *testing.T) {
	w := New(&onnx.Graph{
		Initializers: []*onnx.Tensor{{Name: "w", Type: onnx.Float}, {Name: "half", Type: onnx.Float16}},
		Nodes: []*onnx.Node{
			node("Conv", "y", "x", "wide"), node("Cast", "wide", "half"), node("Constant", "c"), node("Mul", "scaled", "w", "c"),
			node("Shape", "shape", "y"), node("Gather", "batch", "shape", "c"), node("Concat", "target", "batch", "c", "shape"),
			node("Reshape", "flat", "y", "target"), node("Add", "sum", "y", "w"), node("Mul", "mixed", "shape", "y"),
			node("CastLike", "like", "c", "y"), node("CastLike", "unlike", "y", "c"),
			node("Add", "a", "b", "w"), node("Add", "b", "a", "w"), // each from the other
		},
	})
	for _, c := range []struct {
		value            string
		constant, shapes bool
	}{
		{"w", true, false}, {"wide", true, false}, {"c", true, false}, {"scaled", true, false}, {"like", true, false},
		{"x", false, false}, {"y", false, false}, {"sum", false, false}, {"flat", false, false}, {"mixed", false, false}, {"unlike", false, false},
		{"shape", false, true}, {"batch", false, true}, {"target", false, true},
		{"a", false, false}, {"b", false, false}, {"", false, false}, {"unknown", false, false},
	} {
		for range 2 { // computed, and remembered
			if got := w.Constant(c.value); got != c.constant {
				t.Errorf("%q: constant is %v", c.value, got)
			}
			if got := w.OfShapes(c.value); got != c.shapes && !c.constant {
				t.Errorf("%q: of shapes is %v", c.value, got)
			}
		}
	}
	if w.Node["y"].OpType != "Conv" || w.Weights["half"].Type != onnx.Float16 || len(w.Node) != 14 {
		t.Errorf("%d nodes", len(w.Node))
	}
}
