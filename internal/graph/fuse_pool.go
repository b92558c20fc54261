package graph

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// poolLater lets a pointwise convolution go before the average pool that it follows, where it has at most half as many
// outputs as inputs: the one is linear over channels, the other over positions, so their order does not matter, and less
// is left to pool. Bias and activation stay behind both. InceptionV3 has nine such pairs.
func (f *fuser) poolLater(i int) bool {
	n := f.nodes[i]
	if n.OpType != "Conv" && n.OpType != "FusedConv" || len(n.Inputs) == 0 || input(n, 3) != "" || !f.pointwise(n) || f.opsets("") < 7 {
		return false
	}
	w, bias := f.float(n.Inputs[1]), f.float(input(n, 2))
	if 2*w.Shape[0] > w.Shape[1] || bias == nil && input(n, 2) != "" {
		return false
	}
	act := n.Attr("activation")
	if act != nil && string(act.S) != "Relu" {
		return false
	}
	pool, from := f.made(n.Inputs[0], "AveragePool")
	if pool == nil {
		return false
	}
	before, after := f.hints[pool.Inputs[0]].Shape, f.hints[pool.Outputs[0]].Shape
	if len(before) < 3 || len(after) < 3 || !slices.Equal(before[2:], after[2:]) {
		return false // the convolution would have more to do
	}

	last := n.Outputs[0]
	mixed := &onnx.Node{Name: n.Name, OpType: "Conv", Inputs: []string{pool.Inputs[0], n.Inputs[1]}, Outputs: []string{f.fresh(last + "_mixed")}}
	for _, a := range n.Attrs {
		if a != act && a.Name != "activation_params" {
			mixed.Attrs = append(mixed.Attrs, a)
		}
	}
	pooled := *pool
	pooled.Inputs, pooled.Outputs = mixed.Outputs, []string{last}
	chain := []*onnx.Node{mixed, &pooled}
	// then makes a node follow the last one, whose output it reads.
	then := func(typ string, more ...string) {
		tail := chain[len(chain)-1]
		tail.Outputs = []string{f.fresh(last + "_pooled")}
		chain = append(chain, &onnx.Node{Name: n.Name, OpType: typ, Inputs: append(tail.Outputs, more...), Outputs: []string{last}})
	}
	if bias != nil {
		shape := []int{bias.Len()}
		for range before[2:] {
			shape = append(shape, 1)
		}
		term := f.fresh(input(n, 2) + "_term")
		f.consts[term] = &onnx.Tensor{Type: onnx.Float, Shape: shape, Raw: bias.Raw}
		then("Add", term)
	}
	if act != nil {
		then("Relu")
	}
	f.dead[from] = true
	f.before[i], f.nodes[i] = chain[:len(chain)-1], chain[len(chain)-1]
	return true
}
