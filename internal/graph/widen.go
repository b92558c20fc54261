package graph

import (
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Operators that give what they are given, and those that are as good at float32: which inputs are of the type of the
// first output. Of Concat all are.
var ofOneType = map[string][]int{
	"CenterCropPad": {0}, "DepthToSpace": {0}, "Dropout": {0}, "Expand": {0}, "Flatten": {0}, "Gather": {0}, "GatherElements": {0},
	"GatherND": {0}, "Identity": {0}, "LayerNormalization": {0, 1, 2}, "Pad": {0, 2}, "Pow": {0, 1}, "RMSNormalization": {0, 1},
	"Reshape": {0}, "ScatterElements": {0, 2}, "ScatterND": {0, 2}, "Slice": {0}, "SpaceToDepth": {0}, "Split": {0}, "Squeeze": {0},
	"Tile": {0}, "Transpose": {0}, "Trilu": {0}, "Unsqueeze": {0}, "Where": {1, 2},
}

// widenHalves lets what is computed in half precision be computed in float32, without rounding between one operator and
// the next, as ONNX Runtime does it on processors without arithmetic of half precision: values are widened where such a
// part of the graph begins, and rounded where it ends. It needs the types that hints has, and reports whether anything
// changed.
func (w *work) widenHalves(hints map[string]op.Info) bool {
	h := halves{work: w, hints: hints, wide: map[string]string{}, narrow: map[*onnx.Node][]string{}}
	var nodes []*onnx.Node
	for _, n := range w.nodes {
		nodes = append(nodes, h.widen(n)...)
	}
	if len(h.wide) == 0 {
		return false
	}
	w.nodes = nodes
	uses := w.uses()
	w.nodes = nil
	for _, n := range nodes {
		w.nodes = append(w.nodes, n)
		for _, name := range h.narrow[n] {
			if uses[name] > 0 {
				w.nodes = append(w.nodes, h.cast(h.wide[name], name, hints[name].Type))
			}
		}
	}
	w.prune()
	return true
}

// halves is the state of widenHalves.
type halves struct {
	*work
	hints  map[string]op.Info
	wide   map[string]string       // values of half precision, and the same in float32
	narrow map[*onnx.Node][]string // those that a node made before, and makes in float32 now
}

// typeOf returns the type of a value, Undefined where it is not known.
func (h *halves) typeOf(name string) onnx.DataType {
	if c := h.consts[name]; c != nil {
		return c.Type
	}
	return h.hints[name].Type
}

// widen returns a node that computes in float32, after those that widen its inputs; the node as it is where it does not
// compute in half precision.
func (h *halves) widen(n *onnx.Node) []*onnx.Node {
	inputs := h.inputs(n)
	if len(inputs) == 0 {
		return []*onnx.Node{n}
	}
	var nodes []*onnx.Node
	for _, i := range inputs {
		name := n.Inputs[i]
		if h.wide[name] == "" {
			h.wide[name] = h.fresh(name + "/float32")
			if c := h.consts[name]; c != nil {
				wide := onnx.New(onnx.Float, c.Shape...)
				widenInto(h.pool, wide.Float32s(), c)
				h.consts[h.wide[name]] = wide
			} else {
				nodes = append(nodes, h.cast(name, h.wide[name], onnx.Float))
			}
		}
		n.Inputs[i] = h.wide[name]
	}
	for i, name := range n.Outputs {
		if name != "" && h.hints[name].Type.IsHalf() {
			h.wide[name] = h.fresh(name + "/float32")
			n.Outputs[i] = h.wide[name]
			h.narrow[n] = append(h.narrow[n], name)
		}
	}
	return append(nodes, n)
}

// inputs returns which inputs of a node are to be widened.
func (h *halves) inputs(n *onnx.Node) []int {
	d := op.Lookup(n.Domain, n.OpType)
	if d == nil || hasSubGraphs(n) {
		return nil
	}
	for _, name := range n.Outputs {
		if name != "" && h.hints[name].Type == onnx.Undefined {
			return nil
		}
	}
	all := make([]int, len(n.Inputs))
	for i := range all {
		all[i] = i
	}
	if d.Half {
		if !isONNX(n.Domain) {
			return nil
		}
		if n.OpType != "Concat" {
			all = ofOneType[n.OpType]
		}
	}
	var half []int
	begun := !d.Half // what only moves elements does not begin a part in float32
	for _, i := range all {
		if i >= len(n.Inputs) || n.Inputs[i] == "" {
			continue
		}
		switch t := h.typeOf(n.Inputs[i]); {
		case t == onnx.Undefined:
			return nil
		case t.IsHalf():
			half = append(half, i)
			begun = begun || h.wide[n.Inputs[i]] != "" && h.consts[n.Inputs[i]] == nil
		}
	}
	if !begun {
		return nil
	}
	return half
}

// cast returns a node that converts a value.
func (h *halves) cast(from, to string, t onnx.DataType) *onnx.Node {
	n := &onnx.Node{Name: to, OpType: "Cast", Inputs: []string{from}, Outputs: []string{to}, Attrs: []*onnx.Attribute{op.Attr("to", int(t))}}
	h.asNewest(n)
	return n
}
