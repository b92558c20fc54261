package graph

import (
	"math"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// layerNorm makes a LayerNormalization of the nodes that exporters write for it before opset 17: over the last axis,
// d = x - mean(x), and d / sqrt(mean(d²) + epsilon) * scale + bias.
func (f *fuser) layerNorm(i int) bool {
	n := f.nodes[i]
	if n.OpType != "Add" || !isONNX(n.Domain) || f.opsets("") < 7 {
		return false
	}
	product, bias := f.madeAndConst(n, "Mul")
	if product == nil {
		return false
	}
	quotient, scale := f.madeAndConst(product, "Div")
	if quotient == nil || len(scale.Shape) != 1 || len(bias.Shape) != 1 || scale.Shape[0] != bias.Shape[0] {
		return false
	}
	d := quotient.Inputs[0]
	diff := f.nodeOf(d, "Sub")
	root, _ := f.made(quotient.Inputs[1], "Sqrt")
	if diff == nil || root == nil || f.uses[d] > 3 {
		return false
	}
	sum, _ := f.made(root.Inputs[0], "Add")
	if sum == nil {
		return false
	}
	variance, epsilon := f.madeAndConst(sum, "ReduceMean")
	x := diff.Inputs[0]
	mean, _ := f.made(diff.Inputs[1], "ReduceMean")
	hint := f.hints[x]
	rank := len(hint.Shape)
	if variance == nil || epsilon.Len() != 1 || mean == nil || mean.Inputs[0] != x || hint.Type != onnx.Float ||
		rank == 0 || hint.Shape[rank-1] != scale.Shape[0] || !f.overLast(mean, rank) || !f.overLast(variance, rank) {
		return false
	}
	uses := 2 // of the difference: one of them, or two, is the square
	square := f.nodeOf(variance.Inputs[0], "Pow")
	if square != nil {
		two := f.float(square.Inputs[1])
		if two == nil || two.Len() != 1 || two.Float32s()[0] != 2 {
			return false
		}
	} else {
		if square = f.nodeOf(variance.Inputs[0], "Mul"); square == nil || square.Inputs[1] != d {
			return false
		}
		uses = 3
	}
	if square.Inputs[0] != d || f.uses[d] != uses || f.uses[square.Outputs[0]] != 1 {
		return false
	}
	norm := &onnx.Node{
		Name: n.Name, OpType: "LayerNormalization", Inputs: []string{x, f.constName(product, scale), f.constName(n, bias)}, Outputs: n.Outputs,
		Attrs: []*onnx.Attribute{
			{Name: "axis", Type: onnx.AttrInt, I: -1},
			{Name: "epsilon", Type: onnx.AttrFloat, F: epsilon.Float32s()[0]},
		},
	}
	for _, part := range []*onnx.Node{product, quotient, diff, root, sum, variance, mean, square} {
		f.dead[f.maker[part.Outputs[0]]] = true
	}
	f.uses[x]-- // the mean and the difference read it, now one node does
	f.nodes[i] = norm
	f.asNewest(norm)
	return true
}

// nodeOf is made for values that may be read several times.
func (f *fuser) nodeOf(value, typ string) *onnx.Node {
	i, ok := f.maker[value]
	if !ok || f.dead[i] || f.nodes[i].OpType != typ || !isONNX(f.nodes[i].Domain) {
		return nil
	}
	return f.nodes[i]
}

// madeAndConst returns the node of that operator which makes one of n's two inputs, read nowhere else, and the other
// input, a float32 constant.
func (f *fuser) madeAndConst(n *onnx.Node, typ string) (*onnx.Node, *onnx.Tensor) {
	if len(n.Inputs) != 2 {
		return nil, nil
	}
	for side := range 2 {
		m, _ := f.made(n.Inputs[side], typ)
		if c := f.float(n.Inputs[1-side]); m != nil && c != nil {
			return m, c
		}
	}
	return nil, nil
}

// constName returns which input of n a constant is.
func (f *fuser) constName(n *onnx.Node, c *onnx.Tensor) string {
	for _, in := range n.Inputs {
		if f.consts[in] == c {
			return in
		}
	}
	return ""
}

// overLast reports whether a reduction is over the last axis alone and keeps it, with size 1.
func (f *fuser) overLast(n *onnx.Node, rank int) bool {
	var axes []int64
	if a := n.Attr("axes"); a != nil {
		axes = a.Ints
	} else if c := f.consts[input(n, 1)]; c != nil && c.Type == onnx.Int64 {
		axes = onnx.Data[int64](c)
	}
	return intOf(n, "keepdims", 1) == 1 && len(axes) == 1 && (axes[0] == -1 || axes[0] == int64(rank)-1)
}

// asNewest says that a node is of the newest opset.
func (w *work) asNewest(n *onnx.Node) {
	if w.newest == nil {
		w.newest = map[*onnx.Node]bool{}
	}
	w.newest[n] = true
}

// gelu makes one node of x * (1 + erf(x/√2)) * 1/2, in whatever order it is multiplied.
func (f *fuser) gelu(i int) bool {
	n := f.nodes[i]
	if n.OpType != "Mul" || !isONNX(n.Domain) || f.opsets("") < 7 {
		return false
	}
	// The product of three factors: two nodes.
	for side := range 2 {
		inner, at := f.made(n.Inputs[side], "Mul")
		if inner == nil {
			continue
		}
		factors := []string{inner.Inputs[0], inner.Inputs[1], n.Inputs[1-side]}
		for k, half := range factors {
			if !f.isNumber(half, 0.5) {
				continue
			}
			a, b := factors[(k+1)%3], factors[(k+2)%3]
			for _, pair := range [][2]string{{a, b}, {b, a}} {
				x, parts := pair[0], f.onePlusErf(pair[1], pair[0])
				if parts == nil || f.hints[x].Type != onnx.Float {
					continue
				}
				for _, p := range append(parts, at) {
					f.dead[p] = true
				}
				f.uses[x]--
				f.nodes[i] = &onnx.Node{Name: n.Name, Domain: microsoft, OpType: "Gelu", Inputs: []string{x}, Outputs: n.Outputs}
				return true
			}
		}
	}
	return false
}

// onePlusErf returns the places of the nodes that compute 1 + erf(x/√2), nil where the value is another.
func (f *fuser) onePlusErf(value, x string) []int {
	sum, atSum := f.made(value, "Add")
	if sum == nil {
		return nil
	}
	for side := range 2 {
		erf, atErf := f.made(sum.Inputs[side], "Erf")
		if erf == nil || !f.isNumber(sum.Inputs[1-side], 1) {
			continue
		}
		if d, at := f.made(erf.Inputs[0], "Div"); d != nil && d.Inputs[0] == x && f.isNumber(d.Inputs[1], math.Sqrt2) {
			return []int{atSum, atErf, at}
		}
		if m, at := f.made(erf.Inputs[0], "Mul"); m != nil {
			for k := range 2 {
				if m.Inputs[k] == x && f.isNumber(m.Inputs[1-k], math.Sqrt2/2) {
					return []int{atSum, atErf, at}
				}
			}
		}
	}
	return nil
}

// isNumber reports whether a value is a constant scalar of type float32 that is v, as far as exporters write it.
func (f *fuser) isNumber(value string, v float64) bool {
	c := f.float(value)
	return c != nil && c.Len() == 1 && len(c.Shape) == 0 && math.Abs(float64(c.Float32s()[0])-v) < 1e-6
}

// channelsLast is a permutation that makes the channels, axis 1, the last axis and keeps the order of the others.
func channelsLast(perm []int64) bool {
	last := len(perm) - 1
	if last < 2 || perm[0] != 0 || perm[last] != 1 {
		return false
	}
	for k := 1; k < last; k++ {
		if perm[k] != int64(k)+1 {
			return false
		}
	}
	return true
}

// firstChannels computes what works along the last axis on values whose channels have been moved there before they are:
// LayerNormalization as a normalisation of the channels, the product with a matrix as a convolution.
func (f *fuser) firstChannels(i int) bool {
	n := f.nodes[i]
	if !isONNX(n.Domain) || len(n.Inputs) == 0 || len(n.Outputs) != 1 {
		return false
	}
	t, at := f.transposed(n.Inputs[0])
	if t == nil || !channelsLast(permOf(t)) || f.hints[n.Inputs[0]].Type != onnx.Float {
		return false
	}
	rank := len(permOf(t))
	switch n.OpType {
	case "LayerNormalization":
		scale := f.float(input(n, 1))
		axis := intOf(n, "axis", -1)
		if scale == nil || len(scale.Shape) != 1 || axis != -1 && axis != rank-1 {
			return false
		}
		bias := input(n, 2)
		if c := f.float(bias); bias == "" {
			bias = f.fresh(n.Inputs[1] + "_zero")
			f.consts[bias] = onnx.New(onnx.Float, scale.Shape[0])
		} else if c == nil || len(c.Shape) != 1 || c.Shape[0] != scale.Shape[0] {
			return false
		}
		f.nodes[i] = &onnx.Node{Name: n.Name, Domain: op.Internal, OpType: "ChannelNormalization", Outputs: n.Outputs,
			Attrs: []*onnx.Attribute{{Name: "epsilon", Type: onnx.AttrFloat, F: floatOf(n, "epsilon", 1e-5)}}}
		f.asNewest(f.nodes[i])
		return f.swap(i, t, at, []string{t.Inputs[0], n.Inputs[1], bias})
	case "MatMul":
		w := f.float(n.Inputs[1])
		if w == nil || len(w.Shape) != 2 || w.Len() == 0 {
			return false
		}
		name := f.fresh(n.Inputs[1] + "_filter")
		f.consts[name] = filterOf(w, rank)
		f.nodes[i] = &onnx.Node{Name: n.Name, OpType: "Conv", Outputs: n.Outputs}
		return f.swap(i, t, at, []string{t.Inputs[0], name})
	}
	return false
}

// filterOf returns the pointwise convolution of a matrix [inputs, outputs].
func filterOf(w *onnx.Tensor, rank int) *onnx.Tensor {
	k, m := w.Shape[0], w.Shape[1]
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = 1
	}
	shape[0], shape[1] = m, k
	c := onnx.New(onnx.Float, shape...)
	src, dst := w.Float32s(), c.Float32s()
	const block = 16 // rows and columns at a time, so that what is written stays in the cache
	for l0 := 0; l0 < k; l0 += block {
		for j0 := 0; j0 < m; j0 += block {
			for l := l0; l < min(l0+block, k); l++ {
				for j := j0; j < min(j0+block, m); j++ {
					dst[j*k+l] = src[l*m+j]
				}
			}
		}
	}
	return c
}
