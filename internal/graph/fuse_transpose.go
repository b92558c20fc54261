package graph

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// unary are operators that change each element alone, whatever the shape.
var unary = map[string]bool{
	"Relu": true, "LeakyRelu": true, "Sigmoid": true, "HardSigmoid": true, "HardSwish": true, "Tanh": true, "Elu": true,
	"Selu": true, "Celu": true, "Softplus": true, "Softsign": true, "Mish": true, "Gelu": true, "Erf": true, "Clip": true,
	"Neg": true, "Abs": true, "Sqrt": true, "Exp": true, "Reciprocal": true,
}

// permOf returns the permutation of a Transpose, nil where it gives none or a wrong one.
func permOf(n *onnx.Node) []int64 {
	a := n.Attr("perm")
	if a == nil {
		return nil
	}
	seen := make([]bool, len(a.Ints))
	for _, axis := range a.Ints {
		if axis < 0 || int(axis) >= len(seen) || seen[axis] {
			return nil
		}
		seen[axis] = true
	}
	return a.Ints
}

// transposed returns the Transpose that makes a value which nothing else reads, and its place.
func (f *fuser) transposed(value string) (*onnx.Node, int) {
	n, at := f.made(value, "Transpose")
	if n == nil || permOf(n) == nil {
		return nil, -1
	}
	return n, at
}

// pushTranspose computes f(Transpose(x)) as Transpose(f(x)), f being a function of each element alone, of x and one
// constant a channel, or of two values that are transposed in the same way. Between layers of a graph in channels-last
// order, as TensorFlow has it, transpositions so come to stand side by side.
func (f *fuser) pushTranspose(i int) bool {
	n := f.nodes[i]
	if !isONNX(n.Domain) && n.Domain != microsoft || len(n.Inputs) == 0 || len(n.Outputs) != 1 {
		return false
	}
	if unary[n.OpType] {
		t, at := f.transposed(n.Inputs[0])
		constant := func(name string) bool { return name == "" || f.consts[name] != nil }
		if t != nil && !slices.ContainsFunc(n.Inputs[1:], func(s string) bool { return !constant(s) }) {
			return f.swap(i, t, at, append([]string{t.Inputs[0]}, n.Inputs[1:]...))
		}
		return false
	}
	switch n.OpType {
	case "Add", "Sub", "Mul", "Div":
	default:
		return false
	}
	if len(n.Inputs) != 2 || f.opsets("") < 7 {
		return false
	}
	a, atA := f.transposed(n.Inputs[0])
	b, atB := f.transposed(n.Inputs[1])
	switch {
	case a != nil && b != nil:
		if !slices.Equal(permOf(a), permOf(b)) {
			return false
		}
		f.dead[min(atA, atB)] = true
		return f.swap(i, a, max(atA, atB), []string{a.Inputs[0], b.Inputs[0]})
	case a != nil:
		c, ok := f.unpermuted(n.Inputs[1], permOf(a))
		return ok && f.swap(i, a, atA, []string{a.Inputs[0], c})
	case b != nil:
		c, ok := f.unpermuted(n.Inputs[0], permOf(b))
		return ok && f.swap(i, b, atB, []string{c, b.Inputs[0]})
	}
	return false
}

// swap puts node i, with these inputs, in the place of the Transpose t, and t in the place of node i.
func (f *fuser) swap(i int, t *onnx.Node, at int, inputs []string) bool {
	n := *f.nodes[i]
	if f.newest[f.nodes[i]] {
		f.newest[&n] = true
	}
	tr := *t
	n.Inputs = inputs
	n.Outputs = []string{f.fresh(f.nodes[i].Outputs[0] + "_moved")}
	tr.Inputs, tr.Outputs = n.Outputs, f.nodes[i].Outputs
	f.nodes[at], f.nodes[i] = &n, &tr
	f.maker[n.Outputs[0]], f.uses[n.Outputs[0]] = at, 1
	if h, ok := f.hints[tr.Outputs[0]]; ok && len(h.Shape) == len(permOf(t)) {
		shape := make([]int, len(h.Shape))
		for k, from := range permOf(t) {
			shape[from] = h.Shape[k]
		}
		f.hints[n.Outputs[0]] = op.Info{Type: h.Type, Shape: shape}
	}
	return true
}

// unpermuted returns the name of a constant that broadcasts before the permutation as the given one does after it. The
// constant has one dimension other than 1 at most, so that only its shape changes.
func (f *fuser) unpermuted(name string, perm []int64) (string, bool) {
	c := f.consts[name]
	if c == nil || len(c.Shape) > len(perm) {
		return "", false
	}
	shape := make([]int, len(perm))
	for k := range shape {
		shape[k] = 1
	}
	wide := 0
	for k, d := range c.Shape {
		to := perm[len(perm)-len(c.Shape)+k]
		shape[to] = d
		if d != 1 {
			wide++
		}
	}
	if wide > 1 {
		return "", false
	}
	moved := *c
	moved.Shape = shape
	to := f.fresh(name + "_moved")
	f.consts[to] = &moved
	return to, true
}

// mergeTransposes makes one Transpose of two that follow each other, or none where the second undoes the first.
func (f *fuser) mergeTransposes(i int) bool {
	n := f.nodes[i]
	if n.OpType != "Transpose" || !isONNX(n.Domain) || permOf(n) == nil {
		return false
	}
	at, ok := f.maker[n.Inputs[0]]
	if !ok || f.dead[at] {
		return false
	}
	first := f.nodes[at]
	if first.OpType != "Transpose" || !isONNX(first.Domain) || permOf(first) == nil || len(permOf(first)) != len(permOf(n)) {
		return false
	}
	perm := make([]int64, len(permOf(n)))
	same := true
	for k, from := range permOf(n) {
		perm[k] = permOf(first)[from]
		same = same && perm[k] == int64(k)
	}
	merged := &onnx.Node{Name: n.Name, OpType: "Transpose", Inputs: []string{first.Inputs[0]}, Outputs: n.Outputs}
	if same {
		merged.OpType = "Identity"
	} else {
		merged.Attrs = []*onnx.Attribute{{Name: "perm", Type: onnx.AttrInts, Ints: perm}}
	}
	f.nodes[i] = merged
	f.uses[n.Inputs[0]]--
	f.uses[first.Inputs[0]]++
	if f.uses[n.Inputs[0]] == 0 {
		f.dead[at] = true
		f.uses[first.Inputs[0]]--
	}
	return true
}
