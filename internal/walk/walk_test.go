package walk

import (
	"maps"
	"slices"
	"strings"
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

func TestAncestors(t *testing.T) {
	nodes := []*onnx.Node{node("Conv", "a", "x", "w"), node("Relu", "b", "a"), node("Shape", "s", "x"), node("Add", "c", "b", "k"), node("Neg", "d", "a", "")}
	for _, c := range []struct{ values, nodes, needed string }{
		{"c", "Conv Relu Add", "a b c k w x"},
		{"d s", "Conv Shape Neg", "a d s w x"},
		{"x", "", "x"},
		{"unknown", "", "unknown"},
	} {
		kept, needed := Ancestors(nodes, strings.Fields(c.values)...)
		var ops []string
		for _, n := range kept {
			ops = append(ops, n.OpType)
		}
		delete(needed, "") // of an input that is left out
		if got := strings.Join(ops, " "); got != c.nodes {
			t.Errorf("%s: nodes %s, want %s", c.values, got, c.nodes)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(needed)), " "); got != c.needed {
			t.Errorf("%s: values %s, want %s", c.values, got, c.needed)
		}
	}
}
