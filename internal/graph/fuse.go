package graph

import (
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// microsoft is the domain of FusedConv: Y = activation(Conv(X, W) + B + Z), with B and Z optional.
const microsoft = "com.microsoft"

// fuser looks at a graph through who makes and who reads each value.
type fuser struct {
	*work
	uses   map[string]int
	maker  map[string]int // node that makes a value; nodes are replaced and removed in place
	dead   []bool
	before map[int][]*onnx.Node // new nodes, by the node that they go before
	hints  map[string]op.Info
}

// fuse joins nodes into fewer, in four walks: what exporters write in many nodes becomes one; transpositions go as far
// down as they can and cancel; then convolutions and matrix products take in the padding before them and what follows
// them (batch normalisation, factors and terms, a residual, an activation); pointwise ones take in what is done to their
// input, or go before it. hints has example shapes. It reports whether anything changed.
func (w *work) fuse(hints map[string]op.Info) bool {
	if hints == nil {
		hints = map[string]op.Info{}
	}
	changed := w.rewriteNodes(hints, (*fuser).layerNorm, (*fuser).gelu)
	if w.rewriteNodes(hints, (*fuser).pushTranspose, (*fuser).firstChannels, (*fuser).mergeTransposes) {
		changed = true
		w.dropIdentities()
		w.prune()
	}
	if w.rewriteNodes(hints, (*fuser).takePad, (*fuser).makeGemm, (*fuser).foldNorm, (*fuser).foldScale,
		(*fuser).addResidual, (*fuser).gate, (*fuser).activate) {
		changed = true
	}
	return w.rewriteNodes(hints, (*fuser).scaleInput, (*fuser).poolLater) || changed
}

// rewriteNodes tries the rules on each node, in topological order, until none changes it any more: a node can take in
// several that come before it.
func (w *work) rewriteNodes(hints map[string]op.Info, rules ...func(f *fuser, i int) bool) bool {
	f := &fuser{work: w, uses: w.uses(), maker: map[string]int{}, dead: make([]bool, len(w.nodes)), before: map[int][]*onnx.Node{}, hints: hints}
	for i, n := range w.nodes {
		for _, o := range n.Outputs {
			f.maker[o] = i
		}
	}
	changed := false
	for i := range w.nodes {
		for again := true; again; {
			again = false
			for _, rule := range rules {
				again = again || !f.dead[i] && rule(f, i)
			}
			changed = changed || again
		}
	}
	kept := make([]*onnx.Node, 0, len(w.nodes))
	for i, n := range w.nodes {
		if !f.dead[i] {
			kept = append(append(kept, f.before[i]...), n)
		}
	}
	w.nodes = kept
	return changed
}

// made returns the node that makes a value which is read once and nowhere else, and its place; nil where it is of
// another operator of ai.onnx than typ.
func (f *fuser) made(value, typ string) (*onnx.Node, int) {
	i, ok := f.maker[value]
	if !ok || f.uses[value] != 1 || f.dead[i] || f.nodes[i].OpType != typ || !isONNX(f.nodes[i].Domain) {
		return nil, -1
	}
	return f.nodes[i], i
}

// float returns a constant of type float32, nil where the value is none.
func (f *fuser) float(value string) *onnx.Tensor {
	if c := f.consts[value]; c != nil && c.Type == onnx.Float {
		return c
	}
	return nil
}

func input(n *onnx.Node, i int) string {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return ""
}

// replace puts n in the place of node at, and takes the node from out.
func (f *fuser) replace(at, from int, n *onnx.Node) {
	n.Outputs = f.nodes[at].Outputs[:1] // a normalisation may name others, empty
	f.nodes[at] = n
	f.dead[from] = true
	for _, o := range n.Outputs {
		f.maker[o] = at
	}
}
